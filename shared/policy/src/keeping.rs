//! Of which requests a project keeps what they and their answers say.
//!
//! Knows words and numbers; knows nothing of what is said.

/// Of which requests content is kept. The numbers are those of the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[repr(u8)]
pub enum Keeping {
    /// Of none.
    #[default]
    None = 1,
    /// Of those that failed.
    Errors = 2,
    /// Of all.
    All = 3,
}

/// The longest part of a body that is kept, in bytes.
// Full: the rest is left out, and that is said.
pub const PART_BYTES_MAX: usize = 256 << 10;

// === impl Keeping ===

impl Keeping {
    /// The one with this number; those that are not known keep nothing.
    pub const fn from_number(number: u32) -> Self {
        match number {
            2 => Self::Errors,
            3 => Self::All,
            _ => Self::None,
        }
    }

    /// Whether it is kept of any.
    pub const fn is_any(self) -> bool {
        !matches!(self, Self::None)
    }

    /// Whether it is kept of one that failed or did not.
    pub const fn keeps(self, failed: bool) -> bool {
        match self {
            Self::None => false,
            Self::Errors => failed,
            Self::All => true,
        }
    }
}
