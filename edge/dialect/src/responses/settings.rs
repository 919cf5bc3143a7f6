//! What form an answer must have and how much to think first: the objects `text` and `reasoning`.
//!
//! Owns their words. Must never know which model understands which: see `target`.

use payload::{
    object::{Misfit, Object},
    writer::Writer,
};

use crate::{
    neutral::{Effort, Extra, Format, Json, Reasoning},
    responses::{content, own},
};

/// What begins a member of `text` that is kept with the request.
pub(crate) const TEXT: &str = "text.";

/// Reads `text`.
pub(crate) fn read_text(mut text: Object<'_>, extra: &mut Vec<Extra>) -> Result<Format, Misfit> {
    let format = match text.object("format")? {
        Some(format) => read_format(format, extra).map_err(|misfit| misfit.within("format"))?,
        None => Format::Free,
    };
    own::keep(text, TEXT, extra);
    Ok(format)
}

fn read_format(mut format: Object<'_>, extra: &mut Vec<Extra>) -> Result<Format, Misfit> {
    let kind = content::required(&mut format, "type")?;
    let read = match kind.as_str() {
        "text" => Format::Free,
        "json_object" => Format::JsonObject,
        "json_schema" => Format::JsonSchema {
            name: format.text("name")?.map(Into::into),
            description: format.text("description")?.map(Into::into),
            strict: format.flag("strict")?,
            schema: match format.raw("schema")? {
                Some(schema) if schema.starts_with('{') => Json::of(schema),
                _ => return Err(Misfit::new("must be an object").within("schema")),
            },
        },
        _ => return Err(Misfit::new("must be text, json_object or json_schema").within("type")),
    };
    if !matches!(read, Format::Free) {
        own::keep(format, "text.format.", extra);
    }
    Ok(read)
}

/// Writes `text`, or nothing where nothing is asked. `always`: with its format even then, as an answer says it.
pub(crate) fn write_text(writer: &mut Writer, format: &Format, extra: &[Extra], always: bool) {
    let free = matches!(format, Format::Free);
    if free && !always && !own::any(extra, TEXT) {
        return;
    }
    writer.key("text").open();
    if !free || always {
        write_format(writer, format, extra);
    }
    own::write_except(writer, extra, TEXT, &["text.format."]);
    writer.close();
}

fn write_format(writer: &mut Writer, format: &Format, extra: &[Extra]) {
    let writer = writer.key("format").open().key("type");
    match format {
        Format::Free => writer.text("text"),
        Format::JsonObject => writer.text("json_object"),
        Format::JsonSchema {
            name,
            description,
            schema,
            strict,
        } => {
            writer.text("json_schema").key("name");
            // A schema must have a name here.
            writer.text(name.as_deref().unwrap_or("answer"));
            if let Some(description) = description {
                writer.key("description").text(description);
            }
            if let Some(strict) = strict {
                writer.key("strict").flag(*strict);
            }
            writer.key("schema").raw(schema.as_str())
        }
    };
    own::write(writer, extra, "text.format.");
    writer.close();
}

/// Reads `reasoning`.
pub(crate) fn read_reasoning(mut object: Object<'_>) -> Result<Reasoning, Misfit> {
    let mut reasoning = Reasoning::default();
    if let Some(raw) = object.raw("effort")? {
        let word = payload::object::text(raw).map_err(|misfit| misfit.within("effort"))?;
        reasoning.effort = Effort::of(&word);
        if reasoning.effort.is_none() {
            reasoning.extra.push(own::extra("effort", raw));
        }
    }
    if let Some(raw) = object.raw("summary")? {
        reasoning.shown = Some(true);
        if raw != "\"auto\"" {
            reasoning.extra.push(own::extra("summary", raw));
        }
    }
    own::keep(object, "", &mut reasoning.extra);
    Ok(reasoning)
}

/// Writes `reasoning`. `minimal` says whether that effort is known.
pub(crate) fn write_reasoning(writer: &mut Writer, reasoning: &Reasoning, minimal: bool) {
    let effort = reasoning
        .effort
        .or_else(|| reasoning.budget_tokens.map(effort_of));
    let effort = match effort {
        Some(Effort::Minimal) if !minimal => Some(Effort::Low),
        effort => effort,
    };
    let summary = reasoning.shown == Some(true) && own::find(&reasoning.extra, "summary").is_none();
    if effort.is_none() && !summary && own::ours(&reasoning.extra).next().is_none() {
        return;
    }
    writer.key("reasoning").open();
    if let Some(effort) = effort {
        writer.key("effort").text(effort.word());
    }
    if summary {
        writer.key("summary").text("auto");
    }
    own::write(writer, &reasoning.extra, "");
    writer.close();
}

/// The effort whose usual budget is nearest.
const fn effort_of(budget_tokens: u64) -> Effort {
    match budget_tokens {
        0 => Effort::None,
        1..=2_048 => Effort::Low,
        2_049..=12_288 => Effort::Medium,
        _ => Effort::High,
    }
}
