//! What a message says: a string, or an array of parts.
//!
//! Owns the types of parts. A string is one text, and one text with nothing special about it is a string. A part of a
//! type that is not known here is kept whole.

use payload::{
    object::{self, Misfit, Object},
    scalar,
    writer::Writer,
};

use crate::{
    cohere::{document, image, own},
    neutral::{Content, Family, Part},
};

/// Reads the member `content` of a message.
pub(crate) fn decode(raw: &str) -> Result<Vec<Part>, Misfit> {
    if object::is_text(raw) {
        return Ok(vec![Part::text(object::text(raw)?)]);
    }
    if !raw.starts_with('[') {
        return Err(Misfit::new("must be a string or an array"));
    }
    let mut parts = Vec::new();
    for (index, element) in object::elements(raw)?.into_iter().enumerate() {
        parts.push(part(element).map_err(|misfit| misfit.within_element(index))?);
    }
    Ok(parts)
}

/// Writes texts, pictures and what came from here as the value of `content`. What cannot be written is its index.
pub(crate) fn encode(writer: &mut Writer, parts: &[&Part]) -> Result<(), usize> {
    if let [only] = parts
        && let Some(text) = words(only)
        && !own::any(&only.extra, "")
    {
        writer.text(text);
        return Ok(());
    }
    writer.open_array();
    for (index, part) in parts.iter().enumerate() {
        if !encode_part(writer, part) {
            return Err(index);
        }
    }
    writer.close_array();
    Ok(())
}

fn part(raw: &str) -> Result<Part, Misfit> {
    let mut part = Object::parse(raw)?;
    let kind = part
        .text("type")?
        .ok_or_else(|| Misfit::new("is missing").within("type"))?;
    let content = match kind.as_ref() {
        "text" => Content::Text(needed(&mut part, "text")?),
        "thinking" => Content::Reasoning {
            text: needed(&mut part, "thinking")?,
            signature: None,
        },
        "image_url" => return image::decode(part),
        "document" => return document::decode(part),
        other => return Ok(Part::other(own::extra(other, raw))),
    };
    Ok(Part {
        content,
        cache: None,
        extra: own::kept("", part),
    })
}

fn encode_part(writer: &mut Writer, part: &Part) -> bool {
    match &part.content {
        Content::Text(text) => {
            if let Some(raw) = document::of(part, text) {
                document::encode(writer, raw, part);
            } else {
                encode_words(writer, "text", text, part);
            }
        }
        Content::Refusal(text) => encode_words(writer, "text", text, part),
        Content::Reasoning { text, .. } => encode_words(writer, "thinking", text, part),
        Content::Image(media) => return image::encode(writer, media, part),
        Content::Document(media) => return document::encode_file(writer, media),
        Content::Other => match part.extra.first() {
            Some(extra) if extra.family == Family::Cohere => {
                writer.raw(extra.value.as_str());
            }
            _ => return false,
        },
        _ => return false,
    }
    true
}

fn encode_words(writer: &mut Writer, kind: &str, text: &str, part: &Part) {
    writer.open().key("type").text(kind).key(kind).text(text);
    own::write(writer, &part.extra, "", &["type", "document"]);
    writer.close();
}

/// What a text or a refusal says.
fn words(part: &Part) -> Option<&str> {
    match &part.content {
        Content::Text(text) | Content::Refusal(text) => Some(text),
        _ => None,
    }
}

fn needed(part: &mut Object<'_>, name: &str) -> Result<String, Misfit> {
    let raw = part
        .raw(name)?
        .ok_or_else(|| Misfit::new("is missing").within(name))?;
    let text = scalar::string(raw).ok_or_else(|| Misfit::new("must be a string").within(name))?;
    Ok(text.into_owned())
}
