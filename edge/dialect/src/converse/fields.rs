//! `additionalModelRequestFields`: what only the model of a request understands, and Converse passes on.
//!
//! Owns where in them the things stand that other dialects know: thinking, and `top_k`.

use payload::{object::Object, writer::Writer};

use crate::{
    converse::{
        extras,
        target::{Target, TopK},
        thinking::{self, Plan},
    },
    neutral::{Dropped, Extra, Json, Request},
};

const FIELDS: &str = "additionalModelRequestFields";

/// Nova's own settings among these fields.
const NOVA: &str = "additionalModelRequestFields.inferenceConfig";

/// Reads them. What is not an object with something in it is kept as it is.
pub(crate) fn read(raw: &str, target: &Target<'_>, request: &mut Request) {
    let fields = match Object::parse(raw) {
        Ok(fields) if !fields.is_empty() => fields,
        _ => return extras::push(&mut request.extra, "", FIELDS, raw),
    };
    for (name, raw) in fields.rest() {
        if thinking::read(&name, raw, &mut request.reasoning) {
            continue;
        }
        match (&*name, target.top_k) {
            ("top_k", TopK::Plain) if is_number(raw) => {
                request.sampling.top_k = Some(Json::of(raw));
            }
            ("inferenceConfig", TopK::Nova) => read_nova(raw, request),
            (name, _) => extras::push(&mut request.extra, FIELDS, name, raw),
        }
    }
}

fn read_nova(raw: &str, request: &mut Request) {
    let top_k = Object::parse(raw).ok().and_then(|mut config| {
        let top_k = config.number("topK").ok()??;
        extras::take(&mut request.extra, NOVA, config);
        Some(top_k)
    });
    match top_k {
        Some(top_k) => request.sampling.top_k = Some(Json::of(top_k)),
        None => extras::push(&mut request.extra, FIELDS, "inferenceConfig", raw),
    }
}

fn is_number(raw: &str) -> bool {
    raw.starts_with(|first: char| first == '-' || first.is_ascii_digit())
}

/// Writes them where there are any.
pub(crate) fn write(
    writer: &mut Writer,
    request: &Request,
    target: &Target<'_>,
    plan: &Plan,
    dropped: &mut Dropped,
) {
    let reasoning = request.reasoning.as_ref();
    let reasoning: &[Extra] = reasoning.map_or(&[], |it| &it.extra);
    let top_k = top_k(request, target, plan, dropped);
    let own = extras::members(&request.extra, FIELDS, &[])
        .next()
        .is_some();
    if !own && top_k.is_none() && !plan.has_fields(reasoning) {
        if let Some(raw) = extras::get(&request.extra, FIELDS) {
            writer.key(FIELDS).raw(raw);
        }
        return;
    }
    writer.key(FIELDS).open();
    plan.write_fields(writer, reasoning);
    let nova = target.top_k == TopK::Nova;
    match top_k {
        Some(top_k) if nova => {
            writer
                .key("inferenceConfig")
                .open()
                .key("topK")
                .raw(top_k.as_str());
            extras::write(writer, &request.extra, NOVA, &[]);
            writer.close();
        }
        Some(top_k) => drop(writer.key("top_k").raw(top_k.as_str())),
        None => {}
    }
    let below_nova = if nova && top_k.is_some() {
        "inferenceConfig"
    } else {
        ""
    };
    extras::write(writer, &request.extra, FIELDS, &[below_nova]);
    writer.close();
}

fn top_k<'a>(
    request: &'a Request,
    target: &Target<'_>,
    plan: &Plan,
    dropped: &mut Dropped,
) -> Option<&'a Json> {
    let top_k = request.sampling.top_k.as_ref()?;
    if target.top_k == TopK::Unknown || plan.thinks {
        dropped.note("top_k");
        return None;
    }
    Some(top_k)
}
