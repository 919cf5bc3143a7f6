//! What the twin holds under an id or lends, and what settling it changes.
//!
//! Knows amounts and periods; knows nothing of where buckets are kept.

use policy::{applying::Measure, id::CounterId};

use crate::{
    bucket::Bucket,
    reservation::{BEQUEST_TERM_MS, Bequest, LATE_KEEP_MS, Line, Reply, Reserved, Slot, Wanted},
};

/// What is held, and until when.
#[derive(Debug)]
pub(crate) struct Held {
    pub(crate) until_ms: u64,
    pub(crate) what: What,
}

/// What is held under an id.
#[derive(Debug)]
pub(crate) enum What {
    Reservation(Vec<Hold>, Leaves),
    Loan(Vec<Line>),
    /// Nothing: it remembers a charge.
    Charge,
}

/// What a reservation leaves, and whether somebody has been given it.
#[derive(Debug)]
pub(crate) struct Leaves {
    pub(crate) bequest: Box<[u8]>,
    pub(crate) stage: Stage,
}

/// What has become of a reservation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Its lease runs.
    Held,
    /// It has ended, and somebody has been given what it leaves.
    Given,
    /// That is taken care of, or there is nothing. It can be settled still.
    Late,
}

/// One count's part of a reservation.
#[derive(Debug)]
pub(crate) struct Hold {
    pub(crate) counter: CounterId,
    pub(crate) amount: i64,
    pub(crate) remaining: i64,
    /// When the period began of which this was taken; zero for a rate.
    pub(crate) since_ms: u64,
}

// === impl What ===

impl What {
    /// How much of this count, and in which period it was taken.
    fn taken(&self, counter: CounterId) -> Option<(i64, u64)> {
        match self {
            Self::Reservation(hold, _) => {
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
            Self::Reservation(..) | Self::Charge => None,
        }
    }

    /// What it leaves is more than it was when it was made.
    pub(crate) fn bequeath_more(&mut self, more: &Bequest) {
        if let Self::Reservation(_, leaves) = self
            && leaves.stage != Stage::Late
            && !leaves.bequest.is_empty()
        {
            leaves.bequest.clone_from(&more.text);
        }
    }

    /// What it leaves is taken care of. Whether it was not before.
    pub(crate) fn inherited(&mut self) -> bool {
        match self {
            Self::Reservation(_, leaves) if leaves.stage == Stage::Given => {
                leaves.stage = Stage::Late;
                true
            }
            Self::Reservation(..) | Self::Loan(_) | Self::Charge => false,
        }
    }

    /// For how long it is held from when it is renewed, in milliseconds; zero for as long as it was to be, and `None` where nothing
    /// is held.
    pub(crate) const fn renewed_for_ms(&self, lease_ms: u64) -> Option<u64> {
        match self {
            Self::Charge => None,
            Self::Loan(_) => Some(lease_ms),
            Self::Reservation(_, leaves) => Some(match leaves.stage {
                Stage::Held => lease_ms,
                Stage::Given => 0,
                Stage::Late => LATE_KEEP_MS,
            }),
        }
    }
}

// === impl Leaves ===

impl Leaves {
    /// Its lease has ended, or the term of whoever was given what it leaves: what is given now, and for how long it is held still,
    /// in milliseconds.
    pub(crate) fn ended(&mut self, id: [u8; 16]) -> (Option<Bequest>, u64) {
        if self.bequest.is_empty() {
            self.stage = Stage::Late;
            return (None, LATE_KEEP_MS);
        }
        self.stage = Stage::Given;
        let text = self.bequest.clone();
        (Some(Bequest { id, text }), BEQUEST_TERM_MS)
    }
}

/// What a settled line changes. What was taken of a period that is over is not given back to the next one; what is lent
/// keeps its place there, and so it is.
pub(crate) fn change(what: Option<&What>, line: &Line, bucket: &Bucket) -> i64 {
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
pub(crate) fn lent(wanted: Wanted<'_>, found: &[Bucket]) -> Vec<i64> {
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

/// The reply to what is held already.
pub(crate) fn granted(remaining: Vec<i64>, slots: Vec<Slot>) -> Reply<Reserved> {
    let value = Reserved::Granted {
        remaining,
        lent: Vec::new(),
        over: Vec::new(),
        slots,
    };
    nothing_ended(value)
}

/// The reply of a call that has looked after nothing.
pub(crate) const fn nothing_ended(value: Reserved) -> Reply<Reserved> {
    Reply {
        value,
        expired: 0,
        bequests: Vec::new(),
    }
}

/// An amount of a quota with a sign.
pub(crate) fn signed_most(amount: u64) -> i64 {
    i64::try_from(amount).unwrap_or(i64::MAX)
}

/// What is left in each.
pub(crate) fn levels(buckets: &[Bucket]) -> Vec<i64> {
    buckets.iter().map(Bucket::level).collect()
}

// === what is asked ===

/// Which of the soft lines and claims have no room; a denial when one of the others has none.
pub(crate) fn fit(
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
