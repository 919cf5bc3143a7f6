//! Room for requests: asked of Redis, or of this edge's share when Redis does not answer.
//!
//! Knows which of the two answered each request, and so where its settlement belongs. Knows nothing of HTTP
//! or of what is counted. Asking is always answered, and never waits longer than one deadline.

use std::{
    fmt,
    sync::{Arc, atomic::Ordering},
};

use policy::{
    applying::{Applied, Count},
    id::{CounterId, OrganizationId},
};

use crate::{
    flights::Seats,
    hints::{Heard, Hints},
    live::By,
    parts::Parts,
    recall::{Before, Noted, Told},
    redis::Failure,
    reservation::{
        Bequest, Claim, Claims, Demand, Line, Request, Reserved, Settlement, Slot, Wanted, signed,
    },
    taking::Taken,
};

/// The counters, as one thread asks them. Clones are the same counters.
pub struct Counters(Arc<Parts>);

/// Who answers now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// The counters that all share: Redis, or this process where it is alone.
    Shared,
    /// This edge, from its share of each limit, because Redis is away.
    Local,
}

// === impl Counters ===

impl Counters {
    pub(crate) fn new(parts: Arc<Parts>) -> Self {
        parts.handles.fetch_add(1, Ordering::Relaxed);
        Self(parts)
    }

    /// Holds room for the request in every limit it demands, or in none of them.
    ///
    /// Asking again with the same request gives the same reply and charges nothing. What is granted is held
    /// until [`Counters::settle`]; what is neither settled nor renewed, because this edge is gone, is charged
    /// in full when its lease ends.
    ///
    /// With Redis, what is admitted in any interval of t milliseconds is at most amount · t / window + burst
    /// (or + the largest single request, where that is more than the burst). While Redis is away each of E
    /// edges answers from ⌈amount / E⌉ and ⌈burst / E⌉, so that all of them admit less than
    /// (amount + E) · t / window + burst + E. An interval in which Redis goes or comes back can hold one burst
    /// of each kind. When k of E edges cannot reach a Redis that the others do, those k add their shares:
    /// k / E of the limit. Slots are free again at once: whoever needs some asks [`Counters::admit`].
    pub async fn reserve(&self, request: &Request, demands: &[Demand]) -> Reserved {
        self.admit(request, demands, &[]).await.0
    }

    /// As [`Counters::reserve`], for what may need slots, too: takes one of each count that is demanded. They are free when
    /// the seats are dropped. What is demanded of slots stands behind what is demanded of levels. When this edge is gone, another
    /// one is given the `bequest`, at most [`BEQUEST_BYTES_MAX`](crate::BEQUEST_BYTES_MAX); nobody where that is empty, where Redis
    /// was not asked, and where what was borrowed before was enough.
    ///
    /// With Redis, at most as many requests have a slot of a count as there are, over all edges; those of an edge that is
    /// gone are free within [`SLOTS_TERM_MS`](crate::reservation::SLOTS_TERM_MS). While Redis is away each edge admits
    /// its share of them, together no more than there are, or one each.
    pub fn admit<'a>(
        &'a self,
        request: &'a Request,
        demands: &'a [Demand],
        bequest: &'a [u8],
    ) -> impl Future<Output = (Reserved, Seats)> + Send + 'a {
        self.0.admit(request, demands, bequest)
    }

    /// What is left of each limit now, in order, for whoever explains limits: by whoever would answer a request. Takes
    /// nothing, and asks Redis once. What edges have borrowed counts as used, and so do slots that they keep and do not use.
    pub async fn look(
        &self,
        organization: OrganizationId,
        limits: &[Applied],
    ) -> (Vec<Option<i64>>, Mode) {
        let demand = |applied: &Applied| {
            let applied = applied.clone();
            Demand { applied, amount: 1 }
        };
        let demands: Vec<Demand> = limits.iter().map(demand).collect();
        let lines: Vec<Line> = demands.iter().filter_map(Demand::line).collect();
        let claims: Vec<Claim> = demands.iter().filter_map(Demand::glance).collect();
        let (levels, slots, mode) = self.left(organization, &lines, &claims).await;
        let (mut levels, mut slots) = (levels.into_iter(), slots.into_iter());
        let left = |demand: &Demand| match demand.applied.count {
            Count::Level(_) => levels.next(),
            Count::Slots(_) => slots.next(),
        };
        (demands.iter().map(left).collect(), mode)
    }

    async fn left(
        &self,
        organization: OrganizationId,
        lines: &[Line],
        each: &[Claim],
    ) -> (Vec<i64>, Vec<i64>, Mode) {
        let parts = &*self.0;
        if lines.is_empty() && each.is_empty() {
            return (Vec::new(), Vec::new(), self.mode());
        }
        let claims = Claims {
            owner: parts.flights.owner(),
            turn: 0,
            each,
        };
        let beside = |slots: &[Slot]| each.iter().zip(slots).map(unused).collect();
        let Some(remote) = &parts.remote else {
            let (levels, slots) = parts.local.look(organization, lines, &claims);
            return (levels, beside(&slots), Mode::Shared);
        };
        if let Some(clear) = remote.link.clear(remote.timeout).await {
            let wanted = Wanted {
                claims: Some(&claims),
                ..Wanted::now(lines)
            };
            match clear.connection.look(organization, wanted, None).await {
                Ok((levels, slots)) => {
                    remote.link.answered();
                    return (levels, beside(&slots), Mode::Shared);
                }
                Err(failure) => remote.link.failed(&clear, &failure),
            }
        }
        let slots = parts.flights.left_of_share(each, parts.local.edges());
        let levels = parts.local.levels(organization, lines);
        (levels, slots, Mode::Local)
    }

    /// Gives back what was reserved and not used, or charges what was used beyond it and not charged yet. Counts that `actuals`
    /// does not name were used as reserved. Never waits; the second time for a request does nothing.
    pub fn settle(&self, request: &Request, actuals: &[(CounterId, u64)]) {
        let parts = &*self.0;
        let Some(held) = parts.live.take(request) else {
            return;
        };
        let (mut lines, by, mut topped) = (held.lines, held.by, held.topped);
        let used = |line: &Line| of(actuals, line).unwrap_or(line.amount);
        if let Some(topped) = &mut topped
            && let Some(last) = topped.last(request, &lines, used)
        {
            parts.charge(last, by);
        }
        let mut differs = false;
        for (place, line) in lines.iter_mut().enumerate() {
            let topped = topped.as_ref().map_or(0, |it| it.units(place));
            let (reserved, rest) = (line.amount, used(line) - topped);
            differs |= rest != reserved;
            line.amount = match by {
                By::Purse(_) => rest - reserved,
                By::Whole | By::Share => rest,
            };
        }
        // What was used as reserved needs no word, unless Redis may not know of it. Where some was not, all are named: the
        // counts of one shelf are written together.
        if by == By::Whole && !differs {
            lines.clear();
        }
        let settlement = Settlement {
            request: *request,
            lines,
            charge_if_absent: by != By::Whole,
            bequest: None,
        };
        parts.settle(settlement, by);
    }

    /// The request goes on, and is to be charged so much of these counts by now: charges what is more than it reserved and was
    /// charged before, whether or not there is room for it. Never waits; what is charged so stays charged when this edge is gone,
    /// and then `bequest` is what it leaves, where it left something before.
    pub fn top_up(&self, request: &Request, wanted: &[(CounterId, u64)], bequest: &[u8]) {
        let parts = &*self.0;
        let wanted = |line: &Line| of(wanted, line).unwrap_or(line.amount);
        if let Some((charge, by)) = parts.live.raise(request, wanted, bequest) {
            parts.charge(charge, by);
        }
    }

    /// Since when whoever keeps the counts has forgotten nothing of an organization, in milliseconds of its clock; `None` where
    /// it cannot be asked.
    pub async fn stands_since(&self, organization: OrganizationId) -> Option<u64> {
        self.0.stands_since(organization).await
    }

    /// Ends when there is a quota of which nobody knows what was used, or at once where one was noted since it ended last.
    pub async fn lacking(&self) {
        self.0.recall.bell.notified().await;
    }

    /// Takes the quotas of which nobody knows what was used; one that still lacks is noted when it is asked for again.
    pub fn take_lacking(&self) -> Vec<Noted> {
        self.0.recall.take_lacking()
    }

    /// Takes the quotas that were in use since this was asked last.
    pub fn take_seen(&self) -> Vec<Noted> {
        self.0.recall.take_seen()
    }

    /// Tells whoever keeps the counts, as long as it has stood since then, what was used of these at least. Sorts them, leaves out
    /// what stands there twice, and gives for each what had been counted. What is told twice is told once.
    pub async fn restore(
        &self,
        organization: OrganizationId,
        since_ms: u64,
        told: &mut Vec<Told>,
    ) -> Vec<Before> {
        self.0.restore(organization, since_ms, told).await
    }

    /// Ends when edges that are gone have left something, or at once where something was noted since it ended last.
    pub async fn bequeathed(&self) {
        self.0.estate.bell.notified().await;
    }

    /// Takes what edges left that are gone: it is charged, and nobody has made a record of it. Whoever takes it says when it has done
    /// that; otherwise another one is given the same.
    pub fn take_bequests(&self) -> Vec<(OrganizationId, Bequest)> {
        self.0.estate.take()
    }

    /// What these requests left is taken care of; a few dozen at a time.
    pub async fn inherited(&self, organization: OrganizationId, ids: &[[u8; 16]]) {
        self.0.inherited(organization, ids).await;
    }

    /// Charges what is demanded of a quota for good, if there is room for all of it, and once for each request; `None` where whoever
    /// keeps the counts cannot be asked or does not know what was used. This edge's share never answers.
    pub async fn take(&self, request: &Request, demand: &Demand) -> Option<Taken> {
        self.0.take(request, demand).await
    }

    /// Says what this edge has found out about targets and hears what others have, in one call for all of these organizations; what is
    /// heard stands in their order. `None` where Redis does not answer in time, or counts are kept by this process alone.
    ///
    /// No request waits for it, and what requests wait for is not judged by it: only a connection that is gone blocks the way.
    pub async fn share_hints(&self, edge: &str, of: &[Hints]) -> Option<Vec<Vec<Heard>>> {
        let remote = self.0.remote.as_ref()?;
        let clear = remote.link.clear_now()?;
        match clear.connection.share_hints(edge, of, None).await {
            Ok(heard) => Some(heard),
            Err(failure) => {
                if failure == Failure::Lost {
                    remote.link.failed(&clear, &failure);
                }
                None
            }
        }
    }

    /// Who answers now.
    pub fn mode(&self) -> Mode {
        match &self.0.remote {
            Some(remote) if remote.link.is_blocked() => Mode::Local,
            _ => Mode::Shared,
        }
    }
}

/// How much is said of this line's count.
fn of(said: &[(CounterId, u64)], line: &Line) -> Option<i64> {
    let mut said = said.iter().filter(|(counter, _)| *counter == line.counter);
    said.next().map(|(_, amount)| signed(*amount))
}

/// How many slots nobody has.
fn unused((claim, slot): (&Claim, &Slot)) -> i64 {
    let used = slot.others.saturating_add(u64::from(slot.own));
    signed(claim.amount.saturating_sub(used))
}

impl Clone for Counters {
    fn clone(&self) -> Self {
        Self::new(Arc::clone(&self.0))
    }
}

impl Drop for Counters {
    fn drop(&mut self) {
        // Release, so that whoever sees the last one gone sees all it settled.
        if self.0.handles.fetch_sub(1, Ordering::Release) == 1 {
            self.0.gone.notify_one();
        }
    }
}

impl fmt::Debug for Counters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Counters")
            .field("mode", &self.mode())
            .finish_non_exhaustive()
    }
}
