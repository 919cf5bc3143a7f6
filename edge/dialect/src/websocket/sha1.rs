//! SHA-1, for the handshake alone.
//!
//! Proves nothing to anybody: a server shows with it that it has understood a request for a WebSocket. Must never be
//! used for more.

/// The digest of what is no longer than a handshake's key.
pub(crate) fn digest(message: &[u8]) -> [u8; 20] {
    let mut padded = message.to_vec();
    padded.push(0x80);
    while padded.len() % 64 != 56 {
        padded.push(0);
    }
    padded.extend((message.len() as u64 * 8).to_be_bytes());
    let mut state = [
        0x6745_2301_u32,
        0xefcd_ab89,
        0x98ba_dcfe,
        0x1032_5476,
        0xc3d2_e1f0,
    ];
    for block in padded.chunks_exact(64) {
        state = mixed(state, block);
    }
    let mut digest = [0; 20];
    for (place, word) in digest.chunks_exact_mut(4).zip(state) {
        place.copy_from_slice(&word.to_be_bytes());
    }
    digest
}

fn mixed(state: [u32; 5], block: &[u8]) -> [u32; 5] {
    let mut words: Vec<u32> = block
        .chunks_exact(4)
        .map(|four| {
            four.iter()
                .fold(0, |word, byte| word << 8 | u32::from(*byte))
        })
        .collect();
    for at in 16..80 {
        let word = words[at - 3] ^ words[at - 8] ^ words[at - 14] ^ words[at - 16];
        words.push(word.rotate_left(1));
    }
    let mut turned = state;
    for (at, word) in words.into_iter().enumerate() {
        let [first, second, third, fourth, fifth] = turned;
        let (chosen, constant) = match at {
            ..20 => (second & third | !second & fourth, 0x5a82_7999),
            20..40 => (second ^ third ^ fourth, 0x6ed9_eba1),
            40..60 => (
                second & third | second & fourth | third & fourth,
                0x8f1b_bcdc_u32,
            ),
            _ => (second ^ third ^ fourth, 0xca62_c1d6),
        };
        let next = first
            .rotate_left(5)
            .wrapping_add(chosen)
            .wrapping_add(fifth)
            .wrapping_add(constant)
            .wrapping_add(word);
        turned = [next, first, second.rotate_left(30), third, fourth];
    }
    let mut mixed = state;
    for (word, other) in mixed.iter_mut().zip(turned) {
        *word = word.wrapping_add(other);
    }
    mixed
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;

    #[test]
    fn the_vectors_of_the_standard_hold() {
        let hex = |text: &[u8]| {
            digest(text).iter().fold(String::new(), |mut hex, byte| {
                write!(hex, "{byte:02x}").unwrap();
                hex
            })
        };
        assert_eq!(hex(b"abc"), "a9993e364706816aba3e25717850c26c9cd0d89d");
        assert_eq!(hex(b""), "da39a3ee5e6b4b0d3255bfef95601890afd80709");
        let two_blocks = b"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
        assert_eq!(hex(two_blocks), "84983e441c3bd26ebaae4aa1f95129e5e54670f1");
    }
}
