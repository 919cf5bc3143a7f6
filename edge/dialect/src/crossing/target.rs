//! The model that a request goes to, whatever its dialect.

use crate::{chat, cohere, converse, gemini, messages, neutral::Family, responses};

/// A provider's model, and what its dialect needs to know of it.
#[derive(Debug, Clone)]
pub enum Target<'a> {
    /// See [`chat`].
    Chat(chat::target::Target<'a>),
    /// See [`responses`].
    Responses(responses::Target<'a>),
    /// See [`messages`].
    Messages(messages::target::Target<'a>),
    /// See [`gemini`].
    Gemini(gemini::Target<'a>),
    /// See [`converse`].
    Converse(converse::target::Target<'a>),
    /// See [`cohere`].
    Cohere(cohere::Target<'a>),
}

// === impl Target ===

impl Target<'_> {
    /// Its family.
    pub const fn family(&self) -> Family {
        match self {
            Self::Chat(_) => Family::Chat,
            Self::Responses(_) => Family::Responses,
            Self::Messages(_) => Family::Messages,
            Self::Gemini(_) => Family::Gemini,
            Self::Converse(_) => Family::Converse,
            Self::Cohere(_) => Family::Cohere,
        }
    }
}
