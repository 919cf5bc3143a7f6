//! The block that is open in a stream, and what of it is held until it closes.

use crate::{base64, converse::block, neutral::Delta};

/// The longest proof of a thought, or redacted thought. Full: the stream is given up, because half of it proves
/// nothing.
pub(crate) const HELD_BYTES_MAX: usize = 4 << 20;

/// A block, as far as it has come.
#[derive(Debug)]
pub(crate) struct Open {
    /// Its number at the provider.
    pub(crate) index: u64,
    /// The part that it is; none for a block of its own kind.
    pub(crate) part: Option<u32>,
    what: What,
    held: String,
}

/// What a block is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum What {
    /// Words.
    Text,
    /// Thoughts.
    Reasoning,
    /// Thoughts that only their maker can read.
    Redacted,
    /// A call.
    Call,
    /// Something that only this dialect has.
    Own,
}

/// What became of a piece.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Grown {
    /// It is held.
    Held,
    /// There is no room for it.
    TooLong,
}

// === impl Open ===

impl Open {
    /// A block with nothing in it.
    pub(crate) fn new(index: u64, part: Option<u32>, what: What) -> Self {
        Self {
            index,
            part,
            what,
            held: String::new(),
        }
    }

    /// Whether it is this one.
    pub(crate) fn is(&self, index: u64, what: What) -> bool {
        self.index == index && self.what == what
    }

    /// Whether it is this one, and of its own kind.
    pub(crate) fn is_own(&self, index: u64) -> bool {
        self.is(index, What::Own)
    }

    /// Holds a piece of what is given as a whole.
    pub(crate) fn hold(&mut self, piece: &str) -> Grown {
        if self.held.len() + piece.len() > HELD_BYTES_MAX {
            return Grown::TooLong;
        }
        // Pieces of bytes are joined as bytes: each may end in padding.
        let joined = match self.what {
            What::Redacted if !self.held.is_empty() => {
                let bytes = base64::decode(&self.held).zip(base64::decode(piece));
                bytes.map(|(mut bytes, more)| {
                    bytes.extend_from_slice(&more);
                    base64::encode(&bytes)
                })
            }
            _ => None,
        };
        match joined {
            Some(joined) => self.held = joined,
            None => self.held.push_str(piece),
        }
        Grown::Held
    }

    /// What was held, once.
    pub(crate) fn held(&mut self) -> Option<Delta> {
        let held = std::mem::take(&mut self.held);
        match self.what {
            _ if held.is_empty() => None,
            What::Reasoning => Some(Delta::Signature(held)),
            What::Redacted => Some(Delta::Redacted(block::unwrap(&held))),
            What::Text | What::Call | What::Own => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_of_bytes_are_joined_as_bytes() {
        let mut open = Open::new(0, Some(0), What::Redacted);
        assert_eq!(open.hold(&base64::encode(b"ab")), Grown::Held);
        assert_eq!(open.hold(&base64::encode(b"c")), Grown::Held);
        assert_eq!(open.held(), Some(Delta::Redacted("abc".to_owned())));
        assert_eq!(open.held(), None);
    }

    #[test]
    fn what_is_held_has_a_bound() {
        let mut open = Open::new(0, Some(0), What::Reasoning);
        assert_eq!(open.hold(&"x".repeat(HELD_BYTES_MAX)), Grown::Held);
        assert_eq!(open.hold("x"), Grown::TooLong);
    }
}
