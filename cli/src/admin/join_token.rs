//! What can be said of a join token.

use clap::{Args, Subcommand};
use proto::admin::JoinToken;

use crate::{
    admin::{minted::Shown, serves::Serves},
    failure::Failure,
    moment::{Moment, moment},
    noun,
    session::Session,
    verb::{Get, List, Write},
};

/// What can be done with join tokens.
#[derive(Debug, Clone, Subcommand)]
pub enum Command {
    /// Mint one; its text is shown this once
    Create(Create),
    /// Show all
    List(List),
    /// Make one useless, and end the streams of the edges that joined with it
    Revoke(Get),
}

/// A new one.
#[derive(Debug, Clone, Args)]
pub struct Create {
    /// The region that its bearers get
    #[arg(long)]
    region: String,
    #[command(flatten)]
    serves: Serves,
    /// What people call it
    #[arg(long, value_name = "TEXT")]
    display_name: Option<String>,
    /// When it stops working: in a span such as 90d, or at a time
    #[arg(long, value_name = "WHEN", value_parser = moment)]
    expires: Option<Moment>,
    /// A UUID: the same call with the same one again changes nothing and gives the same reply, for a day
    #[arg(long, value_name = "UUID", help_heading = "Writing")]
    request_id: Option<String>,
    /// Check everything, write nothing
    #[arg(long, help_heading = "Writing")]
    validate_only: bool,
    #[command(flatten)]
    shown: Shown,
}

/// Runs a command.
pub async fn run(command: Command, session: &mut Session) -> Result<(), Failure> {
    match command {
        Command::List(list) => session.list(&noun::JOIN_TOKEN, "", list.max).await,
        Command::Revoke(which) => {
            let name = session
                .place
                .name(noun::JOIN_TOKEN.collections, &which.name)?;
            let reply = session
                .call_by_name(&noun::JOIN_TOKEN, "Revoke", &name)
                .await?;
            session.show_done("revoked", &name, &reply, &Write::default())
        }
        Command::Create(create) => {
            let token = JoinToken {
                region: create.region,
                organization: create.serves.organization(session)?,
                display_name: create.display_name.unwrap_or_default(),
                expire_time: create.expires.map(|at| at.future(session.now)),
                ..Default::default()
            };
            let Create {
                request_id,
                validate_only,
                shown,
                ..
            } = create;
            // Tokens are no policy of the edges, so there is nothing to wait for.
            let write = Write {
                request_id,
                validate_only,
                wait: None,
            };
            let reply = session
                .create(&noun::JOIN_TOKEN, "", &token, &write)
                .await?;
            shown.finish(&reply, &write, session).await
        }
    }
}
