//! An answer in one piece: a message.
//!
//! Owns its shape, both ways. Must never turn a failure into a finished answer: see [`check`].

use payload::{
    object::{Misfit, Object},
    writer::Writer,
};

use crate::{
    messages::{extras, part, stop, structured, usage},
    neutral::{Answer, Choice, Class, Content, Error, Extra, Part, Seed, Stop},
};

/// Where members of `usage` are kept that we do not know.
const USAGE: &str = "usage.";
const STOP_REASON: &str = "stop_reason";
const STOP_DETAILS: &str = "stop_details";

/// Reads what the provider answered.
pub fn decode(body: &str, seed: &Seed) -> Result<Answer, Misfit> {
    let mut message = Object::parse(body)?;
    if message.text("type")?.is_some_and(|kind| kind != "message") {
        return Err(Misfit::new("must be message").within("type"));
    }
    message.raw("role")?;
    let mut extra = Vec::new();
    let id = message.text("id")?.unwrap_or_default().into();
    let model = message.text("model")?.unwrap_or_default().into();
    let content = message
        .raw("content")?
        .ok_or_else(|| Misfit::new("is required").within("content"))?;
    let mut parts = part::read_all(content).map_err(|misfit| misfit.within("content"))?;
    name_calls(&mut parts, seed);
    let tokens = match message.raw("usage")? {
        Some(raw) => usage::Counts::read(raw, USAGE, &mut extra)
            .map_err(|misfit| misfit.within("usage"))?
            .tokens(),
        None => None,
    };
    let mut choice = Choice {
        parts,
        ..Choice::default()
    };
    read_stop(&mut message, &mut choice)?;
    extras::keep(message, "", &mut extra);
    Ok(Answer {
        id,
        model,
        created_seconds: None,
        choices: vec![choice],
        tokens,
        extra,
    })
}

/// Reads an answer to a request that asked for its form by a tool: see [`structured`].
pub fn decode_structured(body: &str, seed: &Seed) -> Result<Answer, Misfit> {
    let mut answer = decode(body, seed)?;
    for choice in &mut answer.choices {
        unwrap(choice);
    }
    Ok(answer)
}

/// Whether an answer can be written in this dialect. A call whose arguments are no object cannot, nor can a failure
/// that a provider reports as an end: both are errors to a client.
pub fn check(answer: &Answer) -> Result<(), Error> {
    let Some(choice) = answer.choices.first() else {
        return Err(Error::new(Class::Provider, "the provider gave no answer"));
    };
    if let Some(Stop::Failed(why)) = &choice.stop {
        let message = format!("the provider's answer failed: {why}");
        return Err(Error::new(Class::Provider, message));
    }
    // A call that was cut short is told by why the answer ended.
    let cut = matches!(choice.stop, Some(Stop::Length | Stop::ContextFull));
    let broken = |part: &Part| match &part.content {
        Content::ToolCall { arguments, .. } => part::input(arguments).is_none(),
        _ => false,
    };
    if !cut && choice.parts.iter().any(broken) {
        let message = "the model called a tool with arguments that are no JSON object";
        return Err(Error::new(Class::Provider, message));
    }
    Ok(())
}

/// Writes what a client gets: the first choice. Contents that the dialect has no block for are left out, as are empty
/// words beside others; arguments that are no object are `{}`, and a failure has no reason: see [`check`].
pub fn encode(answer: &Answer, seed: &Seed) -> Vec<u8> {
    let mut writer = Writer::default();
    writer.open().key("id").text(&id(&answer.id, seed));
    writer.key("type").text("message");
    writer.key("role").text("assistant");
    writer.key("model").text(&answer.model);
    writer.key("content").open_array();
    let none = Choice::default();
    let choice = answer.choices.first().unwrap_or(&none);
    for part in &choice.parts {
        // A client that sends an empty block back is refused for it.
        let phantom = match &part.content {
            Content::Text(text) | Content::Refusal(text) => text.is_empty(),
            _ => false,
        };
        if !phantom {
            part::write(&mut writer, part, &mut extras::is_own);
        }
    }
    writer.close_array();
    write_stop(&mut writer, choice);
    writer.key("usage").open();
    usage::members(&mut writer, &answer.tokens.unwrap_or_default());
    extras::write(&mut writer, extras::under(&answer.extra, USAGE));
    writer.close();
    let outer = extras::under(&answer.extra, "").filter(|(name, _)| !name.starts_with(USAGE));
    extras::write(&mut writer, outer);
    writer.close();
    writer.into_bytes()
}

/// The id of a message: the provider's, in the form that this dialect gives it.
pub(crate) fn id(said: &str, seed: &Seed) -> String {
    if said.starts_with("msg_") {
        return said.to_owned();
    }
    let behind = said
        .split_once(['-', '_'])
        .map_or(said, |(_, behind)| behind);
    let plain =
        |text: &str| -> String { text.chars().filter(char::is_ascii_alphanumeric).collect() };
    let mut id = plain(behind);
    if id.is_empty() {
        id = plain(&seed.request_id);
    }
    format!("msg_{id}")
}

/// Writes `stop_reason`, `stop_sequence` and what stands beside them. `tools` is whether a tool was called.
pub(crate) fn write_reason(writer: &mut Writer, stop: Option<&Stop>, kept: &[Extra], tools: bool) {
    let word = stop.and_then(|stop| stop::word(stop, tools));
    writer.key(STOP_REASON);
    match (extras::find(kept, STOP_REASON), word) {
        (Some(raw), _) => writer.raw(raw),
        (None, Some(word)) => writer.text(word),
        (None, None) => writer.null(),
    };
    writer.key("stop_sequence");
    match stop {
        Some(Stop::Sequence(Some(sequence))) => writer.text(sequence),
        _ => writer.null(),
    };
    match (extras::find(kept, STOP_DETAILS), stop) {
        (Some(raw), _) => {
            writer.key(STOP_DETAILS).raw(raw);
        }
        (None, Some(Stop::Refused(Some(why)))) => {
            writer.key(STOP_DETAILS).open().key("type").text("refusal");
            writer.key("category").null();
            writer.key("explanation").text(why).close();
        }
        _ => {}
    }
}

fn read_stop(message: &mut Object<'_>, choice: &mut Choice) -> Result<(), Misfit> {
    let details = message.raw(STOP_DETAILS)?;
    let sequence = message.text("stop_sequence")?;
    if let Some(raw) = details {
        choice.extra.push(extras::extra(STOP_DETAILS, raw));
    }
    if let Some(word) = message.text(STOP_REASON)? {
        let spoken = !choice.parts.is_empty();
        let (stop, known) = stop::read(&word, sequence, details, spoken);
        choice.stop = Some(stop);
        if !known {
            let mut quoted = Writer::default();
            quoted.text(&word);
            let raw = String::from_utf8(quoted.into_bytes()).unwrap_or_default();
            choice.extra.push(extras::extra(STOP_REASON, &raw));
        }
    }
    Ok(())
}

fn write_stop(writer: &mut Writer, choice: &Choice) {
    let calls = |part: &Part| matches!(part.content, Content::ToolCall { .. });
    let tools = choice.parts.iter().any(calls);
    write_reason(writer, choice.stop.as_ref(), &choice.extra, tools);
}

/// Gives every call an id that has none.
fn name_calls(parts: &mut [Part], seed: &Seed) {
    for (index, part) in (0..).zip(parts) {
        if let Content::ToolCall { id, .. } = &mut part.content
            && id.is_empty()
        {
            *id = seed.tool_call_id(index);
        }
    }
}

/// Turns calls of our own tool into words, and the end that they caused into a plain one.
fn unwrap(choice: &mut Choice) {
    let mut others = false;
    for part in &mut choice.parts {
        if let Content::ToolCall {
            name, arguments, ..
        } = &mut part.content
        {
            if name == structured::TOOL {
                *part = Part::text(std::mem::take(arguments));
            } else {
                others = true;
            }
        }
    }
    if choice.stop == Some(Stop::ToolCalls) && !others {
        choice.stop = Some(Stop::End);
    }
}
