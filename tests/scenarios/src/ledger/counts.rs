//! What is counted of requests, and what that costs.
//!
//! Money is whole nano-dollars, each request rounded up by itself; a budget counts millionths, each rounded up again.

use std::ops::{Add, AddAssign, Sub};

/// So much of everything. Output is with reasoning, input without what a cache served.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "each field is what it is called")]
pub struct Counts {
    pub requests: i64,
    pub input: i64,
    pub cached: i64,
    pub output: i64,
    pub nano: i64,
    pub micro: i64,
}

/// Nano-dollars for a million tokens, and what is off in hundredths of a percent.
#[derive(Debug, Clone, Copy)]
#[expect(missing_docs, reason = "each field is what it is called")]
pub struct Price {
    pub input: i64,
    pub cached: i64,
    pub written: i64,
    pub output: i64,
    pub off: i64,
}

/// What the provider says of one request. Input is without what was cached or written.
#[derive(Debug, Clone, Copy)]
#[expect(missing_docs, reason = "each field is what it is called")]
pub struct Told {
    pub input: i64,
    pub cached: i64,
    pub written: i64,
    pub output: i64,
}

/// A millionth of a dollar, in nano-dollars.
const MICRO: i64 = 1_000;

// === impl Counts ===

impl Counts {
    /// Nothing.
    pub const NONE: Self = Self {
        requests: 0,
        input: 0,
        cached: 0,
        output: 0,
        nano: 0,
        micro: 0,
    };

    /// All tokens.
    pub const fn tokens(&self) -> i64 {
        self.input + self.cached + self.output
    }
}

impl Add for Counts {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            requests: self.requests + other.requests,
            input: self.input + other.input,
            cached: self.cached + other.cached,
            output: self.output + other.output,
            nano: self.nano + other.nano,
            micro: self.micro + other.micro,
        }
    }
}

impl Sub for Counts {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self {
            requests: self.requests - other.requests,
            input: self.input - other.input,
            cached: self.cached - other.cached,
            output: self.output - other.output,
            nano: self.nano - other.nano,
            micro: self.micro - other.micro,
        }
    }
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

// === impl Price ===

impl Price {
    /// What this costs, up to the next nano-dollar.
    pub fn nano(&self, told: Told) -> i64 {
        let at_rates = told.input * self.input
            + told.cached * self.cached
            + told.written * self.written
            + told.output * self.output;
        let (left, whole) = (10_000 - i128::from(self.off), 10_000 * 1_000_000);
        let steps = i128::from(at_rates) * left;
        i64::try_from((steps + whole - 1) / whole).expect("a test costs little")
    }

    /// What so many tokens cost of which each costs whole nano-dollars.
    pub fn nano_of(&self, counts: &Counts) -> i64 {
        self.nano(Told {
            input: counts.input,
            cached: counts.cached,
            written: 0,
            output: counts.output,
        })
    }
}

/// So many nano-dollars in millionths of a dollar, up to the next.
pub const fn micro(nano: i64) -> i64 {
    (nano + MICRO - 1) / MICRO
}
