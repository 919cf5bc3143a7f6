//! The account of one request, from the permit to the last byte: a [`Permit`] becomes an [`Entry`].
//!
//! Knows counts and outcomes; knows nothing of the wire. An entry closes itself when it is dropped, so a request
//! that vanishes is settled and recorded too, and nobody waits for either. What it is charged:
//!
//! | an entry that was | and closes | is charged |
//! |---|---|---|
//! | opened, or [missed](Entry::missed) | anyhow | nothing: no provider got the request |
//! | [reached](Entry::reached) | without an answer | its input, by our count |
//! | [refused](Entry::refused): an error was the answer | anyhow | what the provider says, otherwise nothing |
//! | answered | with the provider's counts | those, each up to [`TOKENS_MAX`] |
//! | answered | without them, whole or cut short | its input and what has passed of the output, by our count |

pub mod measures;

use std::{rc::Rc, time::Duration};

use dialect::Tokens;
use lifecycle::drain::{Drain, Phase};
use policy::{
    id::{ModelId, OrganizationId, ProjectId, ProviderId, VersionId},
    revision::Revision,
};
use tokio::sync::mpsc;

use crate::{
    admit::{Hold, Permit},
    request::{Arrival, Request, endpoint},
    route::{Candidate, Plan},
};

use self::measures::Measures;

/// How many records may wait to be reported.
// Full: the record is lost and counted as lost; the limits are settled all the same.
pub const RECORDS_MAX: usize = 65_536;

/// The most tokens of one kind that a request is believed to have used: far beyond any context, and what a limit can
/// count. A provider that claims more is believed this much, because a record with an absurd count would be refused
/// and its request be free.
pub const TOKENS_MAX: u64 = policy::limit::UNITS_MAX;

/// One finished request, as it is reported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// `UUIDv7`: the request's id.
    pub id: [u8; 16],
    /// When the request came, milliseconds since 1970.
    pub at_ms: u64,
    /// Whose.
    pub organization: OrganizationId,
    /// Which project's.
    pub project: ProjectId,
    /// Which key's.
    pub key_id: String,
    /// Whether with the secret that a rotation replaced.
    pub previous_secret: bool,
    /// The public model.
    pub model: ModelId,
    /// Its version.
    pub version: VersionId,
    /// The provider that served; `None` when none was reached.
    pub provider: Option<ProviderId>,
    /// The provider's name for the model; empty when none was reached.
    pub provider_model: String,
    /// The path, such as `/v1/chat/completions`.
    pub endpoint: &'static str,
    /// How it ended.
    pub outcome: Outcome,
    /// The status that the client got; zero when it was gone.
    pub status: u16,
    /// Whether it was a stream.
    pub streamed: bool,
    /// Where the counts come from.
    pub usage_source: UsageSource,
    /// The counts.
    pub tokens: Tokens,
    /// The configuration that the request saw.
    pub revision: Revision,
    /// From arrival to end, microseconds.
    pub duration_us: u64,
    /// From arrival to the provider's first byte of a body, microseconds; zero when none came.
    pub first_byte_us: u64,
}

/// How a request ended. The numbers are those of the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Outcome {
    /// The provider's whole answer went to the client.
    Completed = 1,
    /// The client left before that.
    ClientGone = 2,
    /// The provider failed or answered with an error.
    ProviderFailed = 3,
    /// The edge ended it: a deadline or a shutdown.
    Cut = 4,
}

/// Where counts come from. The numbers are those of the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum UsageSource {
    /// The provider said so.
    Provider = 1,
    /// The edge counted, because the provider said nothing.
    Estimated = 2,
    /// The edge counted what had passed when the request was cut short.
    Partial = 3,
}

/// What has been seen of an answer's usage.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// What the provider said.
    pub tokens: Option<Tokens>,
    /// Output tokens by our own count.
    pub output_tokens: u64,
}

/// Opens entries. One for each core.
#[derive(Clone)]
pub struct Recorder {
    queue: mpsc::Sender<Record>,
    drain: Drain,
    measures: Rc<Measures>,
}

/// The open account of one request.
pub struct Entry {
    open: Option<Box<Open>>,
}

struct Open {
    record: Record,
    hold: Hold,
    place: Option<mpsc::OwnedPermit<Record>>,
    arrival: Arrival,
    input_tokens: u64,
    free: bool,
    recorder: Recorder,
}

// === impl Recorder ===

impl Recorder {
    /// Posts to `queue`. Asks `drain` whether a request that vanishes was cut by us.
    pub fn new(queue: mpsc::Sender<Record>, drain: Drain) -> Self {
        Self {
            queue,
            drain,
            measures: Rc::new(Measures::register()),
        }
    }

    /// Opens the account of a request. Takes its place in the queue now, so that closing cannot find it full.
    pub fn open(&self, arrival: &Arrival, permit: Permit, plan: &Plan, request: &Request) -> Entry {
        let place = self.queue.clone().try_reserve_owned().ok();
        if place.is_none() {
            self.measures.lost();
        }
        let key = plan.grant().caller().key();
        let record = Record {
            id: arrival.id.into_bytes(),
            at_ms: arrival.at_ms,
            organization: key.organization,
            project: key.project,
            key_id: key.key_id.clone(),
            previous_secret: plan.grant().caller().by_previous_secret(),
            model: plan.grant().model().id,
            version: plan.version().id,
            provider: None,
            provider_model: String::new(),
            endpoint: endpoint::path(request.endpoint()),
            outcome: Outcome::ClientGone,
            status: 0,
            streamed: request.scanned().stream,
            usage_source: UsageSource::Partial,
            tokens: Tokens::default(),
            revision: plan.revision(),
            duration_us: 0,
            first_byte_us: 0,
        };
        let (hold, input_tokens) = permit.into_hold();
        let (arrival, recorder) = (*arrival, self.clone());
        let free = false;
        let open = Open {
            record,
            hold,
            place,
            arrival,
            input_tokens,
            free,
            recorder,
        };
        // Boxed, because it rides in the future of every request.
        Entry {
            open: Some(Box::new(open)),
        }
    }
}

// === impl Entry ===

impl Entry {
    /// The request is about to be sent to this target; from now on it may cost.
    pub fn reached(&mut self, candidate: &Candidate) {
        if let Some(open) = &mut self.open {
            open.record.provider = Some(candidate.provider().id);
            open.record
                .provider_model
                .clone_from(&candidate.target().provider_model);
        }
    }

    /// Nothing was sent after all.
    pub fn missed(&mut self) {
        if let Some(open) = &mut self.open {
            open.record.provider = None;
            open.record.provider_model.clear();
        }
    }

    /// The provider answered with an error, and bills nothing unless it says so.
    pub fn refused(&mut self) {
        if let Some(open) = &mut self.open {
            open.free = true;
        }
    }

    /// The client gets this status.
    pub fn answered(&mut self, status: u16) {
        if let Some(open) = &mut self.open {
            open.record.status = status;
        }
    }

    /// No provider has answered, and the client gets this status. Closes the entry.
    pub fn failed(mut self, status: u16) {
        self.answered(status);
        self.finish(Some(Outcome::ProviderFailed), Tally::default());
    }

    /// The first byte of an answer's body is here.
    pub fn first_byte(&mut self) {
        if let Some(open) = &mut self.open {
            let waited = open.arrival.started.elapsed();
            open.record.first_byte_us = micros(waited);
            open.recorder.measures.first_byte(waited);
        }
    }

    /// Settles and posts.
    pub fn close(mut self, outcome: Outcome, tally: Tally) {
        self.finish(Some(outcome), tally);
    }

    /// Settles and posts a request whose end nobody saw: the client is gone, or we have cut it.
    pub fn abandon(mut self, tally: Tally) {
        self.finish(None, tally);
    }

    fn finish(&mut self, outcome: Option<Outcome>, tally: Tally) {
        if let Some(open) = self.open.take() {
            open.finish(outcome, tally);
        }
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.finish(None, Tally::default());
    }
}

// === impl Open ===

impl Open {
    fn finish(mut self, outcome: Option<Outcome>, tally: Tally) {
        let outcome = outcome.unwrap_or_else(|| match self.recorder.drain.phase() {
            Phase::Over => Outcome::Cut,
            _ => Outcome::ClientGone,
        });
        let (tokens, usage_source) = self.usage(outcome, tally);
        self.recorder.measures.used(&tokens);
        self.hold.settle(tokens.total());
        self.record.outcome = outcome;
        self.record.tokens = tokens;
        self.record.usage_source = usage_source;
        self.record.duration_us = micros(self.arrival.started.elapsed());
        if let Some(place) = self.place {
            place.send(self.record);
        }
    }

    /// Missing usage is never free: what was sent is charged by our own count. Only a request that no provider
    /// got, or that it refused with an error, has cost nothing.
    fn usage(&self, outcome: Outcome, tally: Tally) -> (Tokens, UsageSource) {
        if let Some(tokens) = tally.tokens {
            return (self.believed(tokens), UsageSource::Provider);
        }
        let usage_source = match outcome {
            Outcome::Completed => UsageSource::Estimated,
            _ => UsageSource::Partial,
        };
        if self.record.provider.is_none() || self.free {
            return (Tokens::default(), usage_source);
        }
        let tokens = Tokens {
            input: self.input_tokens,
            output: tally.output_tokens,
            ..Tokens::default()
        };
        (tokens, usage_source)
    }

    /// What a provider says, each count cut to [`TOKENS_MAX`].
    fn believed(&self, said: Tokens) -> Tokens {
        let tokens = said.map(|count| count.min(TOKENS_MAX));
        if tokens != said {
            self.recorder.measures.implausible();
        }
        tokens
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
