//! For whom a request is written: a model, and how its provider differs from `OpenAI`.
//!
//! Knows kinds of quirks. Must never know which model has which: the caller reads that from its catalogue. The two
//! constructors that name more than a model give what holds of all models behind such an API.

use crate::neutral::Effort;

/// A model behind an API of this family.
#[derive(Debug, Clone)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each says by itself what one provider takes"
)]
pub struct Target<'a> {
    /// What the provider calls it.
    pub model: &'a str,
    /// What the limit of the output is called. Reasoning models of `OpenAI` and others refuse each other's name.
    pub output_max: OutputMax,
    /// Whether `stream_options` may be sent.
    pub stream_options: bool,
    /// Whether the role `developer` is known. Otherwise it is `system`.
    pub developer: bool,
    /// How thoughts of earlier turns go back.
    pub thoughts: Thoughts,
    /// How it is told to think.
    pub asking: Asking,
    /// The words for efforts that it knows; the nearest is said. None: it is not told.
    pub efforts: &'a [Effort],
    /// Whether a tool and a schema may be `strict`.
    pub strict: bool,
    /// Whether pictures may be given by their address.
    pub image_urls: bool,
    /// Whether files may be given by their address, as Mistral's `document_url`.
    pub document_urls: bool,
    /// Whether the content of a message may be parts. Otherwise texts are joined, and nothing else can be given.
    pub parts: bool,
    /// Whether it may be told to call one tool at a time.
    pub parallel_tools: bool,
    /// How the end of a cached prefix is marked.
    pub cache: CacheMarks,
    /// What the end user is called.
    pub end_user: EndUser,
    /// The word for a tool that must be called.
    pub required: Required,
    /// Which ids of calls it takes.
    pub tool_ids: ToolIds,
    /// What the seed is called: `seed`, and `random_seed` at Mistral.
    pub seed: &'a str,
    /// Whether `top_k` may be sent, which `OpenAI` refuses.
    pub top_k: bool,
}

/// What the limit of the output is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OutputMax {
    /// `max_tokens`.
    MaxTokens,
    /// `max_completion_tokens`.
    #[default]
    MaxCompletionTokens,
}

/// How thoughts of earlier turns go back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Thoughts {
    /// Not at all: `OpenAI` refuses members that it does not know.
    #[default]
    Dropped,
    /// As `reasoning_content`. `DeepSeek` needs it in turns that call tools.
    Content,
    /// As `reasoning`.
    Plain,
    /// As `reasoning_details`, with their proofs.
    Details,
    /// As parts of the content, `{"type":"thinking"}`, at Mistral.
    Chunks,
    /// Only their proofs, each at the call behind it, as `extra_content.google.thought_signature`.
    Google,
}

/// How a model is told to think.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Asking {
    /// By a word, `reasoning_effort`.
    #[default]
    Word,
    /// By an object, `reasoning`, at `OpenRouter`.
    Object,
    /// By an object, `thinking`, and the word beside it, at `DeepSeek`.
    Thinking,
    /// It cannot be told.
    Nothing,
}

/// How the end of a cached prefix is marked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CacheMarks {
    /// It cannot be.
    #[default]
    None,
    /// `cache_control`, as `OpenRouter` hands it on.
    Control,
    /// `prompt_cache_breakpoint`, at newer models of `OpenAI`.
    Breakpoint,
}

/// What the end user is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum EndUser {
    /// `user`.
    #[default]
    User,
    /// `safety_identifier`.
    SafetyIdentifier,
    /// It is not said.
    Dropped,
}

/// The word for a tool that must be called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Required {
    /// `required`.
    #[default]
    Required,
    /// `any`.
    Any,
}

/// Which ids of calls a provider takes. Others are replaced, the same by the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ToolIds {
    /// Any.
    #[default]
    Any,
    /// At most 40 letters, digits, `-` and `_`.
    Fitted,
    /// Nine letters and digits, at Mistral.
    Nine,
}

// === impl Target ===

impl<'a> Target<'a> {
    /// A model of `OpenAI`'s own, or of Azure's.
    pub const fn new(model: &'a str) -> Self {
        Self {
            model,
            output_max: OutputMax::MaxCompletionTokens,
            stream_options: true,
            developer: true,
            thoughts: Thoughts::Dropped,
            asking: Asking::Word,
            efforts: &Effort::ALL,
            strict: true,
            image_urls: true,
            document_urls: false,
            parts: true,
            parallel_tools: true,
            cache: CacheMarks::None,
            end_user: EndUser::User,
            required: Required::Required,
            tool_ids: ToolIds::Any,
            seed: "seed",
            top_k: false,
        }
    }

    /// A model behind one of the many APIs that are compatible with what `OpenAI`'s was for long.
    pub const fn compatible(model: &'a str) -> Self {
        Self {
            output_max: OutputMax::MaxTokens,
            developer: false,
            top_k: true,
            ..Self::new(model)
        }
    }

    /// A model of Mistral's, which says what was used without being asked.
    pub const fn mistral(model: &'a str) -> Self {
        Self {
            stream_options: false,
            thoughts: Thoughts::Chunks,
            document_urls: true,
            required: Required::Any,
            tool_ids: ToolIds::Nine,
            seed: "random_seed",
            top_k: false,
            ..Self::compatible(model)
        }
    }
}
