//! The events of a client's stream: their numbers.
//!
//! Owns `sequence_number`, which goes up by one from event to event. Must never know which event comes next.

use payload::writer::Writer;

use crate::{
    neutral::Error,
    responses::{error, frame},
};

/// Tells events.
#[derive(Debug, Default)]
pub(crate) struct Teller {
    /// The number of the next event.
    next: u64,
}

/// Where in the answer an event belongs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct At<'a> {
    pub(crate) item_id: &'a str,
    pub(crate) output_index: u64,
    pub(crate) content_index: Option<usize>,
}

// === impl Teller ===

impl Teller {
    /// Tells an event; `write` writes its members.
    pub(crate) fn tell(&mut self, kind: &str, out: &mut Vec<u8>, write: impl FnOnce(&mut Writer)) {
        frame::put(out, kind, |writer| {
            writer.open().key("type").text(kind);
            writer.key("sequence_number").number(self.next);
            write(writer);
            writer.close();
        });
        self.next += 1;
    }

    /// Tells an event of a part of the answer.
    pub(crate) fn tell_at(
        &mut self,
        kind: &str,
        at: At<'_>,
        out: &mut Vec<u8>,
        write: impl FnOnce(&mut Writer),
    ) {
        self.tell(kind, out, |writer| {
            writer.key("item_id").text(at.item_id);
            writer.key("output_index").number(at.output_index);
            if let Some(index) = at.content_index {
                writer.key("content_index").number(number(index));
            }
            write(writer);
        });
    }

    /// Tells what went wrong.
    pub(crate) fn tell_error(&mut self, error: &Error, out: &mut Vec<u8>) {
        error::event_at(error, self.next, out);
        self.next += 1;
    }
}

/// How a count of ours is written.
pub(crate) fn number(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}
