//! How a model's traffic is shared between its stable version and others, so that every edge assigns alike.
//!
//! Who asks has a number from 0 to 9,999, which hangs on the salt and on who that is and on nothing else: the first eight
//! bytes of SHA-256(salt ‖ kind ‖ subject), as a big-endian number, modulo 10,000. Arms take the numbers from 0 upwards in
//! their order, and the stable version the rest; so when the share of one arm grows, only those move whose numbers it
//! takes. A version may have several places, also the stable one, so that shares of many can change and nobody moves who need not. Knows nothing
//! of requests, steps or gates.

use sha2::{Digest, Sha256};

use crate::id::{RolloutId, VersionId};

/// The whole, in hundredths of a percent.
pub const WHOLE: u16 = 10_000;

/// The most versions that share traffic with the stable one.
pub const ARMS_MAX: usize = 8;

/// The most places that versions have.
pub const PLACES_MAX: usize = 100;

/// How traffic is shared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Split {
    /// The rollout that it is part of, which is its salt too.
    pub rollout: RolloutId,
    /// What keeps a client with its version.
    pub sticky: Sticky,
    /// The versions that have a share, in the order of their numbers; the rest is the stable version's. Never empty.
    arms: Vec<Arm>,
}

/// A version and its share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arm {
    /// The version.
    pub version: VersionId,
    /// Its share, hundredths of a percent.
    pub basis_points: u16,
}

/// What keeps a client with its version. The numbers are those of the wire and of the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Sticky {
    /// Nothing: each request is assigned by itself.
    Request = 1,
    /// The key.
    Key = 2,
    /// The end user.
    EndUser = 3,
    /// The session that the client names.
    Session = 4,
}

/// Where a request goes, and as whose it counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The version; `None` means: the stable one.
    pub version: Option<VersionId>,
    /// What its client is known by within the rollout; zero where it was assigned by itself.
    pub client: u32,
}

/// That a rollout assigned a request, as its record says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    /// The rollout.
    pub rollout: RolloutId,
    /// As in [`Place`].
    pub client: u32,
}

/// There is no arm, there are too many places, or they are to get more than all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InvalidSplit;

// === impl Sticky ===

impl Sticky {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Request, Self::Key, Self::EndUser, Self::Session];

    /// The one with this number.
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|it| *it as u8 == number)
    }
}

// === impl Split ===

impl Split {
    /// A split with these arms.
    pub fn new(rollout: RolloutId, sticky: Sticky, arms: Vec<Arm>) -> Result<Self, InvalidSplit> {
        let sum: u64 = arms.iter().map(|it| u64::from(it.basis_points)).sum();
        if arms.is_empty() || arms.len() > PLACES_MAX || sum > u64::from(WHOLE) {
            return Err(InvalidSplit);
        }
        Ok(Self {
            rollout,
            sticky,
            arms,
        })
    }

    /// The arms.
    pub fn arms(&self) -> &[Arm] {
        &self.arms
    }

    /// Where a request of `subject` goes, who is what `kind` says. Allocates nothing.
    pub fn assign(&self, kind: Sticky, subject: &[u8]) -> Place {
        let (mut left, client) = number(self.rollout, kind, subject);
        let version = self.arms.iter().find_map(|arm| {
            let taken = left < arm.basis_points;
            left = left.saturating_sub(arm.basis_points);
            taken.then_some(arm.version)
        });
        let client = match kind {
            Sticky::Request => 0,
            // Zero is taken.
            _ => client.max(1),
        };
        Place { version, client }
    }
}

/// The number of `subject`, from 0 to 9,999, and what it is known by: the next four bytes of the hash.
pub fn number(salt: RolloutId, kind: Sticky, subject: &[u8]) -> (u16, u32) {
    let mut digest = Sha256::new();
    digest.update(salt.as_bytes());
    digest.update([kind as u8]);
    digest.update(subject);
    let digest = digest.finalize();
    let read = |from: usize, many: usize| {
        let bytes = digest.iter().skip(from).take(many);
        bytes.fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte))
    };
    // Below the whole, and four bytes, so that both fit.
    let number = u16::try_from(read(0, 8) % u64::from(WHOLE)).unwrap_or(0);
    (number, u32::try_from(read(8, 4)).unwrap_or(0))
}

impl std::fmt::Display for InvalidSplit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "must have 1 to {PLACES_MAX} places, of together at most {WHOLE}"
        )
    }
}

impl std::error::Error for InvalidSplit {}

#[cfg(test)]
mod tests {
    use super::*;

    const SALT: RolloutId = RolloutId::from_bytes([7; 16]);

    fn split(shares: &[u16]) -> Split {
        let arms = shares.iter().zip(1..).map(|(basis_points, id)| Arm {
            version: VersionId::from_bytes([id; 16]),
            basis_points: *basis_points,
        });
        Split::new(SALT, Sticky::EndUser, arms.collect()).unwrap()
    }

    fn served(split: &Split, user: u32) -> Option<u8> {
        let place = split.assign(split.sticky, format!("user-{user}").as_bytes());
        place.version.map(|it| it.as_bytes()[0])
    }

    #[test]
    fn the_number_of_a_subject_is_what_the_documents_say() {
        // In Python: int.from_bytes(sha256(bytes([7] * 16 + [3]) + b"user-1").digest()[:8], "big") % 10000
        assert_eq!(
            number(SALT, Sticky::EndUser, b"user-1"),
            (3_099, 0x4547_4657)
        );
        assert_ne!(number(SALT, Sticky::Key, b"user-1").0, 3_099);
        let by_itself = split(&[1]).assign(Sticky::Request, b"user-1");
        assert_eq!(by_itself.client, 0);
    }

    #[test]
    fn only_those_move_who_must_when_a_share_grows() {
        let steps = [0, 500, 2_500, 5_000, 10_000].map(|it| split(&[it]));
        for user in 0..2_000 {
            let all: Vec<_> = steps.iter().map(|it| served(it, user)).collect();
            assert!(all.is_sorted(), "{user} moved back: {all:?}");
        }
        assert_eq!(served(&steps[0], 1), None);
        assert_eq!(served(&steps[4], 1), Some(1));
    }

    #[test]
    fn shares_are_what_they_say() {
        let split = split(&[500, 2_000]);
        let mut counts = [0_u32; 3];
        for user in 0..20_000 {
            counts[usize::from(served(&split, user).unwrap_or(0))] += 1;
        }
        // Five standard deviations at most.
        assert!(counts[1].abs_diff(1_000) < 155, "{counts:?}");
        assert!(counts[2].abs_diff(4_000) < 283, "{counts:?}");
    }

    #[test]
    fn more_than_all_cannot_be_given() {
        let arm = |basis_points| Arm {
            version: VersionId::from_bytes([1; 16]),
            basis_points,
        };
        let new = |arms| Split::new(SALT, Sticky::Key, arms);
        assert!(new(vec![arm(10_000)]).is_ok());
        assert_eq!(new(vec![arm(10_000), arm(1)]), Err(InvalidSplit));
        assert_eq!(new(Vec::new()), Err(InvalidSplit));
        assert_eq!(new(vec![arm(1); PLACES_MAX + 1]), Err(InvalidSplit));
    }
}
