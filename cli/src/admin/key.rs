//! What can be said of a key.

use clap::{Args, Subcommand};
use prost_reflect::Value;
use proto::admin::{Key, KeyEnvironment};

use crate::{
    admin::{
        field::{self, Change, Mask, Which},
        key_import::{self, Import},
        key_rotation::{self, EndOverlap, Report, Rotate},
        key_scope::Scope,
        minted::Shown,
    },
    connection::ANSWER_WITHIN,
    failure::Failure,
    moment::{Moment, moment},
    noun,
    place::Place,
    session::{Session, set},
    verb::{Delete, Get, List, Update, Write},
};

/// What can be done with keys.
#[derive(Debug, Clone, Subcommand)]
pub enum Command {
    /// Mint one; its text is shown this once
    Create(Create),
    /// Change what is named of one
    Update(Update<Edit>),
    /// Take one in that was minted elsewhere, by the hash of its text
    Import(Import),
    /// Give one another secret; its text is shown this once, and the old one works until the overlap ends
    Rotate(Rotate),
    /// End the overlap of a rotation: the old secret works no more
    EndOverlap(EndOverlap),
    /// Show those that nobody uses, or whose secret is to be replaced
    Report(Report),
    /// Make one useless, at once and for ever
    Revoke(Revoke),
    /// Show one
    Get(Get),
    /// Show those of a project
    List(List),
    /// Delete one that is revoked
    Delete(Delete),
}

/// A new one.
#[derive(Debug, Clone, Args)]
pub struct Create {
    /// What people call it
    #[arg(long, value_name = "TEXT")]
    display_name: Option<String>,
    /// A key for tests, which says so in its text
    #[arg(long)]
    test: bool,
    /// A model that it may ask for; may be repeated. Without one: every model of the organization
    #[arg(long, value_name = "MODEL")]
    model: Vec<String>,
    /// When it stops working: in a span such as 90d, or at a time
    #[arg(long, value_name = "WHEN", value_parser = moment)]
    expires: Option<Moment>,
    /// The service account of the project that it belongs to
    #[arg(long, value_name = "NAME")]
    service_account: Option<String>,
    #[command(flatten)]
    scope: Scope,
    #[command(flatten)]
    shown: Shown,
    #[command(flatten)]
    write: Write,
}

/// A change of one.
#[derive(Debug, Clone, Args)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a flag of the command line"
)]
pub struct Edit {
    /// What people call it
    #[arg(long, value_name = "TEXT")]
    display_name: Option<String>,
    /// A model that it may ask for, instead of those that it may now; may be repeated
    #[arg(long, value_name = "MODEL", conflicts_with = "every_model")]
    model: Vec<String>,
    /// Let it ask for every model of the organization
    #[arg(long)]
    every_model: bool,
    /// When it stops working: in a span such as 90d, or at a time
    #[arg(long, value_name = "WHEN", value_parser = moment, conflicts_with = "never_expires")]
    expires: Option<Moment>,
    /// Let it work for ever
    #[arg(long)]
    never_expires: bool,
    /// Switch it off for now
    #[arg(long, conflicts_with = "enable")]
    disable: bool,
    /// Switch it on again
    #[arg(long)]
    enable: bool,
    /// The service account of the project that it belongs to from now on
    #[arg(long, value_name = "NAME", conflicts_with = "no_service_account")]
    service_account: Option<String>,
    /// Have it belong to no service account
    #[arg(long)]
    no_service_account: bool,
    #[command(flatten)]
    scope: Scope,
    /// Take away what else it is held to, save what is said anew
    #[arg(long)]
    no_scope: bool,
}

/// Which one to revoke.
#[derive(Debug, Clone, Args)]
pub struct Revoke {
    /// Its id or whole name
    name: String,
    /// End the answers that are still coming to its requests, too: each stream ends with an error
    #[arg(long)]
    cut_streams: bool,
    #[command(flatten)]
    write: Write,
}

/// Runs a command.
pub async fn run(command: Command, session: &mut Session) -> Result<(), Failure> {
    match command {
        Command::Create(create) => mint(create, session).await,
        Command::Update(update) => field::update(&noun::KEY, &update, session).await,
        Command::Import(import) => key_import::run(import, session).await,
        Command::Rotate(rotate) => key_rotation::rotate(rotate, session).await,
        Command::EndOverlap(end) => key_rotation::end_overlap(end, session).await,
        Command::Report(report) => key_rotation::report(&report, session).await,
        Command::Get(get) => session.get(&noun::KEY, &get.name).await,
        Command::Delete(delete) => session.delete(&noun::KEY, &delete).await,
        Command::List(list) => {
            let parent = session.place.parent(noun::KEY.collections)?;
            session.list(&noun::KEY, &parent, list.max).await
        }
        Command::Revoke(it) => revoke(it, session).await,
    }
}

async fn mint(create: Create, session: &mut Session) -> Result<(), Failure> {
    let parent = session.place.parent(noun::KEY.collections)?;
    let environment = if create.test {
        KeyEnvironment::Test
    } else {
        KeyEnvironment::Live
    };
    let mut key = Key {
        display_name: create.display_name.unwrap_or_default(),
        environment: environment.into(),
        models: models(&create.model, &session.place)?,
        expire_time: create.expires.map(|at| at.future(session.now)),
        service_account: account(create.service_account.as_deref(), &session.place)?
            .unwrap_or_default(),
        ..Default::default()
    };
    create.scope.put(&mut key, &session.place)?;
    let reply = session
        .create(&noun::KEY, &parent, &key, &create.write)
        .await?;
    create.shown.finish(&reply, &create.write, session).await
}

async fn revoke(revoke: Revoke, session: &mut Session) -> Result<(), Failure> {
    let Revoke {
        name,
        cut_streams,
        write,
    } = revoke;
    let name = session.place.name(noun::KEY.collections, &name)?;
    let mut request = session.connection.message(&noun::KEY.request("Revoke"))?;
    set(&mut request, "name", Value::String(name.clone()))?;
    set(&mut request, "cut_streams", Value::Bool(cut_streams))?;
    write.stamp(&mut request)?;
    let method = noun::KEY.method("Revoke");
    let reply = session
        .connection
        .call(&method, &request, ANSWER_WITHIN)
        .await?;
    session.show_done("revoked", &name, &reply, &write)?;
    session.settle(&reply, &write).await
}

fn models(given: &[String], place: &Place) -> Result<Vec<String>, Failure> {
    given
        .iter()
        .map(|text| place.name(noun::MODEL.collections, text))
        .collect()
}

/// The whole name of the account that was given.
fn account(given: Option<&str>, place: &Place) -> Result<Option<String>, Failure> {
    let name = |text| place.name(noun::SERVICE_ACCOUNT.collections, text);
    given.map(name).transpose()
}

impl Change for Edit {
    type Resource = Key;

    fn change(&self, it: Which, session: &Session) -> Result<(Key, Mask), Failure> {
        let mut mask = Mask::default();
        let models = models(&self.model, &session.place)?;
        let expires = match self.expires {
            Some(at) => Some(Some(at.future(session.now))),
            None => self.never_expires.then_some(None),
        };
        let account = account(self.service_account.as_deref(), &session.place)?;
        let account = account.or(self.no_service_account.then(String::new));
        let disabled = (self.disable || self.enable).then_some(self.disable);
        let mut key = Key {
            name: it.name,
            etag: it.etag,
            display_name: mask.take("display_name", self.display_name.clone()),
            models: mask.take_list("models", &models, self.every_model),
            expire_time: mask.take("expire_time", expires),
            disabled: mask.take("disabled", disabled),
            service_account: mask.take("service_account", account),
            ..Default::default()
        };
        let place = (&mut mask, &session.place);
        self.scope.change(&mut key, place, self.no_scope)?;
        Ok((key, mask))
    }
}
