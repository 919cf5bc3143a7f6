//! Versions: what can be said of one, and putting one to work.
//!
//! A version never changes, so there is no update; `--stable` makes its model serve it.

use clap::{Args, Subcommand};
use prost_reflect::DynamicMessage;
use proto::admin::{Model, ModelVersion};

use crate::{
    admin::{
        ability::Capabilities,
        balance::Routing,
        deprecation::{self, Deprecate},
        recipe::Recipe,
        target::Target,
        version_diff::{self, Diff},
    },
    failure::Failure,
    noun, output,
    place::split,
    session::Session,
    verb::{Delete, Get, List, Write},
};

/// What can be done with versions.
#[derive(Debug, Clone, Subcommand)]
pub enum Command {
    /// Make one
    Create(Box<Create>),
    /// Show one
    Get(Get),
    /// Show those of a model
    List(ListOf),
    /// Show in what two differ, with what their targets can do
    Diff(Diff),
    /// Say when one is no longer to be used, and what is instead
    Deprecate(Deprecate),
    /// Delete one that is not the stable one
    Delete(Delete),
}

/// A new one.
#[derive(Debug, Clone, Args)]
pub struct Create {
    /// MODEL@VERSION, or its whole name
    name: String,
    /// Where requests are sent, as PROVIDER=MODEL; may be repeated, in order of preference; 3*PROVIDER=MODEL has a weight, by
    /// which requests are shared
    #[arg(long, required = true, value_name = "TARGET")]
    target: Vec<Target>,
    /// Where it came from, as NAME=VALUE, such as `git_sha=1f3c9a`; may be repeated
    #[arg(long, value_name = "NAME=VALUE", value_parser = pair)]
    provenance: Vec<(String, String)>,
    #[command(flatten)]
    capabilities: Capabilities,
    #[command(flatten)]
    routing: Routing,
    #[command(flatten)]
    recipe: Recipe,
    /// Make it the version that serves
    #[arg(long, conflicts_with = "validate_only")]
    stable: bool,
    #[command(flatten)]
    write: Write,
}

/// Those of one model.
#[derive(Debug, Clone, Args)]
pub struct ListOf {
    /// The model's id or whole name
    model: String,
    #[command(flatten)]
    list: List,
}

/// Runs a command.
pub async fn run(command: Command, session: &mut Session) -> Result<(), Failure> {
    match command {
        Command::Get(get) => session.get(&noun::MODEL_VERSION, &get.name).await,
        Command::Diff(diff) => version_diff::run(diff, session).await,
        Command::Deprecate(it) => deprecation::run(&noun::MODEL_VERSION, it, session).await,
        Command::Delete(delete) => session.delete(&noun::MODEL_VERSION, &delete).await,
        Command::List(ListOf { model, list }) => {
            let parent = session.place.name(noun::MODEL.collections, &model)?;
            session.list(&noun::MODEL_VERSION, &parent, list.max).await
        }
        Command::Create(create) => make(*create, session).await,
    }
}

async fn make(create: Create, session: &mut Session) -> Result<(), Failure> {
    let name = session
        .place
        .name(noun::MODEL_VERSION.collections, &create.name)?;
    let targets = create
        .target
        .into_iter()
        .map(|target| target.wire(&session.place));
    let mut targets = targets.collect::<Result<Vec<_>, _>>()?;
    for target in &mut targets {
        target.capabilities = create.capabilities.wire();
    }
    let version = ModelVersion {
        targets,
        provenance: create.provenance.into_iter().collect(),
        ..create.routing.of(create.recipe.version()?)
    };
    let reply = session
        .create(&noun::MODEL_VERSION, &name, &version, &create.write)
        .await?;
    if !create.stable {
        return session.finish(&reply, &create.write).await;
    }
    session.show(&reply)?;
    let model = serve(&name, &create.write.of_step(1)?, session).await?;
    session.settle(&model, &create.write).await
}

/// Makes a version the one that its model serves.
pub async fn serve(
    version: &str,
    write: &Write,
    session: &mut Session,
) -> Result<DynamicMessage, Failure> {
    let (model, id) = split(version);
    let resource = Model {
        name: model.to_owned(),
        stable_version: version.to_owned(),
        ..Default::default()
    };
    let mask = vec!["stable_version"];
    let served = session.update(&noun::MODEL, &resource, mask, write).await.map_err(|failure| {
        let advice = format!(
            "the version stands but does not serve; `sluice models update {} --stable {id}` makes it serve",
            split(model).1
        );
        failure.with_advice(advice)
    })?;
    output::remark(format_args!("{model} serves {id}"));
    Ok(served)
}

/// Reads `NAME=VALUE`.
pub fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("write NAME=VALUE".to_owned()),
    }
}
