//! Bytes in pieces: what a reader sees must not depend on where they were cut.

use fastrand::Rng;

/// The pieces of `bytes`, cut at random by `seed`; a seed of 0 cuts at every byte.
pub fn cut(bytes: &[u8], seed: u8) -> Vec<&[u8]> {
    if seed == 0 {
        return bytes.chunks(1).collect();
    }
    let mut rng = Rng::with_seed(seed.into());
    let mut pieces = Vec::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        let most = rest.len().min(1 << rng.u8(1..9));
        let (piece, behind) = rest.split_at(rng.usize(1..=most));
        pieces.push(piece);
        rest = behind;
    }
    pieces
}

/// The first byte, which says how to try the rest, and the rest.
pub fn first(input: &[u8]) -> (u8, &[u8]) {
    input
        .split_first()
        .map_or((0, input), |(first, rest)| (*first, rest))
}
