//! What becomes of a rollout, by what is known of it.

use super::*;
use crate::gate::{End, Outcome};

fn plan() -> Plan {
    let steps = [(500, Some(60_000), 10, false), (5_000, Some(0), 0, true)];
    check(&steps, &[(1, 0, 0)], Sticky::EndUser).unwrap()
}

fn standing<'a>(plan: &'a Plan, evidence: &'a [Evidence]) -> Standing<'a> {
    Standing {
        plan,
        is_paused: false,
        step: 0,
        step_age_ms: 60_000,
        is_approved: false,
        frozen: None,
        candidate_requests: 10,
        evidence,
    }
}

fn judged(end: End) -> [Evidence; 1] {
    let mut evidence = Evidence::default();
    for _ in 0..500 {
        for is_candidates in [false, true] {
            let outcome = Outcome {
                is_candidates,
                end: if is_candidates { end } else { End::Whole },
                finish: None,
                first_byte_us: 1,
                duration_us: 1,
                cost_nano: None,
            };
            evidence.take(plan().gates[0], &outcome);
        }
    }
    [evidence]
}

#[test]
fn a_step_is_left_when_its_time_is_over_its_sample_is_there_and_its_gates_are_clear() {
    let (plan, good, fresh) = (plan(), judged(End::Whole), [Evidence::default()]);
    let ready = standing(&plan, &good);
    assert_eq!(ready.next(), Next::Step(1));
    let waits = |standing: Standing<'_>| match standing.next() {
        Next::Stay(waits) => waits,
        other => panic!("{other:?}"),
    };
    let early = Standing {
        step_age_ms: 58_500,
        ..ready
    };
    assert_eq!(waits(early), "2 s more");
    let few = Standing {
        candidate_requests: 7,
        ..ready
    };
    assert_eq!(waits(few), "3 more requests of the candidate");
    let unknown = Standing {
        evidence: &fresh,
        ..ready
    };
    assert_eq!(waits(unknown), "the error rate to be cleared");
    let paused = Standing {
        is_paused: true,
        ..ready
    };
    assert_eq!(waits(paused), "somebody to resume it");
    let last = Standing { step: 1, ..ready };
    assert_eq!(waits(last), "approval");
    let approved = Standing {
        is_approved: true,
        ..last
    };
    assert_eq!(approved.next(), Next::Promote);
}

#[test]
fn harm_takes_it_back_even_while_it_is_paused_and_says_why() {
    let (plan, bad) = (plan(), judged(End::Failed));
    let paused = Standing {
        is_paused: true,
        ..standing(&plan, &bad)
    };
    let Next::RollBack(reason) = paused.next() else {
        panic!("{:?}", paused.next())
    };
    assert_eq!(
        reason,
        "the error rate is worse: 100.00 % in 500 requests of the candidate, 0.00 % in 500 of the stable version"
    );
}

#[test]
fn where_the_candidate_serves_all_there_is_nothing_to_compare() {
    let plan = check(&[(10_000, Some(0), 0, false)], &[(1, 0, 0)], Sticky::Key).unwrap();
    let fresh = [Evidence::default()];
    assert_eq!(standing(&plan, &fresh).next(), Next::Promote);
}

#[test]
fn what_makes_no_sense_is_told_by_its_field() {
    let fields = |steps: &[Asked], gates: &[(i32, i32, i32)]| {
        let refused = check(steps, gates, Sticky::Key).unwrap_err();
        let fields = refused.into_vec().into_iter().map(|it| it.field);
        fields.collect::<Vec<_>>().join(" ")
    };
    let good = (500, Some(0), 0, false);
    assert_eq!(fields(&[], &[]), "rollout.steps");
    assert_eq!(fields(&[good, good], &[]), "rollout.steps[1].basis_points");
    assert_eq!(
        fields(&[(10_001, None, -1, false)], &[]),
        "rollout.steps[0].basis_points rollout.steps[0].bake_time rollout.steps[0].sample_min"
    );
    assert_eq!(
        fields(&[good], &[(1, 0, 0), (1, 0, 0)]),
        "rollout.gates[1].metric"
    );
    assert_eq!(
        fields(&[good], &[(1, 300, 300)]),
        "rollout.gates[0].margin_basis_points"
    );
    assert_eq!(
        fields(&[good], &[(1, 10_000, 0)]),
        "rollout.gates[0].tolerance_basis_points"
    );
    assert_eq!(plan().gates[0].margin, 200);
}

#[test]
fn the_harm_that_takes_it_back_is_shared_over_steps_and_gates() {
    assert!((plan().harm_limit() - 40.0).abs() < 1e-9);
}

#[test]
fn a_freeze_keeps_it_where_it_is_and_from_nothing_else() {
    let (plan, good, bad) = (plan(), judged(End::Whole), judged(End::Failed));
    let frozen = Frozen {
        until_ms: 1_795_737_600_000,
        reason: "year's end".to_owned(),
    };
    let ready = standing(&plan, &good);
    let held = Standing {
        frozen: Some(&frozen),
        ..ready
    };
    let why = "the end of a freeze until 2026-11-27T00:00:00Z (year's end)";
    assert_eq!(held.next(), Next::Stay(why.to_owned()));
    let last = Standing {
        step: 1,
        is_approved: true,
        ..held
    };
    assert_eq!(last.next(), Next::Stay(why.to_owned()));
    assert_eq!(
        Standing {
            frozen: None,
            ..last
        }
        .next(),
        Next::Promote
    );
    let harmful = Standing {
        evidence: &bad,
        ..held
    };
    assert!(matches!(harmful.next(), Next::RollBack(_)));
}
