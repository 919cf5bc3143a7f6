//! What is counted of one model at one provider.
//!
//! Knows counts and times; knows nothing of whose they are. What never happens is not shown: a kind of token appears
//! when the first of it is counted.

use std::{cell::OnceCell, sync::Arc, time::Duration};

use dialect::Tokens;
use metrics::{Counter, Histogram, Unit};

use crate::series::class::CLASSES;

/// The kinds of tokens, in the order in which they are counted.
pub const KINDS: [&str; 8] = [
    "input",
    "cached_input",
    "cache_write",
    "cache_write_hour",
    "audio_input",
    "output",
    "reasoning",
    "audio_output",
];

/// The handles of one model at one provider.
pub struct Pair {
    model: Arc<str>,
    provider: Arc<str>,
    requests: [OnceCell<Counter>; CLASSES.len()],
    tokens: [OnceCell<Counter>; KINDS.len()],
    cost: Counter,
    duration: Histogram,
    first_token: Histogram,
    output_token: Histogram,
}

/// Says what this module measures.
pub fn describe() {
    metrics::describe_counter!(
        "sluice_model_request_total",
        "Requests that were let in, by model, the provider that served and class of status"
    );
    metrics::describe_counter!(
        "sluice_model_tokens_total",
        "Tokens used, by model, provider and kind"
    );
    metrics::describe_counter!(
        "sluice_model_cost_nanodollars_total",
        "What requests cost whose cost is known, by model and provider, in billionths of a dollar"
    );
    metrics::describe_histogram!(
        "sluice_model_duration_seconds",
        Unit::Seconds,
        "From a request's arrival to the end of its answer, by model and provider"
    );
    metrics::describe_histogram!(
        "sluice_model_first_token_seconds",
        Unit::Seconds,
        "From a request's arrival to the first that was generated of a stream, by model and provider"
    );
    metrics::describe_histogram!(
        "sluice_model_output_token_seconds",
        Unit::Seconds,
        "For each output token of a whole stream after its first, by model and provider"
    );
}

/// Tokens by their kinds, in the order of [`KINDS`].
pub const fn by_kind(tokens: &Tokens) -> [u64; KINDS.len()] {
    [
        tokens.input,
        tokens.cached_input,
        tokens.cache_write,
        tokens.cache_write_hour,
        tokens.audio_input,
        tokens.output,
        tokens.reasoning,
        tokens.audio_output,
    ]
}

// === impl Pair ===

impl Pair {
    /// Handles of the recorder that is installed now.
    pub fn new(model: Arc<str>, provider: Arc<str>) -> Self {
        let labels = [
            ("model", model.to_string()),
            ("provider", provider.to_string()),
        ];
        let histogram = |name: &'static str| metrics::histogram!(name, &labels);
        Self {
            requests: Default::default(),
            tokens: Default::default(),
            cost: metrics::counter!("sluice_model_cost_nanodollars_total", &labels),
            duration: histogram("sluice_model_duration_seconds"),
            first_token: histogram("sluice_model_first_token_seconds"),
            output_token: histogram("sluice_model_output_token_seconds"),
            model,
            provider,
        }
    }

    /// A request has ended with a status of this class, after so long.
    pub fn request(&self, class: usize, duration: Duration) {
        self.duration.record(duration);
        if let Some((counter, word)) = self.requests.get(class).zip(CLASSES.get(class)) {
            let made = || self.counter("sluice_model_request_total", ("class", word));
            counter.get_or_init(made).increment(1);
        }
    }

    /// It has used these.
    pub fn used(&self, tokens: &Tokens) {
        let counters = self.tokens.iter().zip(KINDS);
        for ((counter, kind), count) in counters.zip(by_kind(tokens)) {
            if count > 0 {
                let made = || self.counter("sluice_model_tokens_total", ("kind", kind));
                counter.get_or_init(made).increment(count);
            }
        }
    }

    /// It has cost so many billionths of a dollar.
    pub fn cost(&self, nano: u64) {
        self.cost.increment(nano);
    }

    /// A stream began after this long.
    pub fn first_token(&self, waited: Duration) {
        self.first_token.record(waited);
    }

    /// A whole stream took so long for each output token after its first.
    pub fn output_token(&self, each: Duration) {
        self.output_token.record(each);
    }

    fn counter(&self, name: &'static str, (label, word): (&'static str, &'static str)) -> Counter {
        let (model, provider) = (self.model.to_string(), self.provider.to_string());
        metrics::counter!(name, "model" => model, "provider" => provider, label => word)
    }
}
