//! A second target that is asked beside the first, which is slow: for embeddings, where the version says so.
//!
//! Whichever answers first serves, and nobody waits for the other any more. Never asks where the client, a strict limit or a budget would have one
//! attempt at most, where it is a copy, or where either target is not well; never the same provider twice.

use std::{future::poll_fn, pin::Pin, task::Poll};

use dialect::request::Endpoint;
use shaping::Turn;
use tokio::time::{Instant, timeout};

use crate::{
    call::{Call, With, answer::Answer, failure::Failure, in_turn::Before, turns},
    record::Entry,
    request::Request,
    route::{
        Candidate, Plan,
        hedge::{Hedging, hedging, is_well},
    },
};

const HEDGES: &str = "sluice_hedge_total";

/// An attempt that is being made.
type Asking<'a> = Pin<Box<dyn Future<Output = Came> + 'a>>;

/// What comes of an attempt.
type Came = Result<Answer, Failure>;

/// What came of two attempts; `None` of one that was under way still.
struct Raced {
    first: Option<Came>,
    second: Option<Came>,
}

/// The two targets, and the turns there.
struct Pair<'a> {
    first: (&'a Candidate, Turn),
    second: (&'a Candidate, Turn),
}

/// Says what this module measures.
pub fn describe() {
    metrics::describe_counter!(
        HEDGES,
        "Requests for embeddings whose first target was slow, by what came of the second"
    );
}

/// Waits until one has answered, or both have failed, or nothing is to be asked after what the first one has said. Nobody waits for
/// the other one afterwards.
async fn race(
    mut first: Asking<'_>,
    mut second: Asking<'_>,
    moves_on: impl Fn(&Failure) -> bool,
) -> Raced {
    let mut raced = Raced {
        first: None,
        second: None,
    };
    poll_fn(|cx| {
        if raced.first.is_none()
            && let Poll::Ready(came) = first.as_mut().poll(cx)
        {
            raced.first = Some(came);
        }
        match &raced.first {
            Some(Ok(_)) => return Poll::Ready(()),
            Some(Err(failure)) if !moves_on(failure) => return Poll::Ready(()),
            _ => {}
        }
        if raced.second.is_none()
            && let Poll::Ready(came) = second.as_mut().poll(cx)
        {
            raced.second = Some(came);
        }
        match &raced {
            Raced {
                second: Some(Ok(_)),
                ..
            }
            | Raced {
                first: Some(_),
                second: Some(_),
            } => Poll::Ready(()),
            _ => Poll::Pending,
        }
    })
    .await;
    raced
}

fn count(outcome: &'static str) {
    metrics::counter!(HEDGES, "outcome" => outcome).increment(1);
}

// === impl Call ===

impl Call {
    /// Who would be asked beside the first target of a plan, and after how long, if such a request is hedged at all.
    pub(super) fn hedging(&self, plan: &Plan, request: &Request, entry: &Entry) -> Option<Hedging> {
        let hedge = plan.version().routing.hedge?;
        let is_for_it = request.endpoint() == Endpoint::Embeddings && !request.scanned().stream;
        // What a strict limit has reserved is for one answer.
        let is_bound = request.held().is_some() || entry.is_copy() || entry.has_reached();
        if !is_for_it || is_bound {
            return None;
        }
        hedging(plan.candidates(), hedge, &self.fares.lanes)
    }

    /// The first answer, where the second target is asked when the first has not answered in time, and the others when both have failed.
    pub(super) async fn hedged(
        &self,
        (plan, request): (&Plan, &Request),
        with: With<'_>,
        entry: &mut Entry,
        hedging: Hedging,
    ) -> Result<Answer, Failure> {
        let pair = (
            plan.candidates().first(),
            plan.candidates().get(hedging.place),
        );
        let (Some(first), Some(second)) = pair else {
            return self.in_turn((plan, request), with, entry, None).await;
        };
        self.retries.first(first.provider().id);
        self.retries.may_hedge(second.provider().id);
        entry.reaches(0);
        let mut before = Before {
            asked: 1,
            ..Before::default()
        };
        let patience = turns::Patience {
            waits: false,
            has_others: true,
        };
        let turn = match turns::ask(&self.fares.lanes, (plan, first), request, patience) {
            Ok(turn) => Ok(turn),
            Err(to_come) => turns::awaited(to_come, entry).await,
        };
        let failure = match turn {
            Ok(turn) => {
                let targets = ((first, turn), (second, hedging));
                match self.both((plan, request), with, entry, targets).await {
                    Ok(answer) => return Ok(answer),
                    Err((failure, asked)) => {
                        before.asked |= asked;
                        failure
                    }
                }
            }
            Err(failure) => {
                self.note(&failure, first, false, entry);
                failure
            }
        };
        before.tried = failure.was_tried() || entry.has_reached();
        if !failure.moves_on(&plan.version().routing) {
            return Err(failure);
        }
        before.last = Some(failure);
        let others = self.in_turn((plan, request), with, entry, Some(Box::new(before)));
        others.await
    }

    /// The first target's answer, or the second's; or why the one that speaks for both gave none, with the place of the second if it was asked.
    async fn both<'a>(
        &self,
        (plan, request): (&'a Plan, &'a Request),
        with: With<'_>,
        entry: &mut Entry,
        ((first, turn), (second, hedging)): ((&'a Candidate, Turn), (&'a Candidate, Hedging)),
    ) -> Result<Answer, (Failure, u32)> {
        let beside = entry.asks_beside();
        let mut asking: Asking<'_> = Box::pin(self.attempt(first, request, with, &mut *entry));
        let early = timeout(hedging.after, &mut asking).await.ok();
        let other = match early {
            Some(_) => None,
            None => self.second((plan, second), request, with),
        };
        let Some(other) = other else {
            let came = match early {
                Some(came) => came,
                None => asking.as_mut().await,
            };
            drop(asking);
            let came = self.heard(came, (first, &turn), request, entry);
            let answer = came.map_err(|failure| (failure, 0))?;
            entry.goes_on(turn);
            return Ok(answer);
        };
        let target = second.target();
        let to = (second.provider(), target.provider_model.as_str());
        beside.begins(to, (second.position(), hedging.after));
        let mut account = beside;
        let asking_beside = Box::pin(self.attempt(second, request, with, &mut account));
        let routing = &plan.version().routing;
        let raced = race(asking, asking_beside, |failure| failure.moves_on(routing)).await;
        let pair = Pair {
            first: (first, turn),
            second: (second, other),
        };
        let settled = self.settled(raced, pair, request, entry);
        settled.map_err(|failure| (failure, 1 << hedging.place))
    }

    /// A turn at the second target, if it may be asked.
    fn second(
        &self,
        (plan, candidate): (&Plan, &Candidate),
        request: &Request,
        (arrival, _): With<'_>,
    ) -> Option<Turn> {
        let is_late = arrival.started.elapsed() >= self.answer_max;
        if is_late || !is_well(candidate, &self.fares.lanes) {
            return None;
        }
        let patience = turns::Patience {
            waits: false,
            has_others: true,
        };
        // Where there is no turn at once, nothing is waited for.
        let turn = turns::ask(&self.fares.lanes, (plan, candidate), request, patience);
        let turn = turn.ok()?;
        let may = self.retries.hedge(candidate.provider().id, Instant::now());
        if !may {
            count("denied");
        }
        may.then_some(turn)
    }

    /// What came of the first attempt alone is told whoever wants to know.
    fn heard(
        &self,
        came: Came,
        (candidate, turn): (&Candidate, &Turn),
        request: &Request,
        entry: &mut Entry,
    ) -> Came {
        match &came {
            Ok(answer) => turns::taken(turn, answer, request),
            Err(failure) => {
                turns::failed(turn, failure);
                self.note(failure, candidate, false, entry);
            }
        }
        came
    }

    /// Tells what came of both, and keeps the answer, if there is one.
    fn settled(
        &self,
        raced: Raced,
        Pair { first, second }: Pair<'_>,
        request: &Request,
        entry: &mut Entry,
    ) -> Came {
        match raced.first {
            Some(came) => {
                let came = self.heard(came, (first.0, &first.1), request, entry);
                match (came, raced.second) {
                    (Ok(answer), beside) => {
                        self.not_needed(beside, &second, entry);
                        entry.goes_on(first.1);
                        Ok(answer)
                    }
                    (Err(_), Some(Ok(answer))) => {
                        entry.goes_beside();
                        self.serves(&answer, second, request, entry);
                        Ok(answer)
                    }
                    (Err(one), beside) => {
                        let other = self.not_needed(beside, &second, entry);
                        // Who was asked speaks before who was not.
                        Err(other.filter(Failure::was_sent).unwrap_or(one))
                    }
                }
            }
            None => match raced.second {
                Some(Ok(answer)) => {
                    first.1.outrun();
                    let target = first.0.target();
                    entry.takes_beside((first.0.provider(), &target.provider_model));
                    self.serves(&answer, second, request, entry);
                    Ok(answer)
                }
                // Nobody gives up before both have failed.
                beside => {
                    let other = self.not_needed(beside, &second, entry);
                    Err(other.unwrap_or(Failure::Broken))
                }
            },
        }
    }

    /// The second target has answered first.
    fn serves(
        &self,
        answer: &Answer,
        (candidate, turn): (&Candidate, Turn),
        request: &Request,
        entry: &mut Entry,
    ) {
        count("won");
        self.retries.succeeded(candidate.provider().id);
        turns::taken(&turn, answer, request);
        entry.goes_on(turn);
    }

    /// The second target does not serve: it has failed, or nobody waits for it any more.
    fn not_needed(
        &self,
        came: Option<Came>,
        (candidate, turn): &(&Candidate, Turn),
        entry: &mut Entry,
    ) -> Option<Failure> {
        let Some(Err(failure)) = came else {
            count("lost");
            entry.abandons_beside();
            return None;
        };
        count("failed");
        turns::failed(turn, &failure);
        self.note_beside(&failure, candidate, entry);
        Some(failure)
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use bytes::Bytes;
    use dialect::neutral::Dropped;
    use http::{HeaderMap, StatusCode};

    use super::*;
    use crate::{call::answer::Content, record::Tally};

    fn came(good: bool) -> Came {
        let answer = || Answer {
            status: StatusCode::OK,
            headers: HeaderMap::new(),
            content: Content::Whole(Bytes::new(), Tally::default()),
            dropped: Dropped::default(),
        };
        good.then(answer).ok_or(Failure::Broken)
    }

    /// Whether each has answered; `None` of one that was let go.
    async fn raced(
        first: Asking<'_>,
        second: Asking<'_>,
        moves_on: bool,
    ) -> (Option<bool>, Option<bool>) {
        let raced = race(first, second, |_| moves_on).await;
        let answered = |came: Option<Came>| came.map(|it| it.is_ok());
        (answered(raced.first), answered(raced.second))
    }

    #[tokio::test]
    async fn who_answers_first_serves_and_one_that_fails_leaves_it_to_the_other() {
        let never = || -> Asking<'static> { Box::pin(pending()) };
        let at_once = |came: Came| -> Asking<'static> { Box::pin(ready(came)) };
        let later = |came: Came| -> Asking<'static> {
            Box::pin(async {
                tokio::task::yield_now().await;
                came
            })
        };
        for (first, second, moves_on, expected) in [
            (
                at_once(came(true)),
                at_once(came(true)),
                true,
                (Some(true), None),
            ),
            (never(), at_once(came(true)), true, (None, Some(true))),
            (
                at_once(came(false)),
                later(came(true)),
                true,
                (Some(false), Some(true)),
            ),
            (
                later(came(true)),
                at_once(came(false)),
                true,
                (Some(true), Some(false)),
            ),
            (
                later(came(false)),
                at_once(came(false)),
                true,
                (Some(false), Some(false)),
            ),
            (at_once(came(false)), never(), false, (Some(false), None)),
        ] {
            assert_eq!(raced(first, second, moves_on).await, expected);
        }
    }
}
