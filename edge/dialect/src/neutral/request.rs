//! A conversation to be continued.

use crate::neutral::{Dropped, Extra, Json, Part};

/// What a client asks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Request {
    /// The model, as whoever wrote the request calls it.
    pub model: String,
    /// The conversation so far. System turns may stand anywhere in it; most stand first.
    pub turns: Vec<Turn>,
    /// The tools that the model may call.
    pub tools: Vec<Tool>,
    /// Whether it must.
    pub tool_choice: Option<ToolChoice>,
    /// Whether it may call several at once.
    pub parallel_tools: Option<bool>,
    /// What form the answer must have.
    pub format: Format,
    /// How much to think first.
    pub reasoning: Option<Reasoning>,
    /// How to choose words.
    pub sampling: Sampling,
    /// The most tokens to generate.
    pub output_tokens_max: Option<u64>,
    /// How many answers; absent is one.
    pub choices: Option<u64>,
    /// Who asks, as the client calls them.
    pub end_user: Option<String>,
    /// The service tier, in the family's own word.
    pub service_tier: Option<String>,
    /// Whether the answer is to come as a stream.
    pub stream: bool,
    /// Whether the stream is to end with its usage, where that is a choice.
    pub stream_usage: bool,
    /// What only one family understands.
    pub extra: Vec<Extra>,
}

/// What one side said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Turn {
    /// Who.
    pub role: Role,
    /// Its name among several of the same role.
    pub name: Option<String>,
    /// What.
    pub parts: Vec<Part>,
    /// What only one family understands.
    pub extra: Vec<Extra>,
}

/// Who speaks. Results of tools are parts of a user's turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// Instructions, by whoever runs the application.
    System,
    /// The same, where `OpenAI`'s newer models call it so.
    Developer,
    /// The user.
    User,
    /// The model.
    Assistant,
}

/// A tool that a model may call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tool {
    /// Its name.
    pub name: String,
    /// What it does.
    pub description: Option<String>,
    /// The JSON Schema of its arguments; absent when it takes none. Empty name and no schema, with one [`Extra`]: a
    /// tool of the provider's own, which only its family understands.
    pub parameters: Option<Json>,
    /// Whether arguments must fit the schema exactly.
    pub strict: Option<bool>,
    /// Whether a prompt cache should end here.
    pub cache: Option<crate::neutral::Cache>,
    /// What only one family understands.
    pub extra: Vec<Extra>,
}

/// Whether a tool must be called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ToolChoice {
    /// As the model likes.
    Auto,
    /// None.
    None,
    /// Some tool.
    Required,
    /// This tool.
    Named(String),
    /// One of these; `required` says whether one must be called.
    Allowed {
        /// Their names.
        names: Vec<String>,
        /// Whether one must be called.
        required: bool,
    },
}

/// What form an answer must have.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Format {
    /// Any.
    #[default]
    Free,
    /// Some JSON object.
    JsonObject,
    /// JSON by this schema.
    JsonSchema {
        /// What the schema is called, where the dialect says it.
        name: Option<String>,
        /// What it is for.
        description: Option<String>,
        /// The JSON Schema.
        schema: Json,
        /// Whether to hold it exactly.
        strict: Option<bool>,
    },
}

/// How much to think first. Each dialect says some of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reasoning {
    /// How hard.
    pub effort: Option<Effort>,
    /// The most tokens to think; 0 is not at all.
    pub budget_tokens: Option<u64>,
    /// Whether what was thought should be shown, or a summary of it.
    pub shown: Option<bool>,
    /// What only one family understands.
    pub extra: Vec<Extra>,
}

/// How hard to think.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Effort {
    /// Not at all.
    None,
    /// Barely.
    Minimal,
    /// A little.
    Low,
    /// As usual.
    Medium,
    /// Hard.
    High,
    /// Harder.
    XHigh,
    /// As hard as it can.
    Max,
}

/// How to choose words. Numbers stand as they were written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sampling {
    /// From 0, in the client's range.
    pub temperature: Option<Json>,
    /// Nucleus.
    pub top_p: Option<Json>,
    /// The most likely so many.
    pub top_k: Option<Json>,
    /// For the same answer again.
    pub seed: Option<Json>,
    /// Against what was said before.
    pub presence_penalty: Option<Json>,
    /// Against what was said often.
    pub frequency_penalty: Option<Json>,
    /// Where to stop.
    pub stop: Vec<String>,
    /// Whether to tell how likely each word was.
    pub logprobs: Option<bool>,
    /// And so many others.
    pub top_logprobs: Option<u64>,
}

/// A request written in some dialect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encoded {
    /// The body.
    pub body: Vec<u8>,
    /// What was left out.
    pub dropped: Dropped,
}

// === impl Effort ===

impl Effort {
    /// All of them, from none to the most.
    pub const ALL: [Self; 7] = [
        Self::None,
        Self::Minimal,
        Self::Low,
        Self::Medium,
        Self::High,
        Self::XHigh,
        Self::Max,
    ];

    /// The word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Minimal => "minimal",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::XHigh => "xhigh",
            Self::Max => "max",
        }
    }

    /// What a word stands for.
    pub fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|effort| effort.word() == word)
    }
}

// === impl Turn ===

impl Turn {
    /// A turn with nothing special about it.
    pub const fn new(role: Role, parts: Vec<Part>) -> Self {
        Self {
            role,
            name: None,
            parts,
            extra: Vec::new(),
        }
    }
}

// === impl Role ===

impl Role {
    /// Whether it gives instructions.
    pub const fn instructs(self) -> bool {
        matches!(self, Self::System | Self::Developer)
    }
}
