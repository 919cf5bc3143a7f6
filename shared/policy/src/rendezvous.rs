//! Rendezvous hashing: who goes where, alike on every edge and without a word between them.
//!
//! When a place comes or goes, only those move that were there or belong there. Not for secrets: whoever knows the places can
//! tell who goes where.

/// A number that hangs on all of these bytes.
pub fn digest(bytes: &[u8]) -> u64 {
    const PRIME: u64 = 0x0000_0100_0000_01b3;
    const START: u64 = 0xcbf2_9ce4_8422_2325;
    let (words, rest) = bytes.as_chunks::<8>();
    let mixed = words.iter().fold(START, |hash, word| {
        mix(hash ^ u64::from_le_bytes(*word)).wrapping_mul(PRIME)
    });
    let rest = rest.iter().fold(mixed, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(PRIME)
    });
    mix(rest ^ bytes.len() as u64)
}

/// How well a place of this weight suits a subject: of several the one with the most is its own, and places get subjects by
/// their weights.
pub fn fit(subject: u64, place: u64, weight: u16) -> f64 {
    let mixed = mix(subject ^ mix(place)) >> 12;
    #[expect(
        clippy::cast_precision_loss,
        reason = "it has 52 bits, which such a number holds"
    )]
    let part = (mixed as f64 + 0.5) / (1_u64 << 52) as f64;
    -f64::from(weight.max(1)) / part.ln()
}

/// Spreads what differs little.
const fn mix(of: u64) -> u64 {
    let of = (of ^ (of >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let of = (of ^ (of >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    of ^ (of >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn best(subject: u64, places: &[(u64, u16)]) -> u64 {
        let fits = places
            .iter()
            .map(|(place, weight)| (fit(subject, *place, *weight), *place));
        let best = fits.max_by(|one, other| one.0.total_cmp(&other.0));
        best.unwrap().1
    }

    #[test]
    fn places_get_subjects_by_their_weights() {
        let places = [(1, 1), (2, 1), (3, 2)];
        let mut counts = [0_u32; 3];
        for subject in 0..40_000_u32 {
            let subject = digest(&subject.to_le_bytes());
            let place = usize::try_from(best(subject, &places)).unwrap();
            counts[place - 1] += 1;
        }
        for (count, expected) in counts.into_iter().zip([10_000, 10_000, 20_000_u32]) {
            assert!(count.abs_diff(expected) < 500, "{counts:?}");
        }
    }

    #[test]
    fn when_a_place_goes_only_those_move_that_were_there() {
        let (all, fewer) = ([(1, 1), (2, 1), (3, 1)], [(1, 1), (3, 1)]);
        for subject in 0..1_000_u32 {
            let subject = digest(format!("session-{subject}").as_bytes());
            let before = best(subject, &all);
            if before != 2 {
                assert_eq!(best(subject, &fewer), before);
            }
        }
    }

    #[test]
    fn texts_that_differ_in_a_byte_differ() {
        let text = b"the beginning of a conversation".to_vec();
        for at in 0..text.len() {
            let mut other = text.clone();
            other[at] ^= 1;
            assert_ne!(digest(&text), digest(&other));
        }
        assert_ne!(digest(b"a"), digest(b"a\0"));
    }
}
