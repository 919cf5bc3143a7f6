//! The blocks of a message, read, and those written that stand in questions and answers alike.
//!
//! Knows every block that the neutral form has a place for. Any other goes on as it came, to this family alone.

use payload::{
    object::{self, Misfit, Object},
    writer::Writer,
};

use crate::{
    messages::{extras, mark, media},
    neutral::{Content, Extra, Media, Part},
};

/// Reads a block.
pub(crate) fn read(raw: &str) -> Result<Part, Misfit> {
    let mut block = Object::parse(raw)?;
    let kind = required(&mut block, "type")?;
    let mut kept = Vec::new();
    let cache = mark::take(&mut block, &mut kept)?;
    let content = match kind.as_str() {
        "text" => Some(Content::Text(required(&mut block, "text")?)),
        "image" => source(&mut block, &mut kept)?.map(Content::Image),
        "document" => document(&mut block, &mut kept)?.map(Content::Document),
        "tool_use" => Some(Content::ToolCall {
            id: block.text("id")?.unwrap_or_default().into(),
            name: required(&mut block, "name")?,
            arguments: arguments(&mut block)?,
        }),
        "tool_result" => Some(Content::ToolResult {
            id: required(&mut block, "tool_use_id")?,
            name: None,
            parts: results(&mut block)?,
            failed: block.flag("is_error")?.unwrap_or(false),
        }),
        "thinking" => Some(Content::Reasoning {
            text: block.text("thinking")?.unwrap_or_default().into(),
            signature: block
                .text("signature")?
                .filter(|signature| !signature.is_empty())
                .map(Into::into),
        }),
        "redacted_thinking" => Some(Content::RedactedReasoning(required(&mut block, "data")?)),
        _ => None,
    };
    let Some(content) = content else {
        return Ok(Part::other(extras::extra(kind, raw)));
    };
    extras::keep(block, "", &mut kept);
    Ok(Part {
        content,
        cache,
        extra: kept,
    })
}

/// Reads what is a string, or an array of blocks.
pub(crate) fn read_all(raw: &str) -> Result<Vec<Part>, Misfit> {
    if object::is_text(raw) {
        return Ok(vec![Part::text(object::text(raw)?)]);
    }
    let blocks = object::elements(raw)
        .map_err(|_| Misfit::new("must be a string or an array of content blocks"))?;
    let read = |(index, raw): (usize, &&str)| {
        self::read(raw).map_err(|misfit| misfit.within_element(index))
    };
    blocks.iter().enumerate().map(read).collect()
}

/// Writes a block that may stand in a question and in an answer. `keeps` says which members of its own are written.
/// `false`, and nothing is written, if it is no such block.
pub(crate) fn write(
    writer: &mut Writer,
    part: &Part,
    keeps: &mut impl FnMut(&Extra) -> bool,
) -> bool {
    match &part.content {
        Content::Text(text) | Content::Refusal(text) => {
            open(writer, "text").key("text").text(text);
        }
        Content::ToolCall {
            id,
            name,
            arguments,
        } => {
            open(writer, "tool_use").key("id").text(&tool_id(id));
            let input = self::input(arguments).unwrap_or("{}");
            writer.key("name").text(name).key("input").raw(input);
        }
        Content::Reasoning { text, signature } => {
            open(writer, "thinking").key("thinking").text(text);
            let signature = signature.as_deref().unwrap_or_default();
            writer.key("signature").text(signature);
        }
        Content::RedactedReasoning(data) => {
            open(writer, "redacted_thinking").key("data").text(data);
        }
        Content::Other => match part.extra.first().filter(|extra| extras::is_own(extra)) {
            Some(extra) => {
                writer.raw(extra.value.as_str());
                return true;
            }
            None => return false,
        },
        Content::Image(_)
        | Content::Audio(_)
        | Content::Document(_)
        | Content::ToolResult { .. } => return false,
    }
    close(writer, part, keeps);
    true
}

/// Opens a block of this type.
pub(crate) fn open<'w>(writer: &'w mut Writer, kind: &str) -> &'w mut Writer {
    writer.open().key("type").text(kind)
}

/// Writes what is common to all blocks, and closes this one.
pub(crate) fn close(writer: &mut Writer, part: &Part, keeps: &mut impl FnMut(&Extra) -> bool) {
    let kept: Vec<&Extra> = part.extra.iter().filter(|extra| keeps(extra)).collect();
    let within = |prefix| {
        let members = kept.iter();
        members
            .filter_map(move |extra| Some((extra.name.strip_prefix(prefix)?, extra.value.as_str())))
    };
    mark::write(writer, part.cache.as_ref(), within(mark::PREFIX));
    let outer = within("").filter(|(name, _)| {
        let prefixes = [mark::PREFIX, media::PREFIX];
        !prefixes.iter().any(|prefix| name.starts_with(prefix))
    });
    extras::write(writer, outer);
    writer.close();
}

/// What a call's arguments are as `input`, which is an object and never a string. `None` if they are none.
pub(crate) fn input(arguments: &str) -> Option<&str> {
    let arguments = arguments.trim();
    if arguments.is_empty() {
        return Some("{}");
    }
    Object::parse(arguments).ok().map(|_| arguments)
}

/// An id that the API takes: letters, digits, `_` and `-`. One that is changed gets a digest of what it was, so that
/// two of them stay two. The same id is always changed alike.
pub(crate) fn tool_id(id: &str) -> std::borrow::Cow<'_, str> {
    let fits = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '-');
    if !id.is_empty() && id.chars().all(fits) {
        return id.into();
    }
    let fitted: String = id
        .chars()
        .map(|letter| if fits(letter) { letter } else { '_' })
        .collect();
    // FNV-1a: no secret, only to tell ids apart.
    let digest = id.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |digest, byte| {
        (digest ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    format!("{fitted}_{digest:016x}").into()
}

fn required(block: &mut Object<'_>, name: &str) -> Result<String, Misfit> {
    match block.text(name)? {
        Some(text) => Ok(text.into()),
        None => Err(Misfit::new("is required").within(name)),
    }
}

fn source(block: &mut Object<'_>, kept: &mut Vec<Extra>) -> Result<Option<Media>, Misfit> {
    let raw = block
        .raw("source")?
        .ok_or_else(|| Misfit::new("is required").within("source"))?;
    media::read(raw, kept).map_err(|misfit| misfit.within("source"))
}

fn document(block: &mut Object<'_>, kept: &mut Vec<Extra>) -> Result<Option<Media>, Misfit> {
    let Some(mut media) = source(block, kept)? else {
        return Ok(None);
    };
    media.name = block.text("title")?.map(Into::into);
    Ok(Some(media))
}

/// The arguments of a call. Some clients send back as a string what they heard as a string; an empty one is none.
fn arguments(block: &mut Object<'_>) -> Result<String, Misfit> {
    let raw = block.raw("input")?.unwrap_or("{}");
    let said = if object::is_text(raw) {
        object::text(raw)?.into_owned()
    } else {
        raw.to_owned()
    };
    match input(&said) {
        Some(input) => Ok(input.to_owned()),
        None => Err(Misfit::new("must be an object").within("input")),
    }
}

fn results(block: &mut Object<'_>) -> Result<Vec<Part>, Misfit> {
    match block.raw("content")? {
        Some(raw) => read_all(raw).map_err(|misfit| misfit.within("content")),
        None => Ok(Vec::new()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_an_object_whatever_a_client_made_of_them() {
        let read = |input: &str| {
            let raw = format!(r#"{{"type":"tool_use","id":"a","name":"f","input":{input}}}"#);
            match super::read(&raw).map(|part| part.content) {
                Ok(Content::ToolCall { arguments, .. }) => Some(arguments),
                _ => None,
            }
        };
        assert_eq!(read(r#"{"a": 1.0}"#).as_deref(), Some(r#"{"a": 1.0}"#));
        assert_eq!(read(r#""""#).as_deref(), Some("{}"));
        assert_eq!(read("null").as_deref(), Some("{}"));
        assert_eq!(read(r#""{\"a\":1}""#).as_deref(), Some(r#"{"a":1}"#));
        assert_eq!(read(r#""[1]""#), None);
        assert_eq!(read("[1]"), None);
    }

    #[test]
    fn ids_that_the_api_refuses_are_changed_and_stay_apart() {
        assert_eq!(tool_id("toolu_01-A"), "toolu_01-A");
        let ids = [tool_id("a|b"), tool_id("a.b"), tool_id("a_b"), tool_id("")];
        for (at, id) in ids.iter().enumerate() {
            assert!(!id.is_empty() && !id.contains(['|', '.']));
            assert!(!ids[at + 1..].contains(id));
        }
    }
}
