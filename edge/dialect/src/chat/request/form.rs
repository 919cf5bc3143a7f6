//! What form an answer must have: `response_format`.
//!
//! Knows the three forms that all families share. Any other goes on as it came, to this family alone.

use crate::{
    chat::extras,
    neutral::{Extra, Format, Json, Request},
    object::{Misfit, Object},
    writer::Writer,
};

const SCHEMA: &str = "response_format.json_schema.";
const OUTER: &str = "response_format.";
/// The longest name of a schema, in bytes.
const NAME_BYTES_MAX: usize = 64;

/// Reads `response_format`.
pub(crate) fn read(object: &mut Object<'_>, extra: &mut Vec<Extra>) -> Result<Format, Misfit> {
    let Some(raw) = object.raw("response_format")? else {
        return Ok(Format::Free);
    };
    let within = |misfit: Misfit| misfit.within("response_format");
    let mut format = Object::parse(raw).map_err(within)?;
    let kind = format.text("type").map_err(within)?;
    let format = match kind.as_deref() {
        Some("text") => Format::Free,
        Some("json_object") => {
            extras::keep(format, OUTER, extra);
            Format::JsonObject
        }
        Some("json_schema") => {
            let inner = format
                .object("json_schema")
                .map_err(within)?
                .ok_or_else(|| within(Misfit::new("is required").within("json_schema")))?;
            extras::keep(format, OUTER, extra);
            schema(inner, extra).map_err(|misfit| within(misfit.within("json_schema")))?
        }
        _ => {
            extra.push(extras::extra("response_format", raw));
            Format::Free
        }
    };
    Ok(format)
}

fn schema(mut inner: Object<'_>, extra: &mut Vec<Extra>) -> Result<Format, Misfit> {
    let format = Format::JsonSchema {
        name: inner.text("name")?.map(Into::into),
        description: inner.text("description")?.map(Into::into),
        schema: Json::of(inner.raw("schema")?.unwrap_or("{}")),
        strict: inner.flag("strict")?,
    };
    extras::keep(inner, SCHEMA, extra);
    Ok(format)
}

/// Writes `response_format`.
pub(crate) fn write(writer: &mut Writer, request: &Request) {
    let outer =
        extras::under(&request.extra, OUTER).filter(|(name, _)| !name.starts_with("json_schema."));
    match &request.format {
        Format::Free => {}
        Format::JsonObject => {
            writer.key("response_format").open();
            writer.key("type").text("json_object");
            extras::write(writer, outer);
            writer.close();
        }
        Format::JsonSchema {
            name,
            description,
            schema,
            strict,
        } => {
            writer.key("response_format").open();
            writer.key("type").text("json_schema");
            writer.key("json_schema").open();
            let name = name.clone().or_else(|| title(schema));
            writer.key("name").text(name.as_deref().unwrap_or("answer"));
            if let Some(description) = description {
                writer.key("description").text(description);
            }
            writer.key("schema").raw(schema.as_str());
            if let Some(strict) = *strict {
                writer.key("strict").flag(strict);
            }
            extras::write(writer, extras::under(&request.extra, SCHEMA));
            writer.close();
            extras::write(writer, outer);
            writer.close();
        }
    }
}

/// The title of a schema, if it will do as its name.
fn title(schema: &Json) -> Option<String> {
    let title = Object::parse(schema.as_str()).ok()?.text("title").ok()??;
    let fits = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '-');
    let fits = !title.is_empty() && title.len() <= NAME_BYTES_MAX && title.chars().all(fits);
    fits.then(|| title.into())
}
