//! A whole answer.

use crate::{
    Finish, Tokens, calls,
    neutral::{Content, Extra, Part},
};

/// What a model answered, whole.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Answer {
    /// The provider's id for it; empty where it gives none.
    pub id: String,
    /// The model, as the provider calls it; empty where it does not say.
    pub model: String,
    /// When, in seconds since 1970, where the provider says it.
    pub created_seconds: Option<u64>,
    /// One answer, or as many as were asked for.
    pub choices: Vec<Choice>,
    /// What was used, where the provider says it.
    pub tokens: Option<Tokens>,
    /// What only one family understands.
    pub extra: Vec<Extra>,
}

/// One of the answers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Choice {
    /// What was said, thought and called, in order.
    pub parts: Vec<Part>,
    /// Why it ended.
    pub stop: Option<Stop>,
    /// What only one family understands.
    pub extra: Vec<Extra>,
}

/// What a provider's report of a call that cannot be made is called, of those that tell it as an end.
pub const MISCALLED: &str = "MALFORMED_FUNCTION_CALL";

/// Why an answer ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stop {
    /// It was finished.
    End,
    /// It reached the most tokens.
    Length,
    /// It came to a word where it was to stop; which one, where the provider says it.
    Sequence(Option<String>),
    /// Tools are to be called.
    ToolCalls,
    /// The provider's filter took it.
    Filtered,
    /// The model declined; why, where the provider says it.
    Refused(Option<String>),
    /// The provider paused a long turn, to be gone on with.
    Paused,
    /// The conversation is longer than the model can take.
    ContextFull,
    /// It broke: a malformed call, or another failure that the provider reports as an end.
    Failed(String),
}

// === impl Stop ===

impl Stop {
    /// What it is to whoever compares versions.
    pub fn finish(&self) -> Finish {
        match self {
            Self::End | Self::Sequence(_) | Self::ToolCalls => Finish::Whole,
            Self::Length | Self::ContextFull => Finish::Truncated,
            Self::Filtered | Self::Refused(_) => Finish::Refused,
            Self::Failed(why) if why == MISCALLED => Finish::Miscalled,
            Self::Paused | Self::Failed(_) => Finish::Unseen,
        }
    }
}

// === impl Choice ===

impl Choice {
    fn finish(&self) -> Option<Finish> {
        let finish = self.stop.as_ref()?.finish();
        let is_broken = |it: &Part| match &it.content {
            Content::ToolCall { arguments, .. } => !calls::are_arguments(arguments),
            _ => false,
        };
        Some(match finish {
            Finish::Whole if self.parts.iter().any(is_broken) => Finish::Miscalled,
            finish => finish,
        })
    }
}

// === impl Answer ===

impl Answer {
    /// Why it ended: the worst of its choices.
    pub fn finish(&self) -> Finish {
        let ends = self.choices.iter().filter_map(Choice::finish);
        ends.max().unwrap_or_default()
    }
}
