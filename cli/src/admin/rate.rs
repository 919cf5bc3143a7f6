//! The rates of a price, in dollars, and whom a price or a discount is for.
//!
//! Knows how amounts are written; knows nothing of files.

use clap::{Args, ValueEnum};
use policy::money;
use proto::admin::{PriceRate, PriceTier, UsageCounter};

use crate::{
    admin::provider::Kind,
    failure::Failure,
    moment::{Moment, moment},
    noun,
    session::Session,
};

/// Whom it is for, and from when on.
#[derive(Debug, Clone, Args)]
pub struct For {
    /// For this provider only
    #[arg(long, value_name = "NAME", conflicts_with = "kind")]
    pub provider: Option<String>,
    /// For providers of this kind only
    #[arg(long)]
    pub kind: Option<Kind>,
    /// The provider's names of the models: `*` stands for any characters
    #[arg(long, value_name = "PATTERN")]
    pub model: String,
    /// From when on: a day, a time, or a span from now; from the beginning unless given
    #[arg(long, value_name = "WHEN", value_parser = moment)]
    pub valid_from: Option<Moment>,
}

/// How a request is served.
#[derive(Debug, Clone, Copy, ValueEnum)]
#[expect(missing_docs, reason = "each tier is what it is called")]
pub enum Tier {
    Standard,
    Priority,
    Flex,
    Batch,
}

/// Dollars: a million tokens, or one of anything else.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Rates, in dollars")]
pub struct Rates {
    /// A million input tokens
    #[arg(long, value_name = "DOLLARS", value_parser = amount)]
    pub input_tokens: Option<Amount>,
    /// A million that a cache served; what input costs unless given
    #[arg(long, value_name = "DOLLARS", value_parser = amount)]
    pub cached_input_tokens: Option<Amount>,
    /// A million that a cache took
    #[arg(long, value_name = "DOLLARS", value_parser = amount)]
    pub cache_write_tokens: Option<Amount>,
    /// A million that a cache took for an hour
    #[arg(long, value_name = "DOLLARS", value_parser = amount)]
    pub cache_write_hour_tokens: Option<Amount>,
    /// A million input tokens of sound
    #[arg(long, value_name = "DOLLARS", value_parser = amount)]
    pub audio_input_tokens: Option<Amount>,
    /// A million output tokens
    #[arg(long, value_name = "DOLLARS", value_parser = amount)]
    pub output_tokens: Option<Amount>,
    /// A million reasoning tokens; what output costs unless given
    #[arg(long, value_name = "DOLLARS", value_parser = amount)]
    pub reasoning_tokens: Option<Amount>,
    /// A million output tokens of sound
    #[arg(long, value_name = "DOLLARS", value_parser = amount)]
    pub audio_output_tokens: Option<Amount>,
    /// One picture
    #[arg(long, value_name = "DOLLARS", value_parser = amount)]
    pub images: Option<Amount>,
    /// One request; nothing unless given
    #[arg(long, value_name = "DOLLARS", value_parser = amount)]
    pub requests: Option<Amount>,
    /// One of what else the provider bills by
    #[arg(long, value_name = "DOLLARS", value_parser = amount)]
    pub units: Option<Amount>,
}

/// Nano-dollars.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Amount(i64);

/// Reads an amount in dollars.
pub fn amount(text: &str) -> Result<Amount, String> {
    let nano = money::nano(text).and_then(|nano| i64::try_from(nano).ok());
    nano.map(Amount).ok_or_else(|| {
        "write dollars such as 2.50, with at most nine digits behind the point".to_owned()
    })
}

// === impl For ===

impl For {
    /// The provider's whole name, or nothing.
    pub fn provider(&self, session: &Session) -> Result<String, Failure> {
        match &self.provider {
            Some(name) => session.place.name(noun::PROVIDER.collections, name),
            None => Ok(String::new()),
        }
    }

    /// The number of the kind, or nothing.
    pub fn kind(&self) -> i32 {
        self.kind.map_or(0, |kind| kind.wire().into())
    }

    /// When it begins, or nothing.
    pub fn valid_from(&self, session: &Session) -> Option<prost_types::Timestamp> {
        self.valid_from.map(|at| at.future(session.now))
    }
}

// === impl Tier ===

impl Tier {
    /// Its number.
    pub fn wire(self) -> i32 {
        match self {
            Self::Standard => PriceTier::Standard,
            Self::Priority => PriceTier::Priority,
            Self::Flex => PriceTier::Flex,
            Self::Batch => PriceTier::Batch,
        }
        .into()
    }
}

// === impl Rates ===

impl Rates {
    /// Those that were given.
    pub fn wire(&self) -> Vec<PriceRate> {
        let all = [
            (UsageCounter::Input, self.input_tokens),
            (UsageCounter::CachedInput, self.cached_input_tokens),
            (UsageCounter::CacheWrite, self.cache_write_tokens),
            (UsageCounter::CacheWriteHour, self.cache_write_hour_tokens),
            (UsageCounter::AudioInput, self.audio_input_tokens),
            (UsageCounter::Output, self.output_tokens),
            (UsageCounter::Reasoning, self.reasoning_tokens),
            (UsageCounter::AudioOutput, self.audio_output_tokens),
            (UsageCounter::Images, self.images),
            (UsageCounter::Requests, self.requests),
            (UsageCounter::Units, self.units),
        ];
        let given = all.into_iter().filter_map(|(it, given)| Some((it, given?)));
        given
            .map(|(counter, Amount(nano_dollars))| PriceRate {
                counter: counter.into(),
                nano_dollars,
            })
            .collect()
    }
}
