//! Which API of a provider answers for a model, and at which paths.
//!
//! Knows kinds of providers and names of models. Must never read a body. On Vertex and on Bedrock it is the model that
//! says which API is spoken; elsewhere the kind alone does.

use std::{borrow::Cow, fmt::Write as _};

use dialect::{neutral::Family, request::Endpoint};
use policy::provider::{ProviderKind, Speaks};

/// What a provider speaks for one model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Door {
    /// `OpenAI`'s chat, and with `responses` its Responses.
    OpenAi {
        /// Whether it has `/responses`.
        responses: bool,
    },
    /// `OpenAI`'s Responses, for what is asked in them and written anew.
    Responses,
    /// Anthropic's Messages.
    Messages,
    /// Anthropic's Messages in Vertex's envelope.
    VertexMessages,
    /// Anthropic's Messages in the envelope of Bedrock's `InvokeModel`.
    BedrockMessages,
    /// Gemini on AI Studio.
    Gemini,
    /// Gemini on Vertex.
    VertexGemini,
    /// Cohere's chat.
    Cohere,
    /// Bedrock's Converse.
    Converse,
    /// The Open Inference Protocol.
    Tensors,
    /// What a mapping says, and nothing without one.
    Mapped,
}

/// A model's name as one segment of a path. `kept` are bytes that stay as they are beside those that always do.
pub(super) fn segment(model: &str, kept: &[u8]) -> String {
    let mut segment = String::with_capacity(model.len() + 8);
    for byte in model.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                segment.push(char::from(byte));
            }
            _ if kept.contains(&byte) => segment.push(char::from(byte)),
            // Writing into a string cannot fail.
            _ => drop(write!(segment, "%{byte:02X}")),
        }
    }
    segment
}

/// The path of a model of tensors. The provider's name for it may end in `/versions/` and a version.
pub(super) fn tensors(model: &str, asks: &str) -> Cow<'static, str> {
    let path = match model.split_once("/versions/") {
        Some((model, version)) => {
            let (model, version) = (segment(model, b""), segment(version, b""));
            format!("/v2/models/{model}/versions/{version}{asks}")
        }
        None => format!("/v2/models/{}{asks}", segment(model, b"")),
    };
    path.into()
}

// === impl Door ===

impl Door {
    /// The door for a model of a provider of this kind. Bedrock answers of Claude in Anthropic's words to whoever asks in
    /// them or has tokens counted, and everybody else by Converse.
    pub(super) fn of(kind: ProviderKind, model: &str, endpoint: Endpoint) -> Self {
        let claude = endpoint == Endpoint::Messages || endpoint.counts();
        match kind.speaks() {
            Speaks::OpenAi { responses } => Self::OpenAi { responses },
            Speaks::Messages => Self::Messages,
            Speaks::Gemini => Self::Gemini,
            Speaks::Cohere => Self::Cohere,
            Speaks::Bedrock if claude && model.contains("anthropic.") => Self::BedrockMessages,
            Speaks::Bedrock => Self::Converse,
            Speaks::Vertex if model.starts_with("claude-") || model.starts_with("anthropic/") => {
                Self::VertexMessages
            }
            Speaks::Vertex => Self::VertexGemini,
            Speaks::Inference => Self::Tensors,
            Speaks::Mapped => Self::Mapped,
        }
    }

    /// The provider's name for the model, without the publisher that a name on Vertex may begin with.
    pub(super) fn name(self, model: &str) -> &str {
        let publisher = match self {
            Self::VertexMessages => "anthropic/",
            Self::VertexGemini => "google/",
            _ => return model,
        };
        model.strip_prefix(publisher).unwrap_or(model)
    }

    /// The family within which the bytes pass, if what is asked is answered behind this door.
    pub(super) const fn same(self, endpoint: Endpoint) -> Option<Family> {
        match (self, endpoint) {
            (
                Self::OpenAi { .. },
                Endpoint::ChatCompletions | Endpoint::Completions | Endpoint::Embeddings,
            )
            // It has no family: nothing of any other goes with it.
            | (Self::Tensors, Endpoint::Infer | Endpoint::InferMetadata) => Some(Family::Chat),
            (Self::OpenAi { responses: true }, Endpoint::Responses) => Some(Family::Responses),
            (
                Self::Messages | Self::VertexMessages,
                Endpoint::Messages | Endpoint::CountMessages,
            )
            | (Self::BedrockMessages, Endpoint::Messages) => Some(Family::Messages),
            (Self::Gemini | Self::VertexGemini, Endpoint::Generate | Endpoint::GenerateStream) => {
                Some(Family::Gemini)
            }
            _ => None,
        }
    }

    /// The door for an answer that must be translated although this one speaks the client's dialect: what Bedrock wraps in
    /// frames is taken out of them, and not translated.
    pub(super) const fn across(self, endpoint: Endpoint) -> Self {
        match (self, endpoint) {
            (Self::BedrockMessages, _) => Self::Converse,
            (Self::OpenAi { responses: true }, Endpoint::Responses) => Self::Responses,
            (door, _) => door,
        }
    }

    /// The path of an answer. `events` is whether a stream of Gemini's comes as server-sent events.
    pub(super) fn answer(self, model: &str, stream: bool, events: bool) -> Cow<'static, str> {
        match self {
            Self::OpenAi { .. } => "/chat/completions".into(),
            Self::Responses => "/responses".into(),
            Self::Messages => "/messages".into(),
            Self::Cohere => "/chat".into(),
            Self::Gemini | Self::VertexGemini => self.of_model(
                model,
                match (stream, events) {
                    (false, _) => "generateContent",
                    (true, true) => "streamGenerateContent?alt=sse",
                    (true, false) => "streamGenerateContent",
                },
            ),
            Self::VertexMessages if stream => self.of_model(model, "streamRawPredict"),
            Self::VertexMessages => self.of_model(model, "rawPredict"),
            Self::BedrockMessages if stream => self.of_model(model, "invoke-with-response-stream"),
            Self::BedrockMessages => self.of_model(model, "invoke"),
            Self::Converse if stream => self.of_model(model, "converse-stream"),
            Self::Converse => self.of_model(model, "converse"),
            // Nobody is asked for an answer there.
            Self::Tensors | Self::Mapped => "".into(),
        }
    }

    /// The path at which tokens are counted.
    pub(super) fn count(self, model: &str) -> Cow<'static, str> {
        match self {
            Self::Gemini | Self::VertexGemini => self.of_model(model, "countTokens"),
            // The model stands in the body.
            Self::VertexMessages => self.of_model("count-tokens", "rawPredict"),
            Self::BedrockMessages => self.of_model(model, "count-tokens"),
            _ => "/messages/count_tokens".into(),
        }
    }

    /// The path at which vectors are made; `method` is Gemini's.
    pub(super) fn vectors(self, model: &str, method: Option<&str>) -> Cow<'static, str> {
        match method {
            Some(method) => self.of_model(model, method),
            None => "/embed".into(),
        }
    }

    fn of_model(self, model: &str, verb: &str) -> Cow<'static, str> {
        let (before, kept, between) = match self {
            // Google's own libraries leave an `@` as it is.
            Self::VertexMessages => ("/publishers/anthropic/models/", b"@".as_slice(), ':'),
            Self::VertexGemini => ("/publishers/google/models/", b"@".as_slice(), ':'),
            Self::Converse | Self::BedrockMessages => ("/model/", [].as_slice(), '/'),
            _ => ("/models/", [].as_slice(), ':'),
        };
        format!("{before}{}{between}{verb}", segment(model, kept)).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_segment_whatever_stands_in_it() {
        assert_eq!(segment("gemini-2.5-flash", b""), "gemini-2.5-flash");
        assert_eq!(
            segment("arn:aws:bedrock/a b?@", b""),
            "arn%3Aaws%3Abedrock%2Fa%20b%3F%40"
        );
    }

    #[test]
    fn on_vertex_the_model_says_which_api_answers() {
        let door = |model| Door::of(ProviderKind::Vertex, model, Endpoint::ChatCompletions);
        for model in [
            "claude-sonnet-4-5@20250929",
            "anthropic/claude-sonnet-4-5@20250929",
        ] {
            let door = door(model);
            assert_eq!(door, Door::VertexMessages);
            let name = door.name(model);
            assert_eq!(
                door.answer(name, true, true),
                "/publishers/anthropic/models/claude-sonnet-4-5@20250929:streamRawPredict"
            );
            assert_eq!(
                door.count(name),
                "/publishers/anthropic/models/count-tokens:rawPredict"
            );
        }
        let (model, door) = ("google/gemini-2.5-flash", door("google/gemini-2.5-flash"));
        assert_eq!(door, Door::VertexGemini);
        assert_eq!(
            door.answer(door.name(model), true, true),
            "/publishers/google/models/gemini-2.5-flash:streamGenerateContent?alt=sse"
        );
        assert_eq!(
            door.vectors("text-embedding-005", Some("predict")),
            "/publishers/google/models/text-embedding-005:predict"
        );
    }

    #[test]
    fn on_bedrock_the_client_says_it_too() {
        let door = |model, endpoint| Door::of(ProviderKind::Bedrock, model, endpoint);
        let claude = "us.anthropic.claude-sonnet-4-5-20250929-v1:0";
        let arn = "arn:aws:bedrock:us-east-1:1:inference-profile/us.anthropic.claude-haiku-4-5";
        assert_eq!(door(claude, Endpoint::Messages), Door::BedrockMessages);
        assert_eq!(door(arn, Endpoint::CountMessages), Door::BedrockMessages);
        assert_eq!(door(claude, Endpoint::ChatCompletions), Door::Converse);
        assert_eq!(
            door("amazon.nova-lite-v1:0", Endpoint::Messages),
            Door::Converse
        );
        assert_eq!(
            Door::BedrockMessages.answer(claude, true, true),
            "/model/us.anthropic.claude-sonnet-4-5-20250929-v1%3A0/invoke-with-response-stream"
        );
    }
}
