//! One segment of a resource name, for each grammar that segments have.
//!
//! A segment never holds a slash, so a name splits in one way only.

use std::fmt;

/// The text does not fit the grammar; the words say which one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InvalidSegment(&'static str);

macro_rules! segments {
    ($($(#[$doc:meta])* $name:ident = $fits:ident, $grammar:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(String);

        impl $name {
            /// Takes the text if it fits.
            pub fn parse(text: &str) -> Result<Self, InvalidSegment> {
                if $fits(text.as_bytes()) {
                    Ok(Self(text.to_owned()))
                } else {
                    Err(InvalidSegment($grammar))
                }
            }

            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    )*};
}

segments! {
    /// What an operator names a thing with.
    Slug = is_slug,
        "must be 1 to 63 lower-case letters, digits and `-`, starting with a letter";
    /// What clients ask a model by.
    ModelSlug = is_model_slug,
        "must be 1 to 128 letters, digits, `.`, `_`, `:` and `-`, starting with a letter or digit";
    /// The public part of the text of a key or join token.
    KeyId = is_key_id,
        "must be 12 letters and digits";
    /// What an edge calls itself.
    EdgeSlug = is_edge_slug,
        "must be 1 to 63 letters, digits, `.`, `_` and `-`, starting with a letter or digit";
}

fn is_slug(text: &[u8]) -> bool {
    (1..=63).contains(&text.len())
        && text[0].is_ascii_lowercase()
        && text
            .iter()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || *b == b'-')
}

fn is_model_slug(text: &[u8]) -> bool {
    (1..=128).contains(&text.len())
        && text[0].is_ascii_alphanumeric()
        && text
            .iter()
            .all(|b| b.is_ascii_alphanumeric() || b"._:-".contains(b))
}

fn is_key_id(text: &[u8]) -> bool {
    text.len() == 12 && text.iter().all(u8::is_ascii_alphanumeric)
}

fn is_edge_slug(text: &[u8]) -> bool {
    (1..=63).contains(&text.len())
        && text[0].is_ascii_alphanumeric()
        && text
            .iter()
            .all(|b| b.is_ascii_alphanumeric() || b"._-".contains(b))
}

impl fmt::Display for InvalidSegment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for InvalidSegment {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slug_starts_with_a_letter_and_is_lower_case() {
        for (text, fits) in [
            ("acme", true),
            ("a", true),
            ("a-1-", true),
            (&"a".repeat(63), true),
            (&"a".repeat(64), false),
            ("", false),
            ("1a", false),
            ("-a", false),
            ("Acme", false),
            ("a_b", false),
            ("a/b", false),
            ("ä", false),
        ] {
            assert_eq!(Slug::parse(text).is_ok(), fits, "{text}");
        }
    }

    #[test]
    fn a_model_is_named_as_providers_name_theirs() {
        for (text, fits) in [
            ("gpt-4o", true),
            ("llama3.1:8b-instruct_q4", true),
            ("4o", true),
            (&"m".repeat(128), true),
            (&"m".repeat(129), false),
            ("", false),
            (".hidden", false),
            ("meta/llama", false),
            ("a b", false),
        ] {
            assert_eq!(ModelSlug::parse(text).is_ok(), fits, "{text}");
        }
    }

    #[test]
    fn a_key_id_is_twelve_letters_and_digits() {
        assert!(KeyId::parse("0aZ9bY8cX7dW").is_ok());
        assert!(KeyId::parse("0aZ9bY8cX7d").is_err());
        assert!(KeyId::parse("0aZ9bY8cX7d-").is_err());
    }
}
