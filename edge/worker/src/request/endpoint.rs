//! What can be asked for, by its path.
//!
//! Knows paths and methods; knows nothing of what stands in a request.

use dialect::openai::request::Endpoint as Inference;
use http::Method;

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Endpoint {
    /// Something a model answers.
    Inference(Inference),
    /// The list of models.
    Models,
    /// One model, by name.
    Model(String),
}

/// A closed set of words for what a path asks for, as labels of metrics.
pub const LABELS: [&str; 5] = [
    "chat_completions",
    "completions",
    "embeddings",
    "models",
    "other",
];

/// Which of [`LABELS`] a path belongs to.
pub fn label(path: &str) -> usize {
    match path {
        "/v1/chat/completions" => 0,
        "/v1/completions" => 1,
        "/v1/embeddings" => 2,
        _ if path == "/v1/models" || path.starts_with("/v1/models/") => 3,
        _ => 4,
    }
}

/// The path of an endpoint, as records name it.
pub const fn path(endpoint: Inference) -> &'static str {
    match endpoint {
        Inference::ChatCompletions => "/v1/chat/completions",
        Inference::Completions => "/v1/completions",
        Inference::Embeddings => "/v1/embeddings",
    }
}

// === impl Endpoint ===

impl Endpoint {
    /// The endpoint at a path.
    pub fn at(path: &str) -> Option<Self> {
        match path {
            "/v1/chat/completions" => Some(Self::Inference(Inference::ChatCompletions)),
            "/v1/completions" => Some(Self::Inference(Inference::Completions)),
            "/v1/embeddings" => Some(Self::Inference(Inference::Embeddings)),
            "/v1/models" => Some(Self::Models),
            _ => {
                let name = path
                    .strip_prefix("/v1/models/")
                    .filter(|name| !name.is_empty())?;
                percent_decoded(name).map(Self::Model)
            }
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
