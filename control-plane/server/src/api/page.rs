//! Page tokens: where the next page of a list starts, sealed so that only we can make one.
//!
//! Knows nothing of what is listed. A token opens for the method and parent that it was made for and for no
//! other; every replica has the sealing key, so each can go on where another stopped.

use std::fmt::Write;

use domain::{page::Page, violation::Violations};
use seal::{ENVELOPE_BYTES, Ring};

/// The longest token that is looked at, in characters: a name of 512 bytes, sealed, in hex.
// Full: the token is refused as not one of ours.
const TOKEN_CHARS_MAX: usize = 2 * (512 + ENVELOPE_BYTES);

/// Which list a page is of.
#[derive(Debug, Clone, Copy)]
pub(crate) struct List<'a> {
    /// The method, such as `ListKeys`.
    pub(crate) method: &'static str,
    /// The parent's name; empty when the list has none.
    pub(crate) parent: &'a str,
}

/// Makes and reads page tokens.
#[derive(Clone)]
pub(crate) struct PageTokens {
    key: Ring,
}

// === impl PageTokens ===

impl PageTokens {
    /// Tokens under this key.
    pub(crate) fn new(key: Ring) -> Self {
        Self { key }
    }

    /// Reads what a list request asks for; what is wrong with it is added to `violations`.
    pub(crate) fn read(
        &self,
        list: List<'_>,
        size: i32,
        token: &str,
        violations: &mut Violations,
    ) -> Page {
        let opened = self.open(list, token).unwrap_or_else(|| {
            violations.add(
                "page_token",
                "is not a token of this list; start again without one",
            );
            String::new()
        });
        Page::parse(size, &opened, violations)
    }

    /// The token that leads to where `next` does; empty when `next` is.
    pub(crate) fn write(&self, list: List<'_>, next: &str) -> String {
        if next.is_empty() {
            return String::new();
        }
        to_hex(&self.key.seal(next.as_bytes(), &context(list)))
    }

    fn open(&self, list: List<'_>, token: &str) -> Option<String> {
        if token.is_empty() {
            return Some(String::new());
        }
        let plain = self.key.open(&from_hex(token)?, &context(list)).ok()?;
        String::from_utf8(plain.to_vec()).ok()
    }
}

fn context(list: List<'_>) -> Vec<u8> {
    // A zero byte stands in no method name, so that no two lists share a context.
    ["page token", list.method, list.parent]
        .join("\0")
        .into_bytes()
}

fn to_hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
            // Writing to a string cannot fail.
            let _ = write!(text, "{byte:02x}");
            text
        })
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| {
        char::from(byte)
            .to_digit(16)
            .and_then(|it| u8::try_from(it).ok())
    };
    if text.len() > TOKEN_CHARS_MAX || !text.len().is_multiple_of(2) {
        return None;
    }
    text.as_bytes()
        .chunks(2)
        .map(|two| Some(digit(two[0])? << 4 | digit(two[1])?))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEYS: List<'_> = List {
        method: "ListKeys",
        parent: "organizations/a/projects/p",
    };

    fn tokens(byte: &str) -> PageTokens {
        let key = seal::SealingKey::parse(&byte.repeat(32)).unwrap();
        PageTokens::new(key.into())
    }

    #[test]
    fn a_token_leads_on_from_where_its_page_ended_on_every_replica() {
        let token = tokens("07").write(KEYS, "last");
        assert_eq!(tokens("07").open(KEYS, &token).as_deref(), Some("last"));
        assert_eq!(tokens("07").write(KEYS, ""), "");
        assert_eq!(tokens("07").open(KEYS, "").as_deref(), Some(""));
    }

    #[test]
    fn a_token_of_another_list_is_refused() {
        let token = tokens("07").write(KEYS, "last");
        let other_parent = List {
            parent: "organizations/a/projects/q",
            ..KEYS
        };
        let other_method = List {
            method: "ListLimits",
            ..KEYS
        };
        for list in [other_parent, other_method] {
            assert_eq!(tokens("07").open(list, &token), None);
        }
        let mut violations = Violations::new();
        tokens("07").read(List { parent: "", ..KEYS }, 0, &token, &mut violations);
        assert_eq!(violations.into_vec()[0].field, "page_token");
    }

    #[test]
    fn a_token_that_is_not_ours_is_refused() {
        let token = tokens("07").write(KEYS, "last");
        assert_eq!(tokens("08").open(KEYS, &token), None);
        let long = "00".repeat(TOKEN_CHARS_MAX);
        for text in [&token[2..], &token[1..], "last", "zz", "é0", &long] {
            assert_eq!(tokens("07").open(KEYS, text), None, "{text}");
        }
    }
}
