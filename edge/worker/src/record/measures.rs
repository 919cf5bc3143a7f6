//! What the accounts of one core's requests add up to.
//!
//! Knows counts and kinds; knows nothing of whose they are.

use std::time::Duration;

use dialect::Tokens;
use metrics::{Counter, Histogram, Unit};
use policy::cost::Cost;

use crate::series::pair::{KINDS, by_kind};

/// What is measured; handles, so that a request looks nothing up.
pub struct Measures {
    lost: Counter,
    implausible: Counter,
    tokens: [Counter; KINDS.len()],
    cost: Counter,
    unpriced: Counter,
    first_byte: Histogram,
    overhead: Histogram,
}

/// Says what this module measures.
pub fn describe() {
    metrics::describe_counter!(
        "sluice_record_lost_total",
        "Records lost because the queue was full"
    );
    metrics::describe_counter!(
        "sluice_usage_implausible_total",
        "Answers whose provider claimed more tokens than a request can use; they count the most that one may have"
    );
    metrics::describe_counter!(
        "sluice_usage_program_failed_total",
        "Answers whose provider's usage program failed; their use is estimated"
    );
    metrics::describe_counter!(
        "sluice_cost_nanodollars_total",
        "What requests cost whose cost is known, in billionths of a dollar"
    );
    metrics::describe_counter!(
        "sluice_cost_unknown_total",
        "Requests that used something that has no price"
    );
    metrics::describe_counter!("sluice_tokens_total", "Tokens used, by kind");
    metrics::describe_histogram!(
        "sluice_request_first_byte_seconds",
        Unit::Seconds,
        "From a request's arrival to the first byte of its answer's body"
    );
    metrics::describe_histogram!(
        "sluice_request_overhead_seconds",
        Unit::Seconds,
        "From the last byte of a request's body to when it could be sent to a provider, without waiting for a turn there"
    );
}

// === impl Measures ===

impl Measures {
    /// Handles of the recorder that is installed now.
    pub fn register() -> Self {
        Self {
            lost: metrics::counter!("sluice_record_lost_total"),
            implausible: metrics::counter!("sluice_usage_implausible_total"),
            tokens: KINDS.map(|kind| metrics::counter!("sluice_tokens_total", "kind" => kind)),
            cost: metrics::counter!("sluice_cost_nanodollars_total"),
            unpriced: metrics::counter!("sluice_cost_unknown_total"),
            first_byte: metrics::histogram!("sluice_request_first_byte_seconds"),
            overhead: metrics::histogram!("sluice_request_overhead_seconds"),
        }
    }

    /// A record has found no place in the queue.
    pub fn lost(&self) {
        self.lost.increment(1);
    }

    /// A provider has claimed an absurd count.
    pub fn implausible(&self) {
        self.implausible.increment(1);
    }

    /// The first byte of an answer's body came after this long.
    pub fn first_byte(&self, waited: Duration) {
        self.first_byte.record(waited);
    }

    /// So much of the time until a request could be sent was ours.
    pub fn overhead(&self, ours: Duration) {
        self.overhead.record(ours);
    }

    /// A request has cost this.
    pub fn cost(&self, cost: Cost) {
        match cost {
            Cost::Known(nano) => self.cost.increment(nano),
            Cost::Unknown => self.unpriced.increment(1),
        }
    }

    /// A request has used these.
    pub fn used(&self, tokens: &Tokens) {
        for (counter, count) in self.tokens.iter().zip(by_kind(tokens)) {
            if count > 0 {
                counter.increment(count);
            }
        }
    }
}
