//! A whole answer as the stream that would have said it: for clients that asked for a stream of a provider that has none.
//!
//! Owns the order, which is that of the grammar of events. Must never change what is said.

use crate::neutral::{
    Answer, Choice, Delta, Event, Kind, Stop,
    part::{Content, Part},
};

// === impl Answer ===

impl Answer {
    /// Its events, each part in one piece.
    pub fn into_events(self) -> Vec<Event> {
        let mut events = vec![Event::Start {
            id: self.id,
            model: self.model,
            created_seconds: self.created_seconds,
        }];
        events.extend(self.extra.into_iter().map(Event::Extra));
        let mut stops = Vec::with_capacity(self.choices.len());
        for (choice, said) in (0..).zip(self.choices) {
            let Choice { parts, stop, .. } = said;
            for (part, said) in (0..).zip(parts) {
                tell(choice, part, said, &mut events);
            }
            let stop = stop.unwrap_or(Stop::End);
            stops.push(Event::Stop { choice, stop });
        }
        events.append(&mut stops);
        events.extend(self.tokens.map(Event::Usage));
        events.push(Event::End);
        events
    }
}

/// One part. A model says nothing else than these; what only one family understands has no words in a stream.
fn tell(choice: u32, part: u32, said: Part, events: &mut Vec<Event>) {
    let (kind, deltas) = match said.content {
        Content::Text(text) => (Kind::Text, vec![Delta::Text(text)]),
        Content::Refusal(text) => (Kind::Refusal, vec![Delta::Text(text)]),
        Content::RedactedReasoning(text) => (Kind::Reasoning, vec![Delta::Redacted(text)]),
        Content::Reasoning { text, signature } => {
            let mut deltas = vec![Delta::Text(text)];
            deltas.extend(signature.map(Delta::Signature));
            (Kind::Reasoning, deltas)
        }
        Content::ToolCall {
            id,
            name,
            arguments,
        } => (
            Kind::ToolCall { id, name },
            vec![Delta::Arguments(arguments)],
        ),
        _ => return,
    };
    let delta = |delta| Event::Delta {
        choice,
        part,
        delta,
    };
    events.push(Event::Open { choice, part, kind });
    events.extend(deltas.into_iter().map(delta));
    events.push(Event::Close { choice, part });
}
