//! What one side said, read: a content, its role, and which call each result answers.
//!
//! Must never send anything; see `turns` for the way back.

use payload::object::{self, Misfit};

use crate::{
    gemini::{
        call::Calls,
        member::Members,
        own,
        part::{self, Said},
        signature,
    },
    neutral::{Content, Part, Role, Turn},
};

/// The mark of a turn that stands apart from the one before, though its role is the same.
pub(crate) const ROLE: &str = "role";

/// Reads contents in their order.
pub(crate) fn read(contents: &[&str]) -> Result<Vec<Turn>, Misfit> {
    let mut turns: Vec<Turn> = Vec::with_capacity(contents.len());
    let mut calls = Calls::default();
    for (index, raw) in contents.iter().enumerate() {
        let before = turns.last().map(|turn| turn.role);
        let turn = content(raw, before, &mut calls);
        turns.push(turn.map_err(|misfit| misfit.within_element(index))?);
    }
    Ok(turns)
}

/// Reads `systemInstruction`, which may also be nothing but its text.
pub(crate) fn instruction(raw: &str) -> Result<Turn, Misfit> {
    if let Ok(text) = object::text(raw) {
        return Ok(Turn::new(Role::System, vec![Part::text(text)]));
    }
    let mut members = Members::parse(raw)?;
    let mut turn = Turn::new(Role::System, Vec::new());
    if let Some(role) = members.raw(ROLE)? {
        turn.extra.push(own::extra(ROLE, role));
    }
    each_part(&mut members, |said| {
        signature::push_unthought(&mut turn.parts, said);
    })?;
    members.rest("", &mut turn.extra)?;
    Ok(turn)
}

fn content(raw: &str, before: Option<Role>, calls: &mut Calls) -> Result<Turn, Misfit> {
    let mut members = Members::parse(raw)?;
    let raw_role = members.raw(ROLE)?.unwrap_or("\"user\"");
    let role = match raw_role {
        "\"user\"" | "\"function\"" => Role::User,
        "\"model\"" => Role::Assistant,
        _ => return Err(Misfit::new("must be user or model").within(ROLE)),
    };
    let mut turn = Turn::new(role, Vec::new());
    if before == Some(role) || raw_role == "\"function\"" {
        turn.extra.push(own::extra(ROLE, raw_role));
    }
    if role == Role::Assistant && before != Some(role) {
        calls.forget();
    }
    each_part(&mut members, |mut said| {
        identify(&mut said, calls);
        if role == Role::Assistant {
            signature::push(&mut turn.parts, said);
        } else {
            signature::push_unthought(&mut turn.parts, said);
        }
    })?;
    // Results stand first: that is where all dialects can have them.
    turn.parts
        .sort_by_key(|part| !matches!(part.content, Content::ToolResult { .. }));
    members.rest("", &mut turn.extra)?;
    Ok(turn)
}

fn each_part(members: &mut Members<'_>, mut each: impl FnMut(Said)) -> Result<(), Misfit> {
    for (index, raw) in members
        .list("parts")?
        .unwrap_or_default()
        .into_iter()
        .enumerate()
    {
        let said =
            part::read(raw).map_err(|misfit| misfit.within_element(index).within("parts"))?;
        each(said);
    }
    Ok(())
}

fn identify(said: &mut Said, calls: &mut Calls) {
    match &mut said.part.content {
        Content::ToolCall { id, name, .. } => *id = calls.called(std::mem::take(id), name),
        Content::ToolResult { id, name, .. } => {
            let name = name.as_deref().unwrap_or_default();
            *id = calls.answered(std::mem::take(id), name);
        }
        _ => {}
    }
}
