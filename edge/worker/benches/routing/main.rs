//! `cargo bench -p worker --bench routing`: nanoseconds and allocations of deciding where a request goes, from its model's name to its
//! targets in order, as a table for `docs/performance.md`.
//!
//! Among one model and among a thousand that are asked in turn, without conditions and with four for each, of which the last is true.
//! Fails where a thousand cost [`MORE_NS_MAX`] more than one.

#![expect(clippy::print_stdout, reason = "what it prints is what it is for")]

mod models;

use models::Bench;

/// Rounds; the least of them counts.
const ROUNDS: u32 = 1_000;

/// How much more a thousand models may cost than one, in nanoseconds: what is known of each comes from beyond the core's own caches at
/// worst, and none is looked for among the others.
const MORE_NS_MAX: u128 = 500;

fn main() {
    println!("| routing, of one request | models | ns | allocations |\n|---|---:|---:|---:|");
    for conditions in [false, true] {
        let mut times = [0; 2];
        for (time, models) in times.iter_mut().zip([1, 1_000]) {
            let bench = Bench::new(models, conditions);
            assert_eq!(bench.targets(1), [2], "both of its targets are asked");
            let name = if conditions {
                "four conditions"
            } else {
                "plain"
            };
            *time = bench.time(ROUNDS).as_nanos();
            let allocations = bench.allocations();
            println!("| {name} | {models} | {time} | {allocations:.2} |");
        }
        let more = times[1].saturating_sub(times[0]);
        assert!(more <= MORE_NS_MAX, "{more} ns more");
    }
}
