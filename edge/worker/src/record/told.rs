//! What an account is told while it is open: what is known at its beginning, and what has passed.
//!
//! Plain facts; what they are charged is decided where the account is kept.

use std::{sync::Arc, time::Duration};

use dialect::{Finish, Tokens};
use policy::{
    id::{ModelId, VersionId},
    price_book::PriceBook,
    revision::Revision,
    split::Part,
};

use shaping::Turn;

use crate::{
    identify::Caller, record::outcome::Outcome, request::tags::Tags, route::decision::Decision,
};

/// What has been seen of an answer's usage.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// What the provider said.
    pub tokens: Option<Tokens>,
    /// Output tokens by our own count.
    pub output_tokens: u64,
    /// Why it ended; asked only of requests whose version a rollout assigned, and of those that a shadow compares.
    pub finish: Finish,
}

/// What is known of a request when its account is opened.
pub struct Opening<'a> {
    /// Whose.
    pub caller: &'a Caller,
    /// The public model; zeroes where there is none.
    pub model: ModelId,
    /// Its name; empty where there is none.
    pub model_name: &'a str,
    /// How long after its arrival its body was here, if it was read.
    pub read_after: Option<Duration>,
    /// Its version.
    pub version: VersionId,
    /// The rollout that assigned that, if one did.
    pub rollout: Option<Part>,
    /// The path, or its class.
    pub endpoint: &'static str,
    /// Whether it is a stream.
    pub streamed: bool,
    /// The configuration that it saw.
    pub revision: Revision,
    /// The organization's own prices, if it has any.
    pub book: Option<Arc<PriceBook>>,
    /// What its client said of it.
    pub tags: Option<Box<Tags>>,
    /// Why it goes where it goes, where a model was asked for.
    pub decision: Option<Decision>,
    /// What of that its trace tells.
    pub route: Option<&'a str>,
}

impl Tally {
    /// Tells the turn in which this was seen how it ended, and what it cost in nano-dollars, where that is known.
    pub(super) fn tell(&self, turn: &Turn, outcome: Outcome, cost_nano: Option<u64>) {
        match outcome {
            Outcome::ProviderFailed => turn.failed(),
            Outcome::Completed => {
                let said = self.tokens.map(|it| it.output_total());
                turn.ended(said.unwrap_or(self.output_tokens), cost_nano);
            }
            _ => {}
        }
    }
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

/// A duration as records tell it, in whole microseconds.
pub(super) fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
