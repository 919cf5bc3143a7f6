//! `sluice operator-keys`: who may call the admin API, and what each may do.

use clap::{Args, Subcommand};
use proto::admin::{OperatorKey, RoleBinding};

use crate::{
    admin::{field::Mask, minted::Shown},
    failure::Failure,
    moment::{Moment, moment},
    noun::{self, Noun},
    session::Session,
    verb::Write,
};

/// What can be done with operator keys.
#[derive(Debug, Clone, Subcommand)]
pub enum Command {
    /// Mint one; its text is shown this once
    Create(Create),
    /// Change what one may do
    Update(Update),
    /// Make one useless, at once and for ever
    Revoke(Which),
    /// Show one
    Get(Which),
    /// Show those that the organization keeps
    List(Keeper),
}

/// Who keeps it.
#[derive(Debug, Clone, Copy, Args)]
pub struct Keeper {
    /// Not the organization's: one that stands above all
    #[arg(long)]
    above_all: bool,
}

/// What it may do.
#[derive(Debug, Clone, Args)]
pub struct May {
    /// A role and where it is held, such as viewer@organization, key-issuer@project, owner@organizations/acme, or
    /// owner@everything; roles/triage@project for one of the organization's own; may be repeated
    #[arg(long = "role", value_name = "ROLE@SCOPE")]
    roles: Vec<String>,
}

/// A new one.
#[derive(Debug, Clone, Args)]
pub struct Create {
    #[command(flatten)]
    keeper: Keeper,
    #[command(flatten)]
    may: May,
    /// What people call it
    #[arg(long, value_name = "TEXT")]
    display_name: Option<String>,
    /// When it stops working: in a span such as 90d, or at a time
    #[arg(long, value_name = "WHEN", value_parser = moment)]
    expires: Option<Moment>,
    #[command(flatten)]
    shown: Shown,
    #[command(flatten)]
    write: Write,
}

/// A change of one.
#[derive(Debug, Clone, Args)]
pub struct Update {
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    may: May,
    /// What people call it
    #[arg(long, value_name = "TEXT")]
    display_name: Option<String>,
    #[command(flatten)]
    write: Write,
}

/// Which one.
#[derive(Debug, Clone, Args)]
pub struct Which {
    /// Its id or whole name
    name: String,
    #[command(flatten)]
    keeper: Keeper,
}

/// Runs a command.
pub async fn run(command: Command, session: &mut Session) -> Result<(), Failure> {
    match command {
        Command::Create(create) => mint(create, session).await,
        Command::Update(update) => change(update, session).await,
        Command::Revoke(which) => {
            let name = which.name(session)?;
            let revoke = session.call_by_name(&noun::OPERATOR_KEY, "Revoke", &name);
            let reply = revoke.await?;
            session.show(&reply)
        }
        Command::Get(which) => {
            let name = which.name(session)?;
            let get = session.call_by_name(&noun::OPERATOR_KEY, "Get", &name);
            let reply = get.await?;
            session.show(&reply)
        }
        Command::List(keeper) => {
            let parent = keeper.parent(session)?;
            session.list(&noun::OPERATOR_KEY, &parent, usize::MAX).await
        }
    }
}

async fn mint(create: Create, session: &mut Session) -> Result<(), Failure> {
    let parent = create.keeper.parent(session)?;
    let key = OperatorKey {
        display_name: create.display_name.unwrap_or_default(),
        bindings: create.may.bindings(session)?,
        expire_time: create.expires.map(|at| at.future(session.now)),
        ..Default::default()
    };
    let made = session.create(&noun::OPERATOR_KEY, &parent, &key, &create.write);
    let reply = made.await?;
    create.shown.finish(&reply, &create.write, session).await
}

async fn change(update: Update, session: &mut Session) -> Result<(), Failure> {
    let mut mask = Mask::default();
    let bindings = update.may.bindings(session)?;
    let bindings = (!bindings.is_empty()).then_some(bindings);
    let key = OperatorKey {
        name: update.which.name(session)?,
        display_name: mask.take("display_name", update.display_name),
        bindings: mask.take("bindings", bindings),
        ..Default::default()
    };
    let changed = session.update(&noun::OPERATOR_KEY, &key, mask.0, &update.write);
    let reply = changed.await?;
    session.finish(&reply, &update.write).await
}

/// Where a role is held, by the word for everything or as scopes are named everywhere.
pub fn scope(text: &str, session: &Session) -> Result<String, Failure> {
    match text {
        "everything" => Ok(String::new()),
        text => session.place.scope(text),
    }
}

/// The word of a role that is built in, or the whole name of one of the organization's own.
pub fn named_role(text: &str, session: &Session) -> Result<String, Failure> {
    if text.starts_with("roles/") {
        let organization = session.place.organization()?;
        return Ok(format!("{organization}/{text}"));
    }
    Ok(text.to_owned())
}

// === impl Keeper ===

impl Keeper {
    /// The organization that keeps it; empty for none.
    pub fn parent(self, session: &Session) -> Result<String, Failure> {
        if self.above_all {
            Ok(String::new())
        } else {
            session.place.organization()
        }
    }

    /// The whole name of what it keeps, of which the last part may be all that is said.
    pub fn name(self, noun: &Noun, said: &str, session: &Session) -> Result<String, Failure> {
        if said.contains('/') {
            return Ok(said.to_owned());
        }
        let parent = self.parent(session)?;
        let slash = if parent.is_empty() { "" } else { "/" };
        let collection = noun.collections.last().copied().unwrap_or_default();
        Ok(format!("{parent}{slash}{collection}/{said}"))
    }
}

// === impl Which ===

impl Which {
    fn name(&self, session: &Session) -> Result<String, Failure> {
        self.keeper.name(&noun::OPERATOR_KEY, &self.name, session)
    }
}

// === impl May ===

impl May {
    /// The roles, as the API has them.
    pub fn bindings(&self, session: &Session) -> Result<Vec<RoleBinding>, Failure> {
        let binding = |text: &String| {
            let (role, at) = text
                .split_once('@')
                .ok_or_else(|| Failure::usage(format!("--role {text}: write it as ROLE@SCOPE")))?;
            Ok(RoleBinding {
                role: named_role(role, session)?,
                scope: scope(at, session)?,
            })
        };
        self.roles.iter().map(binding).collect()
    }
}
