//! The parts of a message's content.
//!
//! Owns their types. A part of a type that only this family has is kept whole, under the name of its type.

use payload::object::{self, Misfit, Object};

use crate::{
    chat::{cache, draft::Draft, media, own, thoughts},
    neutral::{Content, Extra, Part, Unsupported},
    place::Place,
};

/// Reads a content: a string, parts, or nothing. Empty words are nothing.
pub(crate) fn read_all(raw: Option<&str>) -> Result<Vec<Part>, Misfit> {
    let Some(raw) = raw else {
        return Ok(Vec::new());
    };
    if object::is_text(raw) {
        let text = object::text(raw)?;
        let part = (!text.is_empty()).then(|| Part::text(text));
        return Ok(part.into_iter().collect());
    }
    let elements =
        object::elements(raw).map_err(|_| Misfit::new("must be a string or an array"))?;
    let read = |(at, raw)| read(raw).map_err(|misfit| misfit.within_element(at));
    elements.into_iter().enumerate().map(read).collect()
}

/// Reads one part.
pub(crate) fn read(raw: &str) -> Result<Part, Misfit> {
    if object::is_text(raw) {
        return Ok(Part::text(object::text(raw)?));
    }
    let mut object = Object::parse(raw)?;
    let kind = object.text("type")?.unwrap_or_default();
    let mut extra = Vec::new();
    let Some(content) = read_content(&kind, &mut object, &mut extra)? else {
        return Ok(Part::other(own::extra(kind, raw)));
    };
    let cache = cache::take(&mut object)?;
    own::keep(object, "", &mut extra);
    Ok(Part {
        content,
        cache,
        extra,
    })
}

fn read_content(
    kind: &str,
    object: &mut Object<'_>,
    extra: &mut Vec<Extra>,
) -> Result<Option<Content>, Misfit> {
    let word = |object: &mut Object<'_>, name: &str| {
        let text = object.text(name)?;
        let text = text.ok_or_else(|| Misfit::new("must be a string").within(name))?;
        Ok(text.into_owned())
    };
    let mut inner = |name: &str, read: fn(&str, &mut Vec<Extra>) -> Result<Content, Misfit>| {
        let raw = object.raw(name)?;
        let raw = raw.ok_or_else(|| Misfit::new("must be an object").within(name))?;
        read(raw, extra).map_err(|misfit| misfit.within(name))
    };
    Ok(Some(match kind {
        "image_url" => inner("image_url", media::image)?,
        "input_audio" => inner("input_audio", media::audio)?,
        "file" => inner("file", media::file)?,
        "text" => Content::Text(word(object, "text")?),
        "refusal" => Content::Refusal(word(object, "refusal")?),
        "thinking" => Content::Reasoning {
            text: thoughts::read_chunk(object)?,
            signature: object.text("signature")?.map(Into::into),
        },
        "document_url" => {
            let name = object.text("document_name")?;
            media::document(&word(object, "document_url")?, name.as_deref())
        }
        _ => return Ok(None),
    }))
}

/// Whether a part can be said as a plain string.
pub(crate) fn is_plain(part: &Part) -> bool {
    matches!(part.content, Content::Text(_)) && part.cache.is_none() && part.extra.is_empty()
}

/// Writes the content of a message: a string where that says it all.
pub(crate) fn write_all(
    parts: &[(Place, &Part)],
    draft: &mut Draft<'_>,
) -> Result<(), Unsupported> {
    draft.writer.key("content");
    match parts {
        [] => {
            draft.writer.text("");
        }
        [(_, part)] if is_plain(part) => write_joined(parts, draft)?,
        _ if !draft.target.parts => write_joined(parts, draft)?,
        _ => {
            draft.writer.open_array();
            for (place, part) in parts {
                write(part, *place, draft)?;
            }
            draft.writer.close_array();
        }
    }
    Ok(())
}

/// Writes texts as one string, each on lines of its own.
fn write_joined(parts: &[(Place, &Part)], draft: &mut Draft<'_>) -> Result<(), Unsupported> {
    let mut joined = String::new();
    for (place, part) in parts {
        let (Content::Text(text) | Content::Refusal(text)) = &part.content else {
            return Err(place.unsupported("is not text, and this model reads nothing else"));
        };
        if !joined.is_empty() && !text.is_empty() {
            joined.push('\n');
        }
        joined.push_str(text);
        for extra in &part.extra {
            draft.note(place, &extra.name);
        }
        if part.cache.is_some() {
            draft.note(place, "cache_control");
        }
    }
    draft.writer.text(&joined);
    Ok(())
}

/// Writes one part.
pub(crate) fn write(part: &Part, place: Place, draft: &mut Draft<'_>) -> Result<(), Unsupported> {
    if let Content::Other = part.content {
        return write_other(part, place, draft);
    }
    draft.note_others(&part.extra, place);
    draft.writer.open();
    match &part.content {
        Content::Text(text) => {
            draft.writer.key("type").text("text").key("text").text(text);
        }
        Content::Refusal(text) => {
            draft
                .writer
                .key("type")
                .text("refusal")
                .key("refusal")
                .text(text);
        }
        Content::Image(image) => media::write_image(image, part, place, draft)?,
        Content::Audio(audio) => media::write_audio(audio, part, place, draft)?,
        Content::Document(document) => media::write_document(document, part, place, draft)?,
        Content::Reasoning { text, signature } => {
            draft
                .writer
                .key("type")
                .text("thinking")
                .key("thinking")
                .open_array();
            draft
                .writer
                .open()
                .key("type")
                .text("text")
                .key("text")
                .text(text);
            draft.writer.close().close_array();
            if let Some(signature) = signature {
                draft.writer.key("signature").text(signature);
            }
        }
        Content::ToolCall { .. }
        | Content::ToolResult { .. }
        | Content::RedactedReasoning(_)
        | Content::Other => {
            return Err(place.unsupported("has no place in this turn"));
        }
    }
    draft.write_own(
        &part.extra,
        &["image_url.", "input_audio.", "file.", thoughts::DETAILS],
    );
    cache::write(part.cache.as_ref(), place, draft);
    draft.writer.close();
    Ok(())
}

fn write_other(part: &Part, place: Place, draft: &mut Draft<'_>) -> Result<(), Unsupported> {
    match part.extra.first().filter(|extra| own::is_own(extra)) {
        Some(extra) => {
            draft.writer.raw(extra.value.as_str());
            Ok(())
        }
        None => Err(place.unsupported("is of a kind that only another API knows")),
    }
}
