//! Whose requests go first where a provider takes no more: a class, and within it a share.
//!
//! Knows nothing of queues. Both are a project's; a client may ask for a lower class than its project's, never for a
//! higher one.

/// Who goes first. A lower class is served when nobody of a higher one waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[repr(u8)]
pub enum Class {
    /// People wait for it, and it must go on.
    Critical = 1,
    /// As most is.
    #[default]
    Standard = 2,
    /// Nobody waits for it; the first that is turned away.
    Batch = 3,
}

/// What a tenant is due among others of its class: 1 to [`SHARE_MAX`], 1 where nobody has said more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Share(u16);

/// The largest share.
pub const SHARE_MAX: u16 = 1_000;

/// It is zero or above [`SHARE_MAX`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InvalidShare;

/// How a project's requests are treated where there is not room for all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Traffic {
    /// Before whom they go.
    pub class: Class,
    /// How much they are due among others of their class.
    pub share: Share,
}

// === impl Class ===

impl Class {
    /// Every class, the highest first.
    pub const ALL: [Self; 3] = [Self::Critical, Self::Standard, Self::Batch];

    /// How many classes go before it.
    pub const fn rank(self) -> usize {
        self as usize - 1
    }

    /// The class of this number.
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|it| *it as u8 == number)
    }

    /// Its name, as clients, operators and metrics have it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Critical => "critical",
            Self::Standard => "standard",
            Self::Batch => "batch",
        }
    }

    /// The class of this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.name() == name)
    }

    /// The lower of two.
    #[must_use]
    pub fn lower(self, other: Self) -> Self {
        if self.rank() >= other.rank() {
            self
        } else {
            other
        }
    }
}

// === impl Share ===

impl Share {
    /// Checks the number.
    pub const fn new(share: u16) -> Result<Self, InvalidShare> {
        if share == 0 || share > SHARE_MAX {
            return Err(InvalidShare);
        }
        Ok(Self(share))
    }

    /// The number.
    pub const fn get(self) -> u16 {
        self.0
    }
}

impl Default for Share {
    fn default() -> Self {
        Self(1)
    }
}

impl std::fmt::Display for InvalidShare {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "must be 1 to {SHARE_MAX}")
    }
}

impl std::error::Error for InvalidShare {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_class_is_what_its_name_and_its_number_say() {
        for (rank, class) in Class::ALL.into_iter().enumerate() {
            assert_eq!(class.rank(), rank);
            assert_eq!(Class::parse(class.name()), Some(class));
            assert_eq!(Class::from_number(class as u8), Some(class));
        }
        assert_eq!(Class::from_number(0), None);
        assert_eq!(Class::Critical.lower(Class::Batch), Class::Batch);
        assert_eq!(Class::Batch.lower(Class::Critical), Class::Batch);
        assert_eq!(Class::Standard.lower(Class::Standard), Class::Standard);
    }
}
