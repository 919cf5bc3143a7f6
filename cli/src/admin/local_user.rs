//! `sluice local-users`: who operates by a password and a code that are kept here.

use std::time::Duration;

use clap::{Args, Subcommand};
use prost::Message;
use prost_reflect::DynamicMessage;
use proto::admin::{
    CreateLocalUserRequest, DeleteLocalUserRequest, GetLocalUserRequest, LocalUser,
    ResetLocalUserRequest, UpdateLocalUserRequest,
};

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
        Command::Reset(reset) => {
            let name = reset.which.name(session)?;
            let request = ResetLocalUserRequest {
                name,
                ..Default::default()
            };
            let reply = call("Reset", &request, Some(&reset.write), session).await?;
            reset.shown.finish(&reply, &reset.write, session).await
        }
        Command::Delete(which) => {
            let name = which.name(session)?;
            let request = DeleteLocalUserRequest {
                name: name.clone(),
                ..Default::default()
            };
            let reply = call("Delete", &request, None, session).await?;
            session.show_done("deleted", &name, &reply, &Write::default())
        }
        Command::Get(which) => {
            let name = which.name(session)?;
            let reply = call("Get", &GetLocalUserRequest { name }, None, session).await?;
            session.show(&reply)
        }
        Command::List(keeper) => {
            let parent = keeper.parent(session)?;
            session.list(&noun::LOCAL_USER, &parent, usize::MAX).await
        }
    }
}

async fn invite(create: Create, session: &mut Session) -> Result<(), Failure> {
    let request = CreateLocalUserRequest {
        parent: create.which.keeper.parent(session)?,
        local_user_id: create.which.name,
        local_user: Some(LocalUser {
            display_name: create.said.display_name.unwrap_or_default(),
            bindings: create.may.bindings(session)?,
            lifetime: create.said.lifetime.map(moment::wire_span),
            ..Default::default()
        }),
        ..Default::default()
    };
    let reply = call("Create", &request, Some(&create.write), session).await?;
    create.shown.finish(&reply, &create.write, session).await
}

async fn change(update: Update, session: &mut Session) -> Result<(), Failure> {
    let mut mask = Mask::default();
    let bindings = update.may.bindings(session)?;
    let bindings = (!bindings.is_empty()).then_some(bindings);
    let disabled = (update.disable || update.enable).then_some(update.disable);
    let user = LocalUser {
        name: update.which.name(session)?,
        display_name: mask.take("display_name", update.said.display_name),
        bindings: mask.take("bindings", bindings),
        lifetime: mask.take(
            "lifetime",
            update.said.lifetime.map(moment::wire_span).map(Some),
        ),
        disabled: mask.take("disabled", disabled),
        ..Default::default()
    };
    if mask.0.is_empty() {
        return Err(Failure::usage(
            "nothing is to be changed; --help shows what can be",
        ));
    }
    let paths = mask.0.into_iter().map(str::to_owned).collect();
    let request = UpdateLocalUserRequest {
        local_user: Some(user),
        update_mask: Some(prost_types::FieldMask { paths }),
        ..Default::default()
    };
    let reply = call("Update", &request, Some(&update.write), session).await?;
    session.finish(&reply, &update.write).await
}

async fn call(
    verb: &str,
    request: &impl Message,
    write: Option<&Write>,
    session: &mut Session,
) -> Result<DynamicMessage, Failure> {
    let mut message = session
        .connection
        .message(&noun::LOCAL_USER.request(verb))?;
    message.transcode_from(request).map_err(Failure::broken)?;
    if let Some(write) = write {
        write.stamp(&mut message)?;
    }
    let path = noun::LOCAL_USER.method(verb);
    session
        .connection
        .call(&path, &message, ANSWER_WITHIN)
        .await
}

// === impl Which ===

impl Which {
    fn name(&self, session: &Session) -> Result<String, Failure> {
        self.keeper.name(&noun::LOCAL_USER, &self.name, session)
    }
}
