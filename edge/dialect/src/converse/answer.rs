//! A whole answer. It has no id and does not say which model gave it.

use payload::{
    object::{Misfit, Object},
    writer::Writer,
};

use crate::{
    converse::{
        block::{self, Piece, Place, Scribe},
        extras, stop,
        target::Target,
        usage,
    },
    neutral::{Answer, Choice, Content, Seed, Stop},
};

/// Where the blocks stand.
const MESSAGE: &str = "output.message";

/// What only the model understands, and among it the word at which it stopped.
const FIELDS: &str = "additionalModelResponseFields";

/// Reads an answer.
pub fn decode(body: &str, _seed: &Seed) -> Result<Answer, Misfit> {
    let mut object = Object::parse(body)?;
    let mut answer = Answer::default();
    let mut choice = Choice::default();
    if let Some(mut output) = object.object("output")? {
        let within = |misfit: Misfit| misfit.within("output");
        if let Some(message) = output.object("message").map_err(within)? {
            read_message(message, &mut answer, &mut choice)
                .map_err(|misfit| within(misfit.within("message")))?;
        }
        extras::take(&mut answer.extra, "output", output);
    }
    let word = object.text("stopReason")?;
    let fields = object.raw(FIELDS)?;
    let sequence = fields.and_then(|raw| {
        let mut fields = Object::parse(raw).ok()?;
        Some(fields.text("stop_sequence").ok()??.into_owned())
    });
    if let Some(raw) = fields {
        extras::push(&mut answer.extra, "", FIELDS, raw);
    }
    read_stop(word.as_deref(), sequence, &mut choice);
    if let Some(raw) = object.raw("usage")? {
        answer.tokens = usage::tokens(raw);
        match &answer.tokens {
            Some(tokens) => usage::beyond(raw, tokens, &mut answer.extra, "usage"),
            None => extras::push(&mut answer.extra, "", "usage", raw),
        }
    }
    extras::take(&mut answer.extra, "", object);
    answer.choices.push(choice);
    Ok(answer)
}

fn read_message(
    mut message: Object<'_>,
    answer: &mut Answer,
    choice: &mut Choice,
) -> Result<(), Misfit> {
    let content = message.array("content")?.unwrap_or_default();
    choice.parts = block::read(&content, false).map_err(|misfit| misfit.within("content"))?;
    let role = message.raw("role")?;
    if let Some(role) = role.filter(|role| *role != "\"assistant\"") {
        extras::push(&mut answer.extra, MESSAGE, "role", role);
    }
    extras::take(&mut answer.extra, MESSAGE, message);
    Ok(())
}

fn read_stop(word: Option<&str>, sequence: Option<String>, choice: &mut Choice) {
    let Some(word) = word else {
        return;
    };
    let any_call = choice
        .parts
        .iter()
        .any(|part| matches!(part.content, Content::ToolCall { .. }));
    let stop = match stop::read(word, !choice.parts.is_empty(), any_call) {
        Stop::Sequence(None) => Stop::Sequence(sequence),
        stop => stop,
    };
    if stop::word(&stop) != word {
        let mut quoted = Vec::new();
        payload::scalar::quote(&mut quoted, word);
        let quoted = String::from_utf8_lossy(&quoted);
        extras::push(&mut choice.extra, "", "stopReason", &quoted);
    }
    choice.stop = Some(stop);
}

/// Writes an answer: the first of several, because there is room for one.
pub fn encode(answer: &Answer, _seed: &Seed) -> Vec<u8> {
    let mut writer = Writer::with_capacity(512);
    writer.open().key("output").open().key("message").open();
    let own_role = extras::get(&answer.extra, "output.message.role");
    writer.key("role").raw(own_role.unwrap_or("\"assistant\""));
    writer.key("content").open_array();
    let choice = answer.choices.first();
    write_blocks(&mut writer, choice);
    writer.close_array();
    extras::write(&mut writer, &answer.extra, MESSAGE, &["role"]);
    writer.close();
    extras::write(&mut writer, &answer.extra, "output", &["message"]);
    writer.close();
    write_stop(&mut writer, answer, choice);
    match &answer.tokens {
        Some(tokens) => {
            writer.key("usage");
            usage::write_with(&mut writer, tokens, &answer.extra, "usage");
        }
        None => {
            if let Some(raw) = extras::get(&answer.extra, "usage") {
                writer.key("usage").raw(raw);
            }
        }
    }
    extras::write(&mut writer, &answer.extra, "", &["output", "usage"]);
    writer.close();
    writer.into_bytes()
}

/// What this dialect has no block for is left out.
fn write_blocks(writer: &mut Writer, choice: Option<&Choice>) {
    let target = Target::any();
    let mut scribe = Scribe::new(&target);
    for part in choice.into_iter().flat_map(|choice| &choice.parts) {
        let piece = Piece {
            part,
            at: String::new(),
            cache: part.cache.as_ref(),
        };
        // Apart, so that one that cannot be written leaves nothing behind.
        let mut block = Writer::default();
        let written = scribe.write(&mut block, &[piece], Place::Message);
        let block = block.into_bytes();
        if let (Ok(()), Ok(block)) = (written, str::from_utf8(&block)) {
            writer.raw(block);
        }
    }
}

fn write_stop(writer: &mut Writer, answer: &Answer, choice: Option<&Choice>) {
    let Some(choice) = choice else {
        return;
    };
    match (extras::get(&choice.extra, "stopReason"), &choice.stop) {
        (Some(raw), _) => drop(writer.key("stopReason").raw(raw)),
        (None, Some(stop)) => drop(writer.key("stopReason").text(stop::word(stop))),
        (None, None) => {}
    }
    let fields = extras::get(&answer.extra, FIELDS);
    if let (Some(Stop::Sequence(Some(word))), None) = (&choice.stop, fields) {
        writer.key(FIELDS).open();
        writer.key("stop_sequence").text(word).close();
    }
}
