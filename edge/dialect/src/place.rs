//! Where a part stands in a conversation.
//!
//! Owns how that place is told to a client. Knows nothing of what stands there, nor of any dialect.

use std::fmt;

use crate::neutral::Unsupported;

/// Where something stands in a conversation: in which turn, which part of it, and which part of that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    turn: usize,
    part: Option<usize>,
    inner: Option<usize>,
}

// === impl Place ===

impl Place {
    /// A turn.
    pub(crate) const fn of(turn: usize) -> Self {
        Self {
            turn,
            part: None,
            inner: None,
        }
    }

    /// A part of it.
    pub(crate) const fn part(self, part: usize) -> Self {
        Self {
            part: Some(part),
            ..self
        }
    }

    /// A part of that part.
    pub(crate) const fn inner(self, inner: usize) -> Self {
        Self {
            inner: Some(inner),
            ..self
        }
    }

    /// The turn that it stands in.
    pub(crate) const fn turn(self) -> Self {
        Self::of(self.turn)
    }

    /// What stands here cannot be left out.
    pub(crate) fn unsupported(self, why: &str) -> Unsupported {
        Unsupported {
            at: self.to_string(),
            why: why.to_owned(),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "messages[{}]", self.turn)?;
        for at in [self.part, self.inner].into_iter().flatten() {
            write!(f, ".content[{at}]")?;
        }
        Ok(())
    }
}
