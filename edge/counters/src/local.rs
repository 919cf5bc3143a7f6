//! What this process answers by itself: as the keeper of all counts where it is all there is, or from its share of each while
//! Redis is away.
//!
//! Knows the twin and how many edges share each limit; knows nothing of Redis.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use lifecycle::clock::Clock;
use metrics::{counter, describe_counter};
use policy::{id::OrganizationId, limit::OnStoreLoss};
use tokio::sync::watch;

use crate::{
    flights::Pending,
    process::Process,
    reservation::{Claims, Demand, Line, Request, Reserved, Settlement, Slot, Wanted, signed},
};

const EXPIRED: &str = "sluice_limits_reservation_expired_total";

/// The twin, at the part of each rate that is this process's.
pub(crate) struct Local {
    // Shared by the threads of this process. Held for one operation, in which nothing waits.
    pub(crate) twin: Arc<Mutex<Process>>,
    pub(crate) clock: Clock,
    /// How many edges of this region share each limit; `None` where this process is all there is.
    pub(crate) live_edges: Option<watch::Receiver<u32>>,
    pub(crate) lease_ms: u64,
}

/// Names what is counted here.
pub(crate) fn describe() {
    describe_counter!(
        EXPIRED,
        "Reservations whose lease ended, which were charged in full"
    );
}

/// Counts reservations whose lease ended.
pub(crate) fn expired(count: u64) {
    if count > 0 {
        counter!(EXPIRED).increment(count);
    }
}

// === impl Local ===

impl Local {
    pub(crate) fn twin(&self) -> MutexGuard<'_, Process> {
        self.twin.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many edges share each limit.
    pub(crate) fn edges(&self) -> u32 {
        self.live_edges.as_ref().map_or(1, |edges| *edges.borrow())
    }

    /// Answers from this process's part of the levels, and of slots as they are wanted.
    pub(crate) fn reserve(&self, request: &Request, wanted: Wanted<'_>) -> Reserved {
        let lines = self.share(wanted.lines);
        let now_ms = self.clock.now_ms();
        let wanted = Wanted {
            lines: &lines,
            ..wanted
        };
        let reply = self.twin().reserve(request, wanted, self.lease_ms, now_ms);
        expired(reply.expired);
        reply.value
    }

    /// The same, whether or not it knows what was used of quotas before it began.
    pub(crate) fn reserve_unknown(&self, request: &Request, wanted: Wanted<'_>) -> Reserved {
        let now_ms = self.clock.now_ms();
        let mut twin = self.twin();
        let reply = twin.reserve_alone(request, wanted, self.lease_ms, now_ms);
        drop(twin);
        expired(reply.expired);
        reply.value
    }

    /// What is left of each line's limit, and what there is of each claim, where this process is all there is. Takes nothing.
    pub(crate) fn look(
        &self,
        organization: OrganizationId,
        lines: &[Line],
        claims: &Claims<'_>,
    ) -> (Vec<i64>, Vec<Slot>) {
        let slots = self.twin().slots(organization, claims, self.clock.now_ms());
        (self.levels(organization, lines), slots)
    }

    /// What is left of this process's part of each line's limit. Takes nothing.
    pub(crate) fn levels(&self, organization: OrganizationId, lines: &[Line]) -> Vec<i64> {
        let lines = self.share(lines);
        let now_ms = self.clock.now_ms();
        self.twin().levels(organization, &lines, now_ms)
    }

    /// Answers for the shared counts, which cannot be asked: by each limit's own word. Of slots, which stand behind the
    /// lines in what is demanded, `pending` knows how many are left.
    pub(crate) fn reserve_alone(
        &self,
        request: &Request,
        (demands, lines): (&[Demand], &[Line]),
        pending: Option<&Pending>,
    ) -> Reserved {
        if pending.is_none() && demands.iter().all(is_shared) {
            return self.reserve(request, Wanted::now(lines));
        }
        if let Some(place) = demands.iter().position(denies_on_loss) {
            return Reserved::Unknown { place };
        }
        let full = match self.full(demands, lines.len(), pending) {
            Ok(full) => full,
            Err((tightest, retry_after_ms)) => {
                return Reserved::Denied {
                    tightest,
                    retry_after_ms,
                    remaining: self.levels(request.organization, lines),
                    slots: Vec::new(),
                };
            }
        };
        match self.reserve_some(request, demands, lines) {
            Reserved::Granted {
                remaining,
                lent,
                mut over,
                slots,
            } => {
                over.extend(full);
                Reserved::Granted {
                    remaining,
                    lent,
                    over,
                    slots,
                }
            }
            other => other,
        }
    }

    /// The places of the slots that are full and only warn; or the place of one that refuses, and when to ask again.
    fn full(
        &self,
        demands: &[Demand],
        lines: usize,
        pending: Option<&Pending>,
    ) -> Result<Vec<usize>, (usize, u64)> {
        let Some(pending) = pending else {
            return Ok(Vec::new());
        };
        let mut full = Vec::new();
        let left = pending.left_of_share(self.edges());
        for (at, (demand, left)) in demands.iter().skip(lines).zip(left).enumerate() {
            if left >= 0 || !is_shared(demand) {
                continue;
            }
            if demand.is_soft() {
                full.push(lines + at);
            } else {
                return Err((lines + at, pending.retry_ms(at)));
            }
        }
        Ok(full)
    }

    /// Reserves of those lines that fall back to shares; the others admit everything.
    fn reserve_some(&self, request: &Request, demands: &[Demand], lines: &[Line]) -> Reserved {
        let places: Vec<usize> = (0..lines.len())
            .filter(|place| demands.get(*place).is_some_and(is_shared))
            .collect();
        let pick = |place: &usize| lines.get(*place).copied();
        let held: Vec<Line> = places.iter().filter_map(pick).collect();
        let most = |line: &Line| signed(line.measure.most());
        let mut levels: Vec<i64> = lines.iter().map(most).collect();
        let whole = |place: usize| places.get(place).copied().unwrap_or(0);
        let mut tell = |told: Vec<i64>| {
            for (place, level) in places.iter().zip(told) {
                if let Some(it) = levels.get_mut(*place) {
                    *it = level;
                }
            }
            std::mem::take(&mut levels)
        };
        match self.reserve(request, Wanted::now(&held)) {
            Reserved::Granted {
                remaining, over, ..
            } => Reserved::Granted {
                remaining: tell(remaining),
                lent: Vec::new(),
                over: over.into_iter().map(whole).collect(),
                slots: Vec::new(),
            },
            Reserved::Denied {
                tightest,
                retry_after_ms,
                remaining,
                ..
            } => Reserved::Denied {
                tightest: whole(tightest),
                retry_after_ms,
                remaining: tell(remaining),
                slots: Vec::new(),
            },
            unknown @ (Reserved::Unknown { .. } | Reserved::Lacking { .. }) => unknown,
        }
    }

    /// Gives back what was reserved here and not used, or charges what was used beyond it; nothing where nothing was reserved here.
    pub(crate) fn settle(&self, settlement: Settlement) {
        self.charge(Settlement {
            charge_if_absent: false,
            ..settlement
        });
    }

    /// The same, which charges what stands in it where it says so.
    pub(crate) fn charge(&self, mut settlement: Settlement) {
        settlement.lines = self.share(&settlement.lines);
        let now_ms = self.clock.now_ms();
        expired(self.twin().settle(&settlement, now_ms).expired);
    }

    fn share(&self, lines: &[Line]) -> Vec<Line> {
        if self.live_edges.is_none() {
            return lines.to_vec();
        }
        let edges = self.edges();
        lines.iter().map(|line| line.share_of(edges)).collect()
    }
}

fn on_loss(demand: &Demand) -> OnStoreLoss {
    demand.applied.limit.terms.on_store_loss
}

/// Whether it refuses while nobody can tell how much is left.
pub(crate) fn denies_on_loss(demand: &Demand) -> bool {
    on_loss(demand) == OnStoreLoss::Deny && !demand.is_soft()
}

fn is_shared(demand: &Demand) -> bool {
    on_loss(demand) == OnStoreLoss::LocalShare
}
