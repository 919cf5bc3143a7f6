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
    reservation::{
        CHARGED_KEEP_MS, Claims, Line, REAP_MAX, Reply, Request, Reserved, Saying, Settled,
        Settlement, Slot, Wanted, signed,
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
    buckets: usize,
    sweep_at: usize,
}

/// One organization's counters. What Redis keeps under one hash tag.
#[derive(Debug, Default)]
struct Counts {
    /// Each with what it was last measured by, which tells when it is full again.
    buckets: HashMap<CounterId, (Bucket, Measure)>,
    slots: Slots,
    held: HashMap<[u8; 16], Held>,
    /// Reservations and remembered charges by when they end, like `held`.
    due: BTreeSet<(u64, [u8; 16])>,
}

#[derive(Debug)]
struct Held {
    until_ms: u64,
    what: What,
}

/// What is held under an id.
#[derive(Debug)]
enum What {
    Reservation(Vec<Hold>),
    Loan(Vec<Line>),
    /// Nothing: it remembers a charge.
    Charge,
}

#[derive(Debug)]
struct Hold {
    counter: CounterId,
    amount: i64,
    remaining: i64,
    /// When the period began of which this was taken; zero for a rate.
    since_ms: u64,
}

// === impl Process ===

impl Process {
    /// Counters at rest.
    pub fn new() -> Self {
        Self {
            organizations: HashMap::new(),
            buckets: 0,
            sweep_at: BUCKETS_BEFORE_SWEEP,
        }
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
        self.sweep(now_ms);
        let counts = self.organizations.entry(request.organization).or_default();
        let before = counts.kept();
        let reply = counts.reserve(request.id, wanted, lease_ms, now_ms);
        self.buckets += counts.kept().saturating_sub(before);
        reply
    }

    /// Gives back what was reserved and not used, or charges what was used beyond it. Once.
    pub fn settle(&mut self, settlement: &Settlement, now_ms: u64) -> Reply<Settled> {
        self.sweep(now_ms);
        let counts = self
            .organizations
            .entry(settlement.request.organization)
            .or_default();
        let before = counts.buckets.len();
        let reply = counts.settle(settlement, now_ms);
        self.buckets += counts.buckets.len() - before;
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
            .map(|id| u64::from(counts.renew(*id, now_ms + lease_ms)))
            .sum()
    }

    /// Takes an owner's word for how many slots are its own; tells how many are then, of each that it said.
    pub fn hold_slots(&mut self, saying: &Saying, now_ms: u64) -> Vec<u32> {
        let mut owned = Vec::new();
        for (organization, said) in &saying.of {
            let counts = self.organizations.entry(*organization).or_default();
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
        lease_ms: u64,
        now_ms: u64,
    ) -> Reply<Reserved> {
        let Wanted {
            lines,
            ahead,
            claims,
        } = wanted;
        let slots = self.slots.offered(claims, now_ms);
        if let Some(What::Reservation(hold)) = self.held.get(&id).map(|held| &held.what) {
            return granted(hold.iter().map(|hold| hold.remaining).collect(), slots);
        }
        let found: Vec<Bucket> = lines.iter().map(|line| self.bucket(line, now_ms)).collect();
        if self.held.contains_key(&id) {
            return granted(levels(&found), slots);
        }
        let over = match fit(wanted, (&found, &slots), now_ms) {
            Ok(over) => over,
            Err(value) => return Reply { value, expired: 0 },
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
            self.hold(id, now_ms + lease_ms, What::Reservation(hold));
        }
        if let Some(ahead) = ahead.filter(|_| !lent.is_empty()) {
            let part = |(line, amount): (&Line, &i64)| Line {
                amount: *amount,
                ..*line
            };
            let loan = lines.iter().zip(&lent).map(part).collect();
            self.hold(ahead.loan, now_ms + ahead.term_ms, What::Loan(loan));
        }
        Reply {
            value: Reserved::Granted {
                remaining,
                lent,
                over,
                slots,
            },
            expired: self.reap(now_ms),
        }
    }

    fn settle(&mut self, settlement: &Settlement, now_ms: u64) -> Reply<Settled> {
        let id = settlement.request.id;
        let value = match self.held.get(&id).map(|held| &held.what) {
            Some(What::Reservation(_) | What::Loan(_)) => Settled::Released,
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
        Reply {
            value,
            expired: self.reap(now_ms),
        }
    }

    /// Gives a loan's places in its buckets free. The refill up to now knows of the loan still.
    fn end_loan(&mut self, loan: &[Line], now_ms: u64) {
        for line in loan {
            let bucket = self.bucket(line, now_ms).loan_ended(line.amount);
            self.keep(line, bucket);
        }
    }

    fn renew(&mut self, id: [u8; 16], until_ms: u64) -> bool {
        let Some(held) = self.held.get_mut(&id) else {
            return false;
        };
        if let What::Charge = held.what {
            return false;
        }
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

    /// Forgets what has ended. A reservation or a loan was debited when it was made, so that forgetting it is
    /// charging it in full.
    fn reap(&mut self, now_ms: u64) -> u64 {
        let mut expired = 0;
        for _ in 0..REAP_MAX {
            let Some(&(until_ms, id)) = self.due.first() else {
                break;
            };
            if until_ms > now_ms {
                break;
            }
            match self.release(id) {
                Some(What::Reservation(_)) => expired += 1,
                Some(What::Loan(loan)) => {
                    expired += 1;
                    self.end_loan(&loan, now_ms);
                }
                Some(What::Charge) | None => {}
            }
        }
        expired
    }
}

// === impl What ===

impl What {
    /// How much of this count, and in which period it was taken.
    fn taken(&self, counter: CounterId) -> Option<(i64, u64)> {
        match self {
            Self::Reservation(hold) => {
                let mut holds = hold.iter().filter(|hold| hold.counter == counter);
                holds.next().map(|hold| (hold.amount, hold.since_ms))
            }
            Self::Loan(_) | Self::Charge => None,
        }
    }

    /// How much of this count was lent.
    fn lent(&self, counter: CounterId) -> Option<i64> {
        match self {
            Self::Loan(loan) => {
                let mut lines = loan.iter().filter(|line| line.counter == counter);
                lines.next().map(|line| line.amount)
            }
            Self::Reservation(_) | Self::Charge => None,
        }
    }
}

/// What a settled line changes. What was taken of a period that is over is not given back to the next one; what is lent
/// keeps its place there, and so it is.
fn change(what: Option<&What>, line: &Line, bucket: &Bucket) -> i64 {
    let believed_ms = match line.measure {
        Measure::Rate(_) => 0,
        Measure::Quota { span, .. } => span.from_ms,
    };
    let taken = what.and_then(|what| what.taken(line.counter));
    let lent = what.and_then(|what| what.lent(line.counter));
    let (taken, since_ms) = taken.unwrap_or((0, believed_ms));
    let change = taken + lent.unwrap_or(0) - line.amount;
    if bucket.since_ms(&line.measure) == since_ms {
        change
    } else {
        change.min(lent.unwrap_or(0))
    }
}

/// What of `ahead` is lent: some of every limit, or nothing.
fn lent(wanted: Wanted<'_>, found: &[Bucket]) -> Vec<i64> {
    let Some(ahead) = wanted.ahead else {
        return Vec::new();
    };
    let lines = wanted.lines;
    let each = lines.iter().zip(found).zip(&ahead.amounts);
    let lent: Vec<i64> = each
        .map(|((line, bucket), amount)| bucket.lendable(line.amount, *amount))
        .collect();
    let another = lines.iter().zip(&lent).all(|(line, it)| *it >= line.amount);
    if another && lent.iter().any(|it| *it > 0) {
        lent
    } else {
        Vec::new()
    }
}

fn granted(remaining: Vec<i64>, slots: Vec<Slot>) -> Reply<Reserved> {
    let value = Reserved::Granted {
        remaining,
        lent: Vec::new(),
        over: Vec::new(),
        slots,
    };
    Reply { value, expired: 0 }
}

/// Which of the soft lines and claims have no room; a denial when one of the others has none.
fn fit(
    wanted: Wanted<'_>,
    (found, slots): (&[Bucket], &[Slot]),
    now_ms: u64,
) -> Result<Vec<usize>, Reserved> {
    let lines = wanted.lines;
    let (mut longest, mut over) = (None, Vec::new());
    for (place, (line, bucket)) in lines.iter().zip(found).enumerate() {
        let wait_ms = bucket.wait_ms(&line.measure, line.amount.unsigned_abs(), now_ms);
        if line.soft {
            over.extend((wait_ms > 0).then_some(place));
        } else if wait_ms > longest.map_or(0, |(_, longest_ms)| longest_ms) {
            longest = Some((place, wait_ms));
        }
    }
    for (place, (claim, slot)) in wanted.claimed().iter().zip(slots).enumerate() {
        let place = lines.len() + place;
        if slot.granted {
            continue;
        }
        if claim.soft {
            over.push(place);
        } else if claim.retry_ms > longest.map_or(0, |(_, longest_ms)| longest_ms) {
            longest = Some((place, claim.retry_ms));
        }
    }
    let Some((tightest, retry_after_ms)) = longest else {
        return Ok(over);
    };
    Err(Reserved::Denied {
        tightest,
        retry_after_ms,
        remaining: levels(found),
        slots: slots.to_vec(),
    })
}

fn levels(buckets: &[Bucket]) -> Vec<i64> {
    buckets.iter().map(Bucket::level).collect()
}

#[cfg(test)]
#[path = "process_test.rs"]
mod tests;
