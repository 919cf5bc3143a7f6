//! What a request cost: the counters of every attempt that was billed, each times its rate, less what is off.
//!
//! Exact until the end: one step of what is summed is a ten-thousandth of a millionth of a nano-dollar, which holds every
//! product of a count, a rate and a discount. A record is rounded once, up to the next nano-dollar, so that nothing that
//! costs anything is free. Lines are the steps by which that rounded sum grows, so they always add up to it.

use std::sync::Arc;

use crate::{
    price::{BasisPoints, MILLION, Row},
    usage::{Counter, Usage},
};

/// The highest cost of one record, in nano-dollars: nine million dollars. What costs more is said to cost this, so that a
/// thousand records add up.
pub const COST_MAX: u64 = 1 << 53;

/// The steps of a nano-dollar.
const STEPS: u128 = MILLION as u128 * BasisPoints::ALL as u128;

/// A price that was found, and what is off it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Priced {
    /// The row of the book.
    pub row: Arc<Row>,
    /// What is off every rate.
    pub off: BasisPoints,
}

/// What one attempt used, and its price; `None` where there is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Charge {
    /// What was used.
    pub usage: Usage,
    /// At which price.
    pub priced: Option<Priced>,
}

/// What a record cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cost {
    /// So many nano-dollars, at most [`COST_MAX`].
    Known(u64),
    /// Something was used that has no price. Never taken for zero.
    Unknown,
}

/// One counter of one attempt that has a rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line {
    /// Which attempt: its place among the charges.
    pub charge: usize,
    /// What was counted.
    pub counter: Counter,
    /// How much of it.
    pub count: u64,
    /// Its rate before what is off, nano-dollars a million.
    pub rate: u64,
    /// By how much it makes the record dearer, nano-dollars.
    pub nano: u64,
}

/// What these attempts of one request cost together.
pub fn cost<'a>(charges: impl IntoIterator<Item = &'a Charge>) -> Cost {
    walk(charges, |_| {})
}

/// The same, line by line. Where something has no price, the lines of what has one.
pub fn lines<'a>(charges: impl IntoIterator<Item = &'a Charge>) -> (Cost, Vec<Line>) {
    let mut lines = Vec::new();
    let cost = walk(charges, |line| lines.push(line));
    (cost, lines)
}

fn walk<'a>(charges: impl IntoIterator<Item = &'a Charge>, mut tell: impl FnMut(Line)) -> Cost {
    let (mut steps, mut nano, mut known) = (0_u128, 0, true);
    for (charge, it) in charges.into_iter().enumerate() {
        for (counter, count) in it.usage.used() {
            let priced = it.priced.as_ref();
            let Some((rate, off)) = priced.and_then(|it| Some((it.row.rates.of(counter)?, it.off)))
            else {
                known = false;
                continue;
            };
            let step = u128::from(count)
                .saturating_mul(rate.into())
                .saturating_mul(off.left().into());
            steps = steps.saturating_add(step);
            let before = nano;
            nano = rounded(steps);
            // Never less than before: what is summed only grows.
            let nano = nano.saturating_sub(before);
            // A fee that there is not is no line.
            if rate > 0 || counter != Counter::Requests {
                tell(Line {
                    charge,
                    counter,
                    count,
                    rate,
                    nano,
                });
            }
        }
    }
    if known {
        Cost::Known(nano)
    } else {
        Cost::Unknown
    }
}

/// Up, once, to a whole nano-dollar.
fn rounded(steps: u128) -> u64 {
    u64::try_from(steps.div_ceil(STEPS)).map_or(COST_MAX, |nano| nano.min(COST_MAX))
}

// === impl Charge ===

impl Charge {
    /// What was off its price, in hundredths of a percent.
    pub fn off(&self) -> u16 {
        self.priced.as_ref().map_or(0, |it| it.off.points())
    }
}

// === impl Cost ===

impl Cost {
    /// The nano-dollars, if they are known.
    pub const fn nano(self) -> Option<u64> {
        match self {
            Self::Known(nano) => Some(nano),
            Self::Unknown => None,
        }
    }
}

#[cfg(test)]
#[path = "cost_test.rs"]
mod tests;
