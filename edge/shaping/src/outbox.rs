//! What an edge has found out about targets and is to tell to others, on its way to whoever tells it.
//!
//! Filled by lanes, which never wait for it; emptied by one. Knows nothing of who is told, or how.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::sync::Notify;

/// How many words wait.
// Full: the next one is dropped and counted; others then find out for themselves.
const WORDS_MAX: usize = 1_024;

/// How often a lane says that it is in use.
const USED_EVERY: Duration = Duration::from_secs(10);

/// Shorter times are over before others have heard of them.
const PARKED_MIN: Duration = Duration::from_secs(1);

const DROPPED: &str = "sluice_shaping_hints_dropped_total";

/// A provider's account.
pub type Account = [u8; 16];

/// The words that wait.
#[derive(Debug, Default)]
pub struct Outbox {
    // Held only to push one or to take all.
    words: Mutex<VecDeque<Word>>,
    /// Rings when there is something to tell at once.
    bell: Notify,
}

/// A word of a provider's model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Word {
    /// The provider's account.
    pub account: Account,
    /// Its name for the model.
    pub model: Arc<str>,
    /// What is said of it.
    pub what: News,
}

/// What is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum News {
    /// It is in use: what others say of it is worth hearing.
    Used,
    /// It was set aside, by what this edge has seen itself.
    Fails,
    /// Its provider wants nothing for so long.
    Parked(Duration),
}

/// One lane's way to the outbox.
#[derive(Debug)]
pub(crate) struct Slot {
    outbox: Arc<Outbox>,
    account: Account,
    model: Arc<str>,
    /// When it last said that it is in use, milliseconds from when its lane was made on, and one; zero before it did.
    used_ms: AtomicU64,
}

/// Says what this module measures.
pub(crate) fn describe() {
    metrics::describe_counter!(
        DROPPED,
        "Words for other edges that were dropped because too many waited"
    );
}

// === impl Outbox ===

impl Outbox {
    /// Ends when there is something to tell at once, or at once where there was since it ended last.
    pub async fn rung(&self) {
        self.bell.notified().await;
    }

    /// Takes all words, the oldest first.
    pub fn take(&self) -> VecDeque<Word> {
        std::mem::take(&mut *self.words.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn put(&self, word: Word) {
        let at_once = word.what != News::Used;
        let mut words = self.words.lock().unwrap_or_else(PoisonError::into_inner);
        if words.len() >= WORDS_MAX {
            metrics::counter!(DROPPED).increment(1);
            return;
        }
        words.push_back(word);
        drop(words);
        if at_once {
            self.bell.notify_one();
        }
    }
}

// === impl Slot ===

impl Slot {
    pub(crate) fn new(outbox: &Arc<Outbox>, account: Account, model: &str) -> Self {
        Self {
            outbox: Arc::clone(outbox),
            account,
            model: model.into(),
            used_ms: AtomicU64::new(0),
        }
    }

    /// The lane, which was made at `since`, is in use. A look at a number, but for once in a while.
    pub(crate) fn used(&self, since: Instant, now: Instant) {
        let now_ms = now.saturating_duration_since(since).as_millis();
        let now_ms = u64::try_from(now_ms).unwrap_or(u64::MAX);
        let said = self.used_ms.load(Ordering::Relaxed);
        let every = u64::try_from(USED_EVERY.as_millis()).unwrap_or(u64::MAX);
        if said > 0 && now_ms.saturating_sub(said - 1) < every {
            return;
        }
        // Who comes at the same time may say it twice.
        self.used_ms
            .store(now_ms.saturating_add(1), Ordering::Relaxed);
        self.put(News::Used);
    }

    /// It was set aside.
    pub(crate) fn fails(&self) {
        self.put(News::Fails);
    }

    /// Its provider wants nothing for so long.
    pub(crate) fn parked(&self, wait: Duration) {
        if wait >= PARKED_MIN {
            self.put(News::Parked(wait));
        }
    }

    fn put(&self, what: News) {
        self.outbox.put(Word {
            account: self.account,
            model: Arc::clone(&self.model),
            what,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lane_says_once_in_a_while_that_it_is_in_use_and_what_fails_at_once() {
        let (outbox, since) = (Arc::new(Outbox::default()), Instant::now());
        let slot = Slot::new(&outbox, [1; 16], "m");
        for second in 0..25 {
            slot.used(since, since + Duration::from_secs(second));
        }
        slot.fails();
        slot.parked(Duration::from_millis(999));
        slot.parked(Duration::from_secs(7));
        let said: Vec<_> = outbox.take().into_iter().map(|it| it.what).collect();
        let parked = News::Parked(Duration::from_secs(7));
        let expected = [News::Used, News::Used, News::Used, News::Fails, parked];
        assert_eq!(said, expected);
        assert!(outbox.take().is_empty());
    }

    #[test]
    fn words_beyond_the_bound_are_dropped() {
        let outbox = Arc::new(Outbox::default());
        let slot = Slot::new(&outbox, [1; 16], "m");
        for _ in 0..2 * WORDS_MAX {
            slot.fails();
        }
        assert_eq!(outbox.take().len(), WORDS_MAX);
    }
}
