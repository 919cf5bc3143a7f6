//! For whom a request is written: a model, and what its provider makes of this dialect.
//!
//! Knows kinds of quirks. Must never know which provider has which: the caller reads that from its catalogue.

/// A model, as one provider serves it.
#[derive(Debug, Clone, Copy)]
pub struct Target<'a> {
    /// What the provider calls it.
    pub model: &'a str,
    /// How the most tokens to generate are called.
    pub output_max: OutputMax,
    /// Whether `stream_options` are taken.
    pub stream_options: bool,
    /// Whether instructions may come from `developer`; they come from `system` otherwise.
    pub developer_role: bool,
    /// How what was thought in earlier turns goes back.
    pub reasoning: ReasoningBack,
    /// Whether `strict` and `allowed_tools` are taken: otherwise the first is dropped, and tools that are not
    /// allowed are not told of.
    pub strict_tools: bool,
}

/// How the most tokens to generate are called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutputMax {
    /// `max_tokens`, as most compatible providers have it. They take `top_k`, too.
    MaxTokens,
    /// `max_completion_tokens`, as `OpenAI` has it. It takes no `top_k`.
    MaxCompletionTokens,
}

/// How what was thought in earlier turns goes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReasoningBack {
    /// As `reasoning_content`: words alone.
    Content,
    /// As `reasoning_details`, with its proofs, as `OpenRouter` has it. Marks for the prompt cache go there, too.
    Details,
    /// Not at all.
    Dropped,
}

// === impl Target ===

impl<'a> Target<'a> {
    /// A model at `OpenAI`.
    pub const fn new(model: &'a str) -> Self {
        Self {
            model,
            output_max: OutputMax::MaxCompletionTokens,
            stream_options: true,
            developer_role: true,
            reasoning: ReasoningBack::Dropped,
            strict_tools: true,
        }
    }

    /// Whether `cache_control` is taken.
    pub(crate) fn takes_marks(&self) -> bool {
        self.reasoning == ReasoningBack::Details
    }
}
