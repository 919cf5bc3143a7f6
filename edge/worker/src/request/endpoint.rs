//! What can be asked for, by its path.
//!
//! Knows paths and methods; knows nothing of what stands in a request.

use dialect::{neutral::Family, request::Endpoint as Inference};
use http::Method;

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Endpoint {
    /// Something a model answers.
    Inference(Asked),
    /// The list of models.
    Models,
    /// One model, by name.
    Model(String),
}

/// What a model is asked, as far as the path says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// What.
    pub inference: Inference,
    /// Which model, where the path says it and not the body.
    pub model: Option<String>,
    /// Whether a stream of Gemini's is to be server-sent events.
    pub events: bool,
}

/// A closed set of words for what a path asks for, as labels of metrics.
pub const LABELS: [&str; 9] = [
    "chat_completions",
    "completions",
    "embeddings",
    "models",
    "responses",
    "messages",
    "generate_content",
    "count_tokens",
    "other",
];

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
        _ if path == "/v1/models" || path.starts_with("/v1/models/") => 3,
        _ => 8,
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
    }
}

/// The family whose clients ask at this path, for errors that are told before anything else is known.
pub fn family(path: &str) -> Family {
    match path {
        "/v1/messages" | "/v1/messages/count_tokens" => Family::Messages,
        "/v1/responses" => Family::Responses,
        _ if path.starts_with("/v1beta/") || generated(path).is_some() => Family::Gemini,
        _ => Family::Chat,
    }
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
            "/v1/models" => Some(Self::Models),
            _ => {
                if let Some((model, inference)) = generated(path) {
                    let events =
                        query.is_some_and(|query| query.split('&').any(|it| it == "alt=sse"));
                    let model = Some(percent_decoded(model)?);
                    return Some(Self::Inference(Asked {
                        inference,
                        model,
                        events,
                    }));
                }
                let name = path
                    .strip_prefix("/v1/models/")
                    .filter(|name| !name.is_empty())?;
                percent_decoded(name).map(Self::Model)
            }
        }
    }

    /// The word for it, as keys are held to it.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Inference(asked) => word(asked.inference),
            Self::Models | Self::Model(_) => "models",
        }
    }

    /// The method that it takes, and its name.
    pub const fn method(&self) -> (Method, &'static str) {
        match self {
            Self::Inference(_) => (Method::POST, "POST"),
            Self::Models | Self::Model(_) => (Method::GET, "GET"),
        }
    }
}

/// A path segment with its `%XX` resolved; `None` when they are not hex or not UTF-8.
fn percent_decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        if byte == b'%' {
            let digits = std::str::from_utf8(rest.get(..2)?).ok()?;
            bytes.push(u8::from_str_radix(digits, 16).ok()?);
            rest = &rest[2..];
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}
