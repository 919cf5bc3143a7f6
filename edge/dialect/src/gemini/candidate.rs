//! One answer of several: a candidate, both ways.
//!
//! Owns its members. Must never know the answer around it, but for which of the candidates it is.

use payload::{object::Misfit, writer::Writer};

use crate::{
    gemini::{
        call,
        member::Members,
        own,
        part::{self, Pen},
        signature,
        stop::{self, Seen},
        target::Target,
    },
    neutral::{Choice, Content, Dropped, Part, Seed, Stop},
};

/// The finish reason, where the neutral stop does not say all of it.
pub(crate) const FINISH_REASON: &str = "finishReason";

/// Where what is unknown in the content of a candidate stood.
const CONTENT: &str = "content.";

/// Reads one candidate, with its index.
pub(crate) fn read(raw: &str, position: usize, seed: &Seed) -> Result<(u64, Choice), Misfit> {
    let mut members = Members::parse(raw)?;
    let position = u64::try_from(position).unwrap_or(u64::MAX);
    let index = members.count("index")?.unwrap_or(position);
    let mut choice = Choice::default();
    if let Some(content) = members.members("content")? {
        read_content(content, &mut choice, index, seed)
            .map_err(|misfit| misfit.within("content"))?;
    }
    if let Some(raw) = members
        .raw(FINISH_REASON)?
        .filter(|raw| !stop::is_unsaid(raw))
    {
        let stop = stop::read(raw, seen(&choice.parts));
        if !stop::is_plain(raw, &stop) {
            choice.extra.push(own::extra(FINISH_REASON, raw));
        }
        choice.stop = Some(stop);
    }
    members.rest("", &mut choice.extra)?;
    Ok((index, choice))
}

fn read_content(
    mut content: Members<'_>,
    choice: &mut Choice,
    index: u64,
    seed: &Seed,
) -> Result<(), Misfit> {
    content.raw("role")?;
    let index = u32::try_from(index).unwrap_or(u32::MAX);
    let mut calls = 0;
    for (at, raw) in content
        .list("parts")?
        .unwrap_or_default()
        .into_iter()
        .enumerate()
    {
        let mut said =
            part::read(raw).map_err(|misfit| misfit.within_element(at).within("parts"))?;
        if let Content::ToolCall { id, .. } = &mut said.part.content {
            if id.is_empty() {
                *id = call::made_in_answer(seed, index, calls);
            }
            calls += 1;
        }
        signature::push(&mut choice.parts, said);
    }
    content.rest(CONTENT, &mut choice.extra)
}

fn seen(parts: &[Part]) -> Seen {
    let is_call = |part: &Part| match &part.content {
        Content::ToolCall { .. } => true,
        Content::Other => part
            .extra
            .iter()
            .any(|extra| extra.name == "part.functionCall"),
        _ => false,
    };
    let thought = |part: &Part| matches!(part.content, Content::Reasoning { .. });
    Seen {
        calls: parts.iter().any(is_call),
        content: !parts.iter().all(thought),
    }
}

/// Writes one candidate.
pub(crate) fn write(writer: &mut Writer, index: u32, choice: &Choice, seed: &Seed) {
    let (mut calls, mut broken) = (0, false);
    let mut parts = Vec::new();
    for placed in signature::place(&choice.parts, false) {
        let signature = placed.signature.as_deref();
        let mut written = Writer::default();
        match placed.part {
            None => part::write_bare_signature(&mut written, signature.unwrap_or_default()),
            Some((_, part)) => {
                let made = call::made_in_answer(seed, index, calls);
                let is_call = matches!(part.content, Content::ToolCall { .. });
                calls += u32::from(is_call);
                if write_part(&mut written, part, signature, &made).is_none() {
                    broken |= is_call;
                    continue;
                }
            }
        }
        parts.push(written.into_bytes());
    }
    writer.open().key("content").open();
    if !parts.is_empty() {
        writer.key("parts").open_array();
        for part in &parts {
            writer.raw(str::from_utf8(part).unwrap_or("{}"));
        }
        writer.close_array();
    }
    writer.key("role").text("model");
    own::write(writer, &choice.extra, CONTENT, &[]);
    writer.close();
    if let Some(stop) = &choice.stop {
        write_stop(writer, stop, own::own(&choice.extra, FINISH_REASON), broken);
        if let (Stop::Refused(Some(why)), None) = (stop, own::own(&choice.extra, "finishMessage")) {
            writer.key("finishMessage").text(why);
        }
    }
    writer.key("index").number(index.into());
    own::write(writer, &choice.extra, "", &[FINISH_REASON]);
    writer.close();
}

/// Writes why a candidate ended. A call that is broken off cannot be given; that it was cut is more than that.
pub(crate) fn write_stop(writer: &mut Writer, stop: &Stop, raw: Option<&str>, broken: bool) {
    writer.key(FINISH_REASON);
    match raw {
        Some(raw) => writer.raw(raw),
        None if broken && *stop != Stop::Length => writer.text(stop::MALFORMED_CALL),
        None => writer.text(stop::write(stop)),
    };
}

/// Writes one part; `made` is the id that a call has if nobody gave it one. `None` if Google has no place for it.
fn write_part(writer: &mut Writer, part: &Part, signature: Option<&str>, made: &str) -> Option<()> {
    if let Content::ToolCall {
        id,
        name,
        arguments,
    } = &part.content
    {
        let arguments = call::object(arguments)?;
        let id = Some(id.as_str()).filter(|id| *id != made);
        writer.open().key("functionCall").open();
        if let Some(id) = id {
            writer.key("id").text(id);
        }
        part::write_call(writer, name, arguments, &part.extra);
        writer.close();
        own::write(writer, &part.extra, "", &[part::SIGNATURE]);
        part::write_signature(writer, signature);
        writer.close();
        return Some(());
    }
    let target = Target::new("");
    let mut dropped = Dropped::default();
    let mut pen = Pen {
        target: &target,
        dropped: &mut dropped,
    };
    pen.write(writer, part, signature, "").ok()
}
