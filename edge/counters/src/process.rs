//! The twin: the counters in this process, with the semantics of the scripts.
//!
//! Stands in for Redis where one process is all there is, and keeps an edge's share while Redis is away.
//! Knows nothing of Redis, of clocks or of tasks: time is passed in. It answers as the scripts do, to the
//! unit; the conformance suite holds both to it.

use std::collections::{BTreeSet, HashMap};

use policy::{
    applying::Measure,
    id::{CounterId, OrganizationId},
};

use crate::{
    bucket::Bucket,
    held::{
        Held, Hold, Leaves, Stage, What, change, fit, granted, lent, levels, nothing_ended,
        signed_most,
    },
    reservation::{
        CHARGED_KEEP_MS, Claims, LATE_KEEP_MS, Line, REAP_MAX, Reply, Request, Reserved, Saying,
        Settled, Settlement, Slot, Wanted, signed,
    },
    slots::Slots,
};

/// How many buckets are kept before those that are full again are swept; then twice what was left.
// Full: swept, which is as good as kept, since a bucket that is not kept is full.
const BUCKETS_BEFORE_SWEEP: usize = 4_096;

/// The counters of one process.
#[derive(Debug)]
pub struct Process {
    organizations: HashMap<OrganizationId, Counts>,
    /// Since when it has forgotten nothing; zero where it need not know what was used before.
    since_ms: u64,
    buckets: usize,
    sweep_at: usize,
}

/// One organization's counters. What Redis keeps under one hash tag.
#[derive(Debug, Default)]
struct Counts {
    /// As in [`Process`].
    since_ms: u64,
    /// Of quotas of which was told what was used before that, the beginnings of those periods.
    told: HashMap<CounterId, u64>,
    /// Each with what it was last measured by, which tells when it is full again.
    buckets: HashMap<CounterId, (Bucket, Measure)>,
    slots: Slots,
    held: HashMap<[u8; 16], Held>,
    /// Reservations and remembered charges by when they end, like `held`.
    due: BTreeSet<(u64, [u8; 16])>,
}

// === impl Process ===

impl Process {
    /// Counters at rest.
    pub fn new() -> Self {
        Self {
            organizations: HashMap::new(),
            since_ms: 0,
            buckets: 0,
            sweep_at: BUCKETS_BEFORE_SWEEP,
        }
    }

    /// The same for a process that is all there is, from now on: what was used of quotas before, it must be told.
    pub fn remembering(since_ms: u64) -> Self {
        Self {
            since_ms,
            ..Self::new()
        }
    }

    /// Since when it has forgotten nothing; `None` where it need not know.
    pub(crate) const fn since_ms(&self) -> Option<u64> {
        match self.since_ms {
            0 => None,
            since_ms => Some(since_ms),
        }
    }

    /// Tells it, as long as it has stood since then, what was used of quotas: of each line its amount, where nobody knows, and
    /// `at_least` where that is known. Gives for each what had been counted; -1 where nobody knew, -2 where nothing was told.
    pub fn restore(
        &mut self,
        (organization, since_ms): (OrganizationId, u64),
        lines: &[Line],
        at_least: &[i64],
        now_ms: u64,
    ) -> Vec<i64> {
        if since_ms != self.since_ms {
            return vec![-2; lines.len()];
        }
        let counts = self.counts(organization);
        let before = counts.kept();
        let each = lines.iter().zip(at_least);
        let told = each.map(|(line, least)| counts.restore(line, *least, now_ms));
        let told = told.collect();
        let more = counts.kept().saturating_sub(before);
        self.buckets += more;
        told
    }

    fn counts(&mut self, organization: OrganizationId) -> &mut Counts {
        let since_ms = self.since_ms;
        let counts = self.organizations.entry(organization);
        counts.or_insert_with(|| Counts {
            since_ms,
            ..Counts::default()
        })
    }

    /// Holds room in every line's limit until `now_ms + lease_ms` and takes a slot for every claim, or nothing. Lends what
    /// is wanted ahead.
    pub fn reserve(
        &mut self,
        request: &Request,
        wanted: Wanted<'_>,
        lease_ms: u64,
        now_ms: u64,
    ) -> Reply<Reserved> {
        self.answer(request, wanted, (lease_ms, now_ms), false)
    }

    /// The same, whether or not it knows what was used of quotas before it began.
    pub(crate) fn reserve_alone(
        &mut self,
        request: &Request,
        wanted: Wanted<'_>,
        lease_ms: u64,
        now_ms: u64,
    ) -> Reply<Reserved> {
        self.answer(request, wanted, (lease_ms, now_ms), true)
    }

    fn answer(
        &mut self,
        request: &Request,
        wanted: Wanted<'_>,
        (lease_ms, now_ms): (u64, u64),
        alone: bool,
    ) -> Reply<Reserved> {
        self.sweep(now_ms);
        let counts = self.counts(request.organization);
        let before = counts.kept();
        let reply = counts.reserve(request.id, wanted, (lease_ms, now_ms), alone);
        let more = counts.kept().saturating_sub(before);
        self.buckets += more;
        reply
    }

    /// Gives back what was reserved and not used, or charges what was used beyond it. Once.
    pub fn settle(&mut self, settlement: &Settlement, now_ms: u64) -> Reply<Settled> {
        self.sweep(now_ms);
        let counts = self.counts(settlement.request.organization);
        let before = counts.buckets.len();
        let reply = counts.settle(settlement, now_ms);
        let more = counts.buckets.len() - before;
        self.buckets += more;
        reply
    }

    /// Holds those of `ids` that are still held until `now_ms + lease_ms`; says how many.
    pub fn renew(
        &mut self,
        organization: OrganizationId,
        ids: &[[u8; 16]],
        lease_ms: u64,
        now_ms: u64,
    ) -> u64 {
        let Some(counts) = self.organizations.get_mut(&organization) else {
            return 0;
        };
        ids.iter()
            .map(|id| u64::from(counts.renew(*id, (lease_ms, now_ms))))
            .sum()
    }

    /// Takes somebody's word that what these requests left is taken care of.
    pub fn inherited(&mut self, organization: OrganizationId, ids: &[[u8; 16]], now_ms: u64) {
        if let Some(counts) = self.organizations.get_mut(&organization) {
            for id in ids {
                counts.inherited(*id, now_ms);
            }
        }
    }

    /// Takes an owner's word for how many slots are its own; tells how many are then, of each that it said.
    pub fn hold_slots(&mut self, saying: &Saying, now_ms: u64) -> Vec<u32> {
        let mut owned = Vec::new();
        for (organization, said) in &saying.of {
            let counts = self.counts(*organization);
            owned.extend(counts.slots.hear(saying, said, now_ms));
        }
        owned
    }

    /// What there is of each claim now. Takes nothing.
    pub(crate) fn slots(
        &self,
        organization: OrganizationId,
        claims: &Claims<'_>,
        now_ms: u64,
    ) -> Vec<Slot> {
        let none = Slots::default();
        let counts = self.organizations.get(&organization);
        let slots = counts.map_or(&none, |counts| &counts.slots);
        slots.offered(Some(claims), now_ms)
    }

    /// What is left of each line's limit. Takes nothing.
    pub fn levels(&self, organization: OrganizationId, lines: &[Line], now_ms: u64) -> Vec<i64> {
        let counts = self.organizations.get(&organization);
        let level = |line: &Line| {
            let bucket = counts.map(|counts| counts.bucket(line, now_ms));
            bucket.map_or_else(|| signed(line.measure.most()), |it| it.level())
        };
        lines.iter().map(level).collect()
    }

    /// Drops the buckets that Redis would have let expire, when there are many.
    fn sweep(&mut self, now_ms: u64) {
        if self.buckets < self.sweep_at {
            return;
        }
        self.buckets = 0;
        for counts in self.organizations.values_mut() {
            counts
                .buckets
                .retain(|_, (bucket, measure)| bucket.keep_until_ms(measure) > now_ms);
            counts.slots.sweep(now_ms);
            self.buckets += counts.kept();
        }
        self.organizations
            .retain(|_, counts| counts.kept() > 0 || !counts.held.is_empty());
        self.sweep_at = BUCKETS_BEFORE_SWEEP.max(self.buckets * 2);
    }
}

impl Default for Process {
    fn default() -> Self {
        Self::new()
    }
}

// === impl Counts ===

impl Counts {
    /// How many counts are kept, of levels and of slots.
    fn kept(&self) -> usize {
        self.buckets.len() + self.slots.len()
    }

    fn reserve(
        &mut self,
        id: [u8; 16],
        wanted: Wanted<'_>,
        (lease_ms, now_ms): (u64, u64),
        alone: bool,
    ) -> Reply<Reserved> {
        let Wanted {
            lines,
            ahead,
            claims,
            bequest,
        } = wanted;
        let slots = self.slots.offered(claims, now_ms);
        if let Some(What::Reservation(hold, _)) = self.held.get(&id).map(|held| &held.what) {
            return granted(hold.iter().map(|hold| hold.remaining).collect(), slots);
        }
        let found: Vec<Bucket> = lines.iter().map(|line| self.bucket(line, now_ms)).collect();
        if self.held.contains_key(&id) {
            return granted(levels(&found), slots);
        }
        if let Some(reply) = self.lacks(lines, now_ms).filter(|_| !alone) {
            return reply;
        }
        let over = match fit(wanted, (&found, &slots), now_ms) {
            Ok(over) => over,
            Err(value) => return nothing_ended(value),
        };
        // One that was given back before it was asked for is not given.
        let late = ahead.is_some_and(|ahead| self.held.contains_key(&ahead.loan));
        let lent = if over.is_empty() && claims.is_none() && !late {
            lent(wanted, &found)
        } else {
            Vec::new()
        };
        let mut hold = Vec::with_capacity(lines.len());
        for (place, (line, bucket)) in lines.iter().zip(found).enumerate() {
            let amount = if over.contains(&place) {
                0
            } else {
                line.amount
            };
            let bucket = bucket.changed(&line.measure, -amount);
            let bucket = bucket.lending(lent.get(place).copied().unwrap_or(0));
            self.keep(line, bucket);
            hold.push(Hold {
                counter: line.counter,
                amount,
                remaining: bucket.level(),
                since_ms: bucket.since_ms(&line.measure),
            });
        }
        let remaining = hold.iter().map(|hold| hold.remaining).collect();
        self.slots.take(claims, &slots, now_ms);
        if !lines.is_empty() {
            let leaves = Leaves {
                bequest: bequest.into(),
                stage: Stage::Held,
            };
            self.hold(id, now_ms + lease_ms, What::Reservation(hold, leaves));
        }
        if let Some(ahead) = ahead.filter(|_| !lent.is_empty()) {
            let part = |(line, amount): (&Line, &i64)| Line {
                amount: *amount,
                ..*line
            };
            let loan = lines.iter().zip(&lent).map(part).collect();
            self.hold(ahead.loan, now_ms + ahead.term_ms, What::Loan(loan));
        }
        let value = Reserved::Granted {
            remaining,
            lent,
            over,
            slots,
        };
        self.reap(now_ms, value)
    }

    fn settle(&mut self, settlement: &Settlement, now_ms: u64) -> Reply<Settled> {
        let id = settlement.request.id;
        let value = match self.held.get(&id).map(|held| &held.what) {
            Some(What::Reservation(..) | What::Loan(_)) => Settled::Released,
            None if settlement.charge_if_absent => Settled::Charged,
            Some(What::Charge) | None => Settled::Nothing,
        };
        if value != Settled::Nothing {
            let what = self.release(id);
            if let Some(What::Loan(loan)) = &what {
                self.end_loan(loan, now_ms);
            }
            for line in &settlement.lines {
                let bucket = self.bucket(line, now_ms);
                let change = change(what.as_ref(), line, &bucket);
                if change != 0 {
                    self.keep(line, bucket.changed(&line.measure, change));
                }
            }
            if settlement.charge_if_absent {
                self.hold(id, now_ms + CHARGED_KEEP_MS, What::Charge);
            }
        }
        if let (Settled::Charged, Some(more)) = (value, &settlement.bequest)
            && let Some(held) = self.held.get_mut(&more.id)
        {
            held.what.bequeath_more(more);
        }
        self.reap(now_ms, value)
    }

    /// The places of those of which nobody knows what was used before it began, where there are any that matter.
    fn lacks(&self, lines: &[Line], now_ms: u64) -> Option<Reply<Reserved>> {
        let lacks = |line: &Line| self.period_that_lacks(line, now_ms).is_some();
        let lines = lines.iter().enumerate();
        let places = lines.filter(|(_, line)| lacks(line));
        let places: Vec<usize> = places.map(|(place, _)| place).collect();
        (!places.is_empty()).then(|| nothing_ended(Reserved::Lacking { places }))
    }

    fn period_that_lacks(&self, line: &Line, now_ms: u64) -> Option<u64> {
        let Measure::Quota { span, .. } = line.measure else {
            return None;
        };
        let from_ms = span.at(now_ms);
        let lacks = self.since_ms > from_ms.max(line.counted_from_ms);
        (lacks && self.told.get(&line.counter) != Some(&from_ms)).then_some(from_ms)
    }

    fn restore(&mut self, line: &Line, least: i64, now_ms: u64) -> i64 {
        let Measure::Quota { amount, span } = line.measure else {
            return -2;
        };
        let bucket = self.bucket(line, now_ms);
        if bucket.since_ms(&line.measure) != span.from_ms {
            return -2;
        }
        let used = signed_most(amount) - bucket.level();
        let lacked = self.period_that_lacks(line, now_ms);
        let wanted = if lacked.is_some() { line.amount } else { least };
        let more = (wanted - used).max(0);
        self.keep(line, bucket.changed(&line.measure, -more));
        if let Some(from_ms) = lacked {
            self.told.insert(line.counter, from_ms);
            return -1;
        }
        used
    }

    /// Gives a loan's places in its buckets free. The refill up to now knows of the loan still.
    fn end_loan(&mut self, loan: &[Line], now_ms: u64) {
        for line in loan {
            let bucket = self.bucket(line, now_ms).loan_ended(line.amount);
            self.keep(line, bucket);
        }
    }

    fn renew(&mut self, id: [u8; 16], (lease_ms, now_ms): (u64, u64)) -> bool {
        let Some(held) = self.held.get_mut(&id) else {
            return false;
        };
        let until_ms = match held.what.renewed_for_ms(lease_ms) {
            None => return false,
            Some(0) => return true,
            Some(long_ms) => now_ms + long_ms,
        };
        self.due.remove(&(held.until_ms, id));
        self.due.insert((until_ms, id));
        held.until_ms = until_ms;
        true
    }

    fn bucket(&self, line: &Line, now_ms: u64) -> Bucket {
        self.buckets.get(&line.counter).map_or_else(
            || Bucket::full(&line.measure, now_ms),
            |(bucket, _)| bucket.refilled(&line.measure, now_ms),
        )
    }

    fn keep(&mut self, line: &Line, bucket: Bucket) {
        self.buckets.insert(line.counter, (bucket, line.measure));
    }

    fn hold(&mut self, id: [u8; 16], until_ms: u64, what: What) {
        self.held.insert(id, Held { until_ms, what });
        self.due.insert((until_ms, id));
    }

    fn release(&mut self, id: [u8; 16]) -> Option<What> {
        let held = self.held.remove(&id)?;
        self.due.remove(&(held.until_ms, id));
        Some(held.what)
    }

    /// Looks after what has ended. A reservation or a loan was debited when it was made, so that to leave it so is to charge
    /// it in full.
    fn reap<T>(&mut self, now_ms: u64, value: T) -> Reply<T> {
        let (mut expired, mut bequests) = (0, Vec::new());
        for _ in 0..REAP_MAX {
            let Some(&(until_ms, id)) = self.due.first() else {
                break;
            };
            if until_ms > now_ms {
                break;
            }
            match self.release(id) {
                Some(What::Reservation(hold, mut leaves)) if leaves.stage != Stage::Late => {
                    expired += u64::from(leaves.stage == Stage::Held);
                    let (given, long_ms) = leaves.ended(id);
                    bequests.extend(given);
                    self.hold(id, now_ms + long_ms, What::Reservation(hold, leaves));
                }
                Some(What::Loan(loan)) => {
                    expired += 1;
                    self.end_loan(&loan, now_ms);
                }
                Some(What::Reservation(..) | What::Charge) | None => {}
            }
        }
        Reply {
            value,
            expired,
            bequests,
        }
    }

    /// Somebody has taken care of what this one left.
    fn inherited(&mut self, id: [u8; 16], now_ms: u64) {
        let held = self.held.get_mut(&id);
        if held.is_some_and(|held| held.what.inherited())
            && let Some(what) = self.release(id)
        {
            self.hold(id, now_ms + LATE_KEEP_MS, what);
        }
    }
}

#[cfg(test)]
#[path = "process_test.rs"]
mod tests;
