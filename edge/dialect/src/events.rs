//! Whole server-sent events out of bytes that come in any pieces.
//!
//! Keeps what has come of the event that is open, and no more. Must never know what an event says.

use std::fmt;

use payload::object::Object;

use crate::sse::{self, Framer, Kind};

/// The longest event that is read. Full: the stream is given up, because what cannot be read cannot be translated.
pub const EVENT_BYTES_MAX: usize = 4 << 20;

/// Puts events together.
#[derive(Debug, Default)]
pub struct Assembler {
    framer: Framer,
    partial: Vec<u8>,
}

/// An event is longer than [`EVENT_BYTES_MAX`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooLong;

/// Where the first event begins whose data is no JSON object, in bytes that came together; an event whose beginning
/// came before them counts by its rest.
pub fn unreadable_at(bytes: &[u8]) -> Option<usize> {
    let (mut framer, mut at) = (Framer::default(), 0);
    while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
        let cut = framer.next(rest);
        let event = sse::read(rest.get(..cut.len)?);
        let data = event.data.trim_ascii();
        let read = data.is_empty()
            || data.starts_with(b"[DONE]")
            || str::from_utf8(data).is_ok_and(|data| Object::parse(data).is_ok());
        if cut.kind == Kind::Event && !read {
            return Some(at);
        }
        at += cut.len;
    }
    None
}

// === impl Assembler ===

impl Assembler {
    /// Takes what came, and gives every event that is now whole to `each`; see [`crate::sse::read`].
    pub fn push(&mut self, bytes: &[u8], mut each: impl FnMut(&[u8])) -> Result<(), TooLong> {
        let mut rest = bytes;
        while !rest.is_empty() {
            let cut = self.framer.next(rest);
            let (piece, behind) = rest.split_at(cut.len);
            rest = behind;
            match cut.kind {
                Kind::Loose | Kind::Trailing => {}
                Kind::Event if self.partial.is_empty() => each(piece),
                Kind::Event | Kind::Open => {
                    if self.partial.len() + piece.len() > EVENT_BYTES_MAX {
                        return Err(TooLong);
                    }
                    self.partial.extend_from_slice(piece);
                    if cut.kind == Kind::Event {
                        each(&self.partial);
                        self.partial.clear();
                    }
                }
            }
        }
        Ok(())
    }

    /// No more comes: an event without its blank line is given to `each`, which may find it incomplete.
    pub fn finish(&mut self, mut each: impl FnMut(&[u8])) {
        if !self.partial.is_empty() {
            each(&self.partial);
            self.partial.clear();
        }
    }
}

// === impl TooLong ===

impl fmt::Display for TooLong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an event is longer than {EVENT_BYTES_MAX} bytes")
    }
}

impl std::error::Error for TooLong {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_the_same_however_the_bytes_are_cut() {
        let text = ": hi\r\nevent: a\r\ndata: 1\r\n\r\ndata: 2\n\n: x\n\ndata: 3";
        for size in 1..=text.len() {
            let (mut assembler, mut events) = (Assembler::default(), Vec::new());
            for piece in text.as_bytes().chunks(size) {
                let each = |event: &[u8]| events.push(crate::sse::read(event).data.into_owned());
                assembler.push(piece, each).unwrap();
            }
            assembler.finish(|event| events.push(crate::sse::read(event).data.into_owned()));
            assert_eq!(events, [b"1", b"2", b"3"], "pieces of {size}");
        }
    }

    #[test]
    fn an_event_without_end_is_given_up() {
        let mut assembler = Assembler::default();
        let piece = vec![b'x'; EVENT_BYTES_MAX / 2];
        assert_eq!(assembler.push(&piece, |_| {}), Ok(()));
        assert_eq!(assembler.push(&piece, |_| {}), Ok(()));
        assert_eq!(assembler.push(&piece, |_| {}), Err(TooLong));
    }
}
