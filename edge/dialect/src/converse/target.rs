//! What the model of a request takes. Converse is one form for many makers' models, and each refuses something else.
//!
//! Owns what a model's name tells about it. Every answer is a plain option that whoever configures a model may change,
//! because names lie: behind the id of an application's own inference profile stands any model.

mod maker;

pub use self::maker::Maker;

use crate::neutral::Effort;

/// A model and its quirks.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a plain option of its own, which whoever configures a model may change"
)]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target<'a> {
    /// The model's id: a foundation model, an inference profile or an ARN.
    pub model: &'a str,
    /// How it is asked to think.
    pub thinking: Thinking,
    /// Tokens to think with, by effort from minimal to the most, where only a budget can be given.
    pub thinking_budgets: [u64; 6],
    /// Which of the thoughts in a conversation may be sent back.
    pub thoughts: Thoughts,
    /// Where `top_k` goes.
    pub top_k: TopK,
    /// What it takes of `temperature` and `top_p`.
    pub randomness: Randomness,
    /// Whether an answer can be held to a schema.
    pub structured_output: bool,
    /// How it can be made to call tools.
    pub tool_choices: ToolChoices,
    /// Whether a tool can ask for arguments that fit its schema exactly.
    pub strict_tools: bool,
    /// Where a prompt cache may end.
    pub cache_points: CachePoints,
    /// Whether a mark of the prompt cache may say how long.
    pub cache_ttl: bool,
    /// Whether instructions may stand in the middle of a conversation. If not, they are put in front of it.
    pub system_messages: bool,
}

/// How a model is asked to think.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Thinking {
    /// It cannot be.
    Unknown,
    /// By `outputConfig.effort`, Bedrock's own.
    Native,
    /// Claude from 4.6: `thinking` of type `adaptive`, and `output_config.effort`.
    Adaptive,
    /// Claude up to 4.5: `thinking` with `budget_tokens`.
    Budget,
    /// Nova 2: `reasoningConfig` with `maxReasoningEffort`.
    Nova,
    /// The models of `OpenAI`, Qwen and `DeepSeek`: a word in `reasoning_config`.
    Word,
}

/// Which of the thoughts in a conversation may be sent back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Thoughts {
    /// None.
    Never,
    /// Those that their maker can recognise.
    Signed,
    /// All.
    All,
}

/// Where `top_k` goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TopK {
    /// Nowhere.
    Unknown,
    /// Beside the other fields that only the model understands.
    Plain,
    /// Nova: into an `inferenceConfig` among those fields.
    Nova,
}

/// What a model takes of `temperature` and `top_p`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Randomness {
    /// Neither.
    Neither,
    /// One of them; the temperature where both are given.
    One,
    /// Both.
    Both,
}

/// How a model can be made to call tools.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ToolChoices {
    /// It cannot be made to.
    Auto,
    /// To call some tool.
    Any,
    /// To call a certain tool, too.
    Named,
}

/// Where a prompt cache may end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum CachePoints {
    /// Nowhere.
    Nowhere,
    /// In instructions and messages.
    Messages,
    /// Behind tools, too.
    Tools,
}

/// From minimal to the most.
const BUDGETS: [u64; 6] = [1_024, 1_024, 4_096, 8_192, 16_384, 32_768];

// === impl Target ===

impl<'a> Target<'a> {
    /// A model with the quirks that its name tells.
    pub fn new(model: &'a str) -> Self {
        let maker = Maker::of(model);
        Self {
            model,
            thinking: maker.thinking(),
            thinking_budgets: BUDGETS,
            thoughts: maker.thoughts(),
            top_k: maker.top_k(),
            randomness: maker.randomness(),
            structured_output: maker.structured_output(),
            tool_choices: maker.tool_choices(),
            strict_tools: maker.strict_tools(),
            cache_points: maker.cache_points(),
            cache_ttl: maker.cache_ttl(),
            system_messages: false,
        }
    }

    /// A model that takes everything: for what is no request.
    pub(crate) const fn any() -> Target<'static> {
        Target {
            model: "",
            thinking: Thinking::Unknown,
            thinking_budgets: BUDGETS,
            thoughts: Thoughts::All,
            top_k: TopK::Plain,
            randomness: Randomness::Both,
            structured_output: true,
            tool_choices: ToolChoices::Named,
            strict_tools: true,
            cache_points: CachePoints::Tools,
            cache_ttl: true,
            system_messages: true,
        }
    }

    /// Tokens to think with; none for no effort.
    pub fn budget(&self, effort: Effort) -> u64 {
        let at = match effort {
            Effort::None => return 0,
            Effort::Minimal => 0,
            Effort::Low => 1,
            Effort::Medium => 2,
            Effort::High => 3,
            Effort::XHigh => 4,
            Effort::Max => 5,
        };
        self.thinking_budgets.get(at).copied().unwrap_or(0)
    }

    /// The effort whose tokens come nearest to these, from low to high: that much every model knows.
    pub fn effort(&self, budget_tokens: u64) -> Effort {
        if budget_tokens == 0 {
            return Effort::None;
        }
        [Effort::Low, Effort::Medium, Effort::High]
            .into_iter()
            .min_by_key(|effort| self.budget(*effort).abs_diff(budget_tokens))
            .unwrap_or(Effort::Medium)
    }
}
