//! Base64 with the standard alphabet and padding, as it stands in JSON.
//!
//! Strict on purpose: a text that would not be written the same way again is none, so that what is read and written
//! stays what it was.

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Writes bytes as text.
pub fn encode(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let byte = |at: usize| u32::from(group.get(at).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for at in 0..4_u32 {
            if at as usize > group.len() {
                text.push('=');
            } else {
                text.push(letter(bits >> (18 - 6 * at)));
            }
        }
    }
    text
}

/// Reads text as bytes. `None` if it is not the one way to write them.
pub fn decode(text: &str) -> Option<Vec<u8>> {
    let text = text.as_bytes();
    if !text.len().is_multiple_of(4) {
        return None;
    }
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    let last = text.len().saturating_sub(4);
    for (at, group) in text.chunks(4).enumerate() {
        let padding = if at * 4 == last {
            group.iter().rev().take_while(|it| **it == b'=').count()
        } else {
            0
        };
        let letters = group.get(..4 - padding.min(2))?;
        let mut bits = 0;
        for letter in letters {
            bits = bits << 6 | value(*letter)?;
        }
        bits <<= 6 * (4 - letters.len());
        let [_, first, second, third] = u32::to_be_bytes(bits);
        let whole = [first, second, third];
        let (kept, rest) = whole.split_at(letters.len() - 1);
        if rest.iter().any(|byte| *byte != 0) {
            return None;
        }
        bytes.extend_from_slice(kept);
    }
    Some(bytes)
}

fn letter(bits: u32) -> char {
    let letter = ALPHABET.get((bits & 63) as usize).copied();
    char::from(letter.unwrap_or(b'A'))
}

fn value(letter: u8) -> Option<u32> {
    Some(match letter {
        b'A'..=b'Z' => u32::from(letter - b'A'),
        b'a'..=b'z' => u32::from(letter - b'a') + 26,
        b'0'..=b'9' => u32::from(letter - b'0') + 52,
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_vectors_of_the_standard_hold() {
        let vectors = [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
        ];
        for (plain, text) in vectors {
            assert_eq!(encode(plain.as_bytes()), text);
            assert_eq!(decode(text).unwrap(), plain.as_bytes());
        }
        let every: Vec<u8> = (0..=255).collect();
        assert_eq!(decode(&encode(&every)).unwrap(), every);
    }

    #[test]
    fn what_would_be_written_otherwise_is_refused() {
        for text in [
            "Z", "Zg", "Zg=", "Zh==", "Zm9=", "Zg==Zg==", "Zm9v\n", "====", "Z===", "Zm-v", "Zm=v",
        ] {
            assert_eq!(decode(text), None, "{text}");
        }
    }
}
