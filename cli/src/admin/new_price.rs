//! What a new price says.
//!
//! Its arguments are those of the command line and the columns of files alike.

use clap::Args;
use proto::admin::Price;

use crate::{
    admin::{
        field::Wanted,
        rate::{For, Rates, Tier},
    },
    failure::Failure,
    session::Session,
};

/// A new one.
#[derive(Debug, Clone, Args)]
pub struct New {
    #[command(flatten)]
    whom: For,
    /// For these regions of the provider only: `*` stands for any characters
    #[arg(long, value_name = "PATTERN")]
    region: Option<String>,
    /// For this tier only
    #[arg(long)]
    tier: Option<Tier>,
    /// For requests with more input tokens than this only
    #[arg(
        long,
        value_name = "COUNT",
        default_value_t = 0,
        hide_default_value = true
    )]
    above_input_tokens: i64,
    /// What people call it
    #[arg(long, value_name = "TEXT")]
    display_name: Option<String>,
    #[command(flatten)]
    rates: Rates,
}

impl Wanted for New {
    type Resource = Price;

    fn wanted(self, session: &Session) -> Result<Price, Failure> {
        Ok(Price {
            display_name: self.display_name.unwrap_or_default(),
            provider: self.whom.provider(session)?,
            provider_kind: self.whom.kind(),
            valid_from: self.whom.valid_from(session),
            provider_model: self.whom.model,
            region: self.region.unwrap_or_default(),
            tier: self.tier.map_or(0, Tier::wire),
            above_input_tokens: self.above_input_tokens,
            rates: self.rates.wire(),
            ..Default::default()
        })
    }
}
