//! Where one datum of a stream ends and the next begins, in whichever framing comes: events, or one growing array.
//!
//! Keeps what has come of the datum that is open, and no more. Must never know what a datum says.

use crate::{
    events::{Assembler, EVENT_BYTES_MAX, TooLong},
    sse,
};

/// A stream that is taken apart.
#[derive(Debug, Default)]
pub(crate) enum Incoming {
    /// Nothing but white space has come.
    #[default]
    Nothing,
    /// Server-sent events.
    Events(Assembler),
    /// One array of objects, or objects alone: how Google answers who does not ask for events, and errors.
    Objects(Objects),
}

/// Finds objects in an array that grows.
#[derive(Debug, Default)]
pub(crate) struct Objects {
    /// What has come of the object that is open. Full at [`EVENT_BYTES_MAX`]: the stream is given up.
    partial: Vec<u8>,
    /// How many brackets are open in it.
    depth: u32,
    in_string: bool,
    escaped: bool,
}

// === impl Incoming ===

impl Incoming {
    /// Takes what came, and gives every datum that is now whole to `each`.
    pub(crate) fn push(
        &mut self,
        bytes: &[u8],
        mut each: impl FnMut(&[u8]),
    ) -> Result<(), TooLong> {
        if let Self::Nothing = self {
            let Some(first) = bytes.iter().find(|byte| !byte.is_ascii_whitespace()) else {
                return Ok(());
            };
            *self = match first {
                b'[' | b'{' => Self::Objects(Objects::default()),
                _ => Self::Events(Assembler::default()),
            };
        }
        match self {
            Self::Nothing => Ok(()),
            Self::Events(events) => events.push(bytes, |event| each(&sse::read(event).data)),
            Self::Objects(objects) => objects.push(bytes, each),
        }
    }

    /// No more comes: gives what is left to `each`, which may find it incomplete.
    pub(crate) fn finish(&mut self, mut each: impl FnMut(&[u8])) {
        match self {
            Self::Nothing => {}
            Self::Events(events) => events.finish(|event| each(&sse::read(event).data)),
            Self::Objects(objects) if objects.partial.is_empty() => {}
            Self::Objects(objects) => each(&std::mem::take(&mut objects.partial)),
        }
    }
}

// === impl Objects ===

impl Objects {
    fn push(&mut self, bytes: &[u8], mut each: impl FnMut(&[u8])) -> Result<(), TooLong> {
        for byte in bytes {
            if self.depth == 0 && *byte != b'{' {
                continue;
            }
            if self.partial.len() == EVENT_BYTES_MAX {
                return Err(TooLong);
            }
            self.partial.push(*byte);
            self.step(*byte);
            if self.depth == 0 {
                each(&self.partial);
                self.partial.clear();
            }
        }
        Ok(())
    }

    fn step(&mut self, byte: u8) {
        if self.escaped {
            self.escaped = false;
        } else if self.in_string {
            self.escaped = byte == b'\\';
            self.in_string = byte != b'"';
        } else {
            match byte {
                b'"' => self.in_string = true,
                b'{' | b'[' => self.depth = self.depth.saturating_add(1),
                b'}' | b']' => self.depth = self.depth.saturating_sub(1),
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data(text: &str, size: usize) -> Vec<String> {
        let (mut incoming, mut data) = (Incoming::default(), Vec::new());
        let mut each = |datum: &[u8]| data.push(String::from_utf8_lossy(datum).into_owned());
        for piece in text.as_bytes().chunks(size) {
            incoming.push(piece, &mut each).unwrap();
        }
        incoming.finish(&mut each);
        data
    }

    #[test]
    fn objects_are_found_however_the_bytes_are_cut() {
        let text = "\n[{\"a\":\"}\\\"]\"}\n,\r\n{\"b\":[{}]},{\"c\":";
        for size in 1..=text.len() {
            let expected = ["{\"a\":\"}\\\"]\"}", "{\"b\":[{}]}", "{\"c\":"];
            assert_eq!(data(text, size), expected, "pieces of {size}");
        }
        assert_eq!(data("data: {}\n\ndata: 1", 3), ["{}", "1"]);
        assert_eq!(data("{\"error\":{}}", 4), ["{\"error\":{}}"]);
        assert_eq!(data("  ", 1), [""; 0]);
    }

    #[test]
    fn an_object_without_end_is_given_up() {
        let mut incoming = Incoming::default();
        let piece = vec![b'['; EVENT_BYTES_MAX];
        assert_eq!(incoming.push(b"{", |_| {}), Ok(()));
        assert_eq!(incoming.push(&piece, |_| {}), Err(TooLong));
    }
}
