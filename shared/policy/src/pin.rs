//! Tags that policy pins: where the value of a tag comes from for whatever is asked in a project, so that whoever asks cannot
//! say otherwise.
//!
//! Knows the notation `TAG=label:NAME` and `TAG=claim:NAME`; knows nothing of requests.

use std::{fmt, str::FromStr};

/// The most tags that a project pins.
pub const PINS_MAX: usize = 8; // Full: the project is refused.

/// The longest key of a tag, in bytes.
pub const TAG_BYTES_MAX: usize = 32;

/// The longest name of a label or a claim, in bytes.
pub const NAME_BYTES_MAX: usize = 63;

/// A tag whose value policy says.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Pin {
    /// The tag's key.
    pub tag: String,
    /// Where its value comes from.
    pub from: Source,
}

/// Where the value of a tag comes from. Where there is none, requests have no such tag.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Source {
    /// The label of this name of the key that asks.
    Label(String),
    /// The claim of this name of the token that asks; a text.
    Claim(String),
}

/// The text is no pin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InvalidPin;

// === impl Pin ===

impl FromStr for Pin {
    type Err = InvalidPin;

    fn from_str(text: &str) -> Result<Self, InvalidPin> {
        let (tag, from) = text.split_once('=').ok_or(InvalidPin)?;
        let (kind, name) = from.split_once(':').ok_or(InvalidPin)?;
        let letter = |byte: u8| byte.is_ascii_alphanumeric() || b"._-/".contains(&byte);
        let is_tag = (1..=TAG_BYTES_MAX).contains(&tag.len()) && tag.bytes().all(letter);
        let visible = |byte: u8| byte.is_ascii_graphic();
        let is_name = (1..=NAME_BYTES_MAX).contains(&name.len()) && name.bytes().all(visible);
        if !is_tag || !is_name {
            return Err(InvalidPin);
        }
        let from = match kind {
            "label" => Source::Label(name.to_owned()),
            "claim" => Source::Claim(name.to_owned()),
            _ => return Err(InvalidPin),
        };
        let tag = tag.to_owned();
        Ok(Self { tag, from })
    }
}

impl fmt::Display for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.from {
            Source::Label(name) => write!(f, "{}=label:{name}", self.tag),
            Source::Claim(name) => write!(f, "{}=claim:{name}", self.tag),
        }
    }
}

// === impl InvalidPin ===

impl fmt::Display for InvalidPin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "must be such as `team=label:team` or `unit=claim:department`: a tag of at most {TAG_BYTES_MAX} letters, digits, \
             `.`, `_`, `-` and `/`, and the name of a label of keys or of a claim of tokens, at most {NAME_BYTES_MAX} bytes"
        )
    }
}

impl std::error::Error for InvalidPin {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pin_says_where_its_tag_comes_from() {
        for text in ["team=label:team", "cost/unit=claim:https://acme/unit"] {
            assert_eq!(text.parse::<Pin>().unwrap().to_string(), text);
        }
        let long = format!("{}=label:team", "t".repeat(33));
        for text in [
            "team",
            "team=team",
            "=label:team",
            "team=label:",
            "team=header:x",
            "te am=label:a",
            &long,
        ] {
            assert_eq!(text.parse::<Pin>(), Err(InvalidPin), "{text}");
        }
    }
}
