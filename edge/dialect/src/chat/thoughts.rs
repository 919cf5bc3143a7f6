//! What a model thought: `reasoning_content`, `reasoning`, and `reasoning_details` with their proofs.
//!
//! Owns how proofs of any family travel through this dialect: as `OpenRouter` has it, because its clients send the
//! details back as they got them. Must never read inside a proof.

use crate::{
    chat::extras,
    neutral::{Content, Part},
    object::{self, Misfit, Object},
    writer::Writer,
};

const SUMMARY: &str = "reasoning.summary";

/// Takes all thoughts from a message.
pub(crate) fn take(message: &mut Object<'_>) -> Result<Vec<Part>, Misfit> {
    let details = message.array("reasoning_details")?.unwrap_or_default();
    let mut text = None;
    for name in ["reasoning_content", "reasoning"] {
        let raw = message.raw(name)?.filter(|raw| object::is_text(raw));
        let said = raw.map(object::text).transpose();
        let said = said.map_err(|misfit| misfit.within(name))?;
        text = text.or(said.filter(|said| !said.is_empty()));
    }
    let mut parts = Vec::new();
    for (index, raw) in details.into_iter().enumerate() {
        let part = detail(raw)
            .map_err(|misfit| misfit.within_element(index).within("reasoning_details"))?;
        parts.push(part);
    }
    let readable =
        |part: &Part| matches!(&part.content, Content::Reasoning { text, .. } if !text.is_empty());
    // The details say the same words again, unless they can only be read by their maker.
    if let Some(text) = text.filter(|_| !parts.iter().any(readable)) {
        let bare = parts.iter_mut().find_map(|part| match &mut part.content {
            Content::Reasoning { text, .. } => Some(text),
            _ => None,
        });
        match bare {
            Some(bare) => *bare = text.into(),
            None => parts.insert(0, thought(text.into(), None)),
        }
    }
    Ok(parts)
}

/// Reads one of the details.
pub(crate) fn detail(raw: &str) -> Result<Part, Misfit> {
    let mut detail = Object::parse(raw)?;
    let kind = detail.text("type")?;
    let mut part = match kind.as_deref() {
        Some("reasoning.text") => {
            let text = detail.text("text")?.unwrap_or_default().into();
            let signature = detail.text("signature")?.filter(|proof| !proof.is_empty());
            thought(text, signature.map(Into::into))
        }
        Some("reasoning.encrypted") => {
            let data = detail.text("data")?.unwrap_or_default();
            Part::new(Content::RedactedReasoning(data.into()))
        }
        Some(SUMMARY) => {
            let mut part = thought(detail.text("summary")?.unwrap_or_default().into(), None);
            part.extra
                .push(extras::extra("type", "\"reasoning.summary\""));
            part
        }
        _ => return Ok(Part::other(extras::extra("reasoning_details", raw))),
    };
    // Its place follows from the order.
    detail.raw("index")?;
    extras::keep(detail, "", &mut part.extra);
    Ok(part)
}

/// Whether a part is one of those that [`write_details`] writes.
pub(crate) fn is_thought(part: &Part) -> bool {
    match part.content {
        Content::Reasoning { .. } | Content::RedactedReasoning(_) => true,
        Content::Other => part
            .extra
            .first()
            .is_some_and(|extra| extras::is_own(extra) && extra.name == "reasoning_details"),
        _ => false,
    }
}

/// The words of all thoughts together; `None` if there are none.
pub(crate) fn words<'p>(parts: impl Iterator<Item = &'p Part>) -> Option<String> {
    let mut words = String::new();
    for part in parts {
        if let Content::Reasoning { text, .. } = &part.content {
            words.push_str(text);
        }
    }
    (!words.is_empty()).then_some(words)
}

/// Whether a thought has more than words.
pub(crate) fn is_proven(part: &Part) -> bool {
    match &part.content {
        Content::Reasoning { signature, .. } => {
            signature.is_some() || part.extra.iter().any(extras::is_own)
        }
        _ => true,
    }
}

/// Writes `reasoning_details`.
pub(crate) fn write_details<'p>(writer: &mut Writer, thoughts: impl Iterator<Item = &'p Part>) {
    writer.key("reasoning_details").open_array();
    for (index, part) in thoughts.enumerate() {
        if let Content::Other = part.content {
            if let Some(raw) = part.raw() {
                writer.raw(raw.as_str());
            }
            continue;
        }
        writer.open();
        match &part.content {
            Content::RedactedReasoning(data) => {
                writer.key("type").text("reasoning.encrypted");
                writer.key("data").text(data);
            }
            Content::Reasoning { text, .. } if extras::find(&part.extra, "type").is_some() => {
                writer.key("type").text(SUMMARY).key("summary").text(text);
            }
            Content::Reasoning { text, signature } => {
                writer
                    .key("type")
                    .text("reasoning.text")
                    .key("text")
                    .text(text);
                if let Some(signature) = signature {
                    writer.key("signature").text(signature);
                }
            }
            _ => {}
        }
        let others = extras::under(&part.extra, "").filter(|(name, _)| *name != "type");
        extras::write(writer, others);
        writer.key("index").number(index.try_into().unwrap_or(0));
        writer.close();
    }
    writer.close_array();
}

fn thought(text: String, signature: Option<String>) -> Part {
    Part::new(Content::Reasoning { text, signature })
}
