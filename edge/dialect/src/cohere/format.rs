//! What form an answer must have, as `response_format`.
//!
//! Owns that a schema has neither name nor strictness here: it is always held. Must never judge what may stand beside
//! it: the provider says so in its own words.

use payload::{
    object::{Misfit, Object},
    writer::Writer,
};

use crate::{
    cohere::own,
    neutral::{Dropped, Extra, Format, Json},
};

const NAME: &str = "response_format";
const PREFIX: &str = "response_format.";
const KIND: &str = "response_format.type";

/// Reads the member `response_format`; what is not known of it goes to `extra`.
pub(crate) fn decode(body: &mut Object<'_>, extra: &mut Vec<Extra>) -> Result<Format, Misfit> {
    let Some(mut format) = body.object(NAME)? else {
        return Ok(Format::Free);
    };
    let within = |misfit: Misfit| misfit.within(NAME);
    let kind = format.text("type").map_err(within)?;
    let read = match kind.as_deref() {
        Some("json_object") => match format.raw("json_schema").map_err(within)? {
            None => Format::JsonObject,
            Some(schema) => Format::JsonSchema {
                name: None,
                description: None,
                schema: Json::of(schema),
                strict: None,
            },
        },
        Some("text") => {
            extra.push(own::extra(KIND, "\"text\""));
            Format::Free
        }
        _ => {
            return Err(within(
                Misfit::new("must be text or json_object").within("type"),
            ));
        }
    };
    extra.extend(own::kept(PREFIX, format));
    Ok(read)
}

/// Writes the member `response_format`, if the answer must have a form.
pub(crate) fn encode(writer: &mut Writer, format: &Format, extra: &[Extra], dropped: &mut Dropped) {
    match format {
        Format::Free if own::any(extra, PREFIX) => {
            writer.key(NAME).open();
        }
        Format::Free => return,
        Format::JsonObject => {
            writer.key(NAME).open().key("type").text("json_object");
        }
        Format::JsonSchema {
            name,
            description,
            schema,
            strict,
        } => {
            let losses = [
                ("name", name.is_some()),
                ("description", description.is_some()),
                ("strict", *strict == Some(false)),
            ];
            for (member, _) in losses.into_iter().filter(|(_, lost)| *lost) {
                dropped.note(format!("{NAME}.json_schema.{member}"));
            }
            writer.key(NAME).open().key("type").text("json_object");
            writer.key("json_schema").raw(schema.as_str());
        }
    }
    let except: &[&str] = if *format == Format::Free {
        &[]
    } else {
        &["type"]
    };
    own::write(writer, extra, PREFIX, except);
    writer.close();
}
