//! One of the answers of a stream: its parts as they open and close.
//!
//! Owns their numbers and that they do not stand in one another. What comes while a call is not whole waits for it.

use crate::{
    chat::{
        decoder::{
            calls::{Calls, KEPT_BYTES_MAX, Taken},
            chunk::{self, Fragment, Piece},
        },
        message,
        stop::{self, Seen},
        thoughts::{Detail, Said},
    },
    neutral::{Delta, Event, Kind, Seed, Stop},
};

/// One answer.
#[derive(Debug)]
pub(crate) struct Speech {
    pub(crate) index: u32,
    parts: u32,
    open: Option<Open>,
    calls: Calls,
    /// Words that came while a call was not whole.
    later: Vec<(Words, String)>,
    later_bytes: usize,
    seen: Seen,
    finish: Option<String>,
    stopped_at: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Open {
    Words(Words),
    /// A thought, and the number of the detail that it is.
    Thought(Option<u64>),
    Call,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Words {
    Thought,
    Text,
    Refusal,
}

/// More was to be kept than may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Full;

// === impl Speech ===

impl Speech {
    pub(crate) fn new(index: u32) -> Self {
        Self {
            index,
            parts: 0,
            open: None,
            calls: Calls::default(),
            later: Vec::new(),
            later_bytes: 0,
            seen: Seen::default(),
            finish: None,
            stopped_at: None,
        }
    }

    /// Takes what a chunk says of it.
    pub(crate) fn push(
        &mut self,
        piece: Piece<'_>,
        seed: &Seed,
        out: &mut Vec<Event>,
    ) -> Result<(), Full> {
        for delta in piece.deltas {
            match delta {
                chunk::Delta::Thought(text) => self.say(Words::Thought, &text, out),
                chunk::Delta::Text(text) => self.say(Words::Text, &text, out),
                chunk::Delta::Refusal(text) => self.say(Words::Refusal, &text, out),
                chunk::Delta::Detail(detail) => self.detail(detail, out),
                chunk::Delta::Call(fragment) => self.fragment(&fragment, seed, out)?,
            }
            if self.calls.waiting_bytes() + self.later_bytes > KEPT_BYTES_MAX {
                return Err(Full);
            }
        }
        if let Some(word) = piece.finish {
            self.finish = Some(word.into_owned());
        }
        if let Some(word) = piece.stopped_at {
            self.stopped_at = Some(word.into_owned());
        }
        Ok(())
    }

    /// Gives out what waits and closes what is open. A call that was cut stays cut.
    pub(crate) fn settle(&mut self, seed: &Seed, out: &mut Vec<Event>) {
        self.advance(true, seed, out);
    }

    /// Whether a call never had its turn, because it has no name.
    pub(crate) fn is_stuck(&self) -> bool {
        self.calls.any_waits()
    }

    /// Why it ended, if it did.
    pub(crate) fn stop(&self) -> Option<Stop> {
        let read = stop::read(self.finish.as_ref()?, self.seen);
        Some(match (read, &self.stopped_at) {
            (Stop::End, Some(word)) => Stop::Sequence(Some(word.clone())),
            (read, _) => read,
        })
    }

    fn event(&self, delta: Delta) -> Event {
        Event::Delta {
            choice: self.index,
            part: self.parts.saturating_sub(1),
            delta,
        }
    }

    fn open(&mut self, open: Open, kind: Kind, out: &mut Vec<Event>) {
        self.close(out);
        self.seen.anything = true;
        out.push(Event::Open {
            choice: self.index,
            part: self.parts,
            kind,
        });
        self.parts += 1;
        self.open = Some(open);
    }

    fn close(&mut self, out: &mut Vec<Event>) {
        if self.open.take().is_some() {
            out.push(Event::Close {
                choice: self.index,
                part: self.parts.saturating_sub(1),
            });
        }
    }

    /// Whether nothing but a call may go on.
    fn is_calling(&self) -> bool {
        self.calls.any_waits() || (self.open == Some(Open::Call) && !self.calls.current_is_whole())
    }

    fn say(&mut self, words: Words, text: &str, out: &mut Vec<Event>) {
        if text.is_empty() {
            return;
        }
        if self.is_calling() {
            self.later_bytes += text.len();
            match self.later.last_mut() {
                Some((last, said)) if *last == words => said.push_str(text),
                _ => self.later.push((words, text.to_owned())),
            }
            return;
        }
        let (open, kind) = match words {
            Words::Thought => (Open::Thought(None), Kind::Reasoning),
            Words::Text => (Open::Words(words), Kind::Text),
            Words::Refusal => (Open::Words(words), Kind::Refusal),
        };
        let goes_on = match self.open {
            Some(Open::Thought(_)) => words == Words::Thought,
            now => now == Some(open),
        };
        if !goes_on {
            self.open(open, kind, out);
        }
        self.seen.refusal |= words == Words::Refusal;
        out.push(self.event(Delta::Text(text.to_owned())));
    }

    fn detail(&mut self, detail: Detail, out: &mut Vec<Event>) {
        // A proof cannot wait for a call, because it proves what was thought before it.
        if self.is_calling() {
            if let Said::Text(text, _) = detail.said {
                self.say(Words::Thought, &text, out);
            }
            return;
        }
        match detail.said {
            Said::Text(text, proof) => {
                if text.is_empty() && proof.is_none() {
                    return;
                }
                self.think(detail.index, out);
                if !text.is_empty() {
                    out.push(self.event(Delta::Text(text)));
                }
                if let Some(proof) = proof {
                    out.push(self.event(Delta::Signature(proof)));
                    self.close(out);
                }
            }
            Said::Proof(proof) => {
                self.think(None, out);
                out.push(self.event(Delta::Signature(proof)));
                self.close(out);
            }
            Said::Redacted(data) => {
                self.open(Open::Thought(None), Kind::Reasoning, out);
                out.push(self.event(Delta::Redacted(data)));
                self.close(out);
            }
            Said::Other => {}
        }
    }

    /// Opens a thought, unless the one that is open goes on.
    fn think(&mut self, index: Option<u64>, out: &mut Vec<Event>) {
        let goes_on = match (self.open, index) {
            (Some(Open::Thought(Some(now))), Some(index)) => now == index,
            (Some(Open::Thought(_)), _) => true,
            _ => false,
        };
        if !goes_on {
            self.open(Open::Thought(index), Kind::Reasoning, out);
        } else if index.is_some() {
            self.open = Some(Open::Thought(index));
        }
    }

    fn fragment(
        &mut self,
        fragment: &Fragment<'_>,
        seed: &Seed,
        out: &mut Vec<Event>,
    ) -> Result<(), Full> {
        self.seen.calls = true;
        match self.calls.take(fragment) {
            Taken::GoesOn => {
                if self.open == Some(Open::Call) && !fragment.arguments.is_empty() {
                    let arguments = fragment.arguments.clone().into_owned();
                    out.push(self.event(Delta::Arguments(arguments)));
                }
            }
            Taken::Waits | Taken::Late => {}
            Taken::Full => return Err(Full),
        }
        self.advance(false, seed, out);
        Ok(())
    }

    /// Gives the turn to what waits, as long as nothing stands in its way; at the `end` nothing does.
    fn advance(&mut self, end: bool, seed: &Seed, out: &mut Vec<Event>) {
        while end || self.open != Some(Open::Call) || self.calls.current_is_whole() {
            let number = u32::try_from(self.calls.begun()).unwrap_or(u32::MAX);
            let Some(call) = self.calls.next(end) else {
                break;
            };
            // It stays, because a piece of another call is told by it.
            let mut id = call.id.clone();
            if id.is_empty() {
                id = seed.tool_call_id(message::call_number(self.index, number));
            }
            let name = std::mem::take(&mut call.name);
            let arguments = std::mem::take(&mut call.arguments);
            let signature = call.signature.take();
            if let Some(proof) = signature {
                self.open(Open::Thought(None), Kind::Reasoning, out);
                out.push(self.event(Delta::Signature(proof)));
            }
            self.open(Open::Call, Kind::ToolCall { id, name }, out);
            if !arguments.is_empty() {
                out.push(self.event(Delta::Arguments(arguments)));
            }
        }
        if !end && self.is_calling() {
            return;
        }
        if end {
            self.close(out);
        }
        self.later_bytes = 0;
        for (words, text) in std::mem::take(&mut self.later) {
            if end && self.calls.any_waits() {
                break;
            }
            self.say(words, &text, out);
        }
        if end {
            self.close(out);
        }
    }
}
