//! One finished request, as it is reported.
//!
//! Knows facts and counts; knows nothing of how they were come by, or of the wire.

use dialect::{Finish, Tokens};
use policy::{
    cost::Cost,
    id::{LimitId, ModelId, OrganizationId, ProjectId, ProviderId, VersionId},
    revision::Revision,
    split::Part,
};

use crate::{
    record::{
        attempt::Attempt,
        outcome::{Outcome, UsageSource},
        shadowed::Shadowed,
        told::Opening,
    },
    request::{Arrival, tags::Tags},
    route::decision::Decision,
    tariff::Billed,
};

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
    /// The rollout that assigned that, if one did.
    pub rollout: Option<Part>,
    /// What a shadow has to do with it, if one does.
    pub shadow: Option<Shadowed>,
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
    /// Why the answer ended, where that was asked and seen.
    pub finish: Finish,
    /// Whether it was a stream.
    pub streamed: bool,
    /// Where the counts come from.
    pub usage_source: UsageSource,
    /// The counts.
    pub tokens: Tokens,
    /// The limits that warn or only watch and had no room for it.
    pub over_limits: Vec<LimitId>,
    /// The configuration that the request saw.
    pub revision: Revision,
    /// From arrival to end, microseconds.
    pub duration_us: u64,
    /// From arrival to the provider's first byte of a body, and of a stream to the first that was generated,
    /// microseconds; zero when none came.
    pub first_byte_us: u64,
    /// How much of the time until it could first be sent was ours, microseconds; zero where it never could.
    pub overhead_us: u64,
    /// How long it waited for turns at providers, microseconds.
    pub queue_us: u64,
    /// The trace in which it stands.
    pub trace_id: Option<[u8; 16]>,
    /// The attempts that gave no answer, in their order.
    pub attempts: Vec<Attempt>,
    /// Why it went where it went, where a model was asked for.
    pub decision: Option<Decision>,
    /// Bytes of the request that went to the provider; counted of what is passed through, and otherwise zero.
    pub request_bytes: u64,
    /// Bytes of the answer that came from the provider; counted of what is passed through, and otherwise zero.
    pub answer_bytes: u64,
    /// What attempts that gave no answer were billed, each with the provider's name for the model. Twice as many as a version has
    /// targets, at most.
    pub missed: Vec<(String, Billed)>,
    /// What the attempt that served was billed.
    pub served: Option<Billed>,
    /// What all of it cost.
    pub cost: Cost,
    /// What its client said of it.
    pub tags: Option<Box<Tags>>,
    /// For whom its client asked, as far as a limit wanted to know.
    pub end_user: Option<Box<str>>,
}

// === impl Record ===

impl Record {
    /// Whether it is of a copy, of which no client hears.
    pub fn is_copy(&self) -> bool {
        self.shadow.is_some_and(|it| it.copy_of.is_some())
    }

    /// Of a request of which no more is known than its beginning, of which it takes the tags and the decision. It is cut short unless more is
    /// said.
    pub fn begun(arrival: &Arrival, opening: &mut Opening<'_>) -> Self {
        let key = opening.caller.key();
        Self {
            id: arrival.id.into_bytes(),
            at_ms: arrival.at_ms,
            organization: key.organization,
            project: key.project,
            key_id: key.key_id.clone(),
            previous_secret: opening.caller.by_previous_secret(),
            model: opening.model,
            version: opening.version,
            rollout: opening.rollout,
            shadow: None,
            provider: None,
            provider_model: String::new(),
            endpoint: opening.endpoint,
            outcome: Outcome::ClientGone,
            status: 0,
            finish: Finish::Unseen,
            streamed: opening.streamed,
            usage_source: UsageSource::Partial,
            tokens: Tokens::default(),
            over_limits: Vec::new(),
            revision: opening.revision,
            duration_us: 0,
            first_byte_us: 0,
            overhead_us: 0,
            queue_us: 0,
            trace_id: arrival.trace.map(|it| it.trace),
            attempts: Vec::new(),
            decision: opening.decision.take(),
            request_bytes: 0,
            answer_bytes: 0,
            missed: Vec::new(),
            served: None,
            cost: Cost::Known(0),
            tags: opening.tags.take(),
            end_user: None,
        }
    }
}
