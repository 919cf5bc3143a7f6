//! The one form that every dialect is read into and written from: a conversation, an answer, a stream, an error.
//!
//! Owns what the dialects mean in common. Must never know how any of them spells it. What only one family understands
//! rides along as an [`Extra`] of that family: it goes back to the same family as it came, and whoever writes for
//! another one says that it was dropped.

mod extra;
mod part;
mod request;
mod answer;
mod event;
mod error;
mod told;
mod seed;
mod vector;
mod embedding;

pub use payload::{family::Family, value::Json};

pub use self::{
    answer::{Answer, Choice, MISCALLED, Stop},
    embedding::{EmbeddingInput, EmbeddingRequest, Embeddings, Encoding, Task},
    error::{Class, Error, UNREADABLE},
    event::{Delta, Event, Kind},
    extra::{DROPPED_MAX, Dropped, Extra, Unsupported},
    part::{Cache, Content, Media, Part, Source},
    request::{
        Effort, Encoded, Format, Reasoning, Request, Role, Sampling, Tool, ToolChoice, Turn,
    },
    seed::Seed,
    vector::Vector,
};
