//! Which of an edge's decisions about requests an organization wants in the audit trail.
//!
//! Knows words and numbers; knows nothing of requests.

/// Which decisions are told. The numbers are those of the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[repr(u8)]
pub enum AuditAccess {
    /// None.
    #[default]
    None = 1,
    /// Those that denied.
    Denied = 2,
    /// All.
    All = 3,
}

// === impl AuditAccess ===

impl AuditAccess {
    /// The one with this number; with those that are not known, as much is told as there is.
    pub const fn from_number(number: u32) -> Self {
        match number {
            0 | 1 => Self::None,
            2 => Self::Denied,
            _ => Self::All,
        }
    }

    /// Whether any is told.
    pub const fn is_any(self) -> bool {
        !matches!(self, Self::None)
    }

    /// Whether one is told that denied or did not.
    pub const fn tells(self, denied: bool) -> bool {
        match self {
            Self::None => false,
            Self::Denied => denied,
            Self::All => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_known_tells_no_less() {
        let told = |number| {
            let which = AuditAccess::from_number(number);
            (which.is_any(), which.tells(false), which.tells(true))
        };
        for number in [0, 1] {
            assert_eq!(told(number), (false, false, false));
        }
        assert_eq!(told(2), (true, false, true));
        for number in [3, 4, u32::MAX] {
            assert_eq!(told(number), (true, true, true));
        }
    }
}
