//! Pairs of tags by which usage is summed together.
//!
//! Knows their text, how many there may be and that none is said twice; knows nothing of sums.

use std::{fmt, str::FromStr};

use crate::violation::Violations;

const FIELD: &str = "organization.tag_pairs";

/// The most pairs of an organization.
// Full: the write is refused.
pub const PAIRS_MAX: usize = 3;

/// The longest key of a tag, in bytes.
const KEY_BYTES_MAX: usize = 32;

/// The keys of two tags, the lesser first: whoever names them the other way round means the same pair.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct TagPair {
    first: String,
    second: String,
}

/// The text is no pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InvalidTagPair;

/// Reads them; what is wrong is added to `violations`.
pub fn tag_pairs(given: &[String], violations: &mut Violations) -> Vec<TagPair> {
    if given.len() > PAIRS_MAX {
        violations.add(FIELD, format!("must hold at most {PAIRS_MAX}"));
        return Vec::new();
    }
    let mut pairs: Vec<TagPair> = Vec::with_capacity(given.len());
    for text in given {
        let Some(pair) = violations.take(FIELD, text.parse::<TagPair>()) else {
            continue;
        };
        if pairs.contains(&pair) {
            violations.add(FIELD, format!("says `{pair}` twice"));
        }
        pairs.push(pair);
    }
    pairs
}

fn is_key(key: &str) -> bool {
    let letter = |byte: u8| byte.is_ascii_alphanumeric() || b"._-/".contains(&byte);
    (1..=KEY_BYTES_MAX).contains(&key.len()) && key.bytes().all(letter)
}

// === impl TagPair ===

impl TagPair {
    /// Of these keys, in either order; `None` where they are one.
    pub fn of(one: &str, other: &str) -> Option<Self> {
        let (first, second) = (one.min(other), one.max(other));
        (first != second).then(|| Self {
            first: first.to_owned(),
            second: second.to_owned(),
        })
    }

    /// The lesser key.
    pub fn first(&self) -> &str {
        &self.first
    }

    /// The other one.
    pub fn second(&self) -> &str {
        &self.second
    }
}

impl fmt::Display for TagPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{},{}", self.first, self.second)
    }
}

impl FromStr for TagPair {
    type Err = InvalidTagPair;

    fn from_str(text: &str) -> Result<Self, InvalidTagPair> {
        let (one, other) = text.split_once(',').ok_or(InvalidTagPair)?;
        let fits = is_key(one) && is_key(other);
        let pair = fits.then(|| Self::of(one, other)).flatten();
        pair.ok_or(InvalidTagPair)
    }
}

// === impl InvalidTagPair ===

impl fmt::Display for InvalidTagPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "must be the keys of two tags with a comma between them, such as `team,feature`, each of at most {KEY_BYTES_MAX} letters, \
             digits and `._-/`"
        )
    }
}

impl std::error::Error for InvalidTagPair {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pair_has_no_order_and_there_are_few() {
        let read = |given: &[&str]| {
            let given: Vec<_> = given.iter().map(ToString::to_string).collect();
            let mut violations = Violations::new();
            let pairs = tag_pairs(&given, &mut violations);
            let pairs = pairs.iter().map(ToString::to_string).collect::<Vec<_>>();
            violations.is_empty().then_some(pairs.join(" "))
        };
        let two = read(&["team,feature", "env,team"]);
        assert_eq!(two.as_deref(), Some("feature,team env,team"));
        assert_eq!(read(&["team,feature", "feature,team"]), None);
        for wrong in ["team", "team,team", "team,", "a,b,c", "a b,c"] {
            assert_eq!(read(&[wrong]), None, "{wrong}");
        }
        assert_eq!(read(&["a,b", "a,c", "a,d", "a,e"]), None);
    }
}
