//! Models: what can be said of one, and making one that serves at once.
//!
//! With `--provider` a model, its first version and its release are made in one go: three calls, of which a
//! later one may fail; then the message says what stands and how to go on.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use proto::admin::{Model, ModelRule, ModelVersion};

use crate::{
    admin::{
        deprecation::{self, Deprecate},
        field::{self, Change, Mask, Which},
        model_version, release_file,
        target::Target,
        users::{self, Users},
    },
    failure::Failure,
    noun,
    output::{self, Format},
    session::Session,
    verb::{self, Delete, Get, List, Update, Write},
};

/// What can be done with models.
#[derive(Debug, Clone, Subcommand)]
pub enum Command {
    /// Make one; with --provider, one that serves at once
    Create(verb::Create<New>),
    /// Make the version that a file says, unless it stands, and print its name
    Push(Push),
    /// Change what is named of one
    Update(Update<Edit>),
    /// Show one
    Get(Get),
    /// Show all
    List(List),
    /// Say when one is no longer to be used, and what is instead
    Deprecate(Deprecate),
    /// Show which keys still use one, or a version of it
    Users(Users),
    /// Delete one and its versions
    Delete(Delete),
}

/// A new one.
#[derive(Debug, Clone, Args)]
pub struct New {
    /// What people call it
    #[arg(long, value_name = "TEXT")]
    display_name: Option<String>,
    /// The provider of its first version
    #[arg(
        long,
        value_name = "PROVIDER",
        requires = "provider_model",
        conflicts_with = "validate_only"
    )]
    provider: Option<String>,
    /// The name by which that provider knows the model
    #[arg(long, value_name = "MODEL", requires = "provider")]
    provider_model: Option<String>,
    /// The id of its first version
    #[arg(
        long = "version-id",
        value_name = "ID",
        default_value = "v1",
        requires = "provider"
    )]
    version_id: String,
}

/// A version to make.
#[derive(Debug, Clone, Args)]
pub struct Push {
    /// The file, TOML: `model`, `[[target]]` with `provider` and `model`, and `[provenance]`
    #[arg(short, long, value_name = "FILE")]
    file: PathBuf,
    /// Where it came from, as NAME=VALUE, such as `git_sha=1f3c9a`; may be repeated
    #[arg(long, value_name = "NAME=VALUE", value_parser = model_version::pair)]
    provenance: Vec<(String, String)>,
    #[command(flatten)]
    write: Write,
}

/// A change of one.
#[derive(Debug, Clone, Args)]
pub struct Edit {
    /// What people call it
    #[arg(long, value_name = "TEXT")]
    display_name: Option<String>,
    /// The version that serves, by its id or whole name
    #[arg(long, value_name = "VERSION", conflicts_with = "no_stable")]
    stable: Option<String>,
    /// Offer it no longer
    #[arg(long)]
    no_stable: bool,
    /// When another version serves, as `CONDITION => VERSION`; may be repeated, and takes the place of all that stood: the
    /// first whose condition is true decides
    #[arg(long, value_name = "RULE", value_parser = rule)]
    rule: Vec<(String, String)>,
    /// Have no rules any more
    #[arg(long, conflicts_with = "rule")]
    no_rules: bool,
}

/// Takes a rule apart at its last arrow, which no condition has.
fn rule(text: &str) -> Result<(String, String), String> {
    let (condition, version) = text
        .rsplit_once("=>")
        .ok_or("write CONDITION => VERSION, such as 'input_tokens > 100000 => long@v1'")?;
    Ok((condition.trim().to_owned(), version.trim().to_owned()))
}

/// Runs a command.
pub async fn run(command: Command, session: &mut Session) -> Result<(), Failure> {
    match command {
        Command::Create(create) => make(create, session).await,
        Command::Push(push) => make_of_file(push, session).await,
        Command::Deprecate(it) => deprecation::run(&noun::MODEL, it, session).await,
        Command::Users(it) => users::run(&it, session).await,
        Command::Update(update) => field::update(&noun::MODEL, &update, session).await,
        Command::Get(get) => session.get(&noun::MODEL, &get.name).await,
        Command::Delete(delete) => session.delete(&noun::MODEL, &delete).await,
        Command::List(list) => {
            let parent = session.place.parent(noun::MODEL.collections)?;
            session.list(&noun::MODEL, &parent, list.max).await
        }
    }
}

async fn make(create: verb::Create<New>, session: &mut Session) -> Result<(), Failure> {
    let verb::Create {
        name,
        fields,
        write,
    } = create;
    let name = session.place.name(noun::MODEL.collections, &name)?;
    let display_name = fields.display_name.unwrap_or_default();
    let model = Model {
        display_name,
        ..Default::default()
    };
    let (Some(provider), Some(provider_model)) = (fields.provider, fields.provider_model) else {
        let reply = session.create(&noun::MODEL, &name, &model, &write).await?;
        return session.finish(&reply, &write).await;
    };
    // Checked before anything is made.
    let steps: [Write; 2] = [write.of_step(1)?, write.of_step(2)?];
    let target = Target {
        provider,
        provider_model,
        weight: 0,
    }
    .wire(&session.place)?;
    let version = ModelVersion {
        targets: vec![target],
        ..Default::default()
    };
    session.create(&noun::MODEL, &name, &model, &write).await?;
    let version_name = format!("{name}/versions/{}", fields.version_id);
    let made = session
        .create(&noun::MODEL_VERSION, &version_name, &version, &steps[0])
        .await;
    made.map_err(|failure| {
        failure.with_advice(format!(
            "{name} stands, without a version; `sluice versions create --stable` makes one that serves"
        ))
    })?;
    let served = model_version::serve(&version_name, &steps[1], session).await?;
    session.finish(&served, &write).await
}

/// Makes the version that a file says. Its name hangs on what it is, so one that has it already is the same.
async fn make_of_file(push: Push, session: &mut Session) -> Result<(), Failure> {
    let wanted = release_file::read(&push.file, &session.place)?;
    let model = session.place.name(noun::MODEL.collections, &wanted.model)?;
    let name = format!("{model}/versions/{}", wanted.id);
    let mut version = wanted.version;
    version.provenance.extend(push.provenance);
    let made = session
        .create(&noun::MODEL_VERSION, &name, &version, &push.write)
        .await;
    let reply = match made {
        Err(failure) if failure.is_taken() => {
            output::remark(format_args!("{name} stands already"));
            session
                .call_by_name(&noun::MODEL_VERSION, "Get", &name)
                .await?
        }
        made => made?,
    };
    match session.format {
        Format::Json => session.show(&reply)?,
        Format::Table => output::line(&name)?,
    }
    session.settle(&reply, &push.write).await
}

impl Change for Edit {
    type Resource = Model;

    fn change(&self, it: Which, session: &Session) -> Result<(Model, Mask), Failure> {
        let mut mask = Mask::default();
        let stable = match &self.stable {
            Some(text) if text.contains(['/', '@']) => {
                Some(session.place.name(noun::MODEL_VERSION.collections, text)?)
            }
            Some(id) => Some(format!("{}/versions/{id}", it.name)),
            None => self.no_stable.then(String::new),
        };
        let rules = self.rule.iter().map(|(condition, version)| {
            let version = match version.as_str() {
                text if text.contains(['/', '@']) => {
                    session.place.name(noun::MODEL_VERSION.collections, text)?
                }
                id => format!("{}/versions/{id}", it.name),
            };
            Ok(ModelRule {
                condition: condition.clone(),
                version,
            })
        });
        let rules = rules.collect::<Result<Vec<_>, Failure>>()?;
        let model = Model {
            rules: mask.take(
                "rules",
                (self.no_rules || !rules.is_empty()).then_some(rules),
            ),
            stable_version: mask.take("stable_version", stable),
            display_name: mask.take("display_name", self.display_name.clone()),
            name: it.name,
            etag: it.etag,
            ..Default::default()
        };
        Ok((model, mask))
    }
}
