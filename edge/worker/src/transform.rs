//! Makes of a request's body what the version's rules make of it: a [`Request`] that is judged by what is really sent.
//!
//! Knows which endpoints have a body that rules are for, and what may be done on a core's own thread; what a rule does is
//! the payload's. A version without rules never comes here.

use std::{fmt, sync::Arc};

use bytes::Bytes;
use dialect::{neutral::Family, request::Endpoint};
use payload::{
    jq,
    object::Misfit,
    transform::{Fault, Recipe},
};
use tracing::warn;

use crate::{
    elsewhere::Elsewhere,
    request::{NotReplaced, Request},
    route::Plan,
};

/// How many bytes of a body, times the rules that read it, are transformed at once on the thread that serves others: half
/// a millisecond of it. What is more, or has a program, which may take a second, goes to a thread of its own.
const AT_ONCE_BYTES_MAX: usize = 256 << 10;

/// One core's way to transform.
pub struct Transformer {
    elsewhere: Elsewhere,
}

/// Why a request is not what its version wants it to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// The client sent something else than the rules are for.
    Misfit(Misfit),
    /// The body is too long for a program.
    TooLong,
    /// There is no room for the body beside the others that this core holds.
    Full,
    /// The rules made no body of it. The log says which rule.
    Failed,
}

// === impl Transformer ===

impl Transformer {
    /// A way that has long work done `elsewhere`.
    pub const fn new(elsewhere: Elsewhere) -> Self {
        Self { elsewhere }
    }

    /// Transforms the body as the plan's version says. Waits only where it would keep others waiting.
    pub async fn apply(&self, plan: &Plan, request: &mut Request) -> Result<(), Refusal> {
        let Some(recipe) = &plan.version().recipe else {
            return Ok(());
        };
        // Another model may still be asked, whose version sends them on.
        if !recipe.headers().copy_any() && request.other_models().is_empty() {
            request.forget_spare_headers();
        }
        let rules = recipe.transform();
        let endpoint = request.endpoint();
        // Tensors are numbers, and counting asks nothing of the model.
        let unread = matches!(endpoint, Endpoint::Infer | Endpoint::InferMetadata);
        if rules.is_empty() || unread || endpoint.counts() {
            return Ok(());
        }
        let (family, body) = (family(endpoint), request.body());
        let reads = body.len().saturating_mul(rules.rules());
        let became = if rules.runs_programs() || reads > AT_ONCE_BYTES_MAX {
            self.elsewhere(recipe, family, body.clone()).await
        } else {
            rules.apply(family, body)
        };
        let body = became.map_err(|fault| refusal(plan, fault))?;
        request.replace_body(body).map_err(|why| unfit(plan, why))
    }

    /// The same on a thread that serves nobody.
    async fn elsewhere(
        &self,
        recipe: &Arc<Recipe>,
        family: Family,
        body: Bytes,
    ) -> Result<Vec<u8>, Fault> {
        let recipe = Arc::clone(recipe);
        let became = self
            .elsewhere
            .run(move || recipe.transform().apply(family, &body));
        became.await.unwrap_or(Err(Fault::Program {
            index: 0,
            fault: jq::Fault::Broken,
        }))
    }
}

/// The family whose rules are for this endpoint's bodies.
fn family(endpoint: Endpoint) -> Family {
    // Completions, embeddings and bodies of custom models are of the chat family and mostly have no messages, so that
    // instructions pass them by.
    endpoint.family().unwrap_or(Family::Chat)
}

/// Whose fault it was. What a program raised may hold what the client sent, and is not for the log.
fn refusal(plan: &Plan, fault: Fault) -> Refusal {
    let (rule, why) = match fault {
        Fault::Payload(misfit) => return Refusal::Misfit(misfit),
        Fault::Program {
            fault: jq::Fault::InputTooLong,
            ..
        } => return Refusal::TooLong,
        Fault::Program {
            index,
            fault: jq::Fault::Raised(_),
        } => (index, "the program raised an error".to_owned()),
        Fault::Program { index, fault } => (index, fault.to_string()),
        fault => (0, fault.to_string()),
    };
    complain(plan, &format!("transform_rules[{rule}]: {why}"));
    Refusal::Failed
}

fn unfit(plan: &Plan, why: NotReplaced) -> Refusal {
    match why {
        NotReplaced::Full => Refusal::Full,
        NotReplaced::Unfit(why) => {
            complain(plan, why);
            Refusal::Failed
        }
    }
}

fn complain(plan: &Plan, why: &str) {
    let (model, version) = (&plan.grant().model().name, &plan.version().name);
    warn!(%model, %version, %why, "the rules of a version failed");
}

// === impl Refusal ===

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Misfit(misfit) => misfit.fmt(f),
            Self::TooLong => f.write_str("the body is too long for the program of this model"),
            Self::Full => f.write_str("too many bodies are being held here; try again"),
            Self::Failed => f.write_str(
                "the rules of this model's version failed; whoever runs the gateway finds the \
                 reason in its log",
            ),
        }
    }
}

impl std::error::Error for Refusal {}
