//! The block that is open on the client's side.
//!
//! Owns when it begins: with its first words, so that no block is empty, but a call at once. A block of thoughts ends
//! in its proof, be that empty, because clients wait for it.

use payload::writer::Writer;

use crate::{
    messages::{encoder::lines, extras},
    neutral::{Delta, Extra, Kind},
};

/// An open block.
#[derive(Debug)]
pub(crate) struct Block {
    /// The part that it is; none for one that only this family has.
    part: Option<u32>,
    index: u32,
    shape: Shape,
    begun: bool,
    /// Whether arguments came, or the proof.
    complete: bool,
    kept: Vec<Extra>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    Text,
    Thinking,
    Redacted,
    Call,
    Raw,
}

// === impl Block ===

impl Block {
    /// Opens a part. Also gives how many blocks that begins: one or none yet.
    pub(crate) fn open(
        part: u32,
        index: u32,
        kind: &Kind,
        kept: Vec<Extra>,
        out: &mut Vec<u8>,
    ) -> (Self, u32) {
        let shape = match kind {
            Kind::Text | Kind::Refusal => Shape::Text,
            Kind::Reasoning => Shape::Thinking,
            Kind::ToolCall { .. } => Shape::Call,
        };
        let mut block = Self {
            part: Some(part),
            index,
            shape,
            begun: false,
            complete: false,
            kept,
        };
        let begun = match kind {
            Kind::ToolCall { id, name } => block.begin("tool_use", out, |writer| {
                writer.key("id").text(id).key("name").text(name);
                writer.key("input").open().close();
            }),
            // It came with more than words, such as an empty list of citations.
            Kind::Text if !block.kept.is_empty() => block.begin_text(out),
            _ => 0,
        };
        (block, begun)
    }

    /// Opens a block as it came.
    pub(crate) fn raw(index: u32, raw: &str, out: &mut Vec<u8>) -> Self {
        lines::write("content_block_start", out, |writer| {
            writer.key("index").number(index.into());
            writer.key("content_block").raw(raw);
        });
        Self {
            part: None,
            index,
            shape: Shape::Raw,
            begun: true,
            complete: true,
            kept: Vec::new(),
        }
    }

    /// Which part it is.
    pub(crate) const fn part(&self) -> Option<u32> {
        self.part
    }

    /// Whether it is one that only this family has.
    pub(crate) fn is_raw(&self) -> bool {
        self.shape == Shape::Raw
    }

    /// Adds to it. Gives how many blocks that begins.
    pub(crate) fn grow(&mut self, delta: &Delta, out: &mut Vec<u8>) -> u32 {
        let (kind, name, piece) = match (self.shape, delta) {
            (Shape::Text, Delta::Text(text)) if !text.is_empty() => ("text_delta", "text", text),
            (Shape::Thinking, Delta::Text(text)) if !text.is_empty() => {
                ("thinking_delta", "thinking", text)
            }
            (Shape::Thinking, Delta::Signature(signature)) => {
                self.complete = true;
                ("signature_delta", "signature", signature)
            }
            (Shape::Thinking, Delta::Redacted(data)) if !self.begun => {
                self.shape = Shape::Redacted;
                return self.begin("redacted_thinking", out, |writer| {
                    writer.key("data").text(data);
                });
            }
            (Shape::Call, Delta::Arguments(piece)) if !piece.is_empty() => {
                self.complete = true;
                ("input_json_delta", "partial_json", piece)
            }
            _ => return 0,
        };
        let begun = match self.shape {
            Shape::Text => self.begin_text(out),
            Shape::Thinking => self.begin("thinking", out, |writer| {
                writer.key("thinking").text("").key("signature").text("");
            }),
            Shape::Redacted | Shape::Call | Shape::Raw => 0,
        };
        self.write(kind, name, piece, out);
        begun
    }

    /// Adds to it as it came.
    pub(crate) fn delta(&mut self, raw: &str, out: &mut Vec<u8>) -> u32 {
        let begun = match self.shape {
            Shape::Text => self.begin_text(out),
            _ if self.begun => 0,
            _ => return 0,
        };
        lines::write("content_block_delta", out, |writer| {
            writer.key("index").number(self.index.into());
            writer.key("delta").raw(raw);
        });
        begun
    }

    /// Ends it. One that never began is nothing.
    pub(crate) fn close(self, out: &mut Vec<u8>) {
        if !self.begun {
            return;
        }
        match self.shape {
            Shape::Thinking if !self.complete => {
                self.write("signature_delta", "signature", "", out);
            }
            // What the API itself sends for a call without arguments.
            Shape::Call if !self.complete => {
                self.write("input_json_delta", "partial_json", "", out);
            }
            _ => {}
        }
        lines::write("content_block_stop", out, |writer| {
            writer.key("index").number(self.index.into());
        });
    }

    fn begin_text(&mut self, out: &mut Vec<u8>) -> u32 {
        self.begin("text", out, |writer| {
            writer.key("text").text("");
        })
    }

    /// Begins, if it has not. Gives how many blocks that begins.
    fn begin(&mut self, kind: &str, out: &mut Vec<u8>, members: impl FnOnce(&mut Writer)) -> u32 {
        if std::mem::replace(&mut self.begun, true) {
            return 0;
        }
        lines::write("content_block_start", out, |writer| {
            writer.key("index").number(self.index.into());
            writer.key("content_block").open().key("type").text(kind);
            members(writer);
            extras::write(writer, extras::under(&self.kept, ""));
            writer.close();
        });
        1
    }

    fn write(&self, kind: &str, name: &str, piece: &str, out: &mut Vec<u8>) {
        lines::write("content_block_delta", out, |writer| {
            writer.key("index").number(self.index.into());
            writer.key("delta").open().key("type").text(kind);
            writer.key(name).text(piece).close();
        });
    }
}
