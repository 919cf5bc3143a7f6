//! What the twin holds under an id or lends, and what settling it changes.
//!
//! Knows amounts and periods; knows nothing of where buckets are kept.

use policy::{applying::Measure, id::CounterId};

use crate::{
    bucket::Bucket,
    reservation::{Line, Reply, Reserved, Slot, Wanted},
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
    Reservation(Vec<Hold>),
    Loan(Vec<Line>),
    /// Nothing: it remembers a charge.
    Charge,
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
    Reply { value, expired: 0 }
}

/// An amount of a quota with a sign.
pub(crate) fn signed_most(amount: u64) -> i64 {
    i64::try_from(amount).unwrap_or(i64::MAX)
}

/// What is left in each.
pub(crate) fn levels(buckets: &[Bucket]) -> Vec<i64> {
    buckets.iter().map(Bucket::level).collect()
}
