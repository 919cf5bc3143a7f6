//! What can be said of who gets data, and of what clients may prefer: of a provider what it does, of a project what it demands.

use clap::{Args, ValueEnum};
use proto::admin::Preference;

use crate::admin::field::Mask;

/// What becomes of the data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Collection {
    /// It may be collected, for training or else
    Allow,
    /// It is not
    Deny,
}

/// A plain answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[expect(missing_docs, reason = "each is what it is called")]
pub enum Answer {
    Yes,
    No,
}

/// What a provider does with what it is sent.
#[derive(Debug, Clone, Args)]
pub struct Handling {
    /// Whether it may collect what it is sent; `allow` unless given, since nobody has promised anything
    #[arg(long, value_name = "ANSWER")]
    pub data_collection: Option<Collection>,
    /// Whether it retains nothing of it
    #[arg(long, value_name = "ANSWER")]
    pub zero_retention: Option<Answer>,
    /// Where it is and stays, such as `eu`; empty for what nobody says
    #[arg(long, value_name = "PLACE")]
    pub residency: Option<String>,
    /// How its models are quantized, such as `fp8`; empty for what nobody says
    #[arg(long, value_name = "WORD")]
    pub quantization: Option<String>,
}

/// What a project forbids its clients, and demands of providers.
#[derive(Debug, Clone, Args)]
pub struct Guard {
    /// What its clients may not prefer; may be repeated
    #[arg(long = "forbid-preference", value_name = "PREFERENCE", value_enum)]
    forbidden: Vec<Forbidden>,
    /// Let its clients prefer what they like
    #[arg(long, conflicts_with = "forbidden")]
    no_forbidden_preferences: bool,
    /// Whether providers that collect data may get its requests
    #[arg(long, value_name = "ANSWER")]
    data_collection: Option<Collection>,
    /// Whether only providers that retain nothing may get them
    #[arg(long, value_name = "ANSWER")]
    zero_retention: Option<Answer>,
    /// Where a provider must be and stay to get them; may be repeated
    #[arg(long = "residency", value_name = "PLACE")]
    residencies: Vec<String>,
    /// Let them go anywhere
    #[arg(long, conflicts_with = "residencies")]
    every_residency: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Forbidden {
    /// `models`
    Models,
    /// `session_id`
    SessionId,
    /// `provider.order`
    Order,
    /// `provider.only`
    Only,
    /// `provider.ignore`
    Ignore,
    /// `provider.quantizations`
    Quantizations,
    /// `provider.allow_fallbacks`, where it is false
    AllowFallbacks,
    /// `provider.require_parameters`
    RequireParameters,
    /// `provider.data_collection`, where it is `deny`
    DataCollection,
    /// `provider.zdr`
    Zdr,
    /// `provider.sort`, `:nitro` and `:floor`
    Sort,
    /// `provider.preferred_min_throughput` and `provider.preferred_max_latency`
    Preferred,
    /// `provider.max_price`
    MaxPrice,
}

/// A project's fields of it.
#[derive(Debug, Default)]
pub struct Guarded {
    /// What is forbidden.
    pub forbidden: Vec<i32>,
    /// Whether only providers that collect nothing may serve.
    pub no_collection: bool,
    /// Whether only providers that retain nothing may.
    pub no_retention: bool,
    /// Where they must be.
    pub residencies: Vec<String>,
}

// === impl Guard ===

impl Guard {
    /// As the contract has it.
    pub fn wanted(self) -> Guarded {
        let mut mask = Mask::default();
        self.change(&mut mask)
    }

    /// What is said, whose fields are named.
    pub fn change(&self, mask: &mut Mask) -> Guarded {
        let forbidden: Vec<i32> = self.forbidden.iter().map(|it| it.wire().into()).collect();
        let says = !forbidden.is_empty() || self.no_forbidden_preferences;
        let denies = self.data_collection.map(|it| it == Collection::Deny);
        let retains = self.zero_retention.map(|it| it == Answer::Yes);
        Guarded {
            forbidden: mask.take("forbidden_preferences", says.then_some(forbidden)),
            no_collection: mask.take("demands_no_collection", denies),
            no_retention: mask.take("demands_no_retention", retains),
            residencies: mask.take_list("residencies", &self.residencies, self.every_residency),
        }
    }
}

// === impl Forbidden ===

impl Forbidden {
    const fn wire(self) -> Preference {
        match self {
            Self::Models => Preference::Models,
            Self::SessionId => Preference::SessionId,
            Self::Order => Preference::Order,
            Self::Only => Preference::Only,
            Self::Ignore => Preference::Ignore,
            Self::Quantizations => Preference::Quantizations,
            Self::AllowFallbacks => Preference::AllowFallbacks,
            Self::RequireParameters => Preference::RequireParameters,
            Self::DataCollection => Preference::DataCollection,
            Self::Zdr => Preference::Zdr,
            Self::Sort => Preference::Sort,
            Self::Preferred => Preference::Preferred,
            Self::MaxPrice => Preference::MaxPrice,
        }
    }
}
