//! What the model of a target can do, as arguments and in files.
//!
//! Knows words and numbers; what is known of well-known models, and what follows, is the gateway's.

use clap::{Args, ValueEnum};
use proto::admin::{ModelAbility, ModelCapabilities};
use serde::Deserialize;

/// What can be said.
#[derive(Debug, Clone, Default, Args, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Capabilities {
    /// The most tokens of a conversation that the model takes, of all targets; unless given, as it is known
    #[arg(
        long,
        value_name = "COUNT",
        default_value_t = 0,
        hide_default_value = true
    )]
    pub context_tokens: i64,
    /// The most tokens that it generates in one answer; unless given, as it is known
    #[arg(
        long,
        value_name = "COUNT",
        default_value_t = 0,
        hide_default_value = true
    )]
    pub output_tokens_max: i64,
    /// What it can do; may be repeated, or several with commas between them
    #[arg(long, value_name = "ABILITY", value_delimiter = ',')]
    pub can: Vec<Ability>,
    /// What it cannot; requests that demand it are not sent there
    #[arg(long, value_name = "ABILITY", value_delimiter = ',')]
    pub cannot: Vec<Ability>,
}

/// One ability.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ability {
    /// Pictures are read
    ImageInput,
    /// Sound is heard
    AudioInput,
    /// Files such as PDF are read
    FileInput,
    /// Films are seen
    VideoInput,
    /// Tools are called
    Tools,
    /// Several tools are called at once
    ParallelTools,
    /// Answers keep to a JSON schema
    JsonSchema,
    /// Answers are JSON where they are told to be
    JsonMode,
    /// The model reasons
    Reasoning,
    /// Answers are streamed
    Streaming,
    /// Texts are embedded
    Embeddings,
    /// Text is generated
    TextOutput,
    /// Pictures are generated
    ImageOutput,
    /// Sound is generated
    AudioOutput,
}

/// The numbers of some abilities.
pub fn numbers(all: &[Ability]) -> Vec<i32> {
    all.iter().map(|it| it.wire().into()).collect()
}

// === impl Capabilities ===

impl Capabilities {
    /// What the wire has for it; `None` where nothing is said.
    pub fn wire(&self) -> Option<ModelCapabilities> {
        let said = ModelCapabilities {
            context_tokens: self.context_tokens,
            output_tokens_max: self.output_tokens_max,
            can: numbers(&self.can),
            cannot: numbers(&self.cannot),
        };
        (said != ModelCapabilities::default()).then_some(said)
    }
}

// === impl Ability ===

impl Ability {
    fn wire(self) -> ModelAbility {
        match self {
            Self::ImageInput => ModelAbility::ImageInput,
            Self::AudioInput => ModelAbility::AudioInput,
            Self::FileInput => ModelAbility::FileInput,
            Self::VideoInput => ModelAbility::VideoInput,
            Self::Tools => ModelAbility::Tools,
            Self::ParallelTools => ModelAbility::ParallelTools,
            Self::JsonSchema => ModelAbility::JsonSchema,
            Self::JsonMode => ModelAbility::JsonMode,
            Self::Reasoning => ModelAbility::Reasoning,
            Self::Streaming => ModelAbility::Streaming,
            Self::Embeddings => ModelAbility::Embeddings,
            Self::TextOutput => ModelAbility::TextOutput,
            Self::ImageOutput => ModelAbility::ImageOutput,
            Self::AudioOutput => ModelAbility::AudioOutput,
        }
    }
}
