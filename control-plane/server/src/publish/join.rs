//! Join tokens: who may follow policy and report usage, and for which region.
//!
//! Keeps what the store said about a token for a moment, so that a report every few milliseconds is not a
//! question every few milliseconds. A token that was revoked or has expired ends what was opened with it within a second.

use std::{
    collections::HashMap,
    convert::Infallible,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use keys::{Family, Presented};
use lifecycle::clock::Clock;
use policy::region::Region;
use store::{JoinToken, Store, StoreError};
use tokio::{sync::watch, time};
use tonic::metadata::MetadataMap;
use tracing::warn;

/// How long an answer of the store is good for.
const FRESH_FOR: Duration = Duration::from_millis(500);

/// How long a token is kept that nobody asks about.
const KEPT_FOR: Duration = Duration::from_mins(1);

/// The most tokens that are kept.
const TOKENS_MAX: usize = 4_096; // Full: a token that is not kept is refused until one was not used for a minute.

/// The join tokens in use.
pub struct Tokens {
    store: Store,
    clock: Clock,
    known: Mutex<HashMap<String, Known>>,
    checked: watch::Sender<u64>,
}

/// What a join token proves about its bearer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Badge {
    /// The id of the token; safe to log.
    pub token: String,
    /// Where the bearer stands.
    pub region: Region,
}

/// Why a bearer gets no badge.
#[derive(Debug)]
pub enum NoBadge {
    /// Nothing was presented.
    Nothing,
    /// What was presented is not the text of a join token.
    NotAToken,
    /// The token is not one of ours, or it was revoked, or it has expired.
    Invalid,
    /// Too many tokens are in use.
    Crowded,
    /// The store could not be asked.
    Store(StoreError),
}

struct Known {
    token: JoinToken,
    read_at: Instant,
    asked_at: Instant,
}

// === impl Tokens ===

impl Tokens {
    /// None in use yet.
    pub fn new(store: Store, clock: Clock) -> Self {
        let (known, checked) = (Mutex::default(), watch::Sender::new(0));
        Self {
            store,
            clock,
            known,
            checked,
        }
    }

    /// What the token in a request's metadata proves.
    pub async fn badge(&self, metadata: &MetadataMap) -> Result<Badge, NoBadge> {
        let presented = presented(metadata)?;
        let token = match self.fresh(presented.key_id()) {
            Some(token) => token,
            None => self.ask(presented.key_id()).await?,
        };
        // Compared before anything else is told about the token, and in constant time.
        if !presented.matches_sha256(&token.secret_sha256) || !self.stands_now(&token) {
            return Err(NoBadge::Invalid);
        }
        Ok(Badge {
            token: token.key_id,
            region: token.region,
        })
    }

    /// Whether a token that gave a badge still does, as far as is known here.
    pub fn stands(&self, token: &str) -> bool {
        let mut known = self.lock();
        let Some(it) = known.get_mut(token) else {
            return false;
        };
        it.asked_at = Instant::now();
        self.stands_now(&it.token)
    }

    /// Wakes when tokens were read anew.
    pub fn follow(&self) -> watch::Receiver<u64> {
        self.checked.subscribe()
    }

    /// Reads the tokens in use anew, at every ring of `bells` and twice a second.
    pub async fn run(self: Arc<Self>, mut bells: watch::Receiver<u64>) -> Infallible {
        loop {
            // The bells ring for as long as the process lives.
            let _ = time::timeout(FRESH_FOR, bells.changed()).await;
            self.refresh().await;
        }
    }

    async fn refresh(&self) {
        let ids: Vec<String> = {
            let mut known = self.lock();
            known.retain(|_, it| it.asked_at.elapsed() < KEPT_FOR);
            known.keys().cloned().collect()
        };
        for id in ids {
            match self.store.join_token(&id).await {
                Ok(token) => self.learn(&id, token),
                Err(error) => {
                    // What was known stays good: edges must not lose their streams with the database.
                    warn!(%error, "Join tokens cannot be read anew, what is known of them stands");
                    return;
                }
            }
        }
        self.checked
            .send_modify(|count| *count = count.wrapping_add(1));
    }

    fn learn(&self, id: &str, token: Option<JoinToken>) {
        let mut known = self.lock();
        match token {
            Some(token) => {
                if let Some(it) = known.get_mut(id) {
                    (it.token, it.read_at) = (token, Instant::now());
                }
            }
            None => drop(known.remove(id)),
        }
    }

    /// What is known of a token, if the store said it a moment ago.
    fn fresh(&self, id: &str) -> Option<JoinToken> {
        let mut known = self.lock();
        let it = known.get_mut(id)?;
        it.asked_at = Instant::now();
        (it.read_at.elapsed() < FRESH_FOR).then(|| it.token.clone())
    }

    async fn ask(&self, id: &str) -> Result<JoinToken, NoBadge> {
        let answer = self.store.join_token(id).await;
        let mut known = self.lock();
        match answer {
            Ok(None) => {
                known.remove(id);
                Err(NoBadge::Invalid)
            }
            Ok(Some(token)) => {
                if known.len() >= TOKENS_MAX && !known.contains_key(id) {
                    return Err(NoBadge::Crowded);
                }
                let now = Instant::now();
                let it = Known {
                    token: token.clone(),
                    read_at: now,
                    asked_at: now,
                };
                known.insert(id.to_owned(), it);
                Ok(token)
            }
            // With the database away, what it said last is the best that is known.
            Err(error) => match known.get(id) {
                Some(it) => Ok(it.token.clone()),
                None => Err(NoBadge::Store(error)),
            },
        }
    }

    fn stands_now(&self, token: &JoinToken) -> bool {
        let expired = token
            .expires_at_ms
            .is_some_and(|at_ms| at_ms <= self.clock.now_ms());
        !token.revoked && !expired
    }

    /// Held for a few comparisons at a time, never over an await.
    fn lock(&self) -> MutexGuard<'_, HashMap<String, Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn presented(metadata: &MetadataMap) -> Result<Presented<'_>, NoBadge> {
    let value = metadata.get("authorization").ok_or(NoBadge::Nothing)?;
    let text = value.to_str().map_err(|_| NoBadge::NotAToken)?;
    let (scheme, text) = text.split_once(' ').ok_or(NoBadge::NotAToken)?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(NoBadge::NotAToken);
    }
    let presented = keys::parse(text.trim_start()).map_err(|_| NoBadge::NotAToken)?;
    match presented.family() {
        Family::Join => Ok(presented),
        Family::Live | Family::Test | Family::Operator => Err(NoBadge::NotAToken),
    }
}

// === impl NoBadge ===

impl fmt::Display for NoBadge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Nothing => "present a join token as metadata `authorization: Bearer slj_…`",
            Self::NotAToken => {
                "what `authorization` holds is not a join token: present `Bearer slj_…`"
            }
            Self::Invalid => {
                "the join token is not known here, or revoked, or expired; make a new one"
            }
            Self::Crowded => "too many join tokens are in use; try again",
            Self::Store(_) => "the join token could not be checked now; try again",
        })
    }
}

impl std::error::Error for NoBadge {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_join_token_is_taken_for_one() {
        let mut metadata = MetadataMap::new();
        assert!(matches!(presented(&metadata), Err(NoBadge::Nothing)));
        for family in [Family::Live, Family::Test, Family::Operator, Family::Join] {
            let minted = keys::mint(family);
            let value = format!("Bearer {}", minted.text.as_str());
            metadata.insert("authorization", value.parse().unwrap());
            let found = presented(&metadata).map(|it| it.key_id().to_owned());
            match family {
                Family::Join => assert_eq!(found.unwrap(), minted.key_id),
                _ => assert!(matches!(found, Err(NoBadge::NotAToken))),
            }
        }
    }
}
