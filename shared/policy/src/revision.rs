//! The number of a policy edit, and the history it belongs to.

use std::fmt;

/// The number of a change. Larger is later, within one epoch; zero is before the first change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Revision(pub u64);

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Which history a revision belongs to. Changes when a database is restored or fails over; revisions of
/// two epochs cannot be compared.
#[derive(Clone, PartialEq, Eq, Hash, Default)]
pub struct Epoch(Vec<u8>);

impl Epoch {
    /// The longest epoch, in bytes.
    pub const BYTES_MAX: usize = 64;

    /// Takes bytes as an epoch; `None` when there are more than [`Self::BYTES_MAX`].
    pub fn new(bytes: Vec<u8>) -> Option<Self> {
        (bytes.len() <= Self::BYTES_MAX).then_some(Self(bytes))
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Epoch(")?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
        f.write_str(")")
    }
}
