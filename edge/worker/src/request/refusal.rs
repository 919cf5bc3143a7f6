//! Why a request is not one that can be judged, in words for its client and for the log.
//!
//! Knows what can be wrong with a request; knows nothing of how it is told.

use std::fmt;

use dialect::preferences::Unclear;
use payload::object::Misfit;

use crate::request::{body::NoBody, passing, tags::InvalidTags};

/// Why a request is not one we can judge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// No such path.
    UnknownPath,
    /// The path takes other methods: this one.
    WrongMethod(&'static str),
    /// A key stands in the query, where it would be logged on the way.
    KeyInQuery,
    /// The body is framed by more than chunks.
    TransferCoding,
    /// The body is compressed.
    Encoded,
    /// The body is not JSON by its own word.
    NotJson,
    /// The body is longer than this many bytes.
    TooLarge(usize),
    /// The body did not come in time.
    Slow,
    /// The body broke off.
    Broken,
    /// There is no room for the body beside the others that this core holds.
    Full,
    /// The body was scanned and refused.
    Body(dialect::request::Refused),
    /// The tensors of the body do not hold together.
    Tensors(Box<Misfit>),
    /// The class that it asks for is none.
    Priority,
    /// A list is asked for in pages that there are not, or a request by no id; this says how.
    Page(&'static str),
    /// What the client says of it is no list of tags.
    Tags,
    /// What the client prefers cannot be read, or kept.
    Preferences(Unclear),
    /// None of the model's providers has a realtime API.
    NoRealtime,
    /// It would be passed through, and cannot be.
    Passing(passing::Refused),
}

// === impl NoBody ===

impl NoBody {
    /// What its client is told where a body has at most so many bytes.
    pub(super) const fn of(self, bytes_max: usize) -> Refusal {
        match self {
            Self::TooLarge => Refusal::TooLarge(bytes_max),
            Self::Slow => Refusal::Slow,
            Self::Broken => Refusal::Broken,
            Self::Full => Refusal::Full,
        }
    }
}

// === impl Refusal ===

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownPath => f.write_str("there is nothing at this path"),
            Self::WrongMethod(allowed) => write!(f, "this path only takes {allowed}"),
            Self::KeyInQuery => f.write_str("send the key in a header, not in the query"),
            Self::TransferCoding => f.write_str(
                "send the body with a length, or with `chunked` as its only transfer-encoding",
            ),
            Self::Encoded => f.write_str("send the body without content-encoding"),
            Self::NotJson => f.write_str("send the body as application/json"),
            Self::TooLarge(bytes) => write!(f, "the body is longer than {bytes} bytes"),
            Self::Slow => f.write_str("the body did not come in time"),
            Self::Broken => f.write_str("the body broke off"),
            Self::Full => f.write_str("too many bodies are being held here; try again"),
            Self::Body(refused) => refused.fmt(f),
            Self::Tensors(misfit) => misfit.fmt(f),
            Self::Priority => f.write_str("`x-sluice-priority` is critical, standard or batch"),
            Self::Page("id") => {
                f.write_str("`id` is the id of a request, as x-sluice-request-id told it")
            }
            Self::Page(name) => write!(f, "`{name}` is no number of models from 1 to 1000"),
            Self::Tags => InvalidTags.fmt(f),
            Self::Preferences(unclear) => unclear.fmt(f),
            Self::NoRealtime => f.write_str("this model's provider has no realtime API"),
            Self::Passing(refused) => refused.fmt(f),
        }
    }
}

impl std::error::Error for Refusal {}
