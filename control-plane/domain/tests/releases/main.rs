//! Releases by the hundred, each simulated request by request, judged as the control plane judges: what the gates promise,
//! counted.
//!
//! `just prove releases` runs the full form and prints what stands in docs/releases.md. Every release has a seed of its own.

mod world;

use domain::{gate::Metric, rollout::Plan};
use policy::split::Sticky;

use crate::world::{Ended, Release, percentile, release, wilson};

/// How many releases of each kind; times `SLUICE_TEST_SCALE` in the full form.
const RELEASES: u64 = 20;

/// One kind of candidate: the gate that is asked, how much worse it is, and how that is said.
struct Case {
    metric: Metric,
    effect: f64,
    said: &'static str,
}

const CASES: [Case; 26] = [
    case(Metric::ErrorRate, 0.0, "none"),
    case(Metric::ErrorRate, 0.02, "+2 points"),
    case(Metric::ErrorRate, 0.04, "+4 points"),
    case(Metric::ErrorRate, 0.09, "+9 points"),
    case(Metric::ErrorRate, 0.49, "+49 points"),
    case(Metric::FirstByteTime, 0.0, "none"),
    case(Metric::FirstByteTime, 0.3, "+30 %"),
    case(Metric::FirstByteTime, 0.6, "+60 %"),
    case(Metric::FirstByteTime, 2.0, "+200 %"),
    case(Metric::TotalTime, 0.0, "none"),
    case(Metric::TotalTime, 0.3, "+30 %"),
    case(Metric::TotalTime, 0.6, "+60 %"),
    case(Metric::TotalTime, 2.0, "+200 %"),
    case(Metric::Cost, 0.0, "none"),
    case(Metric::Cost, 0.3, "+30 %"),
    case(Metric::Cost, 0.6, "+60 %"),
    case(Metric::Cost, 2.0, "+200 %"),
    case(Metric::TruncationRate, 0.0, "none"),
    case(Metric::TruncationRate, 0.1, "+10 points"),
    case(Metric::TruncationRate, 0.3, "+30 points"),
    case(Metric::RefusalRate, 0.0, "none"),
    case(Metric::RefusalRate, 0.05, "+5 points"),
    case(Metric::RefusalRate, 0.2, "+20 points"),
    case(Metric::ToolCallErrorRate, 0.0, "none"),
    case(Metric::ToolCallErrorRate, 0.05, "+5 points"),
    case(Metric::ToolCallErrorRate, 0.2, "+20 points"),
];

const fn case(metric: Metric, effect: f64, said: &'static str) -> Case {
    Case {
        metric,
        effect,
        said,
    }
}

/// Steps of 4, 20 and 50 percent with 200 requests each, and every gate as it usually is.
fn plan() -> Plan {
    let steps = [400, 2_000, 5_000].map(|share| (share, Some(0), 200, false));
    // What clients say is not simulated: it has a distribution of no request's own.
    let gates = Metric::ALL.into_iter();
    let gates = gates.filter(|it| *it != Metric::FeedbackScore);
    let gates: Vec<_> = gates.map(|metric| (metric as i32, 0, 0)).collect();
    domain::rollout::check(&steps, &gates, Sticky::Request).expect("the plan makes sense")
}

#[test]
fn bad_candidates_reach_few_and_good_ones_are_let_through() {
    let scale = std::env::var("SLUICE_TEST_SCALE").ok();
    let scale = scale.and_then(|it| it.parse().ok()).unwrap_or(1);
    let plan = plan();
    println!(
        "{} releases of each kind, steps of 4, 20 and 50 %, seven gates",
        RELEASES * scale
    );
    println!(
        "{:<24} {:<11} {:>11} {:>9} {:>24} {:>9}",
        "gate", "worse by", "taken back", "reached", "samples to the decision", "p95"
    );
    let (mut good, mut stopped, mut bad, mut missed) = (0, 0, 0, 0);
    let (mut bad_all, mut bad_reached) = (0, 0);
    for (at, case) in (0..).zip(&CASES) {
        let seeds = 0..RELEASES * scale;
        let releases: Vec<Release> = seeds
            .map(|seed| release(&plan, (case.metric, case.effect), at << 32 | seed))
            .collect();
        let many = releases.len();
        let back = releases.iter().filter(|it| it.ended == Ended::TakenBack);
        let back = back.count();
        let all: u64 = releases.iter().map(|it| it.requests).sum();
        let reached: u64 = releases.iter().map(|it| it.reached).sum();
        let mut samples: Vec<u64> = releases.iter().map(|it| it.reached).collect();
        samples.sort_unstable();
        let (low, median, high) = percentile(&samples, 0.5);
        let (_, p95, _) = percentile(&samples, 0.95);
        #[expect(clippy::cast_precision_loss, reason = "counts of a simulation")]
        let share = reached as f64 / all as f64 * 100.0;
        println!(
            "{:<24} {:<11} {back:>6}/{many:<4} {share:>7.2} % {:>24} {p95:>9}",
            case.metric.words(),
            case.said,
            format!("{median} ({low} to {high})"),
        );
        if case.effect > 0.0 {
            (bad, missed) = (bad + many, missed + many - back);
            (bad_all, bad_reached) = (bad_all + all, bad_reached + reached);
        } else {
            (good, stopped) = (good + many, stopped + back);
        }
    }
    let stopped_by = wilson(stopped, good);
    println!(
        "good candidates that were taken back: {stopped} of {good}, {:.2} to {:.2} %",
        stopped_by.0 * 100.0,
        stopped_by.1 * 100.0
    );
    let missed_by = wilson(missed, bad);
    println!(
        "bad candidates that were promoted: {missed} of {bad}, {:.2} to {:.2} %",
        missed_by.0 * 100.0,
        missed_by.1 * 100.0
    );
    #[expect(clippy::cast_precision_loss, reason = "counts of a simulation")]
    let share = bad_reached as f64 / bad_all as f64;
    println!(
        "of the requests between a bad candidate's first step and its end, {:.2} % reached it",
        share * 100.0
    );
    // The lower ends of the intervals: so that chance alone hardly ever fails this.
    assert!(
        stopped_by.0 <= 0.05,
        "{stopped} of {good} good ones were stopped"
    );
    assert!(
        missed_by.0 <= 0.05,
        "{missed} of {bad} bad ones went through"
    );
    assert!(share <= 0.05, "{share} of the requests reached a bad one");
}
