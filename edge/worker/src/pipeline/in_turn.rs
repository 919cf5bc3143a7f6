//! A request whose client names other models: they are asked in turn until one answers.
//!
//! Each is decided for itself, by one revision, and has the limits that concern it. A model that the key may not use, that has no
//! target left or no room is passed over; one whose failure its version does not fall back after ends the turn. It stays one request
//! with one record, which says which model served, and what each attempt at another one was.

use std::sync::Arc;

use bytes::Bytes;
use policy::rules::Rules;
use tokio::time::Instant;

use crate::{
    admit::{self, Limits},
    asking::Asking,
    authorize,
    call::{
        failure::{Failure, Unanswered},
        telling,
    },
    identify::Caller,
    pipeline::{Pipeline, Refusal, Reply, decide, told_of},
    record::Entry,
    request::{Arrival, Request},
    route::Plan,
    trail::Case,
};

/// A model by the client's name for it, and what is decided of it.
type Decided = (String, Result<(Plan, Limits), Refusal>);

/// What came of the models so far.
#[derive(Default)]
struct Ledger {
    /// What the last one that was asked gave.
    unanswered: Option<Unanswered>,
    /// Why the last one that was not asked was passed over.
    refused: Option<Refusal>,
}

/// What comes of asking one.
enum Asked {
    /// The client's answer.
    Answered(Reply),
    /// None; the next one may be asked.
    GoesOn,
    /// None, and nobody else is asked.
    Ends,
}

// === impl Pipeline ===

impl Pipeline {
    /// The answer of the first of the models that a request names.
    pub(super) async fn first_of_models(
        &self,
        rules: Arc<Rules>,
        (caller, case): (Caller, Option<Box<Case>>),
        (mut request, arrival): (Request, &Arrival),
    ) -> Result<Reply, Refusal> {
        let weighed = authorize::weigh(&caller, || self.admit.guess(&request).total());
        let weighed = weighed.map_err(Refusal::from);
        if let (Err(_), Some(case)) = (&weighed, &case) {
            told_of(case, &rules, &request.scanned().model, &weighed);
        }
        weighed?;
        let decided = self.decide_each(&rules, (&caller, case), &request, arrival);
        // What comes next may wait for as long as providers like.
        drop(rules);
        let original = request.body().clone();
        let mut ledger = Ledger::default();
        for one in decided {
            let asked = self.ask_one(one, (&mut request, &original), arrival, &mut ledger);
            match asked.await? {
                Asked::Answered(reply) => return Ok(reply),
                Asked::GoesOn => {}
                Asked::Ends => break,
            }
        }
        Err(ledger.refusal())
    }

    fn decide_each(
        &self,
        rules: &Rules,
        (caller, case): (&Caller, Option<Box<Case>>),
        request: &Request,
        arrival: &Arrival,
    ) -> Vec<Decided> {
        let first = &request.scanned().model;
        let others = request.other_models().iter().filter(|it| *it != first);
        let asking = Asking::of(request, arrival, self.call.fares());
        let decided = |name: &String| {
            let decided = decide(rules, caller.clone(), name, asking);
            if let Some(case) = &case {
                told_of(case, rules, name, &decided);
            }
            (name.clone(), decided)
        };
        [first].into_iter().chain(others).map(decided).collect()
    }

    async fn ask_one(
        &self,
        (model, decided): Decided,
        (request, came): (&mut Request, &Bytes),
        arrival: &Arrival,
        ledger: &mut Ledger,
    ) -> Result<Asked, Refusal> {
        let (plan, limits) = match decided {
            Ok(decided) => decided,
            Err(why) => return Ok(ledger.pass_over(why)),
        };
        request.ask_for(&model, came)?;
        if let Err(why) = self.transformer.apply(&plan, request).await {
            return Ok(ledger.pass_over(why.into()));
        }
        let limits = self.admit.bind(limits, request);
        // What is held for the model before is still held, and must be told apart.
        let mut holding = *arrival;
        if ledger.unanswered.is_some() {
            holding.id = admit::another_id(arrival.at_ms);
        }
        let asked = (&*request, None);
        let permit = self.admit.permit(limits, &plan, &holding, asked).await;
        let mut permit = match permit {
            Ok(permit) => permit,
            Err(why) => return Ok(ledger.pass_over(why.into())),
        };
        let (room, attempts) = (permit.take_room(), permit.take_attempts());
        let mut entry = match ledger.unanswered.take() {
            Some(before) => {
                let mut entry = before.entry;
                entry.turn_to(permit, &plan);
                entry
            }
            None => self.recorder.open(arrival, permit, &plan, request),
        };
        let with = (arrival, attempts.as_deref());
        let answer = self.call.first_good(&plan, request, with, &mut entry).await;
        let told = match answer {
            Ok(answer) if request.tells_cost() => {
                let by = Instant::from_std(arrival.started) + self.patience.total_max;
                let told = telling::whole(answer, &entry, by).await;
                told.map(|(answer, cost)| (answer, (true, cost)))
            }
            answer => answer.map(|answer| (answer, (false, None))),
        };
        match told {
            Ok((answer, cost)) => {
                let reply = self.reply((answer, entry), arrival, (&plan, room), cost);
                Ok(Asked::Answered(reply))
            }
            Err(failure) => {
                let goes_on = goes_on(&failure, &plan, request, &entry)
                    && arrival.started.elapsed() < self.patience.total_max;
                ledger.unanswered = Some(Unanswered {
                    failure,
                    entry,
                    label: plan.label(),
                    room,
                });
                Ok(if goes_on { Asked::GoesOn } else { Asked::Ends })
            }
        }
    }
}

/// Whether another model may do better, as this one's version has it. What was reserved is for one answer: where a request is held to
/// that, a second may not be had on top of what the first has cost.
fn goes_on(failure: &Failure, plan: &Plan, request: &Request, entry: &Entry) -> bool {
    let spent = request.held().is_some() && entry.has_spent();
    !spent && !entry.is_full() && failure.moves_on(&plan.version().routing)
}

// === impl Ledger ===

impl Ledger {
    /// The next one is asked. What the client may not speaks last.
    fn pass_over(&mut self, why: Refusal) -> Asked {
        let is_said = self.refused.is_some();
        if !is_said || !matches!(why, Refusal::Authorize(_)) {
            self.refused = Some(why);
        }
        Asked::GoesOn
    }

    /// What the client hears. Who was asked speaks before who was not.
    fn refusal(self) -> Refusal {
        let asked = self.unanswered.map(|it| Refusal::Call(Box::new(it)));
        let none = || Refusal::Authorize(authorize::Refusal::Model(String::new()));
        asked.or(self.refused).unwrap_or_else(none)
    }
}
