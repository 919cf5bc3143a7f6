//! What the feed asks and is told of limits that regions hold together.
//!
//! Knows messages; what may be believed of them, and for how long, is `policy::share`'s to say.

use std::sync::Arc;

use policy::{
    id::LimitId,
    region::Region,
    share::{Lessee, Share},
};
use proto::sync as wire;

use crate::in_force::shares::{GiveBack, Shares};

/// Of how many limits a beat says what was asked.
// Full: of others nothing is said; most is asked of those that are.
const DEMANDS_MAX: usize = 64;

/// Asks for shares, and puts in force what it is told.
pub struct Sharing {
    shares: Arc<Shares>,
    lessee: Lessee,
    here: Option<Region>,
}

// === impl Sharing ===

impl Sharing {
    /// Writes to `shares`; stands in this region, as far as is known.
    pub fn new(shares: Arc<Shares>, here: Option<Region>) -> Self {
        let lessee = Lessee::default();
        shares.publish(here.clone(), lessee.leases().clone());
        Self {
            shares,
            lessee,
            here,
        }
    }

    /// A stream begins: what was asked on the last one is answered no more.
    pub fn begin(&mut self) {
        self.lessee.begin(false);
    }

    /// This is the region, by the word of the control plane; gives it where it is news.
    pub fn stand(&mut self, region: &str) -> Option<Region> {
        let region = Region::try_from(region).ok()?;
        if self.here.as_ref() == Some(&region) {
            return None;
        }
        self.lessee.begin(true);
        self.here = Some(region.clone());
        self.publish();
        Some(region)
    }

    /// The beat that asks, with what was asked here since the last one.
    pub fn ask(&mut self) -> wire::Beat {
        let demands = self.shares.take(DEMANDS_MAX).into_iter();
        let demands = demands.map(|(limit, asked)| wire::ShareDemand {
            limit_id: limit.as_bytes().to_vec(),
            asked: asked.units,
            needed: asked.needed,
            period: asked.period,
        });
        let given = self.shares.given(DEMANDS_MAX).into_iter();
        let given = given.map(|(limit, gave)| wire::GivenBack {
            limit_id: limit.as_bytes().to_vec(),
            serial: gave.serial,
            done: gave.done,
            used: gave.used,
        });
        wire::Beat {
            number: self.lessee.ask(self.shares.at_ms()),
            demands: demands.collect(),
            given_back: given.collect(),
            ..Default::default()
        }
    }

    /// Takes an answer.
    pub fn told(&mut self, told: wire::Shares) {
        let mut asked_back = Vec::new();
        let mut share = |it: wire::Share| {
            let id = <[u8; 16]>::try_from(it.limit_id.as_slice()).ok()?;
            let limit = LimitId::from_bytes(id);
            let share = Share {
                millionths: it.millionths,
                period: it.period,
                given: it.given,
            };
            asked_back.extend(it.give_back.map(|back| GiveBack {
                limit,
                period: it.period,
                serial: back.serial,
                units: back.units,
            }));
            Some((limit, share))
        };
        let shares: Vec<(LimitId, Share)> =
            told.shares.into_iter().filter_map(&mut share).collect();
        if self.lessee.told(told.number, told.term_ms, shares) {
            self.publish();
            self.shares.ask_back(asked_back);
        }
    }

    fn publish(&self) {
        let leases = self.lessee.leases().clone();
        self.shares.publish(self.here.clone(), leases);
    }
}
