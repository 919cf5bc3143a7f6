//! The parts of a message's `content`, read, and written.
//!
//! Knows every part that the neutral form has a place for. Any other goes on as it came, to this family alone.

use crate::{
    chat::{extras, mark, media, target::Target},
    neutral::{Content, Dropped, Extra, Media, Part, Source, Unsupported},
    object::{self, Misfit, Object},
    writer::Writer,
};

/// Reads a content: a string, or a list of parts. An empty string is nothing.
pub(crate) fn read_all(raw: &str) -> Result<Vec<Part>, Misfit> {
    if object::is_text(raw) {
        let text = object::text(raw)?;
        return Ok(if text.is_empty() {
            Vec::new()
        } else {
            vec![Part::text(text)]
        });
    }
    let elements =
        object::elements(raw).map_err(|_| Misfit::new("must be a string or an array"))?;
    let mut parts = Vec::with_capacity(elements.len());
    for (index, raw) in elements.into_iter().enumerate() {
        let part = if object::is_text(raw) {
            object::text(raw).map(Part::text)
        } else {
            read(raw)
        };
        parts.push(part.map_err(|misfit| misfit.within_element(index))?);
    }
    Ok(parts)
}

fn read(raw: &str) -> Result<Part, Misfit> {
    let mut object = Object::parse(raw)?;
    let kind = object
        .text("type")?
        .ok_or_else(|| Misfit::new("is required").within("type"))?;
    let mut kept = Vec::new();
    let cache = mark::take(&mut object, &mut kept)?;
    let content = match &*kind {
        "text" => Content::Text(required(&mut object, "text")?),
        "refusal" => Content::Refusal(required(&mut object, "refusal")?),
        "image_url" => Content::Image(inner(&mut object, "image_url", &mut kept, media::image)?),
        "input_audio" => {
            Content::Audio(inner(&mut object, "input_audio", &mut kept, media::audio)?)
        }
        "file" => Content::Document(inner(&mut object, "file", &mut kept, media::file)?),
        // Mistral's thoughts.
        "thinking" => Content::Reasoning {
            text: thoughts(&mut object)?,
            signature: None,
        },
        _ => return Ok(Part::other(extras::extra(kind, raw))),
    };
    extras::keep(object, "", &mut kept);
    Ok(Part {
        content,
        cache,
        extra: kept,
    })
}

fn required(object: &mut Object<'_>, name: &str) -> Result<String, Misfit> {
    match object.text(name)? {
        Some(text) => Ok(text.into()),
        None => Err(Misfit::new("is required").within(name)),
    }
}

fn inner(
    object: &mut Object<'_>,
    name: &str,
    kept: &mut Vec<Extra>,
    read: fn(&str, &mut Vec<Extra>) -> Result<Media, Misfit>,
) -> Result<Media, Misfit> {
    let raw = object
        .raw(name)?
        .ok_or_else(|| Misfit::new("is required").within(name))?;
    read(raw, kept).map_err(|misfit| misfit.within(name))
}

fn thoughts(object: &mut Object<'_>) -> Result<String, Misfit> {
    let Some(raw) = object.raw("thinking")? else {
        return Ok(String::new());
    };
    let mut text = String::new();
    for part in read_all(raw).map_err(|misfit| misfit.within("thinking"))? {
        if let Content::Text(piece) = part.content {
            text.push_str(&piece);
        }
    }
    Ok(text)
}

/// Writes `content`: a string where one plain text is all there is. `at` is the place of the message.
pub(crate) fn write_all(
    writer: &mut Writer,
    parts: &[&Part],
    target: &Target<'_>,
    at: &str,
    dropped: &mut Dropped,
) -> Result<(), Unsupported> {
    match parts {
        [] => {
            writer.text("");
        }
        [
            Part {
                content: Content::Text(text),
                cache,
                extra,
            },
        ] if extra.is_empty() && (cache.is_none() || !target.takes_marks()) => {
            if cache.is_some() {
                dropped.note(format!("{at}.content[0].cache_control"));
            }
            writer.text(text);
        }
        parts => {
            writer.open_array();
            for (index, part) in parts.iter().enumerate() {
                write(
                    writer,
                    part,
                    target,
                    &format!("{at}.content[{index}]"),
                    dropped,
                )?;
            }
            writer.close_array();
        }
    }
    Ok(())
}

fn write(
    writer: &mut Writer,
    part: &Part,
    target: &Target<'_>,
    at: &str,
    dropped: &mut Dropped,
) -> Result<(), Unsupported> {
    let unsupported = |why: &str| Unsupported {
        at: at.to_owned(),
        why: why.to_owned(),
    };
    let kept = &part.extra;
    if let Content::Other = part.content {
        let own = kept.first().filter(|extra| extras::is_own(extra));
        let extra = own.ok_or_else(|| unsupported("this part is another provider's own"))?;
        writer.raw(extra.value.as_str());
        return Ok(());
    }
    writer.open();
    let written = match &part.content {
        Content::Refusal(text) => {
            writer.key("type").text("refusal").key("refusal").text(text);
            Ok(())
        }
        Content::Image(media) => {
            writer.key("type").text("image_url");
            media::write_image(writer, media, kept)
        }
        Content::Audio(media) => {
            writer.key("type").text("input_audio");
            media::write_audio(writer, media, kept)
        }
        Content::Text(text)
        | Content::Document(Media {
            source: Source::Text(text),
            ..
        }) => {
            writer.key("type").text("text").key("text").text(text);
            Ok(())
        }
        Content::Document(media) => {
            writer.key("type").text("file");
            media::write_file(writer, media, kept)
        }
        _ => Err("this part cannot stand here"),
    };
    written.map_err(unsupported)?;
    finish(writer, part, target, at, dropped);
    Ok(())
}

/// Writes the mark and the members that nobody knows, and closes the part.
fn finish(writer: &mut Writer, part: &Part, target: &Target<'_>, at: &str, dropped: &mut Dropped) {
    if target.takes_marks() {
        let members = extras::under(&part.extra, mark::PREFIX);
        mark::write(writer, part.cache.as_ref(), members);
    } else if part.cache.is_some() {
        dropped.note(format!("{at}.cache_control"));
    }
    extras::write_plain(writer, &part.extra, at, dropped);
    writer.close();
}
