//! What can be done with edges: they make themselves known, so there is nothing to create.

use std::time::Duration;

use clap::{Args, Subcommand};

use crate::{
    failure::Failure,
    moment::span,
    noun,
    output::{self, Format},
    propagation,
    session::Session,
    verb::{Get, List, Write},
};

/// What can be done with edges.
#[derive(Debug, Clone, Subcommand)]
pub enum Command {
    /// Show one
    Get(Get),
    /// Show all
    List(List),
    /// Forget one that is not connected
    Delete(Get),
    /// Wait until the edges have a revision; exits 7 and names those that have not
    Wait(Wait),
}

/// For what to wait.
#[derive(Debug, Clone, Args)]
pub struct Wait {
    /// The revision; without one, the newest there is
    #[arg(
        long,
        value_name = "NUMBER",
        default_value_t = 0,
        hide_default_value = true
    )]
    revision: i64,
    /// Only the edges of this region
    #[arg(long, default_value = "", hide_default_value = true)]
    region: String,
    /// How long to wait
    #[arg(long, value_parser = span, default_value = "10s")]
    timeout: Duration,
}

/// Runs a command.
pub async fn run(command: Command, session: &mut Session) -> Result<(), Failure> {
    match command {
        Command::Get(get) => session.get(&noun::EDGE, &get.name).await,
        Command::List(list) => session.list(&noun::EDGE, "", list.max).await,
        Command::Delete(which) => {
            let name = session.place.name(noun::EDGE.collections, &which.name)?;
            let reply = session.call_by_name(&noun::EDGE, "Delete", &name).await?;
            session.show_done("deleted", &name, &reply, &Write::default())
        }
        Command::Wait(Wait {
            revision,
            region,
            timeout,
        }) => {
            let connection = &mut session.connection;
            let waited = propagation::wait(connection, revision, &region, timeout).await?;
            if session.format == Format::Json {
                session.show_typed("WaitForPropagationResponse", &waited)?;
                return propagation::check(&waited);
            }
            propagation::check(&waited)?;
            output::line(propagation::sentence(&waited))
        }
    }
}
