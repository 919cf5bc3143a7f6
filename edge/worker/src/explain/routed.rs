//! Where a request would go, and what becomes of each target, told to an operator.
//!
//! Asks the function that plans requests; decides nothing of its own, and sends nothing.

use std::sync::Arc;

use policy::{key::Key, rules::Rules};
use proto::sync::{
    Explain, ExplainProblem, Explained, ExplainedTarget, RouteExplained, RouteQuestion, TargetNote,
};
use tokio::time::Instant;

use crate::{
    asking::{Asking, Supposed},
    assign, authorize,
    fares::Fares,
    identify::Caller,
    route::{self, Candidate, notes::Notes},
};

/// The most targets that an answer names, and the most notes of one.
// Full: the others are not named.
const TARGETS_MAX: usize = 100;
const NOTES_MAX: usize = 16;

/// The answer to one question about requests with this key.
pub(crate) fn told(
    rules: &Rules,
    key: Arc<Key>,
    (asked, question): (&Explain, &RouteQuestion),
    fares: &Fares,
) -> Result<Explained, ExplainProblem> {
    let caller = Caller::supposed(rules, key).map_err(|_| ExplainProblem::Key)?;
    if rules
        .model(caller.key().organization, &asked.model)
        .is_none()
    {
        return Err(ExplainProblem::Model);
    }
    let grant = authorize::grant(rules, caller, &asked.model);
    let grant = grant.map_err(|_| ExplainProblem::Forbidden)?;
    let organization = grant.model().organization;
    let supposed = Supposed {
        end_user: asked.end_user.clone(),
        session: question.session.clone(),
        headers: question.headers.clone().into_iter().collect(),
        tags: question.tags.clone().into_iter().collect(),
        input_tokens: question.input_tokens,
    };
    let asking = Asking::supposed(&supposed, fares);
    let mut notes = Notes::default();
    let assigned = assign::assign(rules, grant.model(), grant.caller(), asking);
    let version = assigned.and_then(|it| rules.version(it.version)).cloned();
    let version = version.ok_or(ExplainProblem::Model)?;
    let owner = rules.model_with_id(version.model);
    let owner = Arc::clone(owner.unwrap_or(grant.model()));
    let plan = route::plan_noted(rules, grant, asking, &mut notes);
    let plan = plan.as_ref().ok();
    let candidates = plan.map_or(&[][..], |plan| plan.candidates());
    let asked_in_turn = candidates.iter().map(Candidate::position);
    let is_asked = |at: &usize| candidates.iter().any(|it| it.position() == *at);
    let left_out = (0..version.targets.len()).filter(|at| !is_asked(at));
    let now = Instant::now().into_std();
    let target = |position: usize| {
        let target = version.targets.get(position)?;
        let provider = rules.provider(target.provider);
        let provider = provider.filter(|it| it.organization == organization);
        let account = *target.provider.as_bytes();
        let condition = fares.lanes.condition(account, &target.provider_model, now);
        let first = condition.and_then(|it| it.speed.first_median);
        let of_it = notes.all().iter().filter(|it| it.position == position);
        let note = |it: &route::notes::Note| TargetNote {
            rule: it.why.number(),
            for_ms: it
                .why
                .lasts()
                .map(|left| u64::try_from(left.as_millis()).unwrap_or(u64::MAX)),
        };
        Some(ExplainedTarget {
            provider: provider.map(|it| it.name.clone()).unwrap_or_default(),
            provider_model: target.provider_model.clone(),
            weight: target.weight.into(),
            asked: is_asked(&position),
            notes: of_it.map(note).take(NOTES_MAX).collect(),
            under_way: condition.map_or(0, |it| it.under_way),
            first_ms: first.map(|it| u64::try_from(it.as_millis()).unwrap_or(u64::MAX)),
            tokens_per_second: condition.and_then(|it| it.speed.tokens_median),
        })
    };
    let targets = asked_in_turn.chain(left_out).take(TARGETS_MAX);
    Ok(Explained {
        revision: rules.revision().0,
        route: Some(RouteExplained {
            version: version.name.clone(),
            rule: assigned.map_or(0, |it| it.rule.into()),
            model: owner.name.clone(),
            targets: targets.filter_map(target).collect(),
        }),
        ..Explained::default()
    })
}
