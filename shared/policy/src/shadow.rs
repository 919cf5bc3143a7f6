//! A sample of a model's requests that is copied to another of its versions, whose answers nobody gets.
//!
//! Which requests those are hangs on the shadow and on the request's id and on nothing else, so that every edge says the same.
//! Reads no clock: the time is passed in.

use crate::{
    id::{RolloutId, ShadowId, VersionId},
    split::{self, Sticky},
};

/// The most copies of one shadow that an edge may have under way.
pub const CONCURRENT_MAX: u16 = 1_000;

/// A shadow that is under way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shadow {
    /// Its id, which is the salt of its sample too.
    pub id: ShadowId,
    /// The version that gets the copies.
    pub version: VersionId,
    /// Which share of the model's requests is copied, hundredths of a percent.
    pub basis_points: u16,
    /// How many copies an edge may have under way, at most [`CONCURRENT_MAX`].
    pub concurrent_max: u16,
    /// From when on nothing is copied, seconds since 1970; `None`: until it is stopped.
    pub end_seconds: Option<u64>,
    /// Until when nothing is copied, seconds since 1970; `None`: it does not rest.
    pub rest_seconds: Option<u64>,
}

// === impl Shadow ===

impl Shadow {
    /// Whether the request of this id is in the sample: by the number that a split gives to a request that is assigned by itself.
    pub fn samples(&self, request: &[u8; 16]) -> bool {
        let salt = RolloutId::from_bytes(*self.id.as_bytes());
        let (number, _) = split::number(salt, Sticky::Request, request);
        number < self.basis_points
    }

    /// Whether it copies at this time: it does not rest, and its time is not over.
    pub fn copies(&self, now_ms: u64) -> bool {
        let now = now_ms / 1_000;
        let rests = self.rest_seconds.is_some_and(|it| now < it);
        !rests && self.end_seconds.is_none_or(|it| now < it)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shadow(basis_points: u16) -> Shadow {
        Shadow {
            id: ShadowId::from_bytes([7; 16]),
            version: VersionId::from_bytes([1; 16]),
            basis_points,
            concurrent_max: 1,
            end_seconds: Some(10),
            rest_seconds: Some(5),
        }
    }

    #[test]
    fn a_sample_is_as_large_as_it_says_and_grows_without_losing_any() {
        let ids =
            (0..20_000_u128).map(|id| id.wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C).to_be_bytes());
        let (small, large) = (shadow(500), shadow(2_500));
        let mut counts = [0_u32; 2];
        for id in ids {
            let (in_small, in_large) = (small.samples(&id), large.samples(&id));
            assert!(in_large || !in_small, "{id:?} left the sample");
            counts[0] += u32::from(in_small);
            counts[1] += u32::from(in_large);
        }
        // Five standard deviations at most.
        assert!(counts[0].abs_diff(1_000) < 155, "{counts:?}");
        assert!(counts[1].abs_diff(5_000) < 307, "{counts:?}");
        assert!(shadow(10_000).samples(&[0xFF; 16]));
        assert!(!shadow(0).samples(&[0; 16]));
    }

    #[test]
    fn the_sample_is_what_the_documents_say() {
        // In Python: int.from_bytes(sha256(bytes([7] * 16 + [1]) + bytes([9] * 16)).digest()[:8], "big") % 10000
        let number = 5725;
        assert!(!shadow(number).samples(&[9; 16]));
        assert!(shadow(number + 1).samples(&[9; 16]));
    }

    #[test]
    fn it_copies_from_the_end_of_its_rest_to_its_own() {
        for (now_ms, copies) in [
            (4_999, false),
            (5_000, true),
            (9_999, true),
            (10_000, false),
        ] {
            assert_eq!(shadow(1).copies(now_ms), copies, "{now_ms}");
        }
    }
}
