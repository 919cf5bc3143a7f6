//! What a stream of events says about itself: what was used, whether it began, whether it is whole.
//!
//! Knows events and counts; changes nothing.

use payload::object::Object;

use crate::{
    Finish, Tokens,
    calls::Calls,
    chat, cohere, converse, estimate, gemini, messages,
    neutral::{Delta, Event, Extra, Family, Kind, Seed},
    responses,
    tokens::Tier,
};

/// What was seen so far.
#[derive(Debug, Clone)]
pub struct Watch {
    tokens: Option<Tokens>,
    finish: Finish,
    /// Its calls, where they are checked.
    calls: Option<Box<Calls>>,
    output_bytes: u64,
    begun: bool,
    ended: bool,
    failed: Option<Failed>,
}

/// Why a stream is not whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Failed {
    /// The provider says so, or broke off.
    Said,
    /// What it said cannot be read.
    Unreadable,
}

/// What a whole answer of a family says that it used.
pub fn tokens_of_answer(family: Family, body: &[u8]) -> Option<Tokens> {
    let mut answer = Object::parse(str::from_utf8(body).ok()?).ok()?;
    let name = if family == Family::Gemini {
        "usageMetadata"
    } else {
        "usage"
    };
    let raw = answer.raw(name).ok()??;
    let tokens = match family {
        Family::Chat => chat::usage::tokens(raw),
        Family::Responses => responses::usage::tokens(raw),
        Family::Messages => messages::usage::tokens(raw),
        Family::Gemini => gemini::usage::tokens(raw),
        Family::Converse => converse::usage::tokens(raw),
        Family::Cohere => cohere::usage::tokens(raw),
    };
    // Anthropic says it in its usage, and reads it there.
    match answer.peek("service_tier") {
        Some(raw) => tokens.map(|it| it.served(Tier::read(raw))),
        None => tokens,
    }
}

/// Why a whole answer of a family ended. Reads it once more, for whoever compares versions.
pub fn finish_of_answer(family: Family, body: &[u8]) -> Finish {
    let Ok(body) = str::from_utf8(body) else {
        return Finish::Unseen;
    };
    let seed = Seed {
        request_id: String::new(),
        now_seconds: 0,
    };
    let answer = match family {
        Family::Chat => chat::answer::decode(body, &seed),
        Family::Responses => responses::answer::decode(body, &seed),
        Family::Messages => messages::answer::decode(body, &seed),
        Family::Gemini => gemini::answer::decode(body, &seed),
        Family::Converse => converse::answer::decode(body, &seed),
        Family::Cohere => cohere::answer::decode(body, &seed),
    };
    answer.map_or(Finish::Unseen, |it| it.finish())
}

// === impl Watch ===

impl Watch {
    /// Nothing was seen.
    pub const NEW: Self = Self {
        tokens: None,
        finish: Finish::Unseen,
        calls: None,
        output_bytes: 0,
        begun: false,
        ended: false,
        failed: None,
    };

    /// Checks from here on whether calls of tools can be made, for whoever asks [why the stream ended](Self::finish).
    pub fn check_calls(&mut self) {
        self.calls = Some(Box::default());
    }

    /// Looks at an event.
    pub fn see(&mut self, event: &Event) {
        match event {
            Event::Usage(tokens) => self.tokens = Some(*tokens),
            Event::Delta {
                choice,
                part,
                delta,
            } => {
                if let (Some(calls), Delta::Arguments(piece)) = (&mut self.calls, delta) {
                    calls.push((u64::from(*choice), u64::from(*part)), piece);
                }
                let (Delta::Text(text) | Delta::Arguments(text)) = delta else {
                    // A proof, or thoughts that only their maker can read.
                    self.begun = true;
                    return;
                };
                self.begun |= !text.is_empty();
                self.output_bytes = self.output_bytes.saturating_add(text.len() as u64);
            }
            Event::Open { kind, .. } => self.begun |= matches!(kind, Kind::ToolCall { .. }),
            Event::Extra(extra) => self.begun |= is_part(extra),
            Event::Stop { stop, .. } => self.finish = self.finish.max(stop.finish()),
            Event::End => self.ended = true,
            Event::Error(error) => {
                self.failed = Some(if error.is_unreadable() {
                    Failed::Unreadable
                } else {
                    Failed::Said
                });
            }
            _ => {}
        }
    }

    /// What the provider last said was used.
    pub const fn tokens(&self) -> Option<Tokens> {
        self.tokens
    }

    /// Why the stream ended, as far as it is known. That a call cannot be made is known only if calls [are checked](Self::check_calls).
    pub fn finish(&self) -> Finish {
        self.finish.of_calls(self.calls.as_deref())
    }

    /// Bytes of generated text that have passed.
    pub const fn output_bytes(&self) -> u64 {
        self.output_bytes
    }

    /// Output tokens guessed from the bytes that passed, for a provider that says nothing.
    pub const fn output_estimate(&self) -> u64 {
        estimate::output_tokens(self.output_bytes)
    }

    /// Whether anything generated has passed: from there on the stream cannot be moved to another provider.
    pub const fn has_begun(&self) -> bool {
        self.begun
    }

    /// Whether the stream is whole.
    pub const fn has_ended(&self) -> bool {
        self.ended
    }

    /// Whether the provider reported an error, or broke off.
    pub const fn has_failed(&self) -> bool {
        self.failed.is_some()
    }

    /// Whether it failed because what the provider said cannot be read.
    pub const fn is_unreadable(&self) -> bool {
        matches!(self.failed, Some(Failed::Unreadable))
    }
}

/// Whether it is a part of the answer that only its family understands: a picture, or a tool of the provider's own.
fn is_part(extra: &Extra) -> bool {
    match extra.family {
        Family::Messages => extra.name.starts_with("content_block_"),
        Family::Gemini => gemini::is_part_in_stream(&extra.name),
        Family::Converse => extra.name.starts_with("contentBlock"),
        _ => false,
    }
}
