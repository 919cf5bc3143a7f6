//! How many tokens a request has: `:countTokens`, what is asked and what is answered.
//!
//! Owns both objects. AI Studio takes nothing but contents unless the whole request is wrapped; Vertex takes it flat.

use payload::{
    object::{Misfit, Object},
    writer::Writer,
};

use crate::{
    Tokens,
    gemini::{member::Members, own, request, target::Target},
    neutral::{Dropped, Encoded, Extra, Request, Unsupported},
};

/// How many tokens a request has.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Count {
    /// Those of its input; no other is counted.
    pub tokens: Tokens,
    /// What only this family understands.
    pub extra: Vec<Extra>,
}

/// Reads the body of `:countTokens`.
pub fn decode(body: &str, model: &str) -> Result<Request, Misfit> {
    let mut members = Members::parse(body)?;
    let wrapped = members.raw("generateContentRequest")?;
    match wrapped {
        None => request::decode(body, model, false),
        Some(raw) => request::decode(raw, model, false)
            .map_err(|misfit| misfit.within("generateContentRequest")),
    }
}

/// Writes the body of `:countTokens` for a model.
pub fn encode(request: &Request, target: &Target<'_>) -> Result<Encoded, Unsupported> {
    let Encoded { body, dropped } = request::encode(request, target)?;
    let flat = str::from_utf8(&body).unwrap_or("{}");
    if target.is_vertex() || holds_contents_only(flat) {
        return Ok(Encoded { body, dropped });
    }
    wrap(request, target)
}

fn holds_contents_only(body: &str) -> bool {
    let members = Object::parse(body).map(Object::rest);
    members.is_ok_and(|mut members| members.all(|(name, _)| name == "contents"))
}

fn wrap(request: &Request, target: &Target<'_>) -> Result<Encoded, Unsupported> {
    let mut dropped = Dropped::default();
    let mut writer = Writer::with_capacity(1_024);
    let name = target.model.strip_prefix("models/").unwrap_or(target.model);
    writer.open().key("generateContentRequest").open();
    writer.key("model").text(&format!("models/{name}"));
    request::write(&mut writer, request, target, &mut dropped)?;
    writer.close().close();
    let body = writer.into_bytes();
    Ok(Encoded { body, dropped })
}

/// Reads the answer to `:countTokens`.
pub fn decode_answer(body: &str) -> Result<Count, Misfit> {
    let mut members = Members::parse(body)?;
    let total = members.count("totalTokens")?;
    let total = total.ok_or_else(|| Misfit::new("must be there").within("totalTokens"))?;
    let cached = members
        .count("cachedContentTokenCount")?
        .unwrap_or(0)
        .min(total);
    let mut count = Count {
        tokens: Tokens {
            input: total - cached,
            cached_input: cached,
            ..Tokens::default()
        },
        extra: Vec::new(),
    };
    members.rest("", &mut count.extra)?;
    Ok(count)
}

/// Writes the answer to `:countTokens`.
pub fn encode_answer(count: &Count) -> Vec<u8> {
    let mut writer = Writer::default();
    writer
        .open()
        .key("totalTokens")
        .number(count.tokens.input_total());
    if count.tokens.cached_input > 0 {
        writer
            .key("cachedContentTokenCount")
            .number(count.tokens.cached_input);
    }
    own::write(&mut writer, &count.extra, "", &[]);
    writer.close();
    writer.into_bytes()
}
