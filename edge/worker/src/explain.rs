//! Says which limits concern a request and how much of each is left, to an operator who asks by way of the control plane.
//!
//! Goes the way that a request goes: `route` says who may serve, `admit` which limits there are, and the script by which
//! room is reserved what is left. Takes nothing of them, and knows no key's text. One question is answered at a time.

use std::{cell::Cell, convert::Infallible, future::pending, iter};

use counters::Mode;
use lifecycle::clock::Clock;
use policy::{
    applying::{Applied, Count, Measure},
    id::{OrganizationId, ProviderId},
    key::Key,
    limit::Allowance,
    rules::Rules,
};
use proto::sync::{Explain, ExplainProblem, Explained, ExplainedLimit};
use tokio::sync::mpsc;

use crate::{
    admit::{self, Admit, room},
    feed::question::Question,
    in_force::{InForce, Standing},
    route,
};

/// The most limits that an answer names.
// Full: the others are not named, and the answer says that there are more.
const LIMITS_MAX: usize = 100;

/// Looks what is left of limits, as requests would find it, and takes nothing.
#[derive(Clone)]
pub struct Lens {
    admit: Admit,
    clock: Clock,
}

/// Explains limits.
pub struct Explainer {
    in_force: InForce,
    lens: Lens,
    questions: Cell<Option<mpsc::Receiver<Question>>>,
}

/// The limits of one question, before anybody has looked what is left.
struct Found {
    organization: OrganizationId,
    revision: u64,
    now_ms: u64,
    limits: Vec<Applied>,
    /// Of each, the provider that would serve, where it asks.
    providers: Vec<String>,
    /// Of each that regions hold together, this region's share in millionths.
    shares: Vec<Option<u32>>,
    more: bool,
}

// === impl Explainer ===

impl Explainer {
    /// Answers what comes in `questions`; nothing where this core gets none.
    pub const fn new(
        in_force: InForce,
        lens: Lens,
        questions: Option<mpsc::Receiver<Question>>,
    ) -> Self {
        Self {
            in_force,
            lens,
            questions: Cell::new(questions),
        }
    }

    /// Answers. Never ends.
    pub async fn run(&self) -> Infallible {
        if let Some(mut questions) = self.questions.take() {
            while let Some(question) = questions.recv().await {
                let explained = self.explain(question.asked()).await;
                question.answer(explained);
            }
        }
        pending().await
    }

    /// The answer to one question.
    pub async fn explain(&self, asked: &Explain) -> Explained {
        let found = self.found(&self.in_force.rules(), asked);
        let found = match found {
            Ok(found) => found,
            Err(problem) => {
                return Explained {
                    problem: problem.into(),
                    ..Explained::default()
                };
            }
        };
        self.lens.look(found).await
    }

    fn found(&self, rules: &Rules, asked: &Explain) -> Result<Found, ExplainProblem> {
        let key = match self.in_force.standing(&asked.key_id) {
            Some(Standing::Active(key)) => key,
            Some(Standing::Revoked) => return Err(ExplainProblem::Revoked),
            None => return Err(ExplainProblem::Key),
        };
        let organization = key.organization;
        let model = rules.model(organization, &asked.model);
        let model = model.ok_or(ExplainProblem::Model)?;
        if !key.takes_model(model) {
            return Err(ExplainProblem::Forbidden);
        }
        let (_, mut targets) =
            route::targets(rules, model, model.stable).map_err(|_| ExplainProblem::Model)?;
        route::hold_to(&key, &mut targets).map_err(|_| ExplainProblem::Forbidden)?;
        let now_ms = self.lens.now_ms();
        let whose = (&*key, model.id, asked.end_user.as_str());
        let providers = targets.iter().map(|target| target.provider().id);
        let limits = admit::limits_named(rules, whose, providers, now_ms);
        let name = |id| {
            let mut targets = targets.iter().map(route::Candidate::provider);
            targets
                .find(|provider| provider.id == id)
                .map(|provider| provider.name.clone())
        };
        let at = (organization, rules.revision().0, now_ms);
        Ok(self.lens.found(at, &limits, name))
    }
}

// === impl Lens ===

impl Lens {
    /// Looks by `clock` at what `admit` would be asked for.
    pub const fn new(admit: Admit, clock: Clock) -> Self {
        Self { admit, clock }
    }

    /// What time it is, milliseconds since 1970.
    pub fn now_ms(&self) -> u64 {
        self.clock.now_ms()
    }

    /// The limits that concern whatever this key asks for: no others know of a model, an end user or a provider.
    pub async fn of_key(&self, rules: &Rules, key: &Key) -> Vec<ExplainedLimit> {
        let now_ms = self.now_ms();
        let limits = admit::limits_unread(rules, (key, None, None), iter::empty(), now_ms);
        let at = (key.organization, rules.revision().0, now_ms);
        let found = self.found(at, &limits, |_| None);
        self.look(found).await.limits
    }

    fn found(
        &self,
        (organization, revision, now_ms): (OrganizationId, u64, u64),
        limits: &admit::Limits,
        name: impl Fn(ProviderId) -> Option<String>,
    ) -> Found {
        let mut found = Found {
            organization,
            revision,
            now_ms,
            limits: Vec::new(),
            providers: Vec::new(),
            shares: Vec::new(),
            more: false,
        };
        for (provider, applied) in limits.each() {
            if found.limits.len() == LIMITS_MAX {
                found.more = true;
                break;
            }
            let mut applied = applied.clone();
            found.shares.push(self.admit.share(&mut applied, now_ms));
            found.limits.push(applied);
            let provider = provider.and_then(&name);
            found.providers.push(provider.unwrap_or_default());
        }
        found
    }

    async fn look(&self, found: Found) -> Explained {
        let (levels, mode) = self.admit.look(found.organization, &found.limits).await;
        let names = found.providers.into_iter().zip(found.shares);
        let each = found.limits.iter().zip(names).zip(levels);
        Explained {
            revision: found.revision,
            limits: each
                .map(|((applied, named), level)| told(applied, named, level, found.now_ms))
                .collect(),
            more: found.more,
            local_share: mode == Mode::Local,
            ..Explained::default()
        }
    }
}

/// One limit, of which so much is left.
fn told(
    applied: &Applied,
    (provider, share): (String, Option<u32>),
    remaining: Option<i64>,
    now_ms: u64,
) -> ExplainedLimit {
    let limit = &applied.limit;
    let (window_ms, burst) = match applied.count {
        Count::Level(Measure::Rate(rate)) => (rate.window_ms(), rate.burst()),
        Count::Level(Measure::Quota { .. }) | Count::Slots(_) => (0, 0),
    };
    let period = match &limit.allowance {
        Allowance::Rate(_) | Allowance::AtOnce(_) => 0,
        Allowance::Quota(quota) => quota.period() as u32,
    };
    // Of what other regions have nothing is left here, whatever is counted.
    let remaining = if share == Some(0) { Some(0) } else { remaining };
    let state = |level| room::State::of(applied, level, now_ms);
    ExplainedLimit {
        name: limit.name.clone(),
        provider,
        unit: limit.unit as u32,
        mode: limit.terms.mode as u32,
        amount: applied.count.amount(),
        window_ms,
        burst,
        period,
        remaining,
        reset_ms: remaining.and_then(|level| state(level).reset_ms),
        share,
    }
}
