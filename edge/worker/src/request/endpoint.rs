//! What can be asked for, by its path.
//!
//! Knows paths and methods; knows nothing of what stands in a request.

use dialect::{
    inference::path::{Addressee, Asks, name},
    listing::Page,
    neutral::Family,
    request::Endpoint as Inference,
};
use http::{HeaderMap, Method};

use crate::request::query;

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Endpoint {
    /// Something a model answers.
    Inference(Asked),
    /// The list of models.
    Models(Box<Listed>),
    /// One model, by name, and in whose form.
    Model(Box<(String, Family)>),
    /// What a server of tensors says of itself.
    Server(Server),
    /// Who issues tokens that are taken here (RFC 9728). Whoever asks is told.
    TokenIssuers,
    /// What a client asks of itself.
    Own(Own),
    /// Whether a model of tensors can be asked, in this version if one is named.
    Ready {
        /// The model.
        model: Box<str>,
        /// Its version.
        version: Option<Box<str>>,
    },
}

/// What a client asks of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Own {
    /// What became of this request of its project; all zeroes where the query names none.
    Generation(uuid::Uuid),
    /// What its key may use and has used.
    Key,
    /// Nothing: it says what it thinks of an answer.
    Feedback,
}

/// What a server of tensors says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Server {
    /// Who it is.
    Metadata,
    /// That it runs.
    Live,
    /// That it can be asked.
    Ready,
}

/// Where it is told who issues tokens.
pub const TOKEN_ISSUERS_PATH: &str = "/.well-known/oauth-protected-resource";

/// How models are listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// In whose form.
    pub family: Family,
    /// Which of them.
    pub page: Page,
}

/// In whose words an error is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Manner {
    /// Those of a family of chat.
    Family(Family),
    /// Those of the Open Inference Protocol.
    Inference,
    /// Our own, for custom models.
    Custom,
}

/// What a model is asked, as far as the path says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// What.
    pub inference: Inference,
    /// Which model, where the path says it and not the body.
    pub model: Option<Box<str>>,
    /// Which version of it, where the path says that.
    pub version: Option<Box<str>>,
    /// Whether a stream of Gemini's is to be server-sent events.
    pub events: bool,
}

/// A closed set of words for what a path asks for, as labels of metrics.
pub const LABELS: [&str; 13] = [
    "chat_completions",
    "completions",
    "embeddings",
    "models",
    "responses",
    "messages",
    "generate_content",
    "count_tokens",
    "infer",
    "invoke",
    "other",
    "passthrough",
    "realtime",
];

/// The places in [`LABELS`] of what does not go through the pipeline's usual line.
pub const MODELS: usize = 3;
/// As [`MODELS`].
pub const PASSTHROUGH: usize = 11;
/// As [`MODELS`].
pub const REALTIME: usize = 12;

/// What stands before a provider's name in the path of what is passed through.
pub const PASSTHROUGH_PREFIX: &str = "/passthrough/";
/// The path of the Realtime API.
pub const REALTIME_PATH: &str = "/v1/realtime";

/// Which of [`LABELS`] a path belongs to.
pub fn label(path: &str) -> usize {
    match path {
        "/v1/chat/completions" => 0,
        "/v1/completions" => 1,
        "/v1/embeddings" => 2,
        "/v1/responses" => 4,
        "/v1/messages" => 5,
        "/v1/messages/count_tokens" => 7,
        _ if generated(path).is_some_and(|(_, asked)| asked.counts()) => 7,
        _ if generated(path).is_some() => 6,
        _ if path.starts_with("/v1/models") || path.starts_with("/v1beta/models") => MODELS,
        _ if path.starts_with(PASSTHROUGH_PREFIX) => PASSTHROUGH,
        REALTIME_PATH => REALTIME,
        _ if path == "/v2" || path.starts_with("/v2/") => 8,
        _ if invoked(path).is_some() => 9,
        _ => 10,
    }
}

/// The word for an endpoint, as keys are held to it.
pub const fn word(endpoint: Inference) -> &'static str {
    match endpoint {
        Inference::ChatCompletions => "chat_completions",
        Inference::Completions => "completions",
        Inference::Embeddings => "embeddings",
        Inference::Responses => "responses",
        Inference::Messages => "messages",
        Inference::CountMessages | Inference::CountGenerate => "count_tokens",
        Inference::Generate | Inference::GenerateStream => "generate_content",
        Inference::Infer | Inference::InferMetadata => "infer",
        Inference::Invoke => "invoke",
    }
}

/// The path of an endpoint, as records name it.
pub const fn path(endpoint: Inference) -> &'static str {
    match endpoint {
        Inference::ChatCompletions => "/v1/chat/completions",
        Inference::Completions => "/v1/completions",
        Inference::Embeddings => "/v1/embeddings",
        Inference::Responses => "/v1/responses",
        Inference::Messages => "/v1/messages",
        Inference::CountMessages => "/v1/messages/count_tokens",
        Inference::CountGenerate => "/v1beta/models/{model}:countTokens",
        Inference::Generate => "/v1beta/models/{model}:generateContent",
        Inference::GenerateStream => "/v1beta/models/{model}:streamGenerateContent",
        Inference::Infer => "/v2/models/{model}/infer",
        Inference::InferMetadata => "/v2/models/{model}",
        Inference::Invoke => "/models/{model}:invoke",
    }
}

/// The family in whose form models are listed to whoever sends these headers: Anthropic's clients name a version of
/// its API, and Google's have a header of their own for the key.
pub fn listing(path: &str, headers: &HeaderMap) -> Family {
    if headers.contains_key("anthropic-version") {
        Family::Messages
    } else if path.starts_with("/v1beta/") || headers.contains_key("x-goog-api-key") {
        Family::Gemini
    } else {
        Family::Chat
    }
}

/// In whose words clients at this path are told of errors, before anything else is known.
pub fn manner(path: &str) -> Manner {
    Manner::Family(match path {
        "/v1/messages" | "/v1/messages/count_tokens" => Family::Messages,
        "/v1/responses" => Family::Responses,
        _ if path.starts_with("/v1beta/") || generated(path).is_some() => Family::Gemini,
        _ if path == "/v2" || path.starts_with("/v2/") => return Manner::Inference,
        _ if invoked(path).is_some() => return Manner::Custom,
        _ => Family::Chat,
    })
}

/// The model's name in a path of a custom model, still encoded.
fn invoked(path: &str) -> Option<&str> {
    let model = path.strip_prefix("/models/")?.strip_suffix(":invoke")?;
    (!model.is_empty() && !model.contains('/')).then_some(model)
}

/// What is asked of a server of tensors.
fn tensors(path: &str) -> Option<Endpoint> {
    let server = match path {
        "/v2" => Some(Server::Metadata),
        "/v2/health/live" => Some(Server::Live),
        "/v2/health/ready" => Some(Server::Ready),
        _ => None,
    };
    if let Some(server) = server {
        return Some(Endpoint::Server(server));
    }
    let Addressee {
        model,
        version,
        asks,
    } = Addressee::read(path)?;
    let (model, version) = (
        model.into_owned().into_boxed_str(),
        version.map(|it| it.into_owned().into_boxed_str()),
    );
    let inference = match asks {
        Asks::Ready => return Some(Endpoint::Ready { model, version }),
        Asks::Infer => Inference::Infer,
        Asks::Metadata => Inference::InferMetadata,
    };
    Some(Endpoint::Inference(Asked {
        inference,
        model: Some(model),
        version,
        events: true,
    }))
}

/// The model's name in a path of Gemini's, still encoded, and what is asked of it.
fn generated(path: &str) -> Option<(&str, Inference)> {
    let rest = path
        .strip_prefix("/v1beta/models/")
        .or_else(|| path.strip_prefix("/v1/models/"))?;
    let (model, verb) = rest.rsplit_once(':')?;
    let inference = match verb {
        "generateContent" => Inference::Generate,
        "streamGenerateContent" => Inference::GenerateStream,
        "countTokens" => Inference::CountGenerate,
        _ => return None,
    };
    (!model.is_empty()).then_some((model, inference))
}

// === impl Endpoint ===

impl Endpoint {
    /// The endpoint at a path. `query` is what stands behind its question mark.
    pub fn at(path: &str, query: Option<&str>) -> Option<Self> {
        let plain = |inference| {
            Some(Self::Inference(Asked {
                inference,
                model: None,
                version: None,
                events: true,
            }))
        };
        match path {
            "/v1/chat/completions" => plain(Inference::ChatCompletions),
            "/v1/completions" => plain(Inference::Completions),
            "/v1/embeddings" => plain(Inference::Embeddings),
            "/v1/responses" => plain(Inference::Responses),
            "/v1/messages" => plain(Inference::Messages),
            "/v1/messages/count_tokens" => plain(Inference::CountMessages),
            TOKEN_ISSUERS_PATH => Some(Self::TokenIssuers),
            // As OpenRouter's clients ask, whichever base URL they are given.
            "/v1/feedback" => Some(Self::Own(Own::Feedback)),
            "/api/v1/key" | "/v1/key" => Some(Self::Own(Own::Key)),
            "/api/v1/generation" | "/v1/generation" => {
                let id = query::only(query.unwrap_or_default(), "id").ok().flatten();
                let id = id.and_then(|id| uuid::Uuid::try_parse(&id).ok());
                Some(Self::Own(Own::Generation(id.unwrap_or_default())))
            }
            "/v1/models" | "/v1beta/models" => Some(Self::Models(Box::new(Listed {
                family: Family::Chat,
                page: Page::default(),
            }))),
            _ => {
                if let Some((model, inference)) = generated(path) {
                    let events =
                        query.is_some_and(|query| query.split('&').any(|it| it == "alt=sse"));
                    let model = Some(query::decoded(model)?.into_owned().into_boxed_str());
                    return Some(Self::Inference(Asked {
                        inference,
                        model,
                        version: None,
                        events,
                    }));
                }
                if path.starts_with("/v2") {
                    return tensors(path);
                }
                if let Some(model) = invoked(path) {
                    return Some(Self::Inference(Asked {
                        inference: Inference::Invoke,
                        model: Some(name(model)?.into_owned().into_boxed_str()),
                        version: None,
                        events: true,
                    }));
                }
                let model = path
                    .strip_prefix("/v1/models/")
                    .or_else(|| path.strip_prefix("/v1beta/models/"))
                    .filter(|name| !name.is_empty())?;
                let name = query::decoded(model)?.into_owned();
                Some(Self::Model(Box::new((name, Family::Chat))))
            }
        }
    }

    /// The word for it, as keys are held to it.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Inference(asked) => word(asked.inference),
            Self::Models(_) | Self::Model(_) | Self::TokenIssuers | Self::Own(_) => "models",
            Self::Server(_) | Self::Ready { .. } => "infer",
        }
    }

    /// The method that it takes, and its name.
    pub const fn method(&self) -> (Method, &'static str) {
        match self {
            Self::Inference(Asked {
                inference: Inference::InferMetadata,
                ..
            })
            | Self::Models(_)
            | Self::Model(_)
            | Self::Server(_)
            | Self::TokenIssuers
            | Self::Own(Own::Generation(_) | Own::Key)
            | Self::Ready { .. } => (Method::GET, "GET"),
            Self::Inference(_) | Self::Own(Own::Feedback) => (Method::POST, "POST"),
        }
    }
}
