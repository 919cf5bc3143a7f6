//! What can be said of a provider.
//!
//! Its credential comes from a file, standard input or a variable, never from an argument, and is shown
//! nowhere.

use std::{fs, io::Read, path::PathBuf};

use clap::{Args, ValueEnum};
use proto::admin::{Provider, ProviderKind};

use crate::{
    admin::{
        field::{Change, Mask, Wanted, Which},
        handling::{Answer, Collection, Handling},
        mapping::Mapping,
    },
    failure::Failure,
    session::Session,
};

/// The longest credential that is read; the API's own bound. Full: it is refused, since it is another file.
const CREDENTIAL_BYTES_MAX: u64 = 16_384;

/// A new one.
#[derive(Debug, Clone, Args)]
pub struct New {
    /// What it speaks, which gives defaults for the rest
    #[arg(long)]
    kind: Kind,
    #[command(flatten)]
    fields: Fields,
}

/// A change of one.
#[derive(Debug, Clone, Args)]
pub struct Edit {
    #[command(flatten)]
    fields: Fields,
    /// Forget its credential
    #[arg(long, conflicts_with_all = ["credential_file", "credential_env"])]
    no_credential: bool,
    /// Let the edges of every region use it
    #[arg(long, conflicts_with = "region")]
    every_region: bool,
    /// Let its credential be exchanged where its kind does and nowhere else
    #[arg(long, conflicts_with = "exchange_origin")]
    no_exchange_origin: bool,
}

/// The kinds of providers.
#[derive(Debug, Clone, Copy, ValueEnum)]
#[expect(missing_docs, reason = "each kind is what it is called")]
pub enum Kind {
    OpenaiCompatible,
    Openai,
    Vllm,
    Ollama,
    LlamaCpp,
    Mistral,
    Groq,
    Deepseek,
    Xai,
    Together,
    Openrouter,
    Anthropic,
    Gemini,
    Cohere,
    AzureOpenai,
    Bedrock,
    Vertex,
    OpenInference,
    CustomHttp,
}

#[derive(Debug, Clone, Args)]
struct Fields {
    /// What people call it
    #[arg(long, value_name = "TEXT")]
    display_name: Option<String>,
    /// Where its API stands; empty for the default of its kind
    #[arg(long, value_name = "URL")]
    base_url: Option<String>,
    /// A file that holds what we present to it, or what edges exchange for it, such as the JSON key of a service
    /// account; `-` is standard input
    #[arg(long, value_name = "FILE", conflicts_with = "credential_env")]
    credential_file: Option<PathBuf>,
    /// The name of a variable that holds what we present to it
    #[arg(long, value_name = "VARIABLE")]
    credential_env: Option<String>,
    /// A region whose edges may use it; may be repeated. Without one: every region
    #[arg(long, value_name = "REGION")]
    region: Vec<String>,
    /// An origin at which its credential may be exchanged for tokens, beside those of its kind; may be repeated
    #[arg(long, value_name = "URL")]
    exchange_origin: Vec<String>,
    /// Whether `stream_options` may be sent to it
    #[arg(long, value_name = "ANSWER")]
    stream_options: Option<StreamOptions>,
    #[command(flatten)]
    mapping: Box<Mapping>,
    /// Whether keys held to no models may reach any path of its API through an edge
    #[arg(long, value_name = "ANSWER")]
    passthrough: Option<Passthrough>,
    #[command(flatten)]
    handling: Handling,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Passthrough {
    Yes,
    No,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum StreamOptions {
    /// As its kind does
    Default,
    Yes,
    No,
}

impl Wanted for New {
    type Resource = Provider;

    fn wanted(self, _: &Session) -> Result<Provider, Failure> {
        Ok(Provider {
            kind: self.kind.wire().into(),
            credential: self.fields.credential()?.unwrap_or_default(),
            custom: self.fields.mapping.wanted()?,
            display_name: self.fields.display_name.unwrap_or_default(),
            base_url: self.fields.base_url.unwrap_or_default(),
            regions: self.fields.region,
            exchange_origins: self.fields.exchange_origin,
            stream_options: self.fields.stream_options.and_then(StreamOptions::wire),
            passthrough: self.fields.passthrough == Some(Passthrough::Yes),
            collects_nothing: self.fields.handling.data_collection == Some(Collection::Deny),
            retains_nothing: self.fields.handling.zero_retention == Some(Answer::Yes),
            residency: self.fields.handling.residency.unwrap_or_default(),
            quantization: self.fields.handling.quantization.unwrap_or_default(),
            ..Default::default()
        })
    }
}

impl Change for Edit {
    type Resource = Provider;

    fn change(&self, it: Which, _: &Session) -> Result<(Provider, Mask), Failure> {
        let mut mask = Mask::default();
        let given = if self.no_credential {
            Some(String::new())
        } else {
            self.fields.credential()?
        };
        let fields = &self.fields;
        let handling = &fields.handling;
        let provider = Provider {
            name: it.name,
            etag: it.etag,
            credential: mask.take("credential", given),
            custom: mask.take("custom", fields.mapping.wanted()?.map(Some)),
            display_name: mask.take("display_name", fields.display_name.clone()),
            base_url: mask.take("base_url", fields.base_url.clone()),
            regions: mask.take_list("regions", &fields.region, self.every_region),
            exchange_origins: mask.take_list(
                "exchange_origins",
                &fields.exchange_origin,
                self.no_exchange_origin,
            ),
            stream_options: mask.take(
                "stream_options",
                fields.stream_options.map(StreamOptions::wire),
            ),
            passthrough: mask.take(
                "passthrough",
                fields.passthrough.map(|it| it == Passthrough::Yes),
            ),
            collects_nothing: mask.take(
                "collects_nothing",
                handling.data_collection.map(|it| it == Collection::Deny),
            ),
            retains_nothing: mask.take(
                "retains_nothing",
                handling.zero_retention.map(|it| it == Answer::Yes),
            ),
            residency: mask.take("residency", handling.residency.clone()),
            quantization: mask.take("quantization", handling.quantization.clone()),
            ..Default::default()
        };
        Ok((provider, mask))
    }
}

// === impl Fields ===

impl Fields {
    fn credential(&self) -> Result<Option<String>, Failure> {
        let text = match (&self.credential_file, &self.credential_env) {
            (None, None) => return Ok(None),
            (Some(path), _) => {
                let from: Box<dyn Read> = if path.as_os_str() == "-" {
                    Box::new(std::io::stdin())
                } else {
                    let file = fs::File::open(path);
                    Box::new(file.map_err(|error| unreadable(path, &error))?)
                };
                let mut text = String::new();
                let read = from
                    .take(CREDENTIAL_BYTES_MAX + 1)
                    .read_to_string(&mut text);
                read.map_err(|error| unreadable(path, &error))?;
                text
            }
            (None, Some(name)) => std::env::var(name).map_err(|_| {
                Failure::usage(format!(
                    "--credential-env {name}: there is no such variable"
                ))
            })?,
        };
        match text.trim() {
            "" => Err(Failure::usage(
                "the credential is empty; --no-credential forgets one",
            )),
            text => Ok(Some(text.to_owned())),
        }
    }
}

fn unreadable(path: &std::path::Path, error: &std::io::Error) -> Failure {
    Failure::system(format!("read the credential in {}", path.display()), error)
}

// === impl Kind ===

impl Kind {
    /// As the contract has it.
    pub const fn wire(self) -> ProviderKind {
        match self {
            Self::OpenaiCompatible => ProviderKind::OpenaiCompatible,
            Self::Openai => ProviderKind::Openai,
            Self::Vllm => ProviderKind::Vllm,
            Self::Ollama => ProviderKind::Ollama,
            Self::LlamaCpp => ProviderKind::LlamaCpp,
            Self::Mistral => ProviderKind::Mistral,
            Self::Groq => ProviderKind::Groq,
            Self::Deepseek => ProviderKind::Deepseek,
            Self::Xai => ProviderKind::Xai,
            Self::Together => ProviderKind::Together,
            Self::Openrouter => ProviderKind::Openrouter,
            Self::Anthropic => ProviderKind::Anthropic,
            Self::Gemini => ProviderKind::Gemini,
            Self::Cohere => ProviderKind::Cohere,
            Self::AzureOpenai => ProviderKind::AzureOpenai,
            Self::Bedrock => ProviderKind::Bedrock,
            Self::Vertex => ProviderKind::Vertex,
            Self::OpenInference => ProviderKind::OpenInference,
            Self::CustomHttp => ProviderKind::Custom,
        }
    }
}

// === impl StreamOptions ===

impl StreamOptions {
    const fn wire(self) -> Option<bool> {
        match self {
            Self::Default => None,
            Self::Yes => Some(true),
            Self::No => Some(false),
        }
    }
}
