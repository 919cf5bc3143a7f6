//! A whole answer, as Gemini gives it and as its clients read it.
//!
//! Owns the outermost object of a `GenerateContentResponse`. A prompt that was blocked is an answer that was filtered.

use std::borrow::Cow;

use payload::{object::Misfit, writer::Writer};

use crate::{
    gemini::{candidate, created, member::Members, own, usage},
    neutral::{Answer, Choice, Extra, Seed, Stop},
};

/// The usage as it came, which says more than the counts that all dialects know.
const USAGE: &str = "usageMetadata";

/// When it was made, which Google says to the microsecond.
pub(crate) const CREATED: &str = "createTime";

/// What became of the prompt.
pub(crate) const FEEDBACK: &str = "promptFeedback";

/// Reads an answer.
pub fn decode(body: &str, seed: &Seed) -> Result<Answer, Misfit> {
    let mut members = Members::parse(body)?;
    let mut answer = Answer {
        id: members.text("responseId")?.unwrap_or_default().into_owned(),
        model: members
            .text("modelVersion")?
            .map_or_else(String::new, Cow::into_owned),
        ..Answer::default()
    };
    if let Some(raw) = members.raw(CREATED)? {
        answer.created_seconds = created_seconds(raw);
        answer.extra.push(own::extra(CREATED, raw));
    }
    if let Some(raw) = members.raw(USAGE)? {
        answer.tokens = usage::tokens(raw);
        answer.extra.push(own::extra(USAGE, raw));
    }
    let mut choices = Vec::new();
    for (position, raw) in members
        .list("candidates")?
        .unwrap_or_default()
        .into_iter()
        .enumerate()
    {
        let choice = candidate::read(raw, position, seed);
        choices
            .push(choice.map_err(|misfit| misfit.within_element(position).within("candidates"))?);
    }
    choices.sort_by_key(|(index, _)| *index);
    answer
        .choices
        .extend(choices.into_iter().map(|(_, choice)| choice));
    members.rest("", &mut answer.extra)?;
    if answer.choices.is_empty() {
        if !is_blocked(&answer.extra) {
            return Err(Misfit::new("must be there").within("candidates"));
        }
        answer.choices.push(Choice {
            stop: Some(Stop::Filtered),
            ..Choice::default()
        });
    }
    Ok(answer)
}

/// Writes an answer.
pub fn encode(answer: &Answer, seed: &Seed) -> Vec<u8> {
    let mut writer = Writer::with_capacity(512);
    writer.open();
    let nothing = answer.choices.iter().all(|choice| choice.parts.is_empty());
    if !(nothing && is_blocked(&answer.extra)) {
        writer.key("candidates").open_array();
        for (index, choice) in (0..).zip(&answer.choices) {
            candidate::write(&mut writer, index, choice, seed);
        }
        writer.close_array();
    }
    match (own::own(&answer.extra, USAGE), &answer.tokens) {
        (Some(raw), _) => {
            writer.key(USAGE).raw(raw);
        }
        (None, Some(tokens)) => {
            writer.key(USAGE);
            usage::write(&mut writer, tokens);
        }
        (None, None) => {}
    }
    write_names(&mut writer, &answer.model, &answer.id);
    if own::own(&answer.extra, CREATED).is_none() {
        write_created(&mut writer, answer.created_seconds);
    }
    own::write(&mut writer, &answer.extra, "", &[USAGE]);
    writer.close();
    writer.into_bytes()
}

/// Writes which model answered, and the answer's id, where they are known.
pub(crate) fn write_names(writer: &mut Writer, model: &str, id: &str) {
    for (name, value) in [("modelVersion", model), ("responseId", id)] {
        if !value.is_empty() {
            writer.key(name).text(value);
        }
    }
}

/// Writes when an answer was made, where that is known.
pub(crate) fn write_created(writer: &mut Writer, seconds: Option<u64>) {
    if let Some(seconds) = seconds {
        writer.key(CREATED).text(&created::text(seconds));
    }
}

/// When an answer was made.
pub(crate) fn created_seconds(raw: &str) -> Option<u64> {
    created::seconds(raw.trim_matches('"'))
}

/// Whether the prompt was blocked.
pub(crate) fn is_blocked(extra: &[Extra]) -> bool {
    let feedback = own::own(extra, FEEDBACK).and_then(|raw| Members::parse(raw).ok());
    feedback.is_some_and(|members| members.has("blockReason"))
}
