//! Gives back parts of quotas that another region is short of, and says how many slots are under way here, when the control plane
//! asks.
//!
//! A part is charged to this region's own count before anybody hears that it was given back, by the same words with which a
//! request asks for room: so whatever an edge believes of its region's share, the region cannot use it any more. Slots are counted
//! only where nothing was forgotten for so long that all of them have been said. Runs beside the requests, on one core. Knows nothing
//! of who is short.

use std::{
    cell::RefCell,
    collections::HashMap,
    convert::Infallible,
    sync::Arc,
    time::{Duration, Instant},
};

use counters::{Counters, Demand, Mode, Request, Taken, reservation::SLOTS_TERM_MS};
use lifecycle::clock::Clock;
use policy::{
    applying::{Applied, Whose},
    id::{LimitId, OrganizationId, ProjectId},
    limit::UNITS_MAX,
    region::Region,
    share::{WHOLE, give_back_id},
};

use crate::in_force::{
    InForce,
    shares::{Gave, GiveBack, Shares},
};

/// Of how many organizations it is known since when nothing was forgotten.
// Full: all are looked at anew, and their slots counted so much later.
const STOOD_MAX: usize = 4_096;

/// Gives back.
pub struct Giver {
    counters: Counters,
    shares: Arc<Shares>,
    in_force: InForce,
    clock: Clock,
    // Not held over an await.
    stood: RefCell<HashMap<OrganizationId, Stood>>,
}

/// Since when whoever keeps the counts has forgotten nothing, by its own clock, and when it said so first.
#[derive(Debug, Clone, Copy)]
struct Stood {
    since_ms: u64,
    heard: Instant,
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
            stood: RefCell::default(),
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
                let gave = match asked.units {
                    0 => self.count(asked).await,
                    _ => self.give(&here, asked).await,
                };
                // Where there is no answer, it is asked again by the next word of the control plane.
                if let Some(gave) = gave {
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
        let mut applied = self.one_count(asked.limit, now_ms)?;
        let whole = applied.count.amount();
        let part = self.shares.part(&applied, now_ms)?;
        if part.period != asked.period {
            return None;
        }
        applied.count = part.count?;
        applied.given = part.given;
        let share = applied.count.amount();
        let request = Request {
            organization: applied.limit.organization,
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
        Some(Gave {
            serial: asked.serial,
            done,
            used: millionths(used, whole),
        })
    }

    /// How many slots of a limit are under way here, those that edges have claimed ahead among them.
    async fn count(&self, asked: GiveBack) -> Option<Gave> {
        let applied = self.one_count(asked.limit, self.clock.now_ms())?;
        if !applied.count.is_slots() {
            return None;
        }
        let (organization, whole) = (applied.limit.organization, applied.count.amount());
        let (left, mode) = self.counters.look(organization, &[applied]).await;
        let left = left.first().copied().flatten()?;
        // Asked afterwards, so that nothing was forgotten when it was looked.
        if mode == Mode::Local || !self.has_stood(organization).await {
            return None;
        }
        let left = u64::try_from(left).unwrap_or(0);
        Some(Gave {
            serial: asked.serial,
            done: true,
            used: millionths(u128::from(whole.saturating_sub(left)), whole),
        })
    }

    /// Whether nothing was forgotten for as long as what an edge said of its slots holds: whoever has some has said so since.
    async fn has_stood(&self, organization: OrganizationId) -> bool {
        let Some(since_ms) = self.counters.stands_since(organization).await else {
            return false;
        };
        let mut stood = self.stood.borrow_mut();
        if stood.len() >= STOOD_MAX {
            stood.clear();
        }
        let now = Stood {
            since_ms,
            heard: Instant::now(),
        };
        let first = stood.entry(organization).or_insert(now);
        if first.since_ms != since_ms {
            *first = now;
        }
        first.heard.elapsed() >= Duration::from_millis(SLOTS_TERM_MS)
    }

    /// The one count of a limit. With members there are many, and with other numbers for some or for a time the part is not always the
    /// same.
    fn one_count(&self, limit: LimitId, now_ms: u64) -> Option<Applied> {
        let nobody = Whose {
            project: ProjectId::from_bytes([0; 16]),
            key_id: String::new(),
            model: None,
            end_user: String::new(),
            provider: None,
        };
        let applied = self.in_force.rules().count_of(limit, &nobody, now_ms)?;
        let limit = &applied.limit;
        let is_one = limit.scope.each.is_empty() && limit.terms.overrides.is_empty();
        is_one.then_some(applied)
    }
}

/// What part of the whole this is, rounded up.
fn millionths(used: u128, whole: u64) -> u32 {
    let part = (used * u128::from(WHOLE)).div_ceil(u128::from(whole.max(1)));
    u32::try_from(part).unwrap_or(u32::MAX)
}
