//! Patterns over the texts of claims: `*` for any text without `/` and `:`, `**` for any text.
//!
//! What separates is kept apart, so that a pattern for branches of one repository is none for those of another. Knows nothing
//! of which claim is meant.

use std::fmt;

/// The longest pattern, in characters.
pub const PATTERN_CHARACTERS_MAX: usize = 255;

/// The longest text that fits any pattern, in bytes.
// Full: it fits none.
const TEXT_BYTES_MAX: usize = 1_024;

/// A pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern(String);

/// Why a text is no pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InvalidPattern;

/// One piece of a pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Piece {
    Letter(u8),
    WithinOne,
    Any,
}

// === impl Pattern ===

impl Pattern {
    /// Reads one.
    pub fn read(text: &str) -> Result<Self, InvalidPattern> {
        let fits = (1..=PATTERN_CHARACTERS_MAX).contains(&text.chars().count())
            && !text.chars().any(char::is_control)
            && !text.contains("***");
        fits.then(|| Self(text.to_owned())).ok_or(InvalidPattern)
    }

    /// Its text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether something is meant to the letter at its beginning.
    pub fn is_held(&self) -> bool {
        !self.0.starts_with('*')
    }

    /// Whether the text is one that is meant.
    pub fn fits(&self, text: &str) -> bool {
        if text.len() > TEXT_BYTES_MAX {
            return false;
        }
        // For each place in the text, whether the pieces so far can end there.
        let mut ends = vec![false; text.len() + 1];
        if let Some(first) = ends.first_mut() {
            *first = true;
        }
        for piece in self.pieces() {
            ends = step(&ends, piece, text.as_bytes());
        }
        ends.last().copied().unwrap_or_default()
    }

    fn pieces(&self) -> impl Iterator<Item = Piece> {
        let mut bytes = self.0.bytes().peekable();
        std::iter::from_fn(move || match bytes.next()? {
            b'*' if bytes.next_if_eq(&b'*').is_some() => Some(Piece::Any),
            b'*' => Some(Piece::WithinOne),
            letter => Some(Piece::Letter(letter)),
        })
    }
}

fn step(before: &[bool], piece: Piece, text: &[u8]) -> Vec<bool> {
    let mut after = Vec::with_capacity(before.len());
    let mut reached = false;
    for (at, ends) in before.iter().enumerate() {
        // The letter that leads here; none leads to the beginning.
        let letter = at.checked_sub(1).and_then(|it| text.get(it));
        reached = match piece {
            Piece::Letter(wanted) => {
                let came = at.checked_sub(1).and_then(|it| before.get(it));
                letter == Some(&wanted) && came == Some(&true)
            }
            Piece::WithinOne => *ends || (reached && !letter.is_some_and(|it| b"/:".contains(it))),
            Piece::Any => *ends || reached,
        };
        after.push(reached);
    }
    after
}

impl fmt::Display for InvalidPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "must have 1 to {PATTERN_CHARACTERS_MAX} characters, no control characters, and at most two stars in a row"
        )
    }
}

impl std::error::Error for InvalidPattern {}

#[cfg(test)]
mod tests {
    use super::*;

    fn fits(pattern: &str, text: &str) -> bool {
        Pattern::read(pattern).unwrap().fits(text)
    }

    #[test]
    fn a_star_stays_between_separators_and_two_do_not() {
        for (pattern, text, expected) in [
            (
                "repo:acme/chat:ref:refs/heads/main",
                "repo:acme/chat:ref:refs/heads/main",
                true,
            ),
            (
                "repo:acme/chat:ref:refs/heads/main",
                "repo:acme/chat:ref:refs/heads/main2",
                false,
            ),
            (
                "repo:acme/chat:ref:refs/heads/main",
                "xrepo:acme/chat:ref:refs/heads/main",
                false,
            ),
            (
                "repo:acme/*:ref:refs/heads/main",
                "repo:acme/chat:ref:refs/heads/main",
                true,
            ),
            (
                "repo:acme/*:ref:refs/heads/main",
                "repo:acme/a:environment:x:ref:refs/heads/main",
                false,
            ),
            (
                "repo:acme/*:ref:refs/heads/main",
                "repo:acme/a/b:ref:refs/heads/main",
                false,
            ),
            ("repo:acme/chat:**", "repo:acme/chat:pull_request", true),
            (
                "repo:acme/chat:**",
                "repo:acme/chat-evil:pull_request",
                false,
            ),
            (
                "repo:acme/chat:ref:refs/heads/release/*",
                "repo:acme/chat:ref:refs/heads/release/1.2",
                true,
            ),
            (
                "repo:acme/chat:ref:refs/heads/release/*",
                "repo:acme/chat:ref:refs/heads/release/a/b",
                false,
            ),
            ("**", "", true),
            ("*", "", true),
            ("*", "a:b", false),
            ("a*b**c", "axxb/:/c", true),
            ("a*b**c", "axxb/:/d", false),
            ("é*", "éa", true),
        ] {
            assert_eq!(fits(pattern, text), expected, "{pattern} {text}");
        }
        assert!(!fits("**", &"a".repeat(TEXT_BYTES_MAX + 1)));
    }

    #[test]
    fn what_is_no_pattern_is_refused() {
        for text in ["", "***", "a\n", &"a".repeat(256)] {
            assert_eq!(Pattern::read(text), Err(InvalidPattern), "{text}");
        }
    }
}
