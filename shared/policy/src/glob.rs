//! Patterns of names: `*` stands for any characters, also none, and everything else for itself.

use std::fmt;

/// The longest pattern, in bytes.
pub const BYTES_MAX: usize = 128;

/// The most `*` in a pattern: what bounds the time that a match takes.
pub const STARS_MAX: usize = 8;

/// A pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Glob(String);

/// The text is not a pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InvalidGlob;

// === impl Glob ===

impl Glob {
    /// Reads a pattern.
    pub fn parse(text: &str) -> Result<Self, InvalidGlob> {
        let letter = |byte: u8| byte.is_ascii_alphanumeric() || b"._:-*/".contains(&byte);
        let fits = (1..=BYTES_MAX).contains(&text.len())
            && text.bytes().all(letter)
            && text.bytes().filter(|byte| *byte == b'*').count() <= STARS_MAX;
        if fits {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidGlob)
        }
    }

    /// Whether the pattern stands for this name, all of it.
    pub fn matches(&self, name: &str) -> bool {
        let (pattern, name) = (self.0.as_bytes(), name.as_bytes());
        let (mut at, mut in_name) = (0, 0);
        // Where to go on when a guess of how much the last `*` stands for was too short.
        let mut star: Option<(usize, usize)> = None;
        while in_name < name.len() {
            if pattern.get(at) == Some(&b'*') {
                star = Some((at + 1, in_name));
                at += 1;
            } else if pattern.get(at) == name.get(in_name) {
                at += 1;
                in_name += 1;
            } else if let Some((after, from)) = star {
                star = Some((after, from + 1));
                at = after;
                in_name = from + 1;
            } else {
                return false;
            }
        }
        pattern
            .get(at..)
            .is_some_and(|rest| rest.iter().all(|byte| *byte == b'*'))
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for InvalidGlob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "must be 1 to {BYTES_MAX} letters, digits, `.`, `_`, `:`, `-`, `/` and at most {STARS_MAX} `*`"
        )
    }
}

impl std::error::Error for InvalidGlob {}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, name: &str) -> bool {
        Glob::parse(pattern).unwrap().matches(name)
    }

    #[test]
    fn a_star_stands_for_anything_and_all_else_for_itself() {
        for (pattern, yes, no) in [
            ("gpt-4o", "gpt-4o", "gpt-4o-mini"),
            ("gpt-4*", "gpt-4", "gpt-3.5"),
            ("*-mini", "gpt-4o-mini", "gpt-4o-mini-2"),
            ("*", "anything", ""),
            ("a*b*c", "aXbYbZc", "aXbY"),
            ("*ab*", "aab", "ba"),
        ] {
            assert!(matches(pattern, yes), "{pattern} {yes}");
            assert!(!matches(pattern, no) || pattern == "*", "{pattern} {no}");
        }
    }

    #[test]
    fn a_pattern_that_would_take_long_is_refused_or_quick() {
        assert_eq!(Glob::parse("*a*a*a*a*a*a*a*a*"), Err(InvalidGlob));
        assert_eq!(Glob::parse(""), Err(InvalidGlob));
        assert_eq!(Glob::parse("a b"), Err(InvalidGlob));
        assert!(!matches("*a*a*a*a*a*a*a*b", &"a".repeat(100_000)));
    }
}
