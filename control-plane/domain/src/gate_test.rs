//! Evidence grows where there is harm, and only there.

use super::*;

const ERRORS: Gate = Gate {
    metric: Metric::ErrorRate,
    tolerance: 0,
    margin: 200,
};

fn outcome(is_candidates: bool, end: End) -> Outcome {
    Outcome {
        is_candidates,
        end,
        finish: Some(Finish::Whole),
        first_byte_us: 100_000,
        duration_us: 1_000_000,
        cost_nano: Some(1_000_000),
    }
}

#[test]
fn a_candidate_that_always_fails_is_found_out_within_a_few_requests() {
    let mut evidence = Evidence::default();
    let mut many = 0;
    while evidence.harm() < 80.0 {
        many += 1;
        evidence.take(ERRORS, &outcome(false, End::Whole));
        evidence.take(ERRORS, &outcome(true, End::Failed));
    }
    assert!(many <= 10, "{many}");
    assert!(!evidence.is_cleared());
    assert!(evidence.candidate.mean() > 0.999 && evidence.stable.mean() < 0.001);
}

#[test]
fn what_fails_alike_is_cleared_and_does_no_harm() {
    let mut evidence = Evidence::default();
    for at in 0..1_000 {
        let end = if at % 100 == 0 {
            End::Failed
        } else {
            End::Whole
        };
        evidence.take(ERRORS, &outcome(false, end));
        evidence.take(ERRORS, &outcome(true, end));
    }
    assert!(evidence.is_cleared());
    assert!(evidence.harm() < 2.0, "{}", evidence.harm());
}

#[test]
fn an_incident_that_both_have_is_nobodys_harm() {
    let mut evidence = Evidence::default();
    for at in 0..2_000 {
        // First one request in twenty is the candidate's, and then, in an incident, half of them.
        let (share, failing) = if at < 1_000 { (20, 50) } else { (2, 2) };
        let end = if (at / share) % failing == 0 {
            End::Failed
        } else {
            End::Whole
        };
        evidence.take(ERRORS, &outcome(at % share == 0, end));
    }
    assert!(evidence.candidate.mean() > 2.0 * evidence.stable.mean());
    assert!(evidence.harm() < 20.0, "{}", evidence.harm());
}

#[test]
fn times_are_compared_by_ratio_once_a_scale_is_known() {
    let gate = Gate {
        metric: Metric::TotalTime,
        tolerance: 0,
        margin: 2_500,
    };
    let mut evidence = Evidence::default();
    let slow = |is_candidates, duration_us| Outcome {
        duration_us,
        ..outcome(is_candidates, End::Whole)
    };
    for _ in 0..50 {
        evidence.take(gate, &slow(false, 1_000_000));
        evidence.take(gate, &slow(true, 3_000_000));
    }
    assert!(evidence.harm() < 3.0);
    for _ in 0..20 {
        evidence.take(gate, &slow(false, 1_000_000));
        evidence.take(gate, &slow(true, 3_000_000));
    }
    assert!(evidence.harm() > 80.0, "{}", evidence.harm());
}

#[test]
fn a_request_counts_only_where_it_says_something() {
    let gone = outcome(true, End::ClientGone);
    let failed = outcome(true, End::Failed);
    for metric in Metric::ALL {
        assert_eq!(metric.value(&gone), None, "{metric}");
        assert_eq!(Metric::from_number(metric as i32), Some(metric));
    }
    assert_eq!(Metric::ErrorRate.value(&failed), Some(1.0));
    assert_eq!(Metric::TotalTime.value(&failed), None);
    let cut = Outcome {
        finish: Some(Finish::Truncated),
        ..outcome(true, End::Whole)
    };
    assert_eq!(Metric::TruncationRate.value(&cut), Some(1.0));
    assert_eq!(Metric::RefusalRate.value(&cut), Some(0.0));
    assert_eq!(Metric::RefusalRate.value(&failed), None);
    let miscalled = Outcome {
        finish: Some(Finish::Miscalled),
        ..outcome(true, End::Whole)
    };
    assert_eq!(Metric::ToolCallErrorRate.value(&miscalled), Some(1.0));
    assert_eq!(Metric::ToolCallErrorRate.value(&cut), Some(0.0));
    assert_eq!(Metric::TruncationRate.value(&miscalled), Some(0.0));
    let unpriced = Outcome {
        cost_nano: None,
        ..outcome(true, End::Whole)
    };
    assert_eq!(Metric::Cost.value(&unpriced), None);
    assert_eq!(Metric::Cost.value(&outcome(true, End::Whole)), Some(0.001));
}

#[test]
fn a_score_goes_before_the_gate_on_feedback_alone_and_less_is_worse() {
    let gate = |metric: Metric| Gate {
        metric,
        tolerance: 0,
        margin: metric.margin(),
    };
    let (feedback, errors) = (gate(Metric::FeedbackScore), gate(Metric::ErrorRate));
    let (mut worse, mut better, mut other) = (
        Evidence::default(),
        Evidence::default(),
        Evidence::default(),
    );
    for at in 0..200 {
        let is_candidates = at % 2 == 0;
        let score = if is_candidates { 0.2 } else { 0.9 };
        worse.take_score(feedback, score, is_candidates);
        better.take_score(feedback, score, !is_candidates);
        other.take_score(errors, score, is_candidates);
    }
    assert!(worse.harm() > 1e6 && !worse.is_cleared());
    assert!(better.harm() < 2.0 && better.is_cleared());
    assert_eq!(other, Evidence::default());
    let told = Metric::FeedbackScore.shown(worse.candidate.mean());
    assert_eq!(told, "0.20");
}

#[test]
fn evidence_is_kept_to_the_last_bit() {
    let mut evidence = Evidence::default();
    for at in 0..333 {
        let end = if at % 7 == 0 { End::Failed } else { End::Whole };
        evidence.take(ERRORS, &outcome(at % 3 == 0, end));
    }
    let numbers = evidence.numbers();
    assert_eq!(Evidence::from_numbers(&numbers), Some(evidence));
    assert_eq!(Evidence::from_numbers(&numbers[1..]), None);
}
