//! How a version chooses among its targets, as arguments and in files.
//!
//! Knows words and numbers; what they mean is the control plane's.

use clap::{Args, ValueEnum};
use proto::admin::{FailureClass, ModelVersion, TargetBalance};
use serde::Deserialize;

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
            ..version
        }
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
