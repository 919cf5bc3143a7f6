//! What an account is told while it is open: what is known at its beginning, and what has become of each attempt.
//!
//! Plain facts; what they are charged is decided where the account is kept.

use dialect::Tokens;
use policy::{
    id::{ModelId, ProviderId, VersionId},
    key::Key,
    revision::Revision,
};

/// An attempt that gave no answer, as whoever made it tells it.
#[derive(Clone, Copy)]
pub struct Missed<'a> {
    /// Who was asked.
    pub provider: ProviderId,
    /// The provider's name for the model; empty where none was named.
    pub provider_model: &'a str,
    /// See `Attempt::code`.
    pub code: &'static str,
    /// See `Attempt::status`.
    pub status: u16,
    /// Whether the provider may have begun to work on it.
    pub sent: bool,
    /// Whether the provider answered with an error, and bills nothing unless it says so.
    pub refused: bool,
}

/// What has been seen of an answer's usage.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// What the provider said.
    pub tokens: Option<Tokens>,
    /// Output tokens by our own count.
    pub output_tokens: u64,
}

/// What is known of a request when its account is opened.
pub struct Opening<'a> {
    /// Whose.
    pub key: &'a Key,
    /// The public model; zeroes where there is none.
    pub model: ModelId,
    /// Its version.
    pub version: VersionId,
    /// The path, or its class.
    pub endpoint: &'static str,
    /// Whether it is a stream.
    pub streamed: bool,
    /// The configuration that it saw.
    pub revision: Revision,
}

/// How much has passed of what is passed through.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Carried {
    /// Bytes of the request.
    pub request_bytes: u64,
    /// Bytes of the answer.
    pub answer_bytes: u64,
    /// Input tokens by our own count, if the guess of before can be mended.
    pub input_tokens: Option<u64>,
}
