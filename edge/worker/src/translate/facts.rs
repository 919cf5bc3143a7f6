//! What is known of providers and models that a dialect needs to be told.
//!
//! Facts by kind and by name, until a catalogue says them. Must never decide where a request goes.

use dialect::{
    chat::target as chat,
    cohere, converse,
    crossing::{Target, VectorMaker},
    gemini,
    messages::{target as messages, version},
    responses,
};
use policy::provider::{Provider, ProviderKind};

use crate::translate::door::Door;

/// The betas of Anthropic's that Bedrock has.
pub(super) const BETAS_OF_BEDROCK: [&str; 13] = [
    "computer-use",
    "context-1m",
    "context-management",
    "compact",
    "dev-full-thinking",
    "effort",
    "fine-grained-tool-streaming",
    "interleaved-thinking",
    "output-128k",
    "token-efficient-tools",
    "tool-examples",
    "tool-search-tool",
    "prompt-caching",
];

/// The betas of Anthropic's that Vertex has.
pub(super) const BETAS_OF_VERTEX: [&str; 12] = [
    "computer-use",
    "context-1m",
    "context-management",
    "compact",
    "effort",
    "fine-grained-tool-streaming",
    "interleaved-thinking",
    "output-128k",
    "prompt-caching",
    "token-efficient-tools",
    "tool-search-tool",
    "web-search",
];

/// A target as its dialect needs to know it; `None` where it has none of chat.
pub(super) fn target<'a>(provider: &Provider, door: Door, model: &'a str) -> Option<Target<'a>> {
    Some(match door {
        Door::OpenAi { .. } => Target::Chat(chat(provider, model)),
        // From its own family, with what the client says of the model.
        Door::Responses => Target::Responses(responses::Target::new(model)),
        Door::Messages | Door::VertexMessages | Door::BedrockMessages => {
            Target::Messages(messages::Target {
                hosting: hosting(door),
                ..claude(model)
            })
        }
        Door::Gemini | Door::VertexGemini => Target::Gemini(gemini(door, model)),
        Door::Cohere => Target::Cohere(cohere::Target::new(model)),
        Door::Converse => Target::Converse(converse::target::Target::new(model)),
        Door::Tensors | Door::Mapped => return None,
    })
}

/// A target that makes vectors, where another family than `OpenAI`'s has such.
pub(super) fn maker(door: Door, model: &str) -> Option<VectorMaker<'_>> {
    match door {
        Door::Gemini | Door::VertexGemini => Some(VectorMaker::Gemini(gemini(door, model))),
        Door::Cohere => Some(VectorMaker::Cohere(model)),
        _ => None,
    }
}

/// Who hosts Claude behind this door.
pub(super) const fn hosting(door: Door) -> messages::Hosting<'static> {
    match door {
        Door::VertexMessages => messages::Hosting::Vertex {
            version: version::VERTEX,
        },
        Door::BedrockMessages => messages::Hosting::Bedrock {
            version: version::BEDROCK,
            betas: &[],
        },
        _ => messages::Hosting::Anthropic,
    }
}

fn gemini(door: Door, model: &str) -> gemini::Target<'_> {
    let target = gemini::Target::new(model);
    if door == Door::VertexGemini {
        target.on_vertex()
    } else {
        target
    }
}

fn chat<'a>(provider: &Provider, model: &'a str) -> chat::Target<'a> {
    let target = match provider.kind {
        ProviderKind::OpenAi | ProviderKind::AzureOpenAi => chat::Target::new(model),
        ProviderKind::Mistral => chat::Target::mistral(model),
        _ => chat::Target::compatible(model),
    };
    let thoughts = match provider.kind {
        ProviderKind::DeepSeek => chat::Thoughts::Content,
        ProviderKind::OpenRouter => chat::Thoughts::Details,
        _ => target.thoughts,
    };
    chat::Target {
        stream_options: provider.stream_options,
        thoughts,
        ..target
    }
}

/// Claude: how long it can answer, and which of its settings it refuses.
fn claude(model: &str) -> messages::Target<'_> {
    let old = ["claude-3-opus", "claude-3-haiku", "claude-3-sonnet"];
    let ceiling = if old.iter().any(|name| model.contains(name)) {
        4_096
    } else if model.contains("claude-3-5") {
        8_192
    } else {
        32_000
    };
    let adaptive = [
        "opus-4-7", "opus-4-8", "opus-5", "sonnet-5", "haiku-5", "fable-5",
    ];
    let one = ["-4-1", "-4-5", "-4-6"];
    let mut target = messages::Target {
        output_tokens_default: Some(ceiling),
        ..messages::Target::new(model)
    };
    if adaptive.iter().any(|name| model.contains(name)) {
        target.sampling = messages::Sampling::None;
        target.thinking = messages::Thinking::Adaptive;
        target.lacks = &[messages::Lack::Prefill];
    } else if one.iter().any(|name| model.contains(name)) {
        target.sampling = messages::Sampling::One;
    } else if model.contains("claude-3") {
        target.structured = messages::Structured::Tool;
        target.lacks = &[messages::Lack::Effort, messages::Lack::SystemTurns];
    }
    target
}
