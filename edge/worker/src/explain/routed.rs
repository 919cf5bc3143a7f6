//! Where a request would go, and what becomes of each target, told to an operator.
//!
//! Asks the functions that plan requests; decides nothing of its own, and sends nothing.

use std::sync::Arc;

use dialect::preferences::{self, Preferences};
use policy::{
    capability::{Abilities, Ability},
    key::Key,
    rules::Rules,
};
use proto::sync::{
    Explain, ExplainProblem, Explained, ExplainedTarget, OtherRouteExplained, RouteExplained,
    RouteQuestion, TargetNote,
};
use tokio::time::Instant;

use crate::{
    asking::{Asking, Asks, Supposed},
    assign, authorize,
    fares::Fares,
    identify::Caller,
    label::alive,
    route::{
        self, Candidate, Plan,
        hedge::hedging,
        notes::{Notes, Why},
    },
};

/// The most targets that an answer names, and the most notes of one.
// Full: the others are not named.
const TARGETS_MAX: usize = 100;
const NOTES_MAX: usize = 16;

/// Why there is no answer, and what is wrong with the preferences if it is that.
type Problem = (ExplainProblem, String);

/// The answer to one question about requests with this key.
pub(crate) fn told(
    rules: &Rules,
    key: Arc<Key>,
    (asked, question): (&Explain, &RouteQuestion),
    (fares, now_ms): (&Fares, u64),
) -> Explained {
    match found(rules, key, (asked, question), (fares, now_ms)) {
        Ok(route) => Explained {
            revision: rules.revision().0,
            route: Some(route),
            ..Explained::default()
        },
        Err((problem, why)) => Explained {
            problem: problem.into(),
            why,
            ..Explained::default()
        },
    }
}

fn found(
    rules: &Rules,
    key: Arc<Key>,
    (asked, question): (&Explain, &RouteQuestion),
    (fares, now_ms): (&Fares, u64),
) -> Result<RouteExplained, Problem> {
    let caller = Caller::supposed(rules, key).map_err(|_| silent(ExplainProblem::Key))?;
    let supposed = Supposed {
        end_user: asked.end_user.clone(),
        session: question.session.clone(),
        headers: question.headers.clone().into_iter().collect(),
        tags: question.tags.clone().into_iter().collect(),
        input_tokens: question.input_tokens,
        at_ms: now_ms,
        preferences: preferred(&question.preferences)?,
        // What this edge does not know is not demanded.
        demands: Abilities::from_bits(question.abilities).unwrap_or_default(),
        output_tokens_max: question.output_tokens_max,
    };
    let asking = Asking::supposed(&supposed, fares);
    let mut first = one(rules, &caller, &asked.model, asking)?;
    let others = supposed.preferences.iter().flat_map(|it| &it.models);
    let others = others.filter(|it| **it != asked.model);
    first.others = others
        .map(|model| {
            let (problem, route) = match one(rules, &caller, model, asking) {
                Ok(route) => (ExplainProblem::Unspecified, Some(route)),
                Err((problem, _)) => (problem, None),
            };
            OtherRouteExplained {
                model: model.clone(),
                problem: problem.into(),
                route,
            }
        })
        .collect();
    Ok(first)
}

/// What the client would prefer; an empty text says nothing.
fn preferred(text: &str) -> Result<Option<Box<Preferences>>, Problem> {
    if text.is_empty() {
        return Ok(None);
    }
    let wanted = preferences::read(text);
    let wanted = wanted.map_err(|why| (ExplainProblem::Preferences, why.to_string()))?;
    Ok(Some(Box::new(wanted)))
}

/// Where requests for one model would go.
fn one(
    rules: &Rules,
    caller: &Caller,
    model: &str,
    asking: Asking<'_>,
) -> Result<RouteExplained, Problem> {
    let (model, sort) = authorize::suffixed(rules, caller.key(), model);
    if rules.model(caller.key().organization, model).is_none() {
        return Err(silent(ExplainProblem::Model));
    }
    let grant = authorize::grant(rules, caller.clone(), model);
    let grant = grant.map_err(|_| silent(ExplainProblem::Forbidden))?;
    let wanted = (asking.preferences(), sort);
    authorize::prefer(rules, caller.key(), wanted)
        .map_err(|why| (ExplainProblem::Preferences, why.to_string()))?;
    let asking = asking.sorted(sort);
    let assigned = assign::assign(rules, grant.model(), grant.caller(), asking);
    let version = assigned.and_then(|it| rules.version(it.version)).cloned();
    let version = version.ok_or_else(|| silent(ExplainProblem::Model))?;
    let owner = rules.model_with_id(version.model);
    let owner = Arc::clone(owner.unwrap_or(grant.model()));
    let organization = grant.model().organization;
    let asked_by = grant.model().alias.is_some();
    let stands_for = asked_by.then(|| grant.model().name.clone());
    let mut notes = Notes::default();
    let plan = route::plan_noted(rules, grant, asking, &mut notes);
    let plan = plan.as_ref().ok();
    if let Some(plan) = plan {
        let still = alive(plan, asking.at_ms());
        still.map_err(|why| (ExplainProblem::Retired, why.to_string()))?;
    }
    let candidates = plan.map_or(&[][..], |plan| plan.candidates());
    note_hedge(plan, asking, &mut notes);
    let asked_in_turn = candidates.iter().map(Candidate::position);
    let is_asked = |at: &usize| candidates.iter().any(|it| it.position() == *at);
    let left_out = (0..version.targets.len()).filter(|at| !is_asked(at));
    let now = Instant::now().into_std();
    let target = |position: usize| {
        let target = version.targets.get(position)?;
        let provider = rules.provider(target.provider);
        let provider = provider.filter(|it| it.organization == organization);
        let account = *target.provider.as_bytes();
        let fares = asking.fares?;
        let condition = fares.lanes.condition(account, &target.provider_model, now);
        let first = condition.and_then(|it| it.speed.first_median);
        Some(ExplainedTarget {
            provider: provider.map(|it| it.name.clone()).unwrap_or_default(),
            provider_model: target.provider_model.clone(),
            weight: target.weight.into(),
            asked: is_asked(&position),
            notes: noted(&notes, position),
            under_way: condition.map_or(0, |it| it.under_way),
            first_ms: first.map(|it| u64::try_from(it.as_millis()).unwrap_or(u64::MAX)),
            tokens_per_second: condition.and_then(|it| it.speed.tokens_median),
            weight_now: version
                .routing
                .adapt
                .and_then(|_| candidates.iter().find(|it| it.position() == position))
                .filter(|_| target.weight > 0)
                .map(Candidate::weight_now),
        })
    };
    let targets = asked_in_turn.chain(left_out).take(TARGETS_MAX);
    Ok(RouteExplained {
        version: version.name.clone(),
        rule: assigned.map_or(0, |it| it.rule.into()),
        model: owner.name.clone(),
        targets: targets.filter_map(target).collect(),
        others: Vec::new(),
        stands_for: stands_for.unwrap_or_default(),
    })
}

/// Notes who would be asked beside the first target of a request that demands embeddings, and after how long.
fn note_hedge(plan: Option<&Plan>, asking: Asking<'_>, notes: &mut Notes) {
    let embeds = |it: &Asks| it.abilities.holds(Ability::Embeddings);
    let (Some(plan), Some(fares), true) = (
        plan,
        asking.fares,
        asking.asks().as_ref().is_some_and(embeds),
    ) else {
        return;
    };
    let hedge = plan.version().routing.hedge;
    let hedged = hedge.and_then(|it| hedging(plan.candidates(), it, &fares.lanes));
    if let Some(hedged) = hedged
        && let Some(second) = plan.candidates().get(hedged.place)
    {
        notes.say(second.position(), Why::Hedge(hedged.after));
    }
}

/// What was noted of one target.
fn noted(notes: &Notes, position: usize) -> Vec<TargetNote> {
    let of_it = notes.all().iter().filter(|it| it.position == position);
    let note = |it: &route::notes::Note| TargetNote {
        rule: it.why.number(),
        for_ms: it
            .why
            .lasts()
            .map(|left| u64::try_from(left.as_millis()).unwrap_or(u64::MAX)),
    };
    of_it.map(note).take(NOTES_MAX).collect()
}

/// A problem of which nothing more is said.
const fn silent(problem: ExplainProblem) -> Problem {
    (problem, String::new())
}
