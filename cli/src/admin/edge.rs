//! What can be done with edges: they make themselves known, so there is nothing to create.

use std::time::Duration;

use clap::{Args, Subcommand};

use proto::admin::JoinToken;

use crate::{
    admin::{minted::Shown, serves::Serves},
    failure::Failure,
    moment::{Moment, moment, span},
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
    /// Let one edge of a region enrol; the invitation is shown this once, and good for one certificate
    Invite(Invite),
    /// Revoke what an edge proves itself by, and end its streams
    Revoke(Get),
    /// Wait until the edges have a revision; exits 7 and names those that have not
    Wait(Wait),
}

/// Whom to invite.
#[derive(Debug, Clone, Args)]
pub struct Invite {
    /// The region that the edge gets
    #[arg(long)]
    region: String,
    #[command(flatten)]
    serves: Serves,
    /// What people call the invitation
    #[arg(long, value_name = "TEXT")]
    display_name: Option<String>,
    /// When it stops working: in a span such as 10m, or at a time
    #[arg(long, value_name = "WHEN", value_parser = moment, default_value = "1h")]
    expires: Moment,
    /// A UUID: the same call with the same one again changes nothing and gives the same reply, for a day
    #[arg(long, value_name = "UUID", help_heading = "Writing")]
    request_id: Option<String>,
    /// Check everything, write nothing
    #[arg(long, help_heading = "Writing")]
    validate_only: bool,
    #[command(flatten)]
    shown: Shown,
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
        Command::Invite(invite) => {
            let token = JoinToken {
                region: invite.region,
                organization: invite.serves.organization(session)?,
                display_name: invite.display_name.unwrap_or_default(),
                expire_time: Some(invite.expires.future(session.now)),
                single_use: true,
                ..Default::default()
            };
            // Invitations are no policy of the edges, so there is nothing to wait for.
            let write = Write {
                request_id: invite.request_id,
                validate_only: invite.validate_only,
                wait: None,
            };
            let reply = session
                .create(&noun::JOIN_TOKEN, "", &token, &write)
                .await?;
            invite.shown.finish(&reply, &write, session).await
        }
        Command::Revoke(which) => {
            let name = session.place.name(noun::EDGE.collections, &which.name)?;
            let reply = session.call_by_name(&noun::EDGE, "Revoke", &name).await?;
            session.show_done("revoked", &name, &reply, &Write::default())
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
