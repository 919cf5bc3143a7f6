//! Short texts that mean nothing to us: what may stand in them, and how long they may be.

use std::fmt;

/// What is wrong with a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InvalidText {
    /// It is empty and must not be.
    Empty,
    /// It is longer than this many characters.
    TooLong(usize),
    /// It holds control characters.
    Control,
    /// It holds something else than visible ASCII.
    NotVisibleAscii,
    /// It is not a UUID.
    NotUuid,
}

/// The longest display name, in characters.
pub const DISPLAY_NAME_CHARACTERS_MAX: usize = 200;

/// The longest credential, in characters.
pub const CREDENTIAL_CHARACTERS_MAX: usize = 8_192;

/// The longest provider's name for a model, in characters.
pub const PROVIDER_MODEL_CHARACTERS_MAX: usize = 256;

/// The longest name of an end user, in characters.
pub const END_USER_CHARACTERS_MAX: usize = 256;

/// An end user, as clients name it; may be empty.
pub fn end_user(text: &str) -> Result<String, InvalidText> {
    within(text, END_USER_CHARACTERS_MAX).map(str::to_owned)
}

/// What people call a thing; may be empty.
pub fn display_name(text: &str) -> Result<String, InvalidText> {
    within(text, DISPLAY_NAME_CHARACTERS_MAX).map(str::to_owned)
}

/// What we present to a provider. It becomes a header's value, so nothing but visible ASCII may stand in it.
pub fn credential(text: &str) -> Result<(), InvalidText> {
    if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(InvalidText::NotVisibleAscii);
    }
    filled(text, CREDENTIAL_CHARACTERS_MAX).map(drop)
}

/// The name by which a provider knows a model.
pub fn provider_model(text: &str) -> Result<String, InvalidText> {
    filled(text, PROVIDER_MODEL_CHARACTERS_MAX).map(str::to_owned)
}

/// A request id: a UUID's text, in any of its forms with or without dashes; empty means: none.
pub fn request_id(text: &str) -> Result<Option<[u8; 16]>, InvalidText> {
    if text.is_empty() {
        return Ok(None);
    }
    let dashed = text.len() == 36
        && text
            .bytes()
            .enumerate()
            .all(|(at, b)| (b == b'-') == [8, 13, 18, 23].contains(&at));
    if !dashed && text.len() != 32 {
        return Err(InvalidText::NotUuid);
    }
    let digits: String = text.chars().filter(|c| *c != '-').collect();
    if digits.len() != 32 || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Err(InvalidText::NotUuid);
    }
    let number = u128::from_str_radix(&digits, 16).map_err(|_| InvalidText::NotUuid)?;
    Ok(Some(number.to_be_bytes()))
}

/// The text, if it is not empty and no longer than `characters_max`, without control characters.
pub fn filled(text: &str, characters_max: usize) -> Result<&str, InvalidText> {
    if text.is_empty() {
        Err(InvalidText::Empty)
    } else {
        within(text, characters_max)
    }
}

/// The text, if it is no longer than `characters_max`, without control characters.
pub fn within(text: &str, characters_max: usize) -> Result<&str, InvalidText> {
    if text.chars().count() > characters_max {
        return Err(InvalidText::TooLong(characters_max));
    }
    if text.chars().any(char::is_control) {
        return Err(InvalidText::Control);
    }
    Ok(text)
}

impl fmt::Display for InvalidText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("must not be empty"),
            Self::TooLong(max) => write!(f, "must be at most {max} characters"),
            Self::Control => f.write_str("must not hold control characters"),
            Self::NotVisibleAscii => f.write_str("must be visible ASCII characters only"),
            Self::NotUuid => f.write_str("must be a UUID, or empty"),
        }
    }
}

impl std::error::Error for InvalidText {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_counted_in_characters() {
        assert!(display_name("").is_ok());
        assert!(display_name(&"ü".repeat(200)).is_ok());
        assert_eq!(
            display_name(&"ü".repeat(201)),
            Err(InvalidText::TooLong(200))
        );
        assert_eq!(display_name("a\nb"), Err(InvalidText::Control));
        assert_eq!(provider_model(""), Err(InvalidText::Empty));
    }

    #[test]
    fn a_credential_cannot_break_out_of_a_header() {
        assert!(credential("sk-abc_DEF.~!").is_ok());
        for text in ["a b", "a\r\nb", "ä", "a\u{7f}"] {
            assert_eq!(credential(text), Err(InvalidText::NotVisibleAscii));
        }
        assert_eq!(credential(""), Err(InvalidText::Empty));
    }

    #[test]
    fn a_request_id_is_a_uuid() {
        let id = Ok(Some([0x01; 16]));
        assert_eq!(request_id("01010101-0101-0101-0101-010101010101"), id);
        assert_eq!(request_id("01010101010101010101010101010101"), id);
        assert_eq!(request_id(""), Ok(None));
        for text in [
            "1",
            "0101010-10101-0101-0101-010101010101",
            &"z".repeat(32),
            &"+".repeat(32),
        ] {
            assert_eq!(request_id(text), Err(InvalidText::NotUuid), "{text}");
        }
    }
}
