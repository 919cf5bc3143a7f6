//! `sluice local-users`: who operates by a password and a code that are kept here.

use std::time::Duration;

use clap::{Args, Subcommand};
use proto::admin::{LocalUser, ResetLocalUserRequest};

use crate::{
    admin::{
        field::Mask,
        minted::Shown,
        operator_key::{Keeper, May},
    },
    connection::ANSWER_WITHIN,
    failure::Failure,
    moment::{self, span},
    noun,
    session::Session,
    verb::Write,
};

/// What can be done with local users.
#[derive(Debug, Clone, Subcommand)]
pub enum Command {
    /// Make one; the code by which they choose a password is shown this once
    Create(Create),
    /// Change what one may do, or whether they are let in; it ends their logins
    Update(Update),
    /// Have one choose a password and an authenticator anew; the code for it is shown this once
    Reset(Reset),
    /// Delete one, and end their logins
    Delete(Which),
    /// Show one
    Get(Which),
    /// Show those whom the organization keeps
    List(Keeper),
}

/// A new one.
#[derive(Debug, Clone, Args)]
pub struct Create {
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    may: May,
    #[command(flatten)]
    said: Said,
    #[command(flatten)]
    shown: Shown,
    #[command(flatten)]
    write: Write,
}

/// What can be said of one.
#[derive(Debug, Clone, Args)]
pub struct Said {
    /// What people call them
    #[arg(long, value_name = "TEXT")]
    display_name: Option<String>,
    /// How long a login works, at most 12h; 1h without it
    #[arg(long, value_name = "SPAN", value_parser = span)]
    lifetime: Option<Duration>,
}

/// A change of one.
#[derive(Debug, Clone, Args)]
pub struct Update {
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    may: May,
    #[command(flatten)]
    said: Said,
    /// Let them in no more
    #[arg(long, conflicts_with = "enable")]
    disable: bool,
    /// Let them in again
    #[arg(long)]
    enable: bool,
    #[command(flatten)]
    write: Write,
}

/// Whose password and authenticator hold no more.
#[derive(Debug, Clone, Args)]
pub struct Reset {
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    shown: Shown,
    #[command(flatten)]
    write: Write,
}

/// Which one.
#[derive(Debug, Clone, Args)]
pub struct Which {
    /// Their id or whole name
    name: String,
    #[command(flatten)]
    keeper: Keeper,
}

/// Runs a command.
pub async fn run(command: Command, session: &mut Session) -> Result<(), Failure> {
    match command {
        Command::Create(create) => invite(create, session).await,
        Command::Update(update) => change(update, session).await,
        Command::Reset(reset) => again(reset, session).await,
        Command::Delete(which) => {
            let (name, write) = (which.name(session)?, Write::default());
            let one = (name.as_str(), "");
            let reply = session.remove(&noun::LOCAL_USER, one, &write).await?;
            session.show_done("deleted", &name, &reply, &write)
        }
        Command::Get(which) => {
            let name = which.name(session)?;
            let get = session.call_by_name(&noun::LOCAL_USER, "Get", &name);
            let reply = get.await?;
            session.show(&reply)
        }
        Command::List(keeper) => {
            let parent = keeper.parent(session)?;
            session.list(&noun::LOCAL_USER, &parent, usize::MAX).await
        }
    }
}

async fn invite(create: Create, session: &mut Session) -> Result<(), Failure> {
    let name = create.which.name(session)?;
    let user = LocalUser {
        display_name: create.said.display_name.unwrap_or_default(),
        bindings: create.may.bindings(session)?,
        lifetime: create.said.lifetime.map(moment::wire_span),
        ..Default::default()
    };
    let made = session.create(&noun::LOCAL_USER, &name, &user, &create.write);
    let reply = made.await?;
    create.shown.finish(&reply, &create.write, session).await
}

async fn change(update: Update, session: &mut Session) -> Result<(), Failure> {
    let mut mask = Mask::default();
    let bindings = update.may.bindings(session)?;
    let bindings = (!bindings.is_empty()).then_some(bindings);
    let lifetime = update.said.lifetime.map(moment::wire_span);
    let disabled = (update.disable || update.enable).then_some(update.disable);
    let user = LocalUser {
        name: update.which.name(session)?,
        display_name: mask.take("display_name", update.said.display_name),
        bindings: mask.take("bindings", bindings),
        lifetime: mask.take("lifetime", lifetime.map(Some)),
        disabled: mask.take("disabled", disabled),
        ..Default::default()
    };
    let changed = session.update(&noun::LOCAL_USER, &user, mask.0, &update.write);
    let reply = changed.await?;
    session.finish(&reply, &update.write).await
}

async fn again(reset: Reset, session: &mut Session) -> Result<(), Failure> {
    let asked = ResetLocalUserRequest {
        name: reset.which.name(session)?,
        ..Default::default()
    };
    let mut request = session
        .connection
        .message(&noun::LOCAL_USER.request("Reset"))?;
    request.transcode_from(&asked).map_err(Failure::broken)?;
    reset.write.stamp(&mut request)?;
    let path = noun::LOCAL_USER.method("Reset");
    let done = session.connection.call(&path, &request, ANSWER_WITHIN);
    let reply = done.await?;
    reset.shown.finish(&reply, &reset.write, session).await
}

// === impl Which ===

impl Which {
    fn name(&self, session: &Session) -> Result<String, Failure> {
        self.keeper.name(&noun::LOCAL_USER, &self.name, session)
    }
}
