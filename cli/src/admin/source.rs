//! `sluice sources`: registries that models follow.

use std::{path::PathBuf, time::Duration};

use clap::{Args, Subcommand, ValueEnum};
use proto::admin::{KserveService, MlflowAlias, SourceRollout, VersionSource};

use crate::{
    admin::{
        credential_text,
        field::Wanted,
        model_version::pair,
        plain::run_standing,
        rollout_spec::{Gate, Step, Sticky},
        target::Target,
        text_file,
    },
    failure::Failure,
    moment::{span, wire_span},
    noun,
    session::Session,
    verb::{Create, Standing},
};

/// What can be done with sources.
#[derive(Debug, Clone, Subcommand)]
pub enum Command {
    /// Make one; it never changes
    Create(Box<Create<New>>),
    /// What stands.
    #[command(flatten)]
    Standing(Standing),
}

/// The kinds of registries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// An alias in a model registry of MLflow
    Mlflow,
    /// An inference service of KServe
    Kserve,
}

/// A new one.
#[derive(Debug, Clone, Args)]
pub struct New {
    /// What kind of registry it is
    #[arg(long)]
    kind: Kind,
    /// Where it is asked: MLflow's server, or the API of Kubernetes
    #[arg(long, value_name = "URL")]
    url: String,
    /// Of MLflow: the name of the model there
    #[arg(long, value_name = "NAME", required_if_eq("kind", "mlflow"))]
    registered_model: Option<String>,
    /// Of MLflow: the alias that is followed, such as champion
    #[arg(long, value_name = "ALIAS", required_if_eq("kind", "mlflow"))]
    alias: Option<String>,
    /// Of MLflow: as whom to sign in, with the credential as the password; without it that is a token
    #[arg(long, value_name = "NAME")]
    username: Option<String>,
    /// Of KServe: the namespace of the service
    #[arg(long, value_name = "NAME", required_if_eq("kind", "kserve"))]
    namespace: Option<String>,
    /// Of KServe: the name of the service
    #[arg(long, value_name = "NAME", required_if_eq("kind", "kserve"))]
    inference_service: Option<String>,
    /// A file that holds what is presented there; `-` is standard input
    #[arg(long, value_name = "FILE", conflicts_with = "credential_env")]
    credential_file: Option<PathBuf>,
    /// The name of a variable that holds it
    #[arg(long, value_name = "VARIABLE")]
    credential_env: Option<String>,
    /// A file with the authorities whose certificates are believed there, as PEM; without one the public ones are
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,
    /// How often it is asked
    #[arg(long, value_name = "TIME", value_parser = span, default_value = "1m")]
    every: Duration,
    /// The model whose versions are made
    #[arg(long, value_name = "MODEL")]
    model: String,
    /// Where their requests are sent, as PROVIDER=MODEL, in which {name}, {version} and {tag.KEY} are what the registry says
    #[arg(long, value_name = "TARGET")]
    target: Target,
    /// What is added to their provenance, as NAME=VALUE; may be repeated
    #[arg(long, value_name = "NAME=VALUE", value_parser = pair)]
    label: Vec<(String, String)>,
    /// Start a rollout to each, with this step: PERCENT, PERCENT:TIME or PERCENT:TIME:REQUESTS, and `:approve` behind it where
    /// somebody has to; may be repeated
    #[arg(long, value_name = "STEP")]
    step: Vec<Step>,
    /// What is compared with the stable version in it: METRIC, METRIC:TOLERANCE or METRIC:TOLERANCE:MARGIN; may be repeated
    #[arg(long, value_name = "GATE", requires = "step")]
    gate: Vec<Gate>,
    /// What keeps a client with the version that it met first in it
    #[arg(long, value_enum, default_value_t = Sticky::EndUser, requires = "step")]
    sticky: Sticky,
}

impl Wanted for New {
    type Resource = VersionSource;

    fn wanted(self, session: &Session) -> Result<VersionSource, Failure> {
        let (file, variable) = (
            self.credential_file.as_deref(),
            self.credential_env.as_deref(),
        );
        let credential = credential_text::read(file, variable)?;
        let ca_pem = self.ca_file.as_deref().map(text_file::read).transpose()?;
        let target = self.target.wire(&session.place)?;
        let rollout = SourceRollout {
            steps: self.step.into_iter().map(|Step(it)| it).collect(),
            gates: self.gate.into_iter().map(|Gate(it)| it).collect(),
            stickiness: self.sticky.wire().into(),
        };
        let (mlflow, kserve) = match self.kind {
            Kind::Mlflow => {
                let mlflow = MlflowAlias {
                    registered_model: self.registered_model.unwrap_or_default(),
                    alias: self.alias.unwrap_or_default(),
                    username: self.username.unwrap_or_default(),
                };
                (Some(mlflow), None)
            }
            Kind::Kserve => {
                let kserve = KserveService {
                    namespace: self.namespace.unwrap_or_default(),
                    inference_service: self.inference_service.unwrap_or_default(),
                };
                (None, Some(kserve))
            }
        };
        Ok(VersionSource {
            model: session.place.name(noun::MODEL.collections, &self.model)?,
            url: self.url,
            mlflow,
            kserve,
            credential,
            ca_pem: ca_pem.unwrap_or_default(),
            interval: Some(wire_span(self.every)),
            provider: target.provider,
            provider_model: target.provider_model,
            labels: self.label.into_iter().collect(),
            rollout: (!rollout.steps.is_empty()).then_some(rollout),
            ..Default::default()
        })
    }
}

/// Runs a command.
pub async fn run(command: Command, session: &mut Session) -> Result<(), Failure> {
    let noun = &noun::VERSION_SOURCE;
    match command {
        Command::Create(create) => {
            let name = session.place.name(noun.collections, &create.name)?;
            let (fields, write) = (create.fields, create.write);
            let source = fields.wanted(session)?;
            let reply = session.create(noun, &name, &source, &write).await?;
            session.finish(&reply, &write).await
        }
        Command::Standing(standing) => run_standing(noun, &standing, session).await,
    }
}
