//! The form of the answer and how hard to work on it: `output_config`.
//!
//! Knows the native way alone; see `tools` for the other one.

use crate::{
    messages::{draft::Draft, extras, structured},
    neutral::{Format, Request},
};

const PREFIX: &str = "output_config.";
const FORMAT: &str = "output_config.format.";

/// Writes `output_config`, if there is anything to say.
pub(crate) fn write(request: &Request, effort: Option<&str>, draft: &mut Draft<'_>) {
    let schema = match &request.format {
        Format::JsonSchema {
            schema,
            description,
            ..
        } if !structured::by_tool(request, draft.target) => {
            if description.is_some() {
                draft
                    .dropped
                    .note("response_format.json_schema.description");
            }
            Some(schema)
        }
        _ => None,
    };
    let mut members = draft.under(&request.extra, PREFIX);
    members.retain(|(name, _)| !name.starts_with("format."));
    let inner = match schema {
        Some(_) => draft.under(&request.extra, FORMAT),
        None => Vec::new(),
    };
    if schema.is_none() && effort.is_none() && members.is_empty() {
        return;
    }
    let writer = &mut draft.writer;
    writer.key("output_config").open();
    if let Some(effort) = effort {
        writer.key("effort").text(effort);
    }
    if let Some(schema) = schema {
        writer.key("format").open();
        writer.key("type").text("json_schema");
        writer.key("schema").raw(schema.as_str());
        extras::write(writer, inner.into_iter());
        writer.close();
    }
    extras::write(writer, members.into_iter());
    writer.close();
}
