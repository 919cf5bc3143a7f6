//! Says which limits concern a request and how much of each is left, or where it would go, to an operator who asks by way of
//! the control plane.
//!
//! Goes the way that a request goes: `route` says who may serve, `admit` which limits there are, and the script by which
//! room is reserved what is left. Takes nothing of them, and knows no key's text. One question is answered at a time.

mod counted;
mod routed;

use std::{cell::Cell, convert::Infallible, future::pending, iter, sync::Arc, time::Duration};

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
    admit::{self, Admit, giving::Giver, room},
    fares::Fares,
    feed::{dial::Dialer, question::Question},
    hints::Teller,
    in_force::{InForce, Standing},
    orphans::{Orphaned, Orphans},
    recount::Recounter,
    route::{self, notes::Notes},
};

/// The most limits that an answer names.
// Full: the others are not named, and the answer says that there are more.
const LIMITS_MAX: usize = 100;

/// What comes to the one core that does for all what is beside requests.
pub struct Beside {
    /// What operators ask of limits.
    pub questions: mpsc::Receiver<Question>,
    /// The way to control planes, whose ledger is read.
    pub dialer: Dialer,
    /// How often counts are compared with it.
    pub ledger_every: Duration,
    /// Where goes what edges left that are gone.
    pub orphans: mpsc::Sender<Orphaned>,
    /// What this edge calls itself.
    pub edge_id: String,
}

/// Looks what is left of limits, as requests would find it, and takes nothing.
#[derive(Clone)]
pub struct Lens {
    admit: Admit,
    clock: Clock,
}

/// Explains limits, has what was forgotten of them read back and what edges that are gone were charged recorded, and has edges tell each
/// other of targets.
pub struct Explainer {
    in_force: InForce,
    lens: Lens,
    fares: Fares,
    questions: Cell<Option<mpsc::Receiver<Question>>>,
    beside: Option<(Recounter, Orphans, Teller)>,
    giver: Giver,
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
    /// Does what comes to this core; nothing where that is another.
    pub fn new(in_force: InForce, lens: Lens, fares: Fares, beside: Option<Beside>) -> Self {
        let (questions, others) = beside
            .map(|it| {
                let recounter = lens.admit.recounter(it.dialer, it.ledger_every);
                let orphans = lens.admit.orphans(it.orphans);
                let state = (Arc::clone(&fares.lanes), in_force.clone());
                let teller = lens.admit.teller(state, it.edge_id);
                (it.questions, (recounter, orphans, teller))
            })
            .unzip();
        Self {
            beside: others,
            giver: lens.admit.giver(in_force.clone(), lens.clock.clone()),
            in_force,
            lens,
            fares,
            questions: Cell::new(questions),
        }
    }

    /// Answers, reads the ledger, has records made, gives back to other regions, and tells other edges of targets. Never ends.
    pub async fn run(&self) -> Infallible {
        let Some((recounter, orphans, teller)) = &self.beside else {
            return self.answer().await;
        };
        // Boxed: the future of a core carries this one.
        let (recounts, orphans) = (recounter.run(), Box::pin(orphans.run()));
        let (gives, tells) = (Box::pin(self.giver.run()), Box::pin(teller.run()));
        tokio::select! {
            never = self.answer() => never,
            never = recounts => never,
            never = orphans => never,
            never = gives => never,
            never = tells => never,
        }
    }

    async fn answer(&self) -> Infallible {
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
        let rules = self.in_force.rules();
        if let Some(question) = &asked.route {
            return self.key(asked).map_or_else(problem, |key| {
                let now = (&self.fares, self.lens.now_ms());
                routed::told(&rules, key, (asked, question), now)
            });
        }
        if let Some(count) = &asked.count {
            let now_ms = self.lens.now_ms();
            return match counted::found(&rules, count, now_ms) {
                Ok(applied) => self.lens.look_at(&rules, applied, now_ms).await,
                Err(why) => problem(why),
            };
        }
        let found = self.found(&rules, asked);
        let found = match found {
            Ok(found) => found,
            Err(why) => return problem(why),
        };
        self.lens.look(found).await
    }

    fn key(&self, asked: &Explain) -> Result<Arc<Key>, ExplainProblem> {
        match self.in_force.standing(&asked.key_id) {
            Some(Standing::Active(key)) => Ok(key),
            Some(Standing::Revoked) => Err(ExplainProblem::Revoked),
            None => Err(ExplainProblem::Key),
        }
    }

    fn found(&self, rules: &Rules, asked: &Explain) -> Result<Found, ExplainProblem> {
        let key = self.key(asked)?;
        let organization = key.organization;
        let model = rules.model(organization, &asked.model);
        let model = model.ok_or(ExplainProblem::Model)?;
        if !key.takes_model(model) {
            return Err(ExplainProblem::Forbidden);
        }
        let notes = &mut Notes::default();
        let (_, mut targets) =
            route::targets(rules, model, model.stable, notes).map_err(|_| ExplainProblem::Model)?;
        route::hold_to(&key, &mut targets, notes).map_err(|_| ExplainProblem::Forbidden)?;
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

    /// One count, whoever would ask for it.
    async fn look_at(&self, rules: &Rules, mut applied: Applied, now_ms: u64) -> Explained {
        let share = self.admit.share(&mut applied, now_ms);
        let found = Found {
            organization: applied.limit.organization,
            revision: rules.revision().0,
            now_ms,
            limits: vec![applied],
            providers: vec![String::new()],
            shares: vec![share],
            more: false,
        };
        self.look(found).await
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

/// There is no answer.
fn problem(why: ExplainProblem) -> Explained {
    Explained {
        problem: why.into(),
        ..Explained::default()
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
