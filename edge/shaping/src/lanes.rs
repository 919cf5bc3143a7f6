//! Every lane of an edge, by provider and that provider's name for the model.
//!
//! Knows which lanes there are, and makes them when they are first asked for. Shared by all cores.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use serde::Deserialize;

use crate::{
    health::Terms,
    lane::{self, Bounds, Condition, Heeded, Lane},
    outbox::{Account, Outbox, Slot},
    scales::Scales,
    signs::Signs,
};

/// How many lanes are kept of one provider, and of how many providers.
// Full: those that rest are forgotten, with what they have learned; while all are busy, a new one is kept by nobody and
// learns nothing.
const MODELS_MAX: usize = 256;
const ACCOUNTS_MAX: usize = 4_096;

/// The section `[shaping]`: what an edge sends to providers that take no more.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// How many requests of this edge may be under way at once at one provider's model. Default
    /// 4,096.
    pub under_way_max: u32,
    /// How many may wait for a turn there. Default 1,024.
    pub waiting_max: usize,
    /// How long one waits, in milliseconds. Default 10,000; at 0 nobody waits.
    pub wait_ms_max: u64,
    /// For how long a provider is left alone that says it wants nothing for a while, in milliseconds. Default 60,000; at 0
    /// what it says is passed on and not heeded.
    pub park_ms_max: u64,
    /// After how many failures in a row a provider's model is set aside. Default 5.
    pub failures_in_a_row_max: u32,
    /// Of how many of a hundred failures it is set aside. Default 50.
    pub failures_percent_max: u32,
    /// Of how many requests at least, in ten to twenty seconds, that part is told. Default 20.
    pub failures_sample_min: u32,
    /// For how long it is set aside the first time, in milliseconds; each time that it fails its trials, for so much longer, up
    /// to ten times. Default 30,000; at 0 none ever is.
    pub aside_ms: u64,
    /// How many of a hundred targets of a version are set aside at most: one may always be, and never all. Default 70.
    pub aside_percent_max: u32,
    /// For how long the word of another edge of the region, that a provider's model fails there, puts it behind the others here before it
    /// is tried, in milliseconds; for each edge that says so, up to five. Default 2,000; at 0 edges tell each other nothing.
    pub hint_ms: u64,
}

/// Every lane.
#[derive(Debug)]
pub struct Lanes {
    config: Config,
    /// What they show together.
    signs: Arc<Signs>,
    /// By how much weights are scaled by how lanes do.
    scales: Scales,
    /// What is to be told to other edges, if anything.
    outbox: Option<Arc<Outbox>>,
    // Held for one look or change, in which nothing waits.
    accounts: Mutex<HashMap<Account, Models>>,
}

/// The lanes of one provider, by its names for models.
type Models = Vec<(Box<str>, Arc<Lane>)>;

// === impl Config ===

impl Default for Config {
    fn default() -> Self {
        Self {
            under_way_max: 4_096,
            waiting_max: 1_024,
            wait_ms_max: 10_000,
            park_ms_max: 60_000,
            failures_in_a_row_max: 5,
            failures_percent_max: 50,
            failures_sample_min: 20,
            aside_ms: 30_000,
            aside_percent_max: 70,
            hint_ms: 2_000,
        }
    }
}

// === impl Lanes ===

impl Lanes {
    /// None yet.
    pub fn new(config: Config) -> Self {
        Self {
            config,
            signs: Arc::new(Signs::new(lane::now())),
            scales: Scales::default(),
            outbox: (config.hint_ms > 0).then(Arc::default),
            accounts: Mutex::default(),
        }
    }

    /// How long a request waits for its turn.
    pub const fn wait_max(&self) -> Duration {
        Duration::from_millis(self.config.wait_ms_max)
    }

    /// By how much weights are scaled by how lanes do.
    pub const fn scales(&self) -> &Scales {
        &self.scales
    }

    /// Whether any lane is not well. One look at a number.
    pub fn any_unwell(&self) -> bool {
        self.signs.unwell() > 0
    }

    /// Whether a provider has named a time, which is not over, before which it wants nothing, or other edges have said that one fails. One
    /// look at a number while nothing was told.
    pub fn any_told(&self) -> bool {
        self.signs.any_told(lane::now)
    }

    /// How many of so many targets may be set aside.
    pub fn aside_max(&self, targets: usize) -> usize {
        let part = targets * self.config.aside_percent_max.min(100) as usize / 100;
        part.max(1).min(targets.saturating_sub(1))
    }

    /// How the lane of a provider's model is; `None` where nothing has gone there.
    pub fn condition(&self, account: Account, model: &str, now: Instant) -> Option<Condition> {
        Some(self.known(account, model)?.condition(now))
    }

    /// What is to be told to other edges; `None` where they are told nothing.
    pub fn outbox(&self) -> Option<&Arc<Outbox>> {
        self.outbox.as_ref()
    }

    /// Whether a provider's model is set aside or on trial, by what was seen here.
    pub fn is_unwell(&self, account: Account, model: &str) -> bool {
        let lane = self.known(account, model);
        lane.is_some_and(|it| it.is_unwell())
    }

    /// Takes the word of others on a provider's model: how many say that it fails, and for how long it wants nothing if one of them was
    /// told. Says what becomes of it.
    pub fn hears(
        &self,
        (account, model): (Account, &str),
        (edges, parked): (u32, Option<Duration>),
        now: Instant,
    ) -> Heeded {
        let known = self.known(account, model);
        if known.is_none() && edges == 0 && parked.is_none() {
            return Heeded::default();
        }
        let lane = known.unwrap_or_else(|| self.lane(account, model, now));
        lane.hears(edges, parked, now)
    }

    fn known(&self, account: Account, model: &str) -> Option<Arc<Lane>> {
        let accounts = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        let lanes = accounts.get(&account)?;
        let (_, lane) = lanes.iter().find(|(known, _)| **known == *model)?;
        Some(Arc::clone(lane))
    }

    /// Within which time so many of a hundred answers of a provider's model began in the last minutes; `None` where too few are known.
    pub fn first_within(
        &self,
        (account, model): (Account, &str),
        percent: u8,
        now: Instant,
    ) -> Option<Duration> {
        let lane = self.known(account, model)?;
        lane.first_within(percent, now)
    }

    /// The lane of a provider's model.
    pub fn lane(&self, account: Account, model: &str, now: Instant) -> Arc<Lane> {
        let mut accounts = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(lanes) = accounts.get(&account)
            && let Some((_, lane)) = lanes.iter().find(|(known, _)| **known == *model)
        {
            return Arc::clone(lane);
        }
        let bounds = Bounds {
            waiting_max: self.config.waiting_max,
            park_max: Duration::from_millis(self.config.park_ms_max),
            terms: Terms {
                in_a_row: self.config.failures_in_a_row_max.max(1),
                percent: self.config.failures_percent_max.max(1),
                sample_min: self.config.failures_sample_min.max(1),
                aside: Duration::from_millis(self.config.aside_ms),
                // Where nothing is ever set aside, the word of others puts nothing behind.
                hint: match self.config.aside_ms {
                    0 => Duration::ZERO,
                    _ => Duration::from_millis(self.config.hint_ms),
                },
            },
        };
        let signs = Arc::clone(&self.signs);
        let slot = self.outbox.as_ref();
        let slot = slot.map(|outbox| Slot::new(outbox, account, model));
        let lane = Lane::new(self.config.under_way_max, bounds, signs, now);
        let lane = Arc::new(lane.telling(slot));
        if accounts.len() >= ACCOUNTS_MAX && !accounts.contains_key(&account) {
            accounts.retain(|_, lanes| lanes.iter().any(|(_, lane)| !lane.rests()));
            if accounts.len() >= ACCOUNTS_MAX {
                return lane;
            }
        }
        let lanes = accounts.entry(account).or_default();
        if lanes.len() >= MODELS_MAX {
            lanes.retain(|(_, lane)| !lane.rests());
        }
        if lanes.len() < MODELS_MAX {
            lanes.push((model.into(), Arc::clone(&lane)));
        }
        lane
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::health::Standing;

    #[test]
    fn a_model_of_a_provider_has_one_lane_and_no_other_has_it() {
        let lanes = Lanes::new(Config::default());
        let now = Instant::now();
        let lane = |account: u8, model: &str| lanes.lane([account; 16], model, now);
        assert!(Arc::ptr_eq(&lane(1, "a"), &lane(1, "a")));
        assert!(!Arc::ptr_eq(&lane(1, "a"), &lane(1, "b")));
        assert!(!Arc::ptr_eq(&lane(1, "a"), &lane(2, "a")));
    }

    #[test]
    fn models_without_end_are_not_remembered_without_end() {
        let lanes = Lanes::new(Config::default());
        for number in 0..10_000 {
            lanes.lane([1; 16], &number.to_string(), Instant::now());
        }
        let accounts = lanes.accounts.lock().unwrap();
        assert!(accounts[&[1; 16]].len() <= MODELS_MAX);
    }

    #[test]
    fn what_others_say_is_shown_at_one_look_and_told_to_nobody() {
        let lanes = Lanes::new(Config::default());
        let (at, now) = (([1; 16], "m"), lane::now());
        assert_eq!(lanes.hears(at, (0, None), now), Heeded::default());
        assert!(!lanes.any_told());
        assert!(lanes.hears(at, (1, None), now).is_behind);
        assert!(lanes.any_told() && !lanes.any_unwell());
        assert!(!lanes.is_unwell(at.0, at.1), "it is only said");
        let condition = lanes.condition(at.0, at.1, now).unwrap();
        let expected = Standing::Said(Duration::from_secs(2));
        assert_eq!(condition.standing, expected);
        let wait = Duration::from_hours(1);
        let heeded = lanes.hears(at, (0, Some(wait)), now);
        assert!(heeded.is_parked && !heeded.is_behind);
        let condition = lanes.condition(at.0, at.1, now).unwrap();
        assert_eq!(condition.standing, Standing::Well);
        let parked = (condition.parked, condition.parked_as_heard);
        assert_eq!(parked, (Some(Duration::from_mins(1)), true), "bounded");
        assert!(lanes.outbox().unwrap().take().is_empty());

        let config = Config {
            hint_ms: 0,
            ..Config::default()
        };
        assert!(Lanes::new(config).outbox().is_none());
    }
}
