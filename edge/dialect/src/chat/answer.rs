//! A whole answer: `chat.completion`.
//!
//! Owns what stands in which member. The parts of a message are known to `message`.

use crate::{
    Tokens,
    chat::{call, extras, message, stop, thoughts, usage},
    neutral::{Answer, Choice, Content, Dropped, Extra, Part, Seed, Stop},
    object::{self, Misfit, Object},
    writer::Writer,
};

const INNER: &str = "message.";

/// Reads an answer.
pub fn decode(body: &str, seed: &Seed) -> Result<Answer, Misfit> {
    let mut object = Object::parse(body)?;
    let mut answer = Answer {
        id: object.text("id")?.unwrap_or_default().into(),
        model: object.text("model")?.unwrap_or_default().into(),
        created_seconds: object.count("created")?,
        ..Answer::default()
    };
    object.raw("object")?;
    if let Some(raw) = object.raw("usage")? {
        answer.tokens = usage::tokens(raw);
        answer.extra.push(extras::extra("usage", raw));
    }
    let choices = object
        .array("choices")?
        .ok_or_else(|| Misfit::new("is required").within("choices"))?;
    let mut calls = 0;
    for (index, raw) in choices.into_iter().enumerate() {
        let choice = choice(raw, &mut calls, seed)
            .map_err(|misfit| misfit.within_element(index).within("choices"))?;
        answer.choices.push(choice);
    }
    extras::keep(object, "", &mut answer.extra);
    Ok(answer)
}

fn choice(raw: &str, calls: &mut u32, seed: &Seed) -> Result<Choice, Misfit> {
    let mut object = Object::parse(raw)?;
    object.raw("index")?;
    let mut inner = object
        .object("message")?
        .ok_or_else(|| Misfit::new("is required").within("message"))?;
    let before = *calls;
    let parts = message::take(&mut inner, |call| {
        seed.tool_call_id(before.saturating_add(call))
    })
    .map_err(|misfit| misfit.within("message"))?;
    let count = parts.iter().filter(|part| call::is_call(part)).count();
    *calls = before.saturating_add(u32::try_from(count).unwrap_or(u32::MAX));
    let mut choice = Choice {
        stop: None,
        parts,
        extra: Vec::new(),
    };
    if let Some(raw) = object.raw("finish_reason")? {
        let word = object::text(raw).map_err(|misfit| misfit.within("finish_reason"))?;
        let (stop, keep) = stop::read(&word, said(&choice.parts));
        choice.stop = Some(stop);
        if keep {
            choice.extra.push(extras::extra("finish_reason", raw));
        }
    }
    inner.raw("role")?;
    extras::keep(inner, INNER, &mut choice.extra);
    extras::keep(object, "", &mut choice.extra);
    Ok(choice)
}

/// Writes an answer.
pub fn encode(answer: &Answer, seed: &Seed) -> Vec<u8> {
    let mut writer = Writer::default();
    writer.open().key("id").text(&id(&answer.id, seed));
    writer.key("object").text("chat.completion");
    let created = answer.created_seconds.unwrap_or(seed.now_seconds);
    writer.key("created").number(created);
    writer.key("model").text(&answer.model);
    writer.key("choices").open_array();
    for (index, choice) in (0_u64..).zip(&answer.choices) {
        write_choice(&mut writer, index, choice);
    }
    writer.close_array();
    write_usage(&mut writer, answer.tokens.as_ref(), &answer.extra);
    let others = extras::under(&answer.extra, "").filter(|(name, _)| *name != "usage");
    extras::write(&mut writer, others);
    writer.close();
    writer.into_bytes()
}

/// The id that a client gets: one that looks like it where the provider's is of another family.
pub(crate) fn id(id: &str, seed: &Seed) -> String {
    let foreign = ["msg_", "resp_"]
        .into_iter()
        .find_map(|prefix| id.strip_prefix(prefix));
    match foreign {
        Some(rest) => format!("chatcmpl-{rest}"),
        None if id.is_empty() => format!("chatcmpl-{}", seed.request_id),
        None => id.to_owned(),
    }
}

/// Writes `usage`: as it came, if it still says the same.
fn write_usage(writer: &mut Writer, tokens: Option<&Tokens>, kept: &[Extra]) {
    let raw = extras::find(kept, "usage").filter(|raw| usage::tokens(raw).as_ref() == tokens);
    match (raw, tokens) {
        (Some(raw), _) => {
            writer.key("usage").raw(raw);
        }
        (None, Some(tokens)) => {
            writer.key("usage");
            usage::write(writer, tokens);
        }
        (None, None) => {}
    }
}

fn said(parts: &[Part]) -> stop::Said {
    stop::Said {
        spoken: !parts.is_empty(),
        calls: parts.iter().any(call::is_call),
        refusal: parts
            .iter()
            .any(|part| matches!(part.content, Content::Refusal(_))),
    }
}

fn write_choice(writer: &mut Writer, index: u64, choice: &Choice) {
    writer.open().key("index").number(index);
    writer.key("message").open().key("role").text("assistant");
    write_message(writer, choice);
    extras::write(writer, extras::under(&choice.extra, INNER));
    writer.close();
    writer.key("finish_reason");
    if let Some(raw) = extras::find(&choice.extra, "finish_reason") {
        writer.raw(raw);
    } else {
        writer.text(stop::word(choice.stop.as_ref(), said(&choice.parts)));
    }
    let outer = extras::under(&choice.extra, "")
        .filter(|(name, _)| !name.starts_with(INNER) && *name != "finish_reason");
    extras::write(writer, outer);
    writer.close();
}

fn write_message(writer: &mut Writer, choice: &Choice) {
    let parts = &choice.parts;
    let (mut text, mut refusal) = (None::<String>, None::<String>);
    for part in parts {
        match &part.content {
            Content::Text(piece) => text.get_or_insert_default().push_str(piece),
            Content::Refusal(piece) => refusal.get_or_insert_default().push_str(piece),
            _ => {}
        }
    }
    if let Some(Stop::Refused(Some(why))) = &choice.stop {
        refusal.get_or_insert_with(|| why.clone());
    }
    let calls: Vec<_> = parts.iter().filter(|part| call::is_call(part)).collect();
    writer.key("content");
    match &text {
        Some(text) => writer.text(text),
        None if calls.is_empty() && refusal.is_none() => writer.text(""),
        None => writer.null(),
    };
    writer.key("refusal");
    match &refusal {
        Some(refusal) => writer.text(refusal),
        None => writer.null(),
    };
    let thought = || parts.iter().filter(|part| thoughts::is_thought(part));
    if let Some(words) = thoughts::words(thought()) {
        writer.key("reasoning_content").text(&words);
    }
    if thought().any(thoughts::is_proven) {
        thoughts::write_details(writer, thought());
    }
    if !calls.is_empty() {
        // A call that cannot be written is not among those that were picked.
        let _ = call::write_all(writer, &calls, "", &mut Dropped::default());
    }
}
