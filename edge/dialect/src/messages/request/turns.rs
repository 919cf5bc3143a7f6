//! The conversation as the API wants it: instructions first, turns by turns, results of tools before all else.
//!
//! Owns what is left out of a turn, and when two turns are one message. Must never lose the order of what stays.

use payload::writer::Writer;

use crate::{
    messages::{draft::Draft, extras, media, part, target::Lack},
    neutral::{Content, Extra, Media, Part, Request, Role, Turn, Unsupported},
    place::Place,
};

/// The conversation, laid out.
pub(crate) struct Laid<'r> {
    system: Vec<(Place, &'r Part)>,
    messages: Vec<Message<'r>>,
}

struct Message<'r> {
    role: Role,
    parts: Vec<(Place, &'r Part)>,
    extra: Vec<&'r Extra>,
}

/// Lays a conversation out.
pub(crate) fn lay_out<'r>(
    request: &'r Request,
    draft: &mut Draft<'_>,
) -> Result<Laid<'r>, Unsupported> {
    let mut laid = Laid {
        system: Vec::new(),
        messages: Vec::new(),
    };
    for (at, turn) in request.turns.iter().enumerate() {
        laid.add(Place::of(at), turn, draft);
    }
    for message in &mut laid.messages {
        // Stable: results stay in their order, and so does the rest.
        message
            .parts
            .sort_by_key(|(_, part)| !matches!(part.content, Content::ToolResult { .. }));
    }
    if draft.target.lacks(Lack::Prefill)
        && let Some(message) = laid.messages.last()
        && message.role == Role::Assistant
        && let Some((place, part)) = message.parts.last()
        && matches!(part.content, Content::Text(_))
    {
        return Err(place.turn().unsupported(
            "this model does not go on with an assistant's message: end with a user's",
        ));
    }
    Ok(laid)
}

// === impl Laid ===

impl<'r> Laid<'r> {
    fn add(&mut self, place: Place, turn: &'r Turn, draft: &mut Draft<'_>) {
        let mut parts = Vec::new();
        for (at, part) in turn.parts.iter().enumerate() {
            let place = place.part(at);
            if is_said(place, part, draft) {
                parts.push((place, part));
            }
        }
        if turn.name.is_some() {
            draft.dropped.note(format!("{place}.name"));
        }
        let mut extra = Vec::new();
        for member in &turn.extra {
            if draft.keeps(member, place) {
                extra.push(member);
            }
        }
        if turn.role.instructs() {
            let first = self.messages.is_empty();
            if first || draft.target.lacks(Lack::SystemTurns) {
                if !first {
                    draft.dropped.note(format!("{place}.role"));
                }
                self.system.extend(parts);
                return;
            }
        }
        if parts.is_empty() {
            return;
        }
        let role = match turn.role {
            Role::Developer => Role::System,
            role => role,
        };
        match self.messages.last_mut() {
            Some(last) if last.role == role && last.extra.is_empty() && extra.is_empty() => {
                last.parts.extend(parts);
            }
            _ => self.messages.push(Message { role, parts, extra }),
        }
    }

    /// Whether the turn that called tools last does not begin with its thoughts.
    pub(crate) fn is_thoughtless(&self) -> bool {
        let last = |message: &&Message<'_>| message.role == Role::Assistant;
        let Some(message) = self.messages.iter().rev().find(last) else {
            return false;
        };
        let contents = || message.parts.iter().map(|(_, part)| &part.content);
        let calls = contents().any(|content| matches!(content, Content::ToolCall { .. }));
        let thinks = contents().next().is_some_and(|content| {
            matches!(
                content,
                Content::Reasoning { .. } | Content::RedactedReasoning(_)
            )
        });
        calls && !thinks
    }

    /// Writes `system`, and behind it what we have to say ourselves.
    pub(crate) fn write_system(
        &self,
        instruction: Option<&str>,
        draft: &mut Draft<'_>,
    ) -> Result<(), Unsupported> {
        if self.system.is_empty() && instruction.is_none() {
            return Ok(());
        }
        draft.writer.key("system");
        if instruction.is_none() && write_plain(&self.system, &mut draft.writer) {
            return Ok(());
        }
        draft.writer.open_array();
        for (place, part) in &self.system {
            write_instruction(*place, part, draft)?;
        }
        if let Some(instruction) = instruction {
            let writer = &mut draft.writer;
            part::open(writer, "text").key("text").text(instruction);
            writer.close();
        }
        draft.writer.close_array();
        Ok(())
    }

    /// Writes `messages`.
    pub(crate) fn write_messages(&self, draft: &mut Draft<'_>) -> Result<(), Unsupported> {
        draft.writer.key("messages").open_array();
        for (at, message) in self.messages.iter().enumerate() {
            let role = match message.role {
                Role::Assistant => "assistant",
                Role::User => "user",
                Role::System | Role::Developer => "system",
            };
            draft.writer.open().key("role").text(role).key("content");
            let last = at + 1 == self.messages.len();
            message.write(last && message.role == Role::Assistant, draft)?;
            for member in &message.extra {
                draft.writer.key(&member.name).raw(member.value.as_str());
            }
            draft.writer.close();
        }
        draft.writer.close_array();
        Ok(())
    }
}

// === impl Message ===

impl Message<'_> {
    /// Writes the content. What is to be gone on with may not end in white space.
    fn write(&self, gone_on_with: bool, draft: &mut Draft<'_>) -> Result<(), Unsupported> {
        let trimmed;
        let mut parts = self.parts.clone();
        if gone_on_with
            && let Some((_, last)) = parts.last_mut()
            && let Content::Text(text) = &last.content
            && text.ends_with(char::is_whitespace)
        {
            trimmed = Part {
                content: Content::Text(text.trim_end().to_owned()),
                ..(*last).clone()
            };
            *last = &trimmed;
        }
        if write_plain(&parts, &mut draft.writer) {
            return Ok(());
        }
        draft.writer.open_array();
        for (place, part) in parts {
            if self.role == Role::System {
                write_instruction(place, part, draft)?;
            } else {
                write_part(place, part, draft)?;
            }
        }
        draft.writer.close_array();
        Ok(())
    }
}

/// Whether a part is sent at all: empty words are refused by the API, and so are thoughts that nothing proves.
fn is_said(place: Place, part: &Part, draft: &mut Draft<'_>) -> bool {
    match &part.content {
        Content::Text(text) | Content::Refusal(text) => !text.trim().is_empty(),
        Content::Reasoning { signature, .. } => {
            let proven = signature.is_some() && !draft.target.lacks(Lack::Signatures);
            if !proven {
                draft.dropped.note(place.to_string());
            }
            proven
        }
        Content::RedactedReasoning(_) if draft.target.lacks(Lack::Signatures) => {
            draft.dropped.note(place.to_string());
            false
        }
        _ => true,
    }
}

/// Writes one text with nothing special about it as a string.
fn write_plain(parts: &[(Place, &Part)], writer: &mut Writer) -> bool {
    match parts {
        [(_, part)] if part.cache.is_none() && part.extra.is_empty() => match &part.content {
            Content::Text(text) => {
                writer.text(text);
                true
            }
            _ => false,
        },
        _ => false,
    }
}

fn write_instruction(place: Place, part: &Part, draft: &mut Draft<'_>) -> Result<(), Unsupported> {
    match &part.content {
        Content::Text(_) | Content::Refusal(_) => write_part(place, part, draft),
        Content::Other if part.extra.first().is_some_and(extras::is_own) => {
            write_part(place, part, draft)
        }
        _ => Err(place.unsupported("instructions can only be text for this model's API")),
    }
}

fn write_part(place: Place, part: &Part, draft: &mut Draft<'_>) -> Result<(), Unsupported> {
    let wrong = |why: &'static str| place.unsupported(why);
    match &part.content {
        Content::Image(media) => {
            let members = draft.under(&part.extra, media::PREFIX);
            part::open(&mut draft.writer, "image");
            media::write_image(&mut draft.writer, media, members).map_err(wrong)?;
            note_detail(place, media, draft);
        }
        Content::Document(media) => {
            let members = draft.under(&part.extra, media::PREFIX);
            part::open(&mut draft.writer, "document");
            media::write_document(&mut draft.writer, media, members).map_err(wrong)?;
            if let Some(title) = &media.name {
                draft.writer.key("title").text(title);
            }
        }
        Content::Audio(_) => return Err(wrong("audio is not understood by this model's API")),
        Content::ToolResult {
            id, parts, failed, ..
        } => {
            let id = part::tool_id(id);
            let writer = part::open(&mut draft.writer, "tool_result");
            writer.key("tool_use_id").text(&id);
            write_results(place, parts, draft)?;
            if *failed {
                draft.writer.key("is_error").flag(true);
            }
        }
        Content::ToolCall { arguments, .. } if part::input(arguments).is_none() => {
            return Err(wrong("the arguments of a call must be a JSON object"));
        }
        _ => return write_simple(place, part, draft),
    }
    let kept: Vec<bool> = part
        .extra
        .iter()
        .map(|extra| draft.keeps(extra, place))
        .collect();
    let mut kept = kept.into_iter();
    part::close(&mut draft.writer, part, &mut |_| {
        kept.next().unwrap_or(false)
    });
    Ok(())
}

fn write_simple(place: Place, part: &Part, draft: &mut Draft<'_>) -> Result<(), Unsupported> {
    let other = part.content == Content::Other;
    let keeps = |extra| !other && draft.keeps(extra, place);
    let kept: Vec<bool> = part.extra.iter().map(keeps).collect();
    let mut kept = kept.into_iter();
    if part::write(&mut draft.writer, part, &mut |_| {
        kept.next().unwrap_or(false)
    }) {
        Ok(())
    } else {
        Err(place.unsupported("this kind of content is not understood by this model's API"))
    }
}

fn write_results(place: Place, parts: &[Part], draft: &mut Draft<'_>) -> Result<(), Unsupported> {
    let mut said = Vec::new();
    for (at, part) in parts.iter().enumerate() {
        let place = place.inner(at);
        if is_said(place, part, draft) {
            said.push((place, part));
        }
    }
    if said.is_empty() {
        return Ok(());
    }
    draft.writer.key("content");
    if write_plain(&said, &mut draft.writer) {
        return Ok(());
    }
    draft.writer.open_array();
    for (place, part) in said {
        if matches!(part.content, Content::ToolResult { .. }) {
            return Err(place.unsupported("a result cannot stand in a result"));
        }
        write_part(place, part, draft)?;
    }
    draft.writer.close_array();
    Ok(())
}

fn note_detail(place: Place, media: &Media, draft: &mut Draft<'_>) {
    if media.detail.is_some() {
        draft.dropped.note(format!("{place}.image_url.detail"));
    }
}
