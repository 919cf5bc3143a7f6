//! Reads messages.
//!
//! Knows all roles, the old ones too. A run of results becomes one turn of the user.

use payload::object::{Misfit, Object};

use crate::{
    chat::{
        cache,
        call::{self, Call},
        own, part, thoughts,
        turns::pending::Pending,
    },
    neutral::{Cache, Content, Extra, Part, Role, Turn},
};

#[derive(Debug, Default)]
struct Reader {
    turns: Vec<Turn>,
    /// The last turn is a run of results, to which another may be added.
    in_results: bool,
    pending: Pending,
}

/// Reads all messages.
pub(crate) fn read(messages: &[&str]) -> Result<Vec<Turn>, Misfit> {
    let mut reader = Reader::default();
    for (at, raw) in messages.iter().enumerate() {
        let read = reader.message(raw);
        read.map_err(|misfit| misfit.within_element(at).within("messages"))?;
    }
    Ok(reader.turns)
}

/// The mark of a message stands at its last part here.
fn mark(cache: Option<Cache>, parts: &mut [Part]) {
    if let (Some(cache), Some(last)) = (cache, parts.last_mut()) {
        last.cache.get_or_insert(cache);
    }
}

// === impl Reader ===

impl Reader {
    fn message(&mut self, raw: &str) -> Result<(), Misfit> {
        let mut message = Object::parse(raw)?;
        let role = match message.text("role")?.as_deref() {
            Some("system") => Role::System,
            Some("developer") => Role::Developer,
            Some("user") => Role::User,
            Some("assistant") => Role::Assistant,
            Some("tool" | "function") => return self.result(message),
            _ => {
                let wants = "must be one of system, developer, user, assistant and tool";
                return Err(Misfit::new(wants).within("role"));
            }
        };
        self.in_results = false;
        let name = message.text("name")?.map(Into::into);
        let content = message.raw("content")?;
        let mut parts = part::read_all(content).map_err(|misfit| misfit.within("content"))?;
        mark(cache::take(&mut message)?, &mut parts);
        let mut extra = Vec::new();
        if role == Role::Assistant {
            parts = self.assistant(&mut message, parts, &mut extra)?;
        }
        own::keep(message, "", &mut extra);
        self.turns.push(Turn {
            role,
            name,
            parts,
            extra,
        });
        Ok(())
    }

    /// Reads what only a model's message has: thoughts come before its words, and calls after them.
    fn assistant(
        &mut self,
        message: &mut Object<'_>,
        said: Vec<Part>,
        extra: &mut Vec<Extra>,
    ) -> Result<Vec<Part>, Misfit> {
        let (mut parts, _) = thoughts::take(message)?;
        parts.extend(said);
        if let Some(refusal) = message.text("refusal")?.filter(|text| !text.is_empty()) {
            parts.push(Part::new(Content::Refusal(refusal.into_owned())));
        }
        let calls = message.array("tool_calls")?.unwrap_or_default();
        for (at, raw) in calls.into_iter().enumerate() {
            let call = call::read(raw);
            match call.map_err(|misfit| misfit.within_element(at).within("tool_calls"))? {
                Call::Function(written) => {
                    let id = self.pending.call(&written.name, written.id.as_deref());
                    written.push(id, &mut parts);
                }
                Call::Other(part) => parts.push(part),
            }
        }
        if let Some(raw) = message.raw("function_call")? {
            let old = call::read_old(raw).map_err(|misfit| misfit.within("function_call"))?;
            let id = self.pending.call(&old.name, None);
            old.push(id, &mut parts);
        }
        // A sound that was said before is named by its id, which no other API knows.
        if let Some(raw) = message.raw("audio")? {
            extra.push(own::extra("audio", raw));
        }
        Ok(parts)
    }

    fn result(&mut self, mut message: Object<'_>) -> Result<(), Misfit> {
        let id = message.text("tool_call_id")?.filter(|id| !id.is_empty());
        let name = message.text("name")?;
        let content = message.raw("content")?;
        let parts = part::read_all(content).map_err(|misfit| misfit.within("content"))?;
        let cache = cache::take(&mut message)?;
        let id = self.pending.result(id.as_deref(), name.as_deref());
        let mut extra = Vec::new();
        own::keep(message, "", &mut extra);
        let content = Content::ToolResult {
            id,
            name: name.map(Into::into),
            parts,
            failed: false,
        };
        let part = Part {
            content,
            cache,
            extra,
        };
        match self.turns.last_mut() {
            Some(turn) if self.in_results => turn.parts.push(part),
            _ => self.turns.push(Turn::new(Role::User, vec![part])),
        }
        self.in_results = true;
        Ok(())
    }
}
