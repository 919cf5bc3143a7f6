//! What stands behind the question mark: pairs, and whether one of them is a key.
//!
//! Knows how pairs are written; knows nothing of what they mean to a provider.

use std::{borrow::Cow, fmt::Write as _};

/// The names under which someone may have put a key.
const KEYS: [&str; 3] = ["key", "api_key", "api-key"];

/// Further names of what proves somebody to a provider, which is never the client's to send.
const CREDENTIALS: [&str; 7] = [
    "apikey",
    "access_token",
    "authorization",
    "subscription-key",
    "x-api-key",
    "x-goog-api-key",
    "ocp-apim-subscription-key",
];

/// How a signature of Amazon's begins in a query.
const SIGNED: &str = "x-amz-";

/// How the texts of our own keys begin.
const OURS: [&str; 2] = ["slc_live_", "slc_test_"];

/// A pair stands there twice, or its value is no text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unclear;

/// Whether a key stands there by its name.
pub fn holds_key(query: &str) -> bool {
    names(query).any(|name| KEYS.iter().any(|word| name.eq_ignore_ascii_case(word)))
}

/// Whether anything stands there that proves somebody: by its name, encoded or not, or because it is a key of ours.
pub fn holds_credential(query: &str) -> bool {
    let named = names(query).any(|name| {
        let Some(name) = decoded(name) else {
            return true;
        };
        let name = name.to_ascii_lowercase();
        KEYS.iter().chain(&CREDENTIALS).any(|word| name == *word) || name.starts_with(SIGNED)
    });
    named || holds_our_key(query)
}

/// Whether a key of ours stands anywhere in a text.
pub fn holds_our_key(text: &str) -> bool {
    let Some(text) = decoded(text) else {
        return true;
    };
    OURS.iter().any(|prefix| text.contains(prefix))
}

/// The value of the only pair of this name. `Err` where there are two.
pub fn only<'a>(query: &'a str, name: &str) -> Result<Option<Cow<'a, str>>, Unclear> {
    let mut found = None;
    for pair in query.split('&') {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        if decoded(key).is_some_and(|key| key == name) {
            if found.is_some() {
                return Err(Unclear);
            }
            found = Some(decoded(value).ok_or(Unclear)?);
        }
    }
    Ok(found)
}

/// The pairs that are not of this name, as they stand.
pub fn without(query: &str, name: &str) -> String {
    let others = query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .filter(|pair| {
            let key = pair.split_once('=').map_or(*pair, |(key, _)| key);
            decoded(key).is_none_or(|key| key != name)
        });
    others.collect::<Vec<_>>().join("&")
}

/// A text with its `%XX` resolved; `None` when they are not hex or not UTF-8.
pub fn decoded(text: &str) -> Option<Cow<'_, str>> {
    if !text.contains('%') {
        return Some(Cow::Borrowed(text));
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        if byte == b'%' {
            let digits = rest.get(..2)?;
            if !digits.iter().all(u8::is_ascii_hexdigit) {
                return None;
            }
            bytes.push(u8::from_str_radix(str::from_utf8(digits).ok()?, 16).ok()?);
            rest = &rest[2..];
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok().map(Cow::Owned)
}

/// A text as the value of a pair.
pub fn encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len() + 8);
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            // Writing into a string cannot fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

fn names(query: &str) -> impl Iterator<Item = &str> {
    let name = |pair: &'_ str| -> usize { pair.find('=').unwrap_or(pair.len()) };
    query.split('&').map(move |pair| &pair[..name(pair)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_proves_somebody_is_found_however_it_is_written() {
        for query in ["KEY=x", "a=1&api_key=x", "api-key"] {
            assert!(holds_key(query) && holds_credential(query), "{query}");
        }
        for query in [
            "k%65y=x",
            "access_token=x",
            "X-Amz-Signature=x",
            "a=slc_live_abc",
            "a=slc%5flive%5Fabc",
            "%zz=1",
            "x-goog-api-key=1",
        ] {
            assert!(holds_credential(query), "{query}");
        }
        assert!(!holds_credential("after=file_1&limit=20&pageToken=key"));
    }

    #[test]
    fn a_pair_is_read_once_and_taken_out() {
        let query = "a=1&model=gpt%2D4o&b";
        assert_eq!(only(query, "model"), Ok(Some("gpt-4o".into())));
        assert_eq!(only("model=a&mod%65l=b", "model"), Err(Unclear));
        assert_eq!(only("a=1", "model"), Ok(None));
        assert_eq!(without(query, "model"), "a=1&b");
        assert_eq!(decoded("%e4"), None);
        assert_eq!(decoded("%+f"), None);
    }
}
