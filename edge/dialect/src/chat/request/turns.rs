//! The messages of a conversation.
//!
//! Owns the turn of a tool: a message of its own here, a part of a user's turn in the neutral form. All results of a
//! turn stand before anything else of it, because providers want each call answered at once.

use crate::{
    chat::{
        call, extras, message, part,
        target::{ReasoningBack, Target},
        thoughts,
    },
    neutral::{Content, Dropped, Part, Request, Role, Turn, Unsupported},
    object::{Misfit, Object},
    writer::Writer,
};

/// What stands in a result for a picture or a file, which then follows in a message of the user's.
const ELSEWHERE: &str = "(see the attachment in the next message)";

/// Reads `messages`.
pub(crate) fn read(object: &mut Object<'_>) -> Result<Vec<Turn>, Misfit> {
    let messages = object
        .array("messages")?
        .ok_or_else(|| Misfit::new("is required").within("messages"))?;
    let mut turns = Vec::with_capacity(messages.len());
    // The id of the last call of the old form, which its result does not say.
    let mut old = None;
    for (index, raw) in messages.into_iter().enumerate() {
        let turn = turn(raw, index, &mut old);
        turns.push(turn.map_err(|misfit| misfit.within_element(index).within("messages"))?);
    }
    Ok(turns)
}

fn turn(raw: &str, index: usize, old: &mut Option<String>) -> Result<Turn, Misfit> {
    let mut message = Object::parse(raw)?;
    let role = match message.text("role")?.as_deref() {
        Some("user") => Role::User,
        Some("assistant") => Role::Assistant,
        Some("system") => Role::System,
        Some("developer") => Role::Developer,
        Some(tool @ ("tool" | "function")) => {
            let id = (tool == "function").then(|| old.clone()).flatten();
            return result(message, id);
        }
        _ => {
            let wants = "must be system, developer, user, assistant or tool";
            return Err(Misfit::new(wants).within("role"));
        }
    };
    let name = message.text("name")?.map(Into::into);
    let parts = if role == Role::Assistant {
        let id = |call: u32| format!("call_{index}_{call}");
        if message.has("function_call") {
            *old = Some(id(0));
        }
        message::take(&mut message, id)?
    } else {
        content(&mut message)?
    };
    let mut turn = Turn::new(role, parts);
    turn.name = name;
    extras::keep(message, "", &mut turn.extra);
    turn.extra.retain(|extra| extra.value.as_str() != "null");
    Ok(turn)
}

fn result(mut message: Object<'_>, old: Option<String>) -> Result<Turn, Misfit> {
    let name = message.text("name")?.map(Into::into);
    let id = message.text("tool_call_id")?.map(Into::into).or(old);
    let content = Content::ToolResult {
        id: id.ok_or_else(|| Misfit::new("is required").within("tool_call_id"))?,
        name,
        parts: content(&mut message)?,
        failed: false,
    };
    let mut part = Part::new(content);
    extras::keep(message, "", &mut part.extra);
    part.extra.retain(|extra| extra.value.as_str() != "null");
    Ok(Turn::new(Role::User, vec![part]))
}

fn content(message: &mut Object<'_>) -> Result<Vec<Part>, Misfit> {
    match message.raw("content")? {
        Some(raw) => part::read_all(raw).map_err(|misfit| misfit.within("content")),
        None => Ok(Vec::new()),
    }
}

/// Writes `messages`.
pub(crate) fn write(
    writer: &mut Writer,
    request: &Request,
    target: &Target<'_>,
    dropped: &mut Dropped,
) -> Result<(), Unsupported> {
    writer.key("messages").open_array();
    let mut attached = Vec::new();
    for (index, turn) in request.turns.iter().enumerate() {
        let at = format!("messages[{index}]");
        let mut draft = Draft {
            writer,
            target,
            dropped,
            at: &at,
        };
        if turn.role == Role::Assistant {
            draft.attach(&mut attached)?;
            draft.assistant(turn)?;
        } else {
            draft.other(turn, &mut attached)?;
        }
    }
    let mut draft = Draft {
        writer,
        target,
        dropped,
        at: "messages",
    };
    draft.attach(&mut attached)?;
    writer.close_array();
    Ok(())
}

/// A message while it is written.
struct Draft<'d> {
    writer: &'d mut Writer,
    target: &'d Target<'d>,
    dropped: &'d mut Dropped,
    at: &'d str,
}

// === impl Draft ===

impl Draft<'_> {
    fn head(&mut self, role: &str, name: Option<&str>) {
        self.writer.open().key("role").text(role);
        if let Some(name) = name {
            self.writer.key("name").text(name);
        }
    }

    fn content(&mut self, parts: &[&Part]) -> Result<(), Unsupported> {
        self.writer.key("content");
        part::write_all(self.writer, parts, self.target, self.at, self.dropped)
    }

    /// What came with results, in a message of the user's behind all of them.
    fn attach(&mut self, attached: &mut Vec<&Part>) -> Result<(), Unsupported> {
        if !attached.is_empty() {
            self.head("user", None);
            self.content(attached)?;
            self.writer.close();
            attached.clear();
        }
        Ok(())
    }

    fn other<'p>(
        &mut self,
        turn: &'p Turn,
        attached: &mut Vec<&'p Part>,
    ) -> Result<(), Unsupported> {
        let mut said = Vec::new();
        let mut results = false;
        for part in &turn.parts {
            if let Content::ToolResult { .. } = part.content {
                results = true;
                self.result(part, attached)?;
            } else {
                said.push(part);
            }
        }
        if results && said.is_empty() {
            extras::note_foreign(&turn.extra, self.at, self.dropped);
            return Ok(());
        }
        if turn.role == Role::User && turn.name.is_none() && results {
            said.splice(0..0, attached.drain(..));
        } else {
            self.attach(attached)?;
        }
        let role = match turn.role {
            Role::Developer if self.target.developer_role => "developer",
            Role::Developer | Role::System => "system",
            _ => "user",
        };
        self.head(role, turn.name.as_deref());
        self.content(&said)?;
        extras::write_plain(self.writer, &turn.extra, self.at, self.dropped);
        self.writer.close();
        Ok(())
    }

    fn result<'p>(
        &mut self,
        part: &'p Part,
        attached: &mut Vec<&'p Part>,
    ) -> Result<(), Unsupported> {
        let Content::ToolResult {
            id,
            name,
            parts,
            failed,
        } = &part.content
        else {
            return Ok(());
        };
        let (elsewhere, error) = (Part::text(ELSEWHERE), Part::text("Error: "));
        let mut said = Vec::new();
        let mut first;
        for part in parts {
            let is_media = matches!(
                part.content,
                Content::Image(_) | Content::Audio(_) | Content::Document(_)
            );
            if is_media {
                attached.push(part);
                said.push(&elsewhere);
            } else {
                said.push(part);
            }
        }
        // The role of a tool has no other way to say that it failed.
        if *failed {
            match said.first_mut() {
                Some(part) if matches!(part.content, Content::Text(_)) => {
                    first = (*part).clone();
                    if let Content::Text(text) = &mut first.content {
                        text.insert_str(0, "Error: ");
                    }
                    *part = &first;
                }
                _ => said.insert(0, &error),
            }
        }
        self.head("tool", name.as_deref());
        self.writer.key("tool_call_id").text(id);
        self.content(&said)?;
        extras::write_plain(self.writer, &part.extra, self.at, self.dropped);
        self.writer.close();
        Ok(())
    }

    fn assistant(&mut self, turn: &Turn) -> Result<(), Unsupported> {
        let (mut thought, mut said, mut called, mut refusal) =
            (Vec::new(), Vec::new(), Vec::new(), None);
        for part in &turn.parts {
            match &part.content {
                _ if thoughts::is_thought(part) => thought.push(part),
                _ if call::is_call(part) => called.push(part),
                Content::Refusal(text) if refusal.is_none() => refusal = Some(text),
                _ => said.push(part),
            }
        }
        self.head("assistant", turn.name.as_deref());
        self.writer.key("content");
        if said.is_empty() && (!called.is_empty() || refusal.is_some()) {
            self.writer.null();
        } else {
            part::write_all(self.writer, &said, self.target, self.at, self.dropped)?;
        }
        if let Some(refusal) = refusal {
            self.writer.key("refusal").text(refusal);
        }
        self.thoughts(&thought);
        if !called.is_empty() {
            call::write_all(self.writer, &called, self.at, self.dropped)?;
        }
        extras::write_plain(self.writer, &turn.extra, self.at, self.dropped);
        self.writer.close();
        Ok(())
    }

    fn thoughts(&mut self, thoughts: &[&Part]) {
        if thoughts.is_empty() {
            return;
        }
        let all = || thoughts.iter().copied();
        match self.target.reasoning {
            ReasoningBack::Details => thoughts::write_details(self.writer, all()),
            ReasoningBack::Content => {
                if let Some(words) = thoughts::words(all()) {
                    self.writer.key("reasoning_content").text(&words);
                }
                if all().any(thoughts::is_proven) {
                    self.dropped.note(format!("{}.reasoning_details", self.at));
                }
            }
            ReasoningBack::Dropped => {
                self.dropped.note(format!("{}.reasoning_content", self.at));
            }
        }
    }
}
