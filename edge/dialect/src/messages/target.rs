//! For whom a request is written: a model, the place that hosts it, and what they do not take.
//!
//! Knows kinds of quirks. Must never know which model has which: the caller reads that from its catalogue.

/// A model of this family, as one provider serves it.
#[derive(Debug, Clone)]
pub struct Target<'a> {
    /// What the provider calls it.
    pub model: &'a str,
    /// Where it is served.
    pub hosting: Hosting<'a>,
    /// The most tokens that the model can generate: what is asked for when the client does not say, because this
    /// dialect must say something, and how far a limit may be raised to make room for thinking.
    pub output_tokens_default: Option<u64>,
    /// Which of temperature, `top_p` and `top_k` it takes.
    pub sampling: Sampling,
    /// How it is told to think.
    pub thinking: Thinking,
    /// What an effort is in tokens, for a model that is told in tokens.
    pub budgets: Budgets,
    /// How it is given a form to answer in.
    pub structured: Structured,
    /// What else it does not take.
    pub lacks: &'a [Lack],
    /// Names of members of this family's own that may be written beside those we know; `None` is any. Bedrock and
    /// Vertex refuse what they do not know yet.
    pub extras_allowed: Option<&'a [&'a str]>,
}

/// Where a model is served.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Hosting<'a> {
    /// By Anthropic. Version and betas are headers.
    #[default]
    Anthropic,
    /// By Bedrock's `InvokeModel`: the path says the model and whether to stream.
    Bedrock {
        /// What stands as `anthropic_version`, such as [`crate::messages::version::BEDROCK`].
        version: &'a str,
        /// The betas to ask for, those of the client's header among them.
        betas: &'a [&'a str],
    },
    /// By Vertex: the path says the model.
    Vertex {
        /// What stands as `anthropic_version`, such as [`crate::messages::version::VERTEX`].
        version: &'a str,
    },
}

/// Which of temperature, `top_p` and `top_k` a model takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Sampling {
    /// All of them.
    #[default]
    All,
    /// Temperature or `top_p`, not both. The temperature is kept.
    One,
    /// None.
    None,
}

/// How a model is told to think.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Thinking {
    /// By effort or in tokens, as it is asked.
    #[default]
    Any,
    /// By effort alone.
    Adaptive,
    /// In tokens alone.
    Budget,
    /// It does not think.
    None,
}

/// How many tokens an effort is worth. Fewer than 1024 is no thinking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budgets {
    /// Barely.
    pub minimal: u64,
    /// A little.
    pub low: u64,
    /// As usual.
    pub medium: u64,
    /// Hard.
    pub high: u64,
    /// Harder.
    pub xhigh: u64,
    /// As hard as it can.
    pub max: u64,
}

/// How a model is given a form to answer in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Structured {
    /// By `output_config.format`.
    #[default]
    Native,
    /// By a tool that it must call; see [`crate::messages::structured`]. `strict` of tools is not taken either.
    Tool,
}

/// What a model or its host does not take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Lack {
    /// Being told not to think.
    ThinkingOff,
    /// `output_config.effort`.
    Effort,
    /// System turns in the midst of a conversation: they are moved to the front.
    SystemTurns,
    /// An assistant's turn as the last one, to be gone on with.
    Prefill,
    /// The signatures in the conversation, which are another provider's: what was thought is left out.
    Signatures,
}

// === impl Target ===

impl<'a> Target<'a> {
    /// A model at Anthropic that takes everything.
    pub fn new(model: &'a str) -> Self {
        Self {
            model,
            hosting: Hosting::default(),
            output_tokens_default: None,
            sampling: Sampling::default(),
            thinking: Thinking::default(),
            budgets: Budgets::default(),
            structured: Structured::default(),
            lacks: &[],
            extras_allowed: None,
        }
    }

    /// Whether it does not take this.
    pub fn lacks(&self, lack: Lack) -> bool {
        self.lacks.contains(&lack)
    }
}

// === impl Budgets ===

impl Default for Budgets {
    fn default() -> Self {
        Self {
            minimal: 1_024,
            low: 1_024,
            medium: 4_096,
            high: 16_384,
            xhigh: 32_768,
            max: 65_536,
        }
    }
}
