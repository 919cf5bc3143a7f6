//! What a client judges of an answer: a short word, the same wherever it is read.
//!
//! Knows the word alone; what it is told, and how it is counted, is elsewhere.

/// The longest word, in bytes.
pub const NAME_BYTES_MAX: usize = 32;

/// Whether a text is one: lower-case letters, digits and `_`, starting with a letter.
pub fn is_name(text: &str) -> bool {
    let bytes = text.as_bytes();
    let fits = |it: &u8| it.is_ascii_lowercase() || it.is_ascii_digit() || *it == b'_';
    bytes.len() <= NAME_BYTES_MAX
        && bytes.first().is_some_and(u8::is_ascii_lowercase)
        && bytes.iter().all(fits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_a_short_word() {
        let longest = "a".repeat(NAME_BYTES_MAX);
        for name in ["score", "tone_2", &longest] {
            assert!(is_name(name), "{name}");
        }
        for none in ["", "Tone", "2nd", "_tone", "to-ne", &format!("{longest}a")] {
            assert!(!is_name(none), "{none}");
        }
    }
}
