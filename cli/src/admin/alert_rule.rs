//! What can be said of a rule of alerts.

use std::time::Duration;

use clap::{Args, Subcommand};
use proto::admin::{AlertBudgetThreshold, AlertEdgeStale, AlertErrorSpike, AlertKeyAge, AlertRule};

use crate::{
    admin::{field::Wanted, plain::run_standing},
    failure::Failure,
    moment::{span, wire_span},
    noun,
    session::Session,
    verb::{Create, Standing},
};

/// What can be done with rules.
#[derive(Debug, Clone, Subcommand)]
pub enum Command {
    /// Make one; it never changes
    Create(Box<Create<New>>),
    /// What stands.
    #[command(flatten)]
    Standing(Standing),
}

/// A new one.
#[derive(Debug, Clone, Args)]
pub struct New {
    /// The channels that are told
    #[arg(long, required = true, value_delimiter = ',', value_name = "NAME")]
    channel: Vec<String>,
    /// Tell again after so long what still is, such as 12h
    #[arg(long, value_name = "SPAN", value_parser = span)]
    remind_after: Option<Duration>,
    /// Watch this budget, or `any`
    #[arg(long, value_name = "NAME", conflicts_with_all = ["errors_of", "edge_silent"])]
    budget: Option<String>,
    /// At which parts of the budget, in percent; its own unless given
    #[arg(
        long,
        requires = "budget",
        value_delimiter = ',',
        value_name = "PERCENT"
    )]
    thresholds: Vec<i32>,
    /// Watch the errors of this model, or of `any`
    #[arg(
        long,
        requires = "error_percent",
        value_name = "NAME",
        conflicts_with = "edge_silent"
    )]
    errors_of: Option<String>,
    /// From which share of errors on, in percent
    #[arg(long, requires = "errors_of", value_name = "PERCENT")]
    error_percent: Option<i32>,
    /// And only where that is so many times the share of the time before, in percent, such as 300
    #[arg(long, requires = "errors_of", value_name = "PERCENT")]
    times_before_percent: Option<i32>,
    /// In how much time: a multiple of 15m
    #[arg(long, requires = "errors_of", value_name = "SPAN", value_parser = span)]
    window: Option<Duration>,
    /// Of how many requests at least
    #[arg(long, requires = "errors_of", value_name = "COUNT")]
    min_requests: Option<i64>,
    /// Watch for keys whose secret is so old, such as 90d
    #[arg(long, value_name = "SPAN", value_parser = span, conflicts_with_all = ["budget", "errors_of", "edge_silent"])]
    key_age: Option<Duration>,
    /// Watch for keys that nobody has used for so long
    #[arg(long, value_name = "SPAN", value_parser = span, conflicts_with_all = ["budget", "errors_of", "edge_silent"])]
    key_unused: Option<Duration>,
    /// Watch for keys that are to be rotated, or soon
    #[arg(long, conflicts_with_all = ["budget", "errors_of", "edge_silent"])]
    rotation_due: bool,
    /// Watch for edges of which nothing is heard for so long, such as 1m
    #[arg(long, value_name = "SPAN", value_parser = span)]
    edge_silent: Option<Duration>,
    /// What people call it
    #[arg(long, value_name = "TEXT")]
    display_name: Option<String>,
}

/// The name of what is watched; empty for `any`.
fn watched(
    session: &Session,
    noun: &noun::Noun,
    given: Option<&str>,
) -> Result<Option<String>, Failure> {
    match given {
        None => Ok(None),
        Some("any") => Ok(Some(String::new())),
        Some(name) => session.place.name(noun.collections, name).map(Some),
    }
}

impl Wanted for New {
    type Resource = AlertRule;

    fn wanted(self, session: &Session) -> Result<AlertRule, Failure> {
        let channel = |it: &String| {
            let collections = noun::ALERT_CHANNEL.collections;
            session.place.name(collections, it)
        };
        let channels: Result<Vec<_>, _> = self.channel.iter().map(channel).collect();
        let budget = watched(session, &noun::BUDGET, self.budget.as_deref())?;
        let model = watched(session, &noun::MODEL, self.errors_of.as_deref())?;
        let watches_keys = self.rotation_due || self.key_age.is_some() || self.key_unused.is_some();
        Ok(AlertRule {
            channels: channels?,
            display_name: self.display_name.unwrap_or_default(),
            remind_after: self.remind_after.map(wire_span),
            budget_threshold: budget.map(|budget| AlertBudgetThreshold {
                budget,
                thresholds: self.thresholds,
            }),
            error_spike: model.map(|model| AlertErrorSpike {
                model,
                window: self.window.map(wire_span),
                min_requests: self.min_requests.unwrap_or(0),
                error_percent: self.error_percent.unwrap_or(0),
                times_before_percent: self.times_before_percent.unwrap_or(0),
            }),
            key_age: watches_keys.then(|| AlertKeyAge {
                age: self.key_age.map(wire_span),
                unused: self.key_unused.map(wire_span),
                rotation_due: self.rotation_due,
            }),
            edge_stale: self.edge_silent.map(|silent| AlertEdgeStale {
                silent: Some(wire_span(silent)),
            }),
            ..Default::default()
        })
    }
}

/// Runs a command.
pub async fn run(command: Command, session: &mut Session) -> Result<(), Failure> {
    let noun = &noun::ALERT_RULE;
    match command {
        Command::Create(create) => {
            let name = session.place.name(noun.collections, &create.name)?;
            let (fields, write) = (create.fields, create.write);
            let rule = fields.wanted(session)?;
            let reply = session.create(noun, &name, &rule, &write).await?;
            session.finish(&reply, &write).await
        }
        Command::Standing(standing) => run_standing(noun, &standing, session).await,
    }
}
