//! The families of dialects.
//!
//! Within a family bytes pass as they are; between two of them the neutral form stands.

use std::fmt;

/// A family of dialects: who shares it understands the same fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Family {
    /// `OpenAI` chat completions, and all that speak it.
    Chat,
    /// `OpenAI` responses.
    Responses,
    /// Anthropic messages.
    Messages,
    /// Gemini `generateContent`.
    Gemini,
    /// Bedrock Converse.
    Converse,
    /// Cohere chat, version 2.
    Cohere,
}

// === impl Family ===

impl Family {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Chat,
        Self::Responses,
        Self::Messages,
        Self::Gemini,
        Self::Converse,
        Self::Cohere,
    ];

    /// Its word in the notation of rules and samples, for those that clients speak to us.
    pub const fn word(self) -> Option<&'static str> {
        match self {
            Self::Chat => Some("chat"),
            Self::Responses => Some("responses"),
            Self::Messages => Some("messages"),
            Self::Gemini => Some("gemini"),
            Self::Converse | Self::Cohere => None,
        }
    }

    /// The family of this word.
    pub fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.word() == Some(word))
    }

    /// Its name, for people.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Chat => "OpenAI Chat Completions",
            Self::Responses => "OpenAI Responses",
            Self::Messages => "Anthropic Messages",
            Self::Gemini => "Gemini generateContent",
            Self::Converse => "Bedrock Converse",
            Self::Cohere => "Cohere Chat v2",
        }
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
