//! The block of a stream that is open.
//!
//! Owns what must be held back until it is sure: words that may never come, and a proof that comes in pieces.

use crate::neutral::{Delta, Event, Kind};

/// The longest proof of reasoning, in bytes. Full: the stream is given up, because half a proof is none.
const SIGNATURE_BYTES_MAX: usize = 1 << 20;

/// An open block.
#[derive(Debug)]
pub(crate) struct Block {
    /// Its number, as the provider counts.
    pub(crate) index: Option<u64>,
    /// What it is.
    pub(crate) shape: Shape,
    /// Its number among the parts that we have told of. None yet if it may turn out to be empty.
    part: Option<u32>,
    signature: String,
    /// What stood at its beginning, and is its whole if nothing else comes.
    input: String,
    fed: bool,
}

/// What a block is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// Words.
    Text,
    /// Thoughts.
    Reasoning,
    /// A call of a tool.
    Call,
    /// A call of our own tool, whose arguments are the answer.
    Answer,
    /// Something that only this family understands.
    Other,
}

/// A block's proof is too long.
#[derive(Debug)]
pub(crate) struct TooLong;

// === impl Block ===

impl Block {
    pub(crate) const fn new(index: Option<u64>, shape: Shape) -> Self {
        Self {
            index,
            shape,
            part: None,
            signature: String::new(),
            input: String::new(),
            fed: false,
        }
    }

    /// A call whose arguments stand at its beginning already, as some proxies send them.
    pub(crate) fn with_input(mut self, input: Option<&str>) -> Self {
        input.unwrap_or_default().clone_into(&mut self.input);
        self
    }

    /// Tells of it, if that was not done.
    pub(crate) fn open(&mut self, kind: Kind, parts: &mut u32, out: &mut Vec<Event>) -> u32 {
        *self.part.get_or_insert_with(|| {
            let part = *parts;
            *parts += 1;
            out.push(Event::Open {
                choice: 0,
                part,
                kind,
            });
            part
        })
    }

    /// Adds words or arguments, be they none.
    pub(crate) fn feed(&mut self, piece: &str, parts: &mut u32, out: &mut Vec<Event>) {
        if piece.is_empty() {
            return;
        }
        self.fed = true;
        let delta = match self.shape {
            Shape::Call => Delta::Arguments(piece.to_owned()),
            _ => Delta::Text(piece.to_owned()),
        };
        self.delta(delta, parts, out);
    }

    /// Adds to what it is.
    pub(crate) fn delta(&mut self, delta: Delta, parts: &mut u32, out: &mut Vec<Event>) {
        let kind = match self.shape {
            Shape::Reasoning => Kind::Reasoning,
            _ => Kind::Text,
        };
        let part = self.open(kind, parts, out);
        out.push(Event::Delta {
            choice: 0,
            part,
            delta,
        });
    }

    /// Adds to its proof.
    pub(crate) fn sign(&mut self, piece: &str) -> Result<(), TooLong> {
        if self.signature.len() + piece.len() > SIGNATURE_BYTES_MAX {
            return Err(TooLong);
        }
        self.signature.push_str(piece);
        Ok(())
    }

    /// Ends it. `whole` is whether it came to its end: a proof that was broken off is not told.
    pub(crate) fn close(mut self, whole: bool, parts: &mut u32, out: &mut Vec<Event>) {
        if whole {
            let input = std::mem::take(&mut self.input);
            match self.shape {
                _ if self.fed => {}
                Shape::Call if !matches!(input.as_str(), "" | "{}") => {
                    self.feed(&input, parts, out);
                }
                Shape::Answer if input.is_empty() => self.feed("{}", parts, out),
                Shape::Answer => self.feed(&input, parts, out),
                _ => {}
            }
            let signature = std::mem::take(&mut self.signature);
            if !signature.is_empty() {
                self.delta(Delta::Signature(signature), parts, out);
            }
        }
        if let Some(part) = self.part {
            out.push(Event::Close { choice: 0, part });
        }
    }
}
