//! What all lanes of an edge show together, so that whoever asks about each of them need not while all is well.
//!
//! A look costs a number or two. Knows nothing of which lane it is.

use std::{
    sync::atomic::{AtomicU64, AtomicUsize, Ordering},
    time::Instant,
};

/// What is shown.
#[derive(Debug)]
pub(crate) struct Signs {
    /// How many lanes are not well.
    unwell: AtomicUsize,
    /// When it began to be kept.
    since: Instant,
    /// Until when what was told of any lane holds, by its provider or by other edges, milliseconds from then on, rounded up; zero before
    /// anything was.
    told_ms: AtomicU64,
}

// === impl Signs ===

impl Signs {
    /// All is well.
    pub(crate) const fn new(now: Instant) -> Self {
        Self {
            unwell: AtomicUsize::new(0),
            since: now,
            told_ms: AtomicU64::new(0),
        }
    }

    /// How many lanes are not well.
    pub(crate) fn unwell(&self) -> usize {
        self.unwell.load(Ordering::Relaxed)
    }

    /// One more is not well. Tells how many were not.
    pub(crate) fn sickens(&self) -> usize {
        self.unwell.fetch_add(1, Ordering::Relaxed)
    }

    /// One is well again, or gone. Tells how many were not well.
    pub(crate) fn recovers(&self) -> usize {
        self.unwell.fetch_sub(1, Ordering::Relaxed)
    }

    /// Something was told of a lane that holds until then: its provider wants nothing, or others say that it fails.
    pub(crate) fn tells(&self, until: Instant) {
        let left = until.saturating_duration_since(self.since).as_millis();
        let left = u64::try_from(left).unwrap_or(u64::MAX);
        let rounded = left.saturating_add(1);
        self.told_ms.fetch_max(rounded, Ordering::Relaxed);
    }

    /// Whether something that was told of a lane may hold now. The clock is looked at only where something was.
    pub(crate) fn any_told(&self, now: impl FnOnce() -> Instant) -> bool {
        let until = self.told_ms.load(Ordering::Relaxed);
        if until == 0 {
            return false;
        }
        let passed = now().saturating_duration_since(self.since).as_millis();
        u64::try_from(passed).is_ok_and(|passed| passed < until)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn what_is_told_is_shown_until_the_last_of_it_is_over() {
        let began = Instant::now();
        let signs = Signs::new(began);
        let after = |seconds| began + Duration::from_secs(seconds);
        assert!(!signs.any_told(|| unreachable!("nothing ever was")));
        signs.tells(after(5));
        signs.tells(after(2));
        assert!(signs.any_told(|| after(4)));
        assert!(!signs.any_told(|| after(6)));
    }
}
