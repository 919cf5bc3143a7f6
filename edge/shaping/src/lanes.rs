//! Every lane of an edge, by provider and that provider's name for the model.
//!
//! Knows which lanes there are, and makes them when they are first asked for. Shared by all cores.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use serde::Deserialize;

use crate::lane::{Bounds, Lane};

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
}

/// A provider's account.
pub type Account = [u8; 16];

/// Every lane.
#[derive(Debug)]
pub struct Lanes {
    config: Config,
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
        }
    }
}

// === impl Lanes ===

impl Lanes {
    /// None yet.
    pub fn new(config: Config) -> Self {
        Self {
            config,
            accounts: Mutex::default(),
        }
    }

    /// How long a request waits for its turn.
    pub const fn wait_max(&self) -> Duration {
        Duration::from_millis(self.config.wait_ms_max)
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
        };
        let lane = Arc::new(Lane::new(self.config.under_way_max, bounds, now));
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
}
