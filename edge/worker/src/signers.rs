//! The public keys of issuers, as all cores know them, and how a request has them looked for anew.
//!
//! Knows how old keys may be and how often anybody is asked; knows no HTTP. Whoever fetches keys works on one core for all,
//! so that an issuer is asked once, however many requests wait. Keys outlive an outage of their issuer for a day.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use arc_swap::ArcSwap;
use claims::key_set::KeySet;
use policy::id::IssuerId;
use tokio::{
    sync::{Notify, watch},
    time::{Instant, timeout},
};

/// How long keys are good after they were fetched, where their issuer cannot be asked.
pub const GOOD_FOR: Duration = Duration::from_hours(24);

/// How long an issuer is left alone after it was asked because of a token: tokens are made up faster than keys.
pub const LEFT_ALONE: Duration = Duration::from_secs(30);

/// The same of an issuer that has given no keys yet.
const KEYLESS_LEFT_ALONE: Duration = Duration::from_secs(1);

/// How long a request waits for keys. Within it an exchange with the issuer is over.
const WAIT_MAX: Duration = Duration::from_secs(10);

/// The keys of every issuer. A clone is the same.
#[derive(Clone)]
pub struct Signers(Arc<State>);

struct State {
    known: ArcSwap<HashMap<IssuerId, Known>>,
    // The lock is held for a look-up or an insertion. At most one entry for each issuer there is.
    asked: Mutex<Asking>,
    bell: Notify,
    rounds: watch::Sender<u64>,
}

/// Who is asked because of a token.
#[derive(Default)]
struct Asking {
    /// Who is to be asked now.
    ids: HashSet<IssuerId>,
    /// When each was to be asked last.
    at: HashMap<IssuerId, Instant>,
}

/// What is known of one issuer's keys.
#[derive(Debug, Clone)]
pub struct Known {
    /// The keys, if there ever were any.
    pub keys: Option<Arc<KeySet>>,
    /// Until when they are good.
    pub good_until: Instant,
    /// When the issuer was asked last, with or without success.
    pub tried_at: Instant,
}

// === impl Signers ===

impl Default for Signers {
    fn default() -> Self {
        Self(Arc::new(State {
            known: ArcSwap::default(),
            asked: Mutex::default(),
            bell: Notify::new(),
            rounds: watch::Sender::new(0),
        }))
    }
}

impl Signers {
    /// The keys of an issuer; `None` where there are none that are good.
    pub fn keys(&self, issuer: IssuerId) -> Option<Arc<KeySet>> {
        let known = self.0.known.load();
        let known = known.get(&issuer)?;
        known
            .keys
            .clone()
            .filter(|_| Instant::now() < known.good_until)
    }

    /// Waits until the issuer has been asked for its keys, if it may be asked now. Says whether it was.
    pub async fn refreshed(&self, issuer: IssuerId) -> bool {
        let mut rounds = self.0.rounds.subscribe();
        let Some(asked_at) = self.ask(issuer) else {
            return false;
        };
        let waited = timeout(WAIT_MAX, async {
            while self.tried(issuer).is_none_or(|(at, _)| at < asked_at) {
                if rounds.changed().await.is_err() {
                    return;
                }
            }
        });
        waited.await.is_ok()
    }

    /// Has an issuer asked, or joins who did. Says since when; `None` while it is left alone.
    fn ask(&self, issuer: IssuerId) -> Option<Instant> {
        let (now, tried) = (Instant::now(), self.tried(issuer));
        let mut asked = self.asked();
        if let Some(before) = asked.at.get(&issuer).copied() {
            let answered = tried.filter(|(at, _)| *at >= before);
            let Some((_, has_keys)) = answered else {
                return Some(before);
            };
            let left_alone = if has_keys {
                LEFT_ALONE
            } else {
                KEYLESS_LEFT_ALONE
            };
            if now < before + left_alone {
                return None;
            }
        }
        asked.at.insert(issuer, now);
        asked.ids.insert(issuer);
        drop(asked);
        self.0.bell.notify_one();
        Some(now)
    }

    fn tried(&self, issuer: IssuerId) -> Option<(Instant, bool)> {
        let known = self.0.known.load();
        let known = known.get(&issuer)?;
        Some((known.tried_at, known.keys.is_some()))
    }

    /// Waits until somebody asks.
    pub async fn bell(&self) {
        self.0.bell.notified().await;
    }

    /// Takes what was asked for.
    pub fn take_asked(&self) -> HashSet<IssuerId> {
        std::mem::take(&mut self.asked().ids)
    }

    /// Puts in force what is known of every issuer. Only whoever fetches keys does that.
    pub fn put(&self, known: HashMap<IssuerId, Known>) {
        self.asked().at.retain(|id, _| known.contains_key(id));
        self.0.known.store(Arc::new(known));
        self.0.rounds.send_modify(|round| *round += 1);
    }

    // A poisoned lock is taken all the same: what it guards is whole after each act under it.
    fn asked(&self) -> std::sync::MutexGuard<'_, Asking> {
        self.0.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ISSUER: IssuerId = IssuerId::from_bytes([1; 16]);

    fn answer(signers: &Signers, good_for: Duration) {
        let now = Instant::now();
        let known = Known {
            keys: Some(Arc::default()),
            good_until: now + good_for,
            tried_at: now,
        };
        signers.put(HashMap::from([(ISSUER, known)]));
    }

    #[tokio::test]
    async fn who_waits_shares_one_ask_and_an_issuer_that_has_answered_is_left_alone() {
        let signers = Signers::default();
        let asked = async {
            signers.bell().await;
            let asked = signers.take_asked();
            answer(&signers, GOOD_FOR);
            asked
        };
        let (one, other, asked) =
            tokio::join!(signers.refreshed(ISSUER), signers.refreshed(ISSUER), asked);
        assert!(one && other);
        assert_eq!(asked, HashSet::from([ISSUER]));
        assert!(!signers.refreshed(ISSUER).await, "it is left alone");
        assert!(signers.take_asked().is_empty());
        assert!(signers.keys(ISSUER).is_some());
        assert!(signers.keys(IssuerId::from_bytes([2; 16])).is_none());
    }

    #[tokio::test]
    async fn keys_that_are_too_old_are_none() {
        let signers = Signers::default();
        answer(&signers, Duration::ZERO);
        assert!(signers.keys(ISSUER).is_none());
    }
}
