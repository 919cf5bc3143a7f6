//! What edges of a region tell each other of an organization's targets: that one fails, or that its provider wants nothing for a while.
//!
//! Hints, which end by themselves. Knows how one is spelled; knows nothing of what an edge makes of it.

use std::{collections::BTreeMap, time::Duration};

use policy::id::{OrganizationId, ProviderId};

use crate::keyspace::{bytes, hex};

/// How long a word that a target fails holds, unless it is said again.
pub const FAILS_FOR: Duration = Duration::from_secs(4);

/// The longest that a provider may be said to want nothing: an edge that heeds it has a bound of its own.
pub const PARKED_MAX: Duration = Duration::from_hours(1);

/// How many targets are heard of one organization.
// Full: the others are not heard of, and each edge finds out by itself.
pub const HEARD_MAX: usize = 1_024;

/// What this edge says of one organization's targets; where that is nothing, it only listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hints {
    /// Whose they are.
    pub organization: OrganizationId,
    /// What is said.
    pub hints: Vec<Hint>,
}

/// What is said of a target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hint {
    /// The provider.
    pub provider: ProviderId,
    /// Its name for the model.
    pub model: String,
    /// What is said.
    pub said: Said,
}

/// A word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Said {
    /// It fails, as this edge sees it; holds for [`FAILS_FOR`].
    Fails,
    /// It does not, any more.
    Well,
    /// Its provider has named a time, and wants nothing for so long.
    Parked(Duration),
}

/// What is heard of a target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heard {
    /// The provider.
    pub provider: ProviderId,
    /// Its name for the model.
    pub model: String,
    /// How many edges beside this one say that it fails.
    pub edges: u32,
    /// For how long its provider wants nothing, if an edge was told.
    pub parked: Option<Duration>,
}

/// A word as it is kept, by whom and about what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Member<'a> {
    provider: ProviderId,
    /// The edge that says that it fails; `None` where it is parked.
    edge: Option<&'a str>,
    model: &'a str,
}

/// What stands of the words of `edges`, put together for each target; `edge` is this one, whose word that a target fails it need not
/// hear. Words that nobody here understands are passed over.
pub(crate) fn heard<'a>(
    words: impl Iterator<Item = (&'a [u8], Duration)>,
    edge: &str,
) -> Vec<Heard> {
    let mut all: BTreeMap<([u8; 16], &str), Heard> = BTreeMap::new();
    for (member, left) in words {
        let Some(member) = Member::read(member) else {
            continue;
        };
        if member.edge == Some(edge) {
            continue;
        }
        let target = (*member.provider.as_bytes(), member.model);
        if all.len() >= HEARD_MAX && !all.contains_key(&target) {
            continue;
        }
        let heard = all.entry(target).or_insert_with(|| Heard {
            provider: member.provider,
            model: member.model.to_owned(),
            edges: 0,
            parked: None,
        });
        match member.edge {
            Some(_) => heard.edges += 1,
            None => heard.parked = heard.parked.max(Some(left)),
        }
    }
    all.into_values().collect()
}

// === impl Hint ===

impl Hint {
    /// The letter by which the script knows what is said, the word as it is kept, and for how long, in milliseconds.
    pub(crate) fn spelled(&self, edge: &str) -> (&'static str, Vec<u8>, u64) {
        let milliseconds = |span: Duration| u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
        let (letter, by, span) = match self.said {
            Said::Fails => ("s", Some(edge), FAILS_FOR),
            Said::Well => ("r", Some(edge), Duration::ZERO),
            Said::Parked(wait) => ("s", None, wait.min(PARKED_MAX)),
        };
        let mut member = match by {
            Some(_) => b"fails:".to_vec(),
            None => b"parked:".to_vec(),
        };
        member.extend(hex(self.provider.as_bytes()));
        member.push(b':');
        if let Some(edge) = by {
            member.extend(edge.as_bytes());
            member.push(b':');
        }
        member.extend(self.model.as_bytes());
        (letter, member, milliseconds(span))
    }
}

// === impl Member ===

impl<'a> Member<'a> {
    /// What stands there; `None` where that is not ours.
    fn read(text: &'a [u8]) -> Option<Self> {
        let text = str::from_utf8(text).ok()?;
        let (kind, rest) = text.split_once(':')?;
        let (provider, rest) = rest.split_once(':')?;
        let (edge, model) = match kind {
            // An edge's id has no colon in it; a model's name may.
            "fails" => rest
                .split_once(':')
                .map(|(edge, model)| (Some(edge), model))?,
            "parked" => (None, rest),
            _ => return None,
        };
        Some(Self {
            provider: ProviderId::from_bytes(bytes(provider.as_bytes())?),
            edge,
            model,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hint(said: Said) -> Hint {
        Hint {
            provider: ProviderId::from_bytes([0x0a; 16]),
            model: "meta/llama:8b {x}".to_owned(),
            said,
        }
    }

    #[test]
    fn distinct_edges_are_counted_and_ones_own_word_is_not() {
        let fails = hint(Said::Fails);
        let words = ["one", "two", "three"].map(|edge| fails.spelled(edge).1);
        assert_eq!(
            String::from_utf8_lossy(&words[0]),
            "fails:0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a:one:meta/llama:8b {x}"
        );
        let second = Duration::from_secs(1);
        let parked = hint(Said::Parked(2 * second)).spelled("two").1;
        let strange = b"fails:nobody".to_vec();
        let all = words.iter().chain([&parked, &strange]);
        let all = all.map(|it| (it.as_slice(), second));
        let expected = Heard {
            provider: fails.provider,
            model: fails.model.clone(),
            edges: 2,
            parked: Some(second),
        };
        assert_eq!(heard(all, "two"), [expected]);
    }

    #[test]
    fn what_is_said_has_its_bound() {
        let days = Duration::from_hours(48);
        let (letter, _, ms) = hint(Said::Parked(days)).spelled("one");
        assert_eq!((letter, ms), ("s", 3_600_000));
        let (letter, fails, ms) = hint(Said::Fails).spelled("one");
        assert_eq!((letter, ms), ("s", 4_000));
        let (letter, well, _) = hint(Said::Well).spelled("one");
        assert_eq!((letter, well), ("r", fails), "it is what is taken back");
    }
}
