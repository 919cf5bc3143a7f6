//! How many tokens a request has, asked in one family and told by another.
//!
//! Owns which codec writes and which reads. Only two families have a way to ask.

use payload::object::Misfit;

use crate::{
    crossing::target::Target,
    gemini, messages,
    neutral::{Encoded, Family, Request, Unsupported},
};

/// Reads what a client wants to have counted.
pub(crate) fn read(client: Family, model: &str, body: &str) -> Result<Request, Misfit> {
    if client == Family::Gemini {
        gemini::count::decode(body, model)
    } else {
        messages::count::decode(body)
    }
}

/// Writes it for a provider; `None` where its API cannot tell.
pub(crate) fn write(
    request: &Request,
    target: &Target<'_>,
) -> Result<Option<Encoded>, Unsupported> {
    match target {
        Target::Messages(target) => messages::count::encode(request, target).map(Some),
        Target::Gemini(target) => gemini::count::encode(request, target).map(Some),
        _ => Ok(None),
    }
}

/// Translates the count.
pub(crate) fn whole(client: Family, provider: Family, body: &str) -> Result<Vec<u8>, Misfit> {
    let count = if provider == Family::Gemini {
        gemini::count::decode_answer(body)?
    } else {
        let mut count = gemini::count::Count::default();
        count.tokens.input = messages::count::decode_answer(body)?;
        count
    };
    Ok(if client == Family::Gemini {
        gemini::count::encode_answer(&count)
    } else {
        messages::count::encode_answer(count.tokens.input_total())
    })
}
