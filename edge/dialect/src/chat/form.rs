//! What form an answer must have: `response_format`.
//!
//! Owns its three types. What it is otherwise is kept, because an answer in another form would be another answer.

use payload::object::{Misfit, Object};

use crate::{
    chat::{draft::Draft, own},
    neutral::{Extra, Format, Json},
};

const NAME: &str = "response_format";
const UNDER_SCHEMA: &str = "response_format.json_schema.";

/// Reads it.
pub(crate) fn read(raw: &str, kept: &mut Vec<Extra>) -> Result<Format, Misfit> {
    let mut form = Object::parse(raw)?;
    let kind = form.text("type")?.unwrap_or_default();
    let schema = form.object("json_schema")?;
    match (kind.as_ref(), schema) {
        ("text", None) if form.is_empty() => Ok(Format::Free),
        ("json_object", None) if form.is_empty() => Ok(Format::JsonObject),
        ("json_schema", Some(mut object)) => {
            let name = object.text("name").map_err(inside)?;
            let description = object.text("description").map_err(inside)?;
            let strict = object.flag("strict").map_err(inside)?;
            let schema = object.raw("schema").map_err(inside)?.unwrap_or("{}");
            let format = Format::JsonSchema {
                name: name.map(Into::into),
                description: description.map(Into::into),
                schema: Json::of(schema),
                strict,
            };
            own::keep(object, UNDER_SCHEMA, kept);
            own::keep(form, "response_format.", kept);
            Ok(format)
        }
        _ => {
            kept.push(own::extra(NAME, raw));
            Ok(Format::Free)
        }
    }
}

fn inside(misfit: Misfit) -> Misfit {
    misfit.within("json_schema")
}

/// Writes it. `kept` are the members of the request.
pub(crate) fn write(format: &Format, kept: &[Extra], draft: &mut Draft<'_>) {
    match format {
        Format::Free => {}
        Format::JsonObject => {
            draft
                .writer
                .key(NAME)
                .open()
                .key("type")
                .text("json_object");
            draft.writer.close();
        }
        Format::JsonSchema {
            name,
            description,
            schema,
            strict,
        } => {
            draft
                .writer
                .key(NAME)
                .open()
                .key("type")
                .text("json_schema");
            draft.writer.key("json_schema").open();
            // A name is needed here and not everywhere.
            draft
                .writer
                .key("name")
                .text(name.as_deref().unwrap_or("answer"));
            if let Some(description) = description {
                draft.writer.key("description").text(description);
            }
            draft.writer.key("schema").raw(schema.as_str());
            match strict {
                Some(strict) if draft.target.strict => {
                    draft.writer.key("strict").flag(*strict);
                }
                Some(_) => draft.note("", "response_format.json_schema.strict"),
                None => {}
            }
            draft.write_under(kept, UNDER_SCHEMA);
            draft.writer.close().close();
        }
    }
}
