//! A whole answer: read from Cohere, or written for a client of Cohere.
//!
//! Owns its members. There is one answer at a time, and it does not say which model gave it.

use std::borrow::Cow;

use payload::{
    object::{Misfit, Object},
    writer::Writer,
};

use crate::{
    cohere::{
        call,
        finish::{self, Held},
        message, own, turn, usage,
    },
    neutral::{Answer, Choice, Content, Family, Part, Seed, Stop},
};

const USAGE: &str = "usage";

/// Reads what Cohere answered.
pub fn decode(body: &str, seed: &Seed) -> Result<Answer, Misfit> {
    let mut body = Object::parse(body)?;
    let id = body.text("id")?.map(Cow::into_owned).unwrap_or_default();
    let message = body
        .object("message")?
        .ok_or_else(|| Misfit::new("is missing").within("message"))?;
    let mut choice = choice(message, seed).map_err(|misfit| misfit.within("message"))?;
    if let Some(word) = body.text(finish::NAME)? {
        let stop = finish::decode(&word, held(&choice.parts));
        choice.extra.extend(finish::kept(&word, &stop));
        choice.stop = Some(stop);
    }
    let mut answer = Answer {
        id,
        choices: vec![choice],
        ..Answer::default()
    };
    if let Some(raw) = body.raw(USAGE)? {
        answer.tokens = usage::tokens(raw);
        answer.extra.push(own::extra(USAGE, raw));
    }
    answer.extra.extend(own::kept("", body));
    Ok(answer)
}

/// Writes an answer for a client. Answers beyond the first are left out: no client of Cohere can ask for them.
pub fn encode(answer: &Answer, seed: &Seed) -> Vec<u8> {
    let empty = Choice::default();
    let choice = answer.choices.first().unwrap_or(&empty);
    let id = if answer.id.is_empty() {
        &seed.request_id
    } else {
        &answer.id
    };
    let mut writer = Writer::with_capacity(512);
    writer.open().key("id").text(id);
    writer.key("message").open().key("role").text("assistant");
    encode_parts(&mut writer, choice);
    own::write(&mut writer, &choice.extra, "", &[finish::NAME]);
    writer.close();
    if let Some(stop) = &choice.stop {
        let came = own::raw(&choice.extra, finish::NAME);
        finish::encode(&mut writer, stop, came, held(&choice.parts));
    }
    let came = own::raw(&answer.extra, USAGE);
    usage::write_member(&mut writer, USAGE, came, answer.tokens.as_ref());
    own::write(&mut writer, &answer.extra, "", &[USAGE]);
    writer.close();
    writer.into_bytes()
}

fn choice(mut message: Object<'_>, seed: &Seed) -> Result<Choice, Misfit> {
    message.raw("role")?;
    let parts = turn::decode_assistant(&mut message, |index| Some(seed.tool_call_id(index)))?;
    Ok(Choice {
        parts,
        stop: None,
        extra: own::kept("", message),
    })
}

fn held(parts: &[Part]) -> Held {
    Held {
        calls: parts.iter().any(call::is_call),
        words: parts.iter().any(is_words),
    }
}

fn is_words(part: &Part) -> bool {
    match &part.content {
        Content::Text(text) | Content::Refusal(text) => !text.is_empty(),
        _ => false,
    }
}

/// Writes what was said. Why the model declined is said in words if it said nothing else.
fn encode_parts(writer: &mut Writer, choice: &Choice) {
    let has_place = |part: &&Part| match &part.content {
        Content::Text(_)
        | Content::Refusal(_)
        | Content::Reasoning { .. }
        | Content::ToolCall { .. } => true,
        Content::Other => part
            .extra
            .first()
            .is_some_and(|extra| extra.family == Family::Cohere),
        _ => false,
    };
    let mut parts: Vec<Part> = choice.parts.iter().filter(has_place).cloned().collect();
    if let Some(Stop::Refused(Some(why))) = &choice.stop
        && !parts.iter().any(is_words)
    {
        parts.push(Part::text(why));
    }
    let written = message::assistant(writer, &parts, false);
    debug_assert!(written.is_ok(), "a part that has a place was not written");
}
