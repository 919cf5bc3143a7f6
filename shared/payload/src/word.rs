//! Eight bytes of a text at once: how many of them stand for themselves in a JSON string.
//!
//! Owns the arithmetic on words. Knows nothing of where a string begins or of what ends it.

/// How many bytes a word has.
pub(crate) const BYTES: usize = size_of::<u64>();

/// How many bytes of a word, from its first, are neither quotes nor backslashes nor below a space.
pub(crate) fn plain(word: [u8; BYTES]) -> usize {
    const ONES: u64 = u64::from_ne_bytes([1; BYTES]);
    const HIGHS: u64 = ONES << 7;
    // A byte below `than` borrows from its own highest bit. What is borrowed further up marks bytes behind it alone.
    let below = |word: u64, than: u64| word.wrapping_sub(ONES * than) & !word;
    let is = |word: u64, byte: u8| below(word ^ (ONES * u64::from(byte)), 1);
    let word = u64::from_le_bytes(word);
    let marks = (below(word, 0x20) | is(word, b'"') | is(word, b'\\')) & HIGHS;
    (marks.trailing_zeros() / u8::BITS) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_is_told_at_every_place_whatever_stands_behind_it() {
        for byte in 0..=u8::MAX {
            for at in 0..BYTES {
                for behind in [b'a', 0x1f, b'"', b'\\', 0x20, 0x21, 0x80, 0xff] {
                    let mut word = [b'a'; BYTES];
                    word[at..].fill(behind);
                    word[at] = byte;
                    let stands = |byte: &u8| *byte >= 0x20 && !b"\"\\".contains(byte);
                    let expected = word.iter().take_while(|it| stands(it)).count();
                    assert_eq!(plain(word), expected, "{word:?}");
                }
            }
        }
    }
}
