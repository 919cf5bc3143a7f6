//! What a client says of a request for whoever shares out its cost: `x-sluice-tags: team=search,env=prod`.
//!
//! Owns the grammar and its bounds. Knows nothing of what tags mean.

use std::fmt;

use http::{HeaderMap, HeaderName};

/// The header.
pub const HEADER: HeaderName = HeaderName::from_static("x-sluice-tags");

/// The most tags of one request.
// Full: the request is refused.
pub const TAGS_MAX: usize = 8;

/// The longest key, in bytes.
pub const KEY_BYTES_MAX: usize = 32;

/// The longest value, in bytes.
pub const VALUE_BYTES_MAX: usize = 64;

/// Keys and values, none of the keys twice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tags(Vec<(String, String)>);

/// The header is not a list of tags.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InvalidTags;

// === impl Tags ===

impl Tags {
    /// Takes the header out, which then goes nowhere else; `None` where there is none, or an empty one.
    pub fn take(headers: &mut HeaderMap) -> Result<Option<Box<Self>>, InvalidTags> {
        // Most requests have none, and ask no more than this.
        if !headers.contains_key(&HEADER) {
            return Ok(None);
        }
        if headers.get_all(&HEADER).iter().count() > 1 {
            return Err(InvalidTags);
        }
        let value = headers.remove(&HEADER).ok_or(InvalidTags)?;
        let text = value.to_str().map_err(|_| InvalidTags)?;
        if text.trim().is_empty() {
            return Ok(None);
        }
        Self::read(text).map(|tags| Some(Box::new(tags)))
    }

    fn read(text: &str) -> Result<Self, InvalidTags> {
        let mut tags: Vec<(String, String)> = Vec::new();
        for tag in text.split(',') {
            let (key, value) = tag.split_once('=').ok_or(InvalidTags)?;
            let (key, value) = (key.trim(), value.trim());
            let fits = is_key(key) && value.len() <= VALUE_BYTES_MAX && !value.contains('=');
            if !fits || tags.len() == TAGS_MAX || tags.iter().any(|(it, _)| it == key) {
                return Err(InvalidTags);
            }
            tags.push((key.to_owned(), value.to_owned()));
        }
        Ok(Self(tags))
    }

    /// What policy says comes first; of what the client says, what is left of the places. A key that policy pins is not the
    /// client's, whether or not it has a value.
    // Full: the client's last tags are left out.
    pub fn pinned<'a>(
        said: Option<&Self>,
        pins: &(impl Iterator<Item = (&'a str, Option<&'a str>)> + Clone),
    ) -> Option<Box<Self>> {
        let valued = |(key, value): (&'a str, Option<&'a str>)| {
            let value = value?;
            let value = &value[..value.floor_char_boundary(VALUE_BYTES_MAX)];
            Some((key.to_owned(), value.to_owned()))
        };
        let mut tags: Vec<_> = pins.clone().filter_map(valued).collect();
        let is_free = |key: &str| pins.clone().all(|(pinned, _)| pinned != key);
        let own = said.iter().flat_map(|it| it.iter());
        let own = own.filter(|(key, _)| is_free(key));
        tags.extend(own.map(|(key, value)| (key.to_owned(), value.to_owned())));
        tags.truncate(TAGS_MAX);
        (!tags.is_empty()).then(|| Box::new(Self(tags)))
    }

    /// The keys and values, in the client's order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .iter()
            .map(|(key, value)| (key.as_str(), value.as_str()))
    }
}

// === impl InvalidTags ===

impl fmt::Display for InvalidTags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "send x-sluice-tags once, as `key=value,key=value`: at most {TAGS_MAX}, none twice, keys of at most \
             {KEY_BYTES_MAX} letters, values of at most {VALUE_BYTES_MAX} bytes"
        )
    }
}

impl std::error::Error for InvalidTags {}

fn is_key(key: &str) -> bool {
    let letter = |byte: u8| byte.is_ascii_alphanumeric() || b"._-/".contains(&byte);
    (1..=KEY_BYTES_MAX).contains(&key.len()) && key.bytes().all(letter)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn take(text: &str) -> Result<Option<Box<Tags>>, InvalidTags> {
        let mut headers = HeaderMap::new();
        headers.insert(HEADER, HeaderValue::from_str(text).unwrap());
        let taken = Tags::take(&mut headers);
        assert!(headers.is_empty());
        taken
    }

    #[test]
    fn tags_are_read_in_their_order() {
        let tags = take("team=search, env=prod,note=a b").unwrap().unwrap();
        let tags: Vec<_> = tags.iter().collect();
        assert_eq!(tags, [("team", "search"), ("env", "prod"), ("note", "a b")]);
        assert_eq!(take(" "), Ok(None));
        assert_eq!(Tags::take(&mut HeaderMap::new()), Ok(None));
        let longest = format!("{}={}", "k".repeat(32), "v".repeat(64));
        assert!(take(&longest).is_ok());
        assert!(take("empty=").is_ok());
    }

    #[test]
    fn what_policy_pins_is_not_the_clients() {
        let said = take("team=mine,unit=mine,env=prod").unwrap();
        let long = "v".repeat(70);
        let pins = [
            ("team", Some("search")),
            ("unit", None),
            ("long", Some(long.as_str())),
        ];
        let tags = Tags::pinned(said.as_deref(), &pins.into_iter()).unwrap();
        let tags: Vec<_> = tags.iter().collect();
        assert_eq!(
            tags,
            [("team", "search"), ("long", &long[..64]), ("env", "prod")]
        );
        let eight: Vec<_> = (0..8).map(|n| format!("k{n}=v")).collect();
        let said = take(&eight.join(",")).unwrap();
        let tags = Tags::pinned(said.as_deref(), &pins.into_iter()).unwrap();
        assert_eq!(tags.iter().count(), TAGS_MAX);
        assert_eq!(Tags::pinned(None, &[("team", None)].into_iter()), None);
    }

    #[test]
    fn what_is_no_list_of_tags_is_refused() {
        let long_key = format!("{}=v", "k".repeat(33));
        let long_value = format!("k={}", "v".repeat(65));
        let nine: Vec<_> = (0..9).map(|n| format!("k{n}=v")).collect();
        for text in [
            "team",
            "=search",
            "team=search,",
            "team=a,team=b",
            "te am=a",
            "a=b=c",
            &long_key,
            &long_value,
            &nine.join(","),
        ] {
            assert_eq!(take(text), Err(InvalidTags), "{text}");
        }
        let mut twice = HeaderMap::new();
        twice.append(HEADER, HeaderValue::from_static("a=b"));
        twice.append(HEADER, HeaderValue::from_static("c=d"));
        assert_eq!(Tags::take(&mut twice), Err(InvalidTags));
    }
}
