//! Turns, written as messages of Cohere.
//!
//! Owns where a part goes: results become messages of their own, before what else the user says; thoughts become a
//! plan where calls follow, and content where none do. What has no place is dropped by name, or refused.

use payload::writer::Writer;

use crate::{
    cohere::{call, content, own, plan},
    neutral::{Content, Dropped, Part, Role, Turn, Unsupported},
};

/// What stands before the words of a tool that failed.
const FAILED: &str = "Error: ";

/// Writes the member `messages`.
pub(crate) fn encode(
    writer: &mut Writer,
    turns: &[Turn],
    dropped: &mut Dropped,
) -> Result<(), Unsupported> {
    writer.key("messages").open_array();
    for (index, turn) in turns.iter().enumerate() {
        let place = Place {
            turn,
            at: format!("messages[{index}]"),
        };
        place.note(dropped);
        match turn.role {
            Role::System | Role::Developer => place.plain(writer, "system")?,
            Role::User => place.user(writer)?,
            Role::Assistant => place.assistant(writer)?,
        }
    }
    writer.close_array();
    Ok(())
}

/// Writes the members `content`, `tool_plan` and `tool_calls` of what an assistant said. What cannot be written is
/// given back as its index; `plans` says whether unmarked thoughts are a plan.
pub(crate) fn assistant(writer: &mut Writer, parts: &[Part], plans: bool) -> Result<(), usize> {
    let is_plan = |part: &&Part| {
        matches!(part.content, Content::Reasoning { .. })
            && plan::is_plan(&part.extra).unwrap_or(plans)
    };
    let said: Vec<&Part> = parts
        .iter()
        .filter(|part| !call::is_call(part) && !is_plan(part))
        .filter(|part| !matches!(part.content, Content::RedactedReasoning(_)))
        .collect();
    if !said.is_empty() {
        writer.key("content");
        content::encode(writer, &said)?;
    }
    let plans: Vec<&str> = parts
        .iter()
        .filter(is_plan)
        .filter_map(|part| match &part.content {
            Content::Reasoning { text, .. } if !text.is_empty() => Some(text.as_str()),
            _ => None,
        })
        .collect();
    if !plans.is_empty() {
        writer.key("tool_plan").text(&plans.join("\n"));
    }
    call::encode(writer, parts);
    Ok(())
}

/// A turn, and where it stands to a client.
struct Place<'a> {
    turn: &'a Turn,
    at: String,
}

// === impl Place ===

impl Place<'_> {
    /// Notes what no message of Cohere can say.
    fn note(&self, dropped: &mut Dropped) {
        let at = &self.at;
        if self.turn.name.is_some() {
            dropped.note(format!("{at}.name"));
        }
        own::note(dropped, &self.turn.extra, &format!("{at}."));
        for (index, part) in self.turn.parts.iter().enumerate() {
            let at = format!("{at}.content[{index}]");
            note_part(dropped, part, &at);
            if let Content::ToolResult { parts, .. } = &part.content {
                for (index, part) in parts.iter().enumerate() {
                    note_part(dropped, part, &format!("{at}.content[{index}]"));
                }
            }
        }
    }

    fn plain(&self, writer: &mut Writer, role: &str) -> Result<(), Unsupported> {
        let parts: Vec<&Part> = self.turn.parts.iter().collect();
        self.message(writer, role, &parts)
    }

    fn user(&self, writer: &mut Writer) -> Result<(), Unsupported> {
        let mut rest = Vec::new();
        for (index, part) in self.turn.parts.iter().enumerate() {
            if let Content::ToolResult { .. } = part.content {
                self.result(writer, part, index)?;
            } else {
                rest.push(part);
            }
        }
        self.message(writer, "user", &rest)
    }

    fn assistant(&self, writer: &mut Writer) -> Result<(), Unsupported> {
        let parts = &self.turn.parts;
        let lost = |part: &Part| matches!(part.content, Content::RedactedReasoning(_));
        if parts.iter().all(lost) {
            return Ok(());
        }
        writer.open().key("role").text("assistant");
        let plans = parts.iter().any(call::is_call);
        assistant(writer, parts, plans)
            .map_err(|_| self.unsupported("content", "an assistant's turn is text and calls"))?;
        own::write(writer, &self.turn.extra, "", &[]);
        writer.close();
        Ok(())
    }

    fn message(&self, writer: &mut Writer, role: &str, parts: &[&Part]) -> Result<(), Unsupported> {
        if parts.is_empty() {
            return Ok(());
        }
        writer.open().key("role").text(role).key("content");
        content::encode(writer, parts).map_err(|index| {
            let why = "only text, and images in base64 or at an address, are taken here";
            self.unsupported(&format!("content[{index}]"), why)
        })?;
        own::write(writer, &self.turn.extra, "", &[]);
        writer.close();
        Ok(())
    }

    fn result(&self, writer: &mut Writer, part: &Part, index: usize) -> Result<(), Unsupported> {
        let Content::ToolResult {
            id, parts, failed, ..
        } = &part.content
        else {
            return Ok(());
        };
        let image = |part: &Part| matches!(part.content, Content::Image(_));
        if let Some(inner) = parts.iter().position(image) {
            let at = format!("content[{index}].content[{inner}]");
            return Err(self.unsupported(&at, "images are not taken in a tool's result"));
        }
        writer.open().key("role").text("tool");
        writer.key("tool_call_id").text(id).key("content");
        let said = said(parts, *failed);
        content::encode(writer, &said.iter().collect::<Vec<_>>()).map_err(|inner| {
            let at = format!("content[{index}].content[{inner}]");
            self.unsupported(&at, "only text and documents are taken in a tool's result")
        })?;
        own::write(writer, &part.extra, "", &[]);
        writer.close();
        Ok(())
    }

    fn unsupported(&self, at: &str, why: &str) -> Unsupported {
        Unsupported {
            at: format!("{}.{at}", self.at),
            why: why.to_owned(),
        }
    }
}

/// What a tool said; that it failed is said in words, because there is no other place for it.
fn said(parts: &[Part], failed: bool) -> Vec<Part> {
    let mut said = parts.to_vec();
    if failed {
        match said.first_mut().map(|part| &mut part.content) {
            Some(Content::Text(text)) => text.insert_str(0, FAILED),
            _ => said.insert(0, Part::text(FAILED)),
        }
    }
    if said.is_empty() {
        said.push(Part::text(""));
    }
    said
}

fn note_part(dropped: &mut Dropped, part: &Part, at: &str) {
    if part.cache.is_some() {
        dropped.note(format!("{at}.cache_control"));
    }
    match &part.content {
        Content::Reasoning {
            signature: Some(_), ..
        } => dropped.note(format!("{at}.signature")),
        Content::RedactedReasoning(_) => dropped.note(at),
        // A part of another family is refused where it is written.
        Content::Other => return,
        _ => {}
    }
    own::note(dropped, &part.extra, &format!("{at}."));
}
