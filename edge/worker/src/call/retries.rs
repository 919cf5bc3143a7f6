//! How often a provider may be asked in another's place: what keeps a provider that dies from being asked twice as much.
//!
//! Knows counts and providers; knows nothing of requests. A second attempt that succeeds costs nothing, so that a
//! provider which is well may take over all that another lets fall. One that is made beside a first one, which may answer yet, is
//! more than would be asked otherwise: of these no more are made than of those that may fail, however they end.

use std::cell::RefCell;

use policy::{by_id::ById, id::ProviderId};
use tokio::time::Instant;

/// How many second attempts a provider may fail before the budget asks how often it is asked at all.
const BURST: f64 = 10.0;

/// How many second attempts may fail for each first one.
const RATIO: f64 = 0.2;

/// How many may fail for each second that passes: so a provider that only stands in for others is tried again.
const PER_SECOND: f64 = 1.0;

/// How many providers are remembered.
// Full: all are forgotten, and have their whole budget again.
const PROVIDERS_MAX: usize = 4_096;

/// One core's budgets for second attempts.
#[derive(Debug, Default)]
pub struct Retries {
    // Borrowed for one look-up, never over an await.
    budgets: RefCell<ById<ProviderId, Budget>>,
}

#[derive(Debug, Clone, Copy)]
struct Budget {
    left: f64,
    at: Instant,
    /// How many may be made beside others.
    hedges: f64,
}

// === impl Retries ===

impl Retries {
    /// A request asks this provider first. One whose budget is whole is not remembered, and nothing is to be done.
    pub fn first(&self, provider: ProviderId) {
        let mut budgets = self.budgets.borrow_mut();
        if let Some(budget) = budgets.get_mut(&provider) {
            budget.left = (budget.left + RATIO).min(BURST);
        }
    }

    /// A request asks another provider first, and may ask this one beside it.
    pub fn may_hedge(&self, provider: ProviderId) {
        let mut budgets = self.budgets.borrow_mut();
        if let Some(budget) = budgets.get_mut(&provider) {
            budget.hedges = (budget.hedges + RATIO).min(BURST);
        }
    }

    /// Takes leave to ask a provider beside another, which has not answered yet: that of a second attempt, and that of one more
    /// than would be made otherwise. What comes of it is told like that of any second attempt.
    pub fn hedge(&self, provider: ProviderId, now: Instant) -> bool {
        let mut budgets = self.budgets.borrow_mut();
        let budget = Budget::of(&mut budgets, provider, now);
        budget.refill(now);
        let may = budget.left >= 1.0 && budget.hedges >= 1.0;
        if may {
            budget.hedges -= 1.0;
        }
        may
    }

    /// Whether a provider may be asked after another has failed.
    pub fn allow(&self, provider: ProviderId, now: Instant) -> bool {
        let mut budgets = self.budgets.borrow_mut();
        budgets.get_mut(&provider).is_none_or(|budget| {
            budget.refill(now);
            budget.left >= 1.0
        })
    }

    /// A provider that was asked after another has answered.
    pub fn succeeded(&self, provider: ProviderId) {
        let mut budgets = self.budgets.borrow_mut();
        if let Some(budget) = budgets.get_mut(&provider) {
            budget.left = BURST;
            if budget.hedges >= BURST {
                budgets.remove(&provider);
            }
        }
    }

    /// A provider that was asked after another has failed, too.
    pub fn failed(&self, provider: ProviderId, now: Instant) {
        let mut budgets = self.budgets.borrow_mut();
        let budget = Budget::of(&mut budgets, provider, now);
        budget.left = (budget.left - 1.0).max(0.0);
    }
}

// === impl Budget ===

impl Budget {
    /// That of a provider, which is whole where it is not remembered.
    fn of(budgets: &mut ById<ProviderId, Self>, provider: ProviderId, now: Instant) -> &mut Self {
        if budgets.len() >= PROVIDERS_MAX && !budgets.contains_key(&provider) {
            budgets.clear();
        }
        budgets.entry(provider).or_insert(Self {
            left: BURST,
            at: now,
            hedges: BURST,
        })
    }

    fn refill(&mut self, now: Instant) {
        let passed = now.saturating_duration_since(self.at).as_secs_f64();
        self.left = (self.left + passed * PER_SECOND).min(BURST);
        self.at = now;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const DYING: ProviderId = ProviderId::from_bytes([1; 16]);

    /// Second attempts that all fail, among so many first ones, at one moment.
    fn failures(retries: &Retries, first: usize, now: Instant) -> usize {
        let mut asked = 0;
        for _ in 0..first {
            retries.first(DYING);
            if retries.allow(DYING, now) {
                asked += 1;
                retries.failed(DYING, now);
            }
        }
        asked
    }

    #[test]
    fn a_provider_that_dies_is_asked_a_fifth_more_and_not_twice_as_much() {
        let asked = failures(&Retries::default(), 1_000, Instant::now());
        assert!((200..=211).contains(&asked), "{asked}");
    }

    #[test]
    fn a_provider_that_answers_may_take_over_everything() {
        let (retries, now) = (Retries::default(), Instant::now());
        for _ in 0..1_000 {
            assert!(retries.allow(DYING, now));
            retries.succeeded(DYING);
        }
    }

    #[test]
    fn beside_others_a_provider_is_asked_for_a_fifth_of_requests_however_well_it_answers() {
        let (retries, now) = (Retries::default(), Instant::now());
        let mut asked = 0;
        for _ in 0..1_000 {
            retries.may_hedge(DYING);
            if retries.hedge(DYING, now + Duration::from_secs(asked)) {
                asked += 1;
                retries.succeeded(DYING);
            }
        }
        assert!((200..=211).contains(&asked), "{asked}");
        let other = ProviderId::from_bytes([2; 16]);
        while retries.allow(other, now) {
            retries.failed(other, now);
        }
        assert!(!retries.hedge(other, now), "its second attempts fail");
    }

    #[test]
    fn a_provider_that_only_stands_in_is_tried_again_and_is_whole_when_it_answers() {
        let (retries, now) = (Retries::default(), Instant::now());
        while retries.allow(DYING, now) {
            retries.failed(DYING, now);
        }
        let later = now + Duration::from_secs(1);
        assert!(retries.allow(DYING, later));
        retries.succeeded(DYING);
        for _ in 0..9 {
            assert!(retries.allow(DYING, later));
            retries.failed(DYING, later);
        }
    }
}
