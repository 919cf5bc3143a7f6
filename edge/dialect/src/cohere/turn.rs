//! Messages of Cohere, read into turns.
//!
//! Owns the roles and their members. Results that stand one behind another are one turn of the user, because that is
//! how every other family says it.

use payload::object::{Misfit, Object};

use crate::{
    cohere::{call, content, own, plan},
    neutral::{Content, Part, Role, Turn},
};

/// Reads the member `messages`.
pub(crate) fn decode(messages: &[&str]) -> Result<Vec<Turn>, Misfit> {
    let mut turns: Vec<Turn> = Vec::new();
    for (index, raw) in messages.iter().enumerate() {
        let message = message(raw).map_err(|misfit| misfit.within_element(index))?;
        match (message, turns.last_mut()) {
            (Message::Result(part), Some(turn)) if holds_results(turn) => turn.parts.push(part),
            (Message::Result(part), _) => turns.push(Turn::new(Role::User, vec![part])),
            (Message::Turn(turn), _) => turns.push(turn),
        }
    }
    Ok(turns)
}

/// Reads what an assistant said: content, then the plan, then the calls. `id` names the calls that have no id; without
/// it they are refused.
pub(crate) fn decode_assistant(
    message: &mut Object<'_>,
    id: impl Fn(u32) -> Option<String>,
) -> Result<Vec<Part>, Misfit> {
    let mut parts = content_of(message)?;
    plan::mark_thinking(&mut parts);
    if let Some(plan) = message.text("tool_plan")?.filter(|plan| !plan.is_empty()) {
        parts.push(plan::plan(plan.into_owned()));
    }
    let calls = message.array("tool_calls")?.unwrap_or_default();
    for (index, raw) in (0..).zip(calls) {
        let call = call::decode(raw, id(index)).map_err(|misfit| {
            let at = usize::try_from(index).unwrap_or(usize::MAX);
            misfit.within_element(at).within("tool_calls")
        })?;
        parts.push(call);
    }
    Ok(parts)
}

enum Message {
    Turn(Turn),
    Result(Part),
}

fn message(raw: &str) -> Result<Message, Misfit> {
    let mut message = Object::parse(raw)?;
    let role = message
        .text("role")?
        .ok_or_else(|| Misfit::new("is missing").within("role"))?;
    let (role, parts) = match role.as_ref() {
        "system" => (Role::System, content_of(&mut message)?),
        "user" => (Role::User, content_of(&mut message)?),
        "assistant" => (Role::Assistant, decode_assistant(&mut message, |_| None)?),
        "tool" => return result(message).map(Message::Result),
        _ => {
            return Err(Misfit::new("must be system, user, assistant or tool").within("role"));
        }
    };
    Ok(Message::Turn(Turn {
        role,
        name: None,
        parts,
        extra: own::kept("", message),
    }))
}

fn result(mut message: Object<'_>) -> Result<Part, Misfit> {
    let id = message
        .text("tool_call_id")?
        .ok_or_else(|| Misfit::new("is missing").within("tool_call_id"))?;
    let parts = content_of(&mut message)?;
    Ok(Part {
        content: Content::ToolResult {
            id: id.into_owned(),
            name: None,
            parts,
            failed: false,
        },
        cache: None,
        extra: own::kept("", message),
    })
}

fn content_of(message: &mut Object<'_>) -> Result<Vec<Part>, Misfit> {
    match message.raw("content")? {
        None => Ok(Vec::new()),
        Some(raw) => content::decode(raw).map_err(|misfit| misfit.within("content")),
    }
}

fn holds_results(turn: &Turn) -> bool {
    let result = |part: &Part| matches!(part.content, Content::ToolResult { .. });
    !turn.parts.is_empty() && turn.parts.iter().all(result)
}
