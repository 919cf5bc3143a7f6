//! How a version chooses among its targets, as arguments and in files.
//!
//! Knows words and numbers; what they mean is the control plane's.

use std::{str::FromStr, time::Duration};

use clap::{Args, ValueEnum};
use proto::admin::{FailureClass, ModelVersion, TargetAdaptation, TargetBalance, TargetMeasure};
use serde::Deserialize;

use crate::moment::{span, wire_span};

/// How targets are chosen.
#[derive(Debug, Clone, Default, Args, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Routing {
    /// How the first of several targets of one priority is chosen: of those with a weight, or of all where none has one
    #[arg(long, value_name = "HOW")]
    balance: Option<Balance>,
    /// Ask the next target after this failure, too; may be repeated
    #[arg(long, value_name = "FAILURE")]
    fallback_on: Vec<Failing>,
    /// Do not ask the next target after this failure; may be repeated
    #[arg(long, value_name = "FAILURE")]
    no_fallback_on: Vec<Failing>,
    /// Let weights follow how targets do, as MEASURE or MEASURE:LEAST-MOST in percents of themselves, such as latency:25%-400%; the measure is
    /// latency, errors or cost
    #[arg(long, value_name = "HOW")]
    adapt: Option<Adapt>,
    /// For embeddings, ask a second target beside the first, which has not answered after a time such as 200ms, or after the time within which so many
    /// of a hundred of its answers began lately, such as p95; whichever answers first serves
    #[arg(long, value_name = "WHEN")]
    hedge: Option<Hedge>,
}

/// When a second target is asked: `200ms`, or `p95`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
enum Hedge {
    After(Duration),
    Percentile(u8),
}

/// How weights follow: `latency`, or `errors:25%-400%`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
struct Adapt {
    by: TargetMeasure,
    low_percent: i32,
    high_percent: i32,
}

/// How.
#[derive(Debug, Clone, Copy, ValueEnum, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Balance {
    /// By their weights
    Weighted,
    /// Of two that are drawn, the one that answers sooner
    LeastLatency,
    /// Where a request costs least
    LowestCost,
    /// Whose answers begin soonest
    LowestLatency,
    /// Who generates fastest
    HighestThroughput,
    /// The same for a session
    Session,
    /// The same for an end user
    EndUser,
    /// The same for conversations that begin alike
    Prefix,
}

/// What can go wrong.
#[derive(Debug, Clone, Copy, ValueEnum, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Failing {
    /// The provider says: too much, too fast
    RateLimited,
    /// The provider has no room
    Overloaded,
    /// The provider did not begin in time
    Timeout,
    /// Our credential was refused
    Credential,
    /// The provider failed in another way
    Provider,
    /// The conversation is too long for the model
    ContextTooLong,
    /// A filter took the request
    ContentFiltered,
    /// The request is wrong in another way
    InvalidRequest,
}

// === impl Routing ===

impl Routing {
    /// This version, which routes so.
    pub fn of(self, version: ModelVersion) -> ModelVersion {
        let numbers = |all: Vec<Failing>| all.into_iter().map(|it| it.wire().into()).collect();
        ModelVersion {
            balance: self.balance.map_or(0, |it| it.wire().into()),
            fallback_on: numbers(self.fallback_on),
            no_fallback_on: numbers(self.no_fallback_on),
            adapt: self.adapt.map(Adapt::wire),
            hedge_after: match self.hedge {
                Some(Hedge::After(span)) => Some(wire_span(span)),
                _ => None,
            },
            hedge_percentile: match self.hedge {
                Some(Hedge::Percentile(part)) => part.into(),
                _ => 0,
            },
            ..version
        }
    }
}

// === impl Adapt ===

impl Adapt {
    fn wire(self) -> TargetAdaptation {
        TargetAdaptation {
            by: self.by.into(),
            low_percent: self.low_percent,
            high_percent: self.high_percent,
        }
    }
}

impl FromStr for Adapt {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (measure, bounds) = text.split_once(':').unwrap_or((text, ""));
        let by = match measure {
            "latency" => TargetMeasure::Latency,
            "errors" => TargetMeasure::Errors,
            "cost" => TargetMeasure::Cost,
            _ => {
                return Err("write latency, errors or cost, or such as latency:25%-400%".to_owned());
            }
        };
        let percents = |text: &str| {
            let number = text.strip_suffix('%').unwrap_or(text);
            let number = number.parse::<u16>().map(i32::from);
            number.map_err(|_| "write bounds in whole percents, such as 25%-400%".to_owned())
        };
        let (low_percent, high_percent) = match bounds.split_once('-') {
            Some((low, high)) => (percents(low)?, percents(high)?),
            None if text == measure => (0, 0),
            None => return Err("write bounds as LEAST-MOST, such as 25%-400%".to_owned()),
        };
        Ok(Self {
            by,
            low_percent,
            high_percent,
        })
    }
}

impl TryFrom<String> for Adapt {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

// === impl Hedge ===

impl FromStr for Hedge {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || "write a time such as 200ms, or a percentile such as p95".to_owned();
        match text.strip_prefix('p') {
            Some(part) => part.parse().map(Self::Percentile).map_err(|_| wrong()),
            None => span(text).map(Self::After).map_err(|_| wrong()),
        }
    }
}

impl TryFrom<String> for Hedge {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

// === impl Balance ===

impl Balance {
    const fn wire(self) -> TargetBalance {
        match self {
            Self::Weighted => TargetBalance::Weighted,
            Self::LeastLatency => TargetBalance::LeastLatency,
            Self::LowestCost => TargetBalance::LowestCost,
            Self::LowestLatency => TargetBalance::LowestLatency,
            Self::HighestThroughput => TargetBalance::HighestThroughput,
            Self::Session => TargetBalance::Session,
            Self::EndUser => TargetBalance::EndUser,
            Self::Prefix => TargetBalance::Prefix,
        }
    }
}

// === impl Failing ===

impl Failing {
    const fn wire(self) -> FailureClass {
        match self {
            Self::RateLimited => FailureClass::RateLimited,
            Self::Overloaded => FailureClass::Overloaded,
            Self::Timeout => FailureClass::Timeout,
            Self::Credential => FailureClass::Credential,
            Self::Provider => FailureClass::Provider,
            Self::ContextTooLong => FailureClass::ContextTooLong,
            Self::ContentFiltered => FailureClass::ContentFiltered,
            Self::InvalidRequest => FailureClass::InvalidRequest,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_target_is_asked_after_a_time_or_at_a_percentile() {
        let time = Duration::from_millis(1_500);
        assert_eq!("1500ms".parse(), Ok(Hedge::After(time)));
        assert_eq!("p95".parse(), Ok(Hedge::Percentile(95)));
        for wrong in ["", "200", "p", "p-1", "95"] {
            assert!(wrong.parse::<Hedge>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn weights_follow_a_measure_within_bounds() {
        let read = |text: &str| {
            let it: Adapt = text.parse()?;
            Ok::<_, String>((it.by, it.low_percent, it.high_percent))
        };
        assert_eq!(read("latency"), Ok((TargetMeasure::Latency, 0, 0)));
        assert_eq!(read("cost"), Ok((TargetMeasure::Cost, 0, 0)));
        let bounds = read("errors:25%-400");
        assert_eq!(bounds, Ok((TargetMeasure::Errors, 25, 400)));
        for wrong in [
            "",
            "costs",
            "latency:",
            "latency:25%",
            "errors:-1%-5%",
            "errors:a-b",
        ] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
