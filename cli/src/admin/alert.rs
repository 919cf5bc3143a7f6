//! What can be said of alerts: where they go, what is watched, and what has fired.

use clap::Subcommand;

use crate::{
    admin::{alert_channel, alert_rule},
    failure::Failure,
    noun,
    session::Session,
    verb::List,
};

/// What can be done with alerts.
#[derive(Debug, Clone, Subcommand)]
pub enum Command {
    /// Channels: where notices go
    #[command(subcommand, visible_alias = "channel")]
    Channels(alert_channel::Command),
    /// Rules: what is watched, and which channels are told
    #[command(subcommand, visible_alias = "rule")]
    Rules(alert_rule::Command),
    /// Show what has fired, the latest first
    List(List),
}

/// Runs a command.
pub async fn run(command: Command, session: &mut Session) -> Result<(), Failure> {
    match command {
        Command::Channels(command) => alert_channel::run(command, session).await,
        Command::Rules(command) => alert_rule::run(command, session).await,
        Command::List(list) => {
            let parent = session.place.parent(noun::ALERT.collections)?;
            session.list(&noun::ALERT, &parent, list.max).await
        }
    }
}
