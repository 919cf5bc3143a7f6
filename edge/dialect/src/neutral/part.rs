//! What a turn is made of.

use crate::neutral::{Extra, Json};

/// One part of a turn or of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// What it is.
    pub content: Content,
    /// Whether a prompt cache should end here.
    pub cache: Option<Cache>,
    /// What only one family understands of it.
    pub extra: Vec<Extra>,
}

/// What a part is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// Words.
    Text(String),
    /// A picture.
    Image(Media),
    /// A sound.
    Audio(Media),
    /// A file to read.
    Document(Media),
    /// The model calls a tool. In an assistant's turn.
    ToolCall {
        /// The call's id; never empty.
        id: String,
        /// The tool's name.
        name: String,
        /// The arguments: JSON as the model wrote it, an object unless the model failed. `{}` where there are none.
        arguments: String,
    },
    /// What a tool said. In a user's turn, before anything else in it.
    ToolResult {
        /// The id of the call.
        id: String,
        /// The tool's name, where the dialect says it.
        name: Option<String>,
        /// What it said: texts, images, documents.
        parts: Vec<Part>,
        /// Whether it failed.
        failed: bool,
    },
    /// What the model thought before it spoke.
    Reasoning {
        /// The words, or a summary of them; may be empty.
        text: String,
        /// What proves them to their maker, opaque: it must go back with them, unchanged, to the same family.
        /// Anthropic's `signature`, Gemini's `thoughtSignature`, the `encrypted_content` of Responses.
        signature: Option<String>,
    },
    /// What the model thought, readable by its maker alone: Anthropic's `redacted_thinking`.
    RedactedReasoning(String),
    /// The model declines, in words.
    Refusal(String),
    /// Something that only its family understands, which is that of the part's only [`Extra`].
    Other,
}

/// A picture, a sound or a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Media {
    /// Where it is.
    pub source: Source,
    /// Its media type, such as `image/png`; empty where the dialect does not say.
    pub media_type: String,
    /// Its name or title.
    pub name: Option<String>,
    /// How closely to look: `low`, `high`, `auto`.
    pub detail: Option<String>,
}

/// Where media are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// Here, in base64.
    Base64(String),
    /// Here, as plain text.
    Text(String),
    /// At an address. We never fetch it.
    Url(String),
    /// At the provider, under this id.
    File(String),
}

/// A mark that a prompt cache should end here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cache {
    /// How long, such as `5m` or `1h`, where it is said.
    pub ttl: Option<String>,
}

// === impl Part ===

impl Part {
    /// A part with nothing special about it.
    pub const fn new(content: Content) -> Self {
        Self {
            content,
            cache: None,
            extra: Vec::new(),
        }
    }

    /// Words.
    pub fn text(text: impl Into<String>) -> Self {
        Self::new(Content::Text(text.into()))
    }

    /// Something that only its family understands.
    pub fn other(extra: Extra) -> Self {
        Self {
            content: Content::Other,
            cache: None,
            extra: vec![extra],
        }
    }

    /// The raw value of a part that only its family understands.
    pub fn raw(&self) -> Option<&Json> {
        match self.content {
            Content::Other => self.extra.first().map(|extra| &extra.value),
            _ => None,
        }
    }
}
