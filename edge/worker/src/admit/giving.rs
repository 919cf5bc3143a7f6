//! Gives back parts of quotas that another region is short of, when the control plane asks for them.
//!
//! A part is charged to this region's own count before anybody hears that it was given back, by the same words with which a
//! request asks for room: so whatever an edge believes of its region's share, the region cannot use it any more. Runs beside the
//! requests, on one core. Knows nothing of who is short.

use std::{convert::Infallible, sync::Arc};

use counters::{Counters, Demand, Request, Taken};
use lifecycle::clock::Clock;
use policy::{
    applying::Whose,
    id::ProjectId,
    limit::UNITS_MAX,
    region::Region,
    share::{WHOLE, give_back_id},
};

use crate::in_force::{
    InForce,
    shares::{Gave, GiveBack, Shares},
};

/// Gives back.
pub struct Giver {
    counters: Counters,
    shares: Arc<Shares>,
    in_force: InForce,
    clock: Clock,
}

// === impl Giver ===

impl Giver {
    /// Charges these counters, and says so to those shares.
    pub fn new(
        (counters, shares): (Counters, Arc<Shares>),
        in_force: InForce,
        clock: Clock,
    ) -> Self {
        Self {
            counters,
            shares,
            in_force,
            clock,
        }
    }

    /// Runs. Never ends.
    pub async fn run(&self) -> Infallible {
        loop {
            self.shares.asked_back().await;
            let Some(here) = self.shares.here() else {
                continue;
            };
            for asked in self.shares.to_give() {
                // Where there is no answer, it is asked again by the next word of the control plane.
                if let Some(gave) = self.give(&here, asked).await {
                    self.shares.gave(asked.limit, gave);
                }
            }
        }
    }

    async fn give(&self, here: &Region, asked: GiveBack) -> Option<Gave> {
        // What a reservation cannot say is not given.
        if asked.units > UNITS_MAX {
            return None;
        }
        let now_ms = self.clock.now_ms();
        let nobody = Whose {
            project: ProjectId::from_bytes([0; 16]),
            key_id: String::new(),
            model: None,
            end_user: String::new(),
            provider: None,
        };
        let rules = self.in_force.rules();
        let mut applied = rules.count_of(asked.limit, &nobody, now_ms)?;
        drop(rules);
        let limit = Arc::clone(&applied.limit);
        // With members there are many counts, and with other numbers for some or for a time the part is not always the same.
        if !limit.scope.each.is_empty() || !limit.terms.overrides.is_empty() {
            return None;
        }
        let whole = applied.count.amount();
        let part = self.shares.part(&applied, now_ms)?;
        if part.period != asked.period {
            return None;
        }
        applied.count = part.count?;
        applied.given = part.given;
        let share = applied.count.amount();
        let request = Request {
            organization: limit.organization,
            id: give_back_id(&asked.limit, here, asked.period, asked.serial),
        };
        let demand = Demand {
            applied,
            amount: asked.units,
        };
        let (done, left) = match self.counters.take(&request, &demand).await? {
            Taken::All(left) => (true, i128::from(left) + i128::from(asked.units)),
            Taken::Nothing(left) => (false, i128::from(left)),
        };
        let used = u128::try_from(i128::from(share) - left).unwrap_or(0);
        let used = (used * u128::from(WHOLE)).div_ceil(u128::from(whole.max(1)));
        Some(Gave {
            serial: asked.serial,
            done,
            used: u32::try_from(used).unwrap_or(u32::MAX),
        })
    }
}
