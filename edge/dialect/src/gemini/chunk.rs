//! One chunk of a stream for a client of Gemini: framed, on one line where events are lines.
//!
//! Owns both framings. Google's clients look for `data: ` and a blank line and know no comments.

use payload::writer::Writer;

use crate::{gemini::error, neutral::Error};

/// How a client wants its stream framed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Framing {
    /// Server-sent events: `alt=sse`.
    #[default]
    Events,
    /// One array that grows: what Google answers who does not ask for events.
    Array,
}

/// Writes frames.
#[derive(Debug)]
pub(crate) struct Frames {
    framing: Framing,
    /// Whether the array has begun.
    begun: bool,
}

// === impl Frames ===

impl Frames {
    pub(crate) const fn new(framing: Framing) -> Self {
        let begun = false;
        Self { framing, begun }
    }

    /// Writes one chunk.
    pub(crate) fn chunk(&mut self, chunk: Writer, out: &mut Vec<u8>) {
        self.frame(chunk.into_bytes(), out);
    }

    /// Writes an error as the last chunk.
    pub(crate) fn error(&mut self, failure: &Error, out: &mut Vec<u8>) {
        self.frame(error::encode(failure), out);
        self.end(out);
    }

    /// Writes what stands behind the last chunk.
    pub(crate) fn end(&mut self, out: &mut Vec<u8>) {
        if self.framing == Framing::Array {
            out.extend(if self.begun { &b"]"[..] } else { b"[]" });
        }
    }

    fn frame(&mut self, json: Vec<u8>, out: &mut Vec<u8>) {
        let begun = std::mem::replace(&mut self.begun, true);
        match self.framing {
            Framing::Events => {
                out.extend(b"data: ");
                out.extend(error::one_line(json));
                out.extend(b"\n\n");
            }
            Framing::Array => {
                out.extend(if begun { &b",\n"[..] } else { b"[" });
                out.extend(json);
            }
        }
    }
}
