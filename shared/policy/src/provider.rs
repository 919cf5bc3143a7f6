//! A provider: a configured upstream account, and the presets that its kind gives.
//!
//! Knows nothing of what is sent to it. A credential is not part of it: see `credential`.

use crate::{
    handling::Handling,
    id::{OrganizationId, ProviderId},
    mapping::Mapping,
};

/// What a provider speaks and where it usually stands. The numbers are those of the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u32)]
pub enum ProviderKind {
    /// Anything that speaks `OpenAI`'s API.
    OpenAiCompatible = 1,
    /// `OpenAI`.
    OpenAi = 2,
    /// A vLLM server.
    Vllm = 3,
    /// An Ollama server.
    Ollama = 4,
    /// A llama.cpp server.
    LlamaCpp = 5,
    /// Mistral.
    Mistral = 6,
    /// Groq.
    Groq = 7,
    /// `DeepSeek`.
    DeepSeek = 8,
    /// xAI.
    Xai = 9,
    /// Together.
    Together = 10,
    /// `OpenRouter`.
    OpenRouter = 11,
    /// Anthropic.
    Anthropic = 12,
    /// Google's Gemini, on AI Studio.
    Gemini = 13,
    /// Cohere.
    Cohere = 14,
    /// `OpenAI`'s models on Azure, at the address that takes no version.
    AzureOpenAi = 15,
    /// Amazon Bedrock: Claude by its own API for clients that speak that, everything else by the Converse API.
    Bedrock = 16,
    /// Google Cloud's Vertex AI: Claude by Anthropic's API, everything else by Gemini's.
    Vertex = 17,
    /// A server of tensors, by version 2 of the Open Inference Protocol.
    OpenInference = 18,
    /// Anything over HTTP, by a mapping.
    Custom = 19,
}

/// What a kind speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Speaks {
    /// `OpenAI`'s chat completions, completions and embeddings; with `responses` also its Responses.
    OpenAi {
        /// Whether it has `/responses`.
        responses: bool,
    },
    /// Anthropic's Messages.
    Messages,
    /// Gemini's `generateContent`.
    Gemini,
    /// Cohere's chat, version 2.
    Cohere,
    /// Bedrock's Converse; of Claude also Anthropic's Messages.
    Bedrock,
    /// Anthropic's Messages of Claude, and Gemini's `generateContent` of every other model.
    Vertex,
    /// The Open Inference Protocol.
    Inference,
    /// What its mapping says.
    Mapped,
}

/// What a kind gives when the operator says nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Preset {
    /// The kind.
    pub kind: ProviderKind,
    /// The word for it on a command line.
    pub word: &'static str,
    /// Where it stands; `None` means that the operator must say.
    pub base_url: Option<&'static str>,
    /// Whether it refuses requests without a credential.
    pub credential_required: bool,
    /// Whether `stream_options.include_usage` may be sent.
    pub stream_options: bool,
}

/// A provider, as edges know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Provider {
    /// Its id.
    pub id: ProviderId,
    /// Whose it is.
    pub organization: OrganizationId,
    /// The last segment of its name.
    pub name: String,
    /// Its kind.
    pub kind: ProviderKind,
    /// Where it stands, without a trailing slash.
    pub base_url: String,
    /// Whether `stream_options.include_usage` may be sent.
    pub stream_options: bool,
    /// Whether requests to it need a credential.
    pub credential_required: bool,
    /// How it is asked and read; for a custom one, and for none else.
    pub mapping: Option<Box<Mapping>>,
    /// Whether any path of its API may be reached by passing through.
    pub passthrough: bool,
    /// What it does with what it is sent.
    pub handling: Handling,
}

/// Every kind, once.
pub const PRESETS: [Preset; 19] = [
    preset(
        ProviderKind::OpenAiCompatible,
        "openai-compatible",
        None,
        false,
        true,
    ),
    preset(
        ProviderKind::OpenAi,
        "openai",
        Some("https://api.openai.com/v1"),
        true,
        true,
    ),
    preset(ProviderKind::Vllm, "vllm", None, false, true),
    preset(
        ProviderKind::Ollama,
        "ollama",
        Some("http://127.0.0.1:11434/v1"),
        false,
        true,
    ),
    preset(
        ProviderKind::LlamaCpp,
        "llama-cpp",
        Some("http://127.0.0.1:8080/v1"),
        false,
        true,
    ),
    preset(
        ProviderKind::Mistral,
        "mistral",
        Some("https://api.mistral.ai/v1"),
        true,
        false,
    ),
    preset(
        ProviderKind::Groq,
        "groq",
        Some("https://api.groq.com/openai/v1"),
        true,
        true,
    ),
    preset(
        ProviderKind::DeepSeek,
        "deepseek",
        Some("https://api.deepseek.com/v1"),
        true,
        true,
    ),
    preset(
        ProviderKind::Xai,
        "xai",
        Some("https://api.x.ai/v1"),
        true,
        true,
    ),
    preset(
        ProviderKind::Together,
        "together",
        Some("https://api.together.xyz/v1"),
        true,
        true,
    ),
    preset(
        ProviderKind::OpenRouter,
        "openrouter",
        Some("https://openrouter.ai/api/v1"),
        true,
        true,
    ),
    preset(
        ProviderKind::Anthropic,
        "anthropic",
        Some("https://api.anthropic.com/v1"),
        true,
        false,
    ),
    preset(
        ProviderKind::Gemini,
        "gemini",
        Some("https://generativelanguage.googleapis.com/v1beta"),
        true,
        false,
    ),
    preset(
        ProviderKind::Cohere,
        "cohere",
        Some("https://api.cohere.com/v2"),
        true,
        false,
    ),
    preset(ProviderKind::AzureOpenAi, "azure-openai", None, true, true),
    preset(ProviderKind::Bedrock, "bedrock", None, true, false),
    preset(ProviderKind::Vertex, "vertex", None, true, false),
    preset(
        ProviderKind::OpenInference,
        "open-inference",
        None,
        false,
        false,
    ),
    preset(ProviderKind::Custom, "custom-http", None, false, false),
];

const fn preset(
    kind: ProviderKind,
    word: &'static str,
    base_url: Option<&'static str>,
    credential_required: bool,
    stream_options: bool,
) -> Preset {
    Preset {
        kind,
        word,
        base_url,
        credential_required,
        stream_options,
    }
}

// === impl ProviderKind ===

impl ProviderKind {
    /// The kind with this number on the wire.
    pub fn from_number(number: u32) -> Option<Self> {
        PRESETS
            .iter()
            .map(|preset| preset.kind)
            .find(|kind| *kind as u32 == number)
    }

    /// What it speaks.
    pub const fn speaks(self) -> Speaks {
        match self {
            Self::OpenAi | Self::AzureOpenAi | Self::Xai => Speaks::OpenAi { responses: true },
            Self::Anthropic => Speaks::Messages,
            Self::Gemini => Speaks::Gemini,
            Self::Cohere => Speaks::Cohere,
            Self::Bedrock => Speaks::Bedrock,
            Self::Vertex => Speaks::Vertex,
            Self::OpenInference => Speaks::Inference,
            Self::Custom => Speaks::Mapped,
            Self::OpenAiCompatible
            | Self::Vllm
            | Self::Ollama
            | Self::LlamaCpp
            | Self::Mistral
            | Self::Groq
            | Self::DeepSeek
            | Self::Together
            | Self::OpenRouter => Speaks::OpenAi { responses: false },
        }
    }

    /// What it gives when the operator says nothing.
    pub fn preset(self) -> Preset {
        let found = PRESETS.into_iter().find(|preset| preset.kind == self);
        // Every kind stands there, which a test says; without its preset it is told nothing by itself.
        found.unwrap_or(preset(self, "", None, true, false))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_finds_its_own_preset_by_number() {
        for preset in PRESETS {
            assert!(!preset.kind.preset().word.is_empty());
            assert_eq!(preset.kind.preset(), preset);
            assert_eq!(
                ProviderKind::from_number(preset.kind as u32),
                Some(preset.kind)
            );
        }
        assert_eq!(ProviderKind::from_number(0), None);
        assert_eq!(ProviderKind::from_number(99), None);
    }
}
