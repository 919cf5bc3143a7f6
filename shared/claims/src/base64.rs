//! Base64 as it stands in tokens: the alphabet for URLs, without padding.
//!
//! Strict on purpose: a text that would not be written the same way again is none, so that two texts are never one token.

/// The value of a letter.
const fn value(letter: u8) -> Option<u32> {
    Some(match letter {
        b'A'..=b'Z' => letter - b'A',
        b'a'..=b'z' => letter - b'a' + 26,
        b'0'..=b'9' => letter - b'0' + 52,
        b'-' => 62,
        b'_' => 63,
        _ => return None,
    } as u32)
}

/// Reads text as bytes. `None` if it is not the one way to write them.
pub fn decode(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3 + 2);
    for group in text.as_bytes().chunks(4) {
        let mut bits = 0_u32;
        for letter in group {
            bits = bits << 6 | value(*letter)?;
        }
        bits <<= 6 * (4 - group.len());
        let [_, whole @ ..] = bits.to_be_bytes();
        // One letter alone is less than a byte.
        let (kept, rest) = whole.split_at(group.len().checked_sub(1).filter(|it| *it > 0)?);
        if rest.iter().any(|byte| *byte != 0) {
            return None;
        }
        bytes.extend_from_slice(kept);
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_written_in_one_way_alone() {
        assert_eq!(decode("").unwrap(), b"");
        assert_eq!(decode("Zm8").unwrap(), b"fo");
        assert_eq!(decode("Zm9vYg").unwrap(), b"foob");
        assert_eq!(decode("-_-_").unwrap(), [0xfb, 0xff, 0xbf]);
        // Padding, the other alphabet, white space, a letter alone, bits behind the end.
        for text in ["Zm8=", "+/+/", "Zm 8", "Z", "Zm9vY", "Zm9", "Zh", "Zm8\n"] {
            assert!(decode(text).is_none(), "{text:?}");
        }
    }
}
