//! The short form of the load run, with whatever builds the tests have. It asserts that every answer is the
//! expected one, that everybody counted the same and that a plain client meets no stall. It does not assert the
//! bars of cost: debug builds say nothing of them, and `just prove load` does.

use std::{num::NonZeroUsize, thread};

use load::{installation::Target, plan::Plan, rounds::Phase, run, verdict};
use tokio::task::LocalSet;

#[tokio::test]
async fn every_answer_is_right_all_counts_agree_and_no_plain_client_stalls() {
    let cores = thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    let plan = Plan::short(cores);
    let report = LocalSet::new().run_until(Box::pin(run::run(plan))).await;
    let report = report.unwrap_or_else(|why| panic!("{why}"));
    assert!(report.missed.is_empty(), "{:?}", report.missed);
    // Each way of asking was gone through, for every target.
    let phases = [
        Phase::Requests,
        Phase::Long,
        Phase::Streams,
        Phase::Arrivals(plan.rates[1]),
    ];
    for phase in phases {
        for target in Target::PROXIES {
            assert!(
                verdict::pace(&report.measured, phase, target) > 0.0,
                "{phase}, {target:?}"
            );
        }
    }
    assert!(verdict::pace(&report.measured, Phase::Across, Target::Sluice) > 0.0);
    assert_eq!(report.measured.memory.len(), 2);
    assert!(
        report.counts.client > u64::from(plan.silent + plan.alone),
        "{}",
        report.counts
    );
    let said = report.table();
    assert!(said.contains("debug builds say nothing of cost"), "{said}");
}
