//! `cargo bench -p worker --bench account`: nanoseconds and allocations for the account and the measures of one request, as a
//! table for `docs/performance.md`.
//!
//! Knows how figures are shown. The counts, which do not depend on the machine, are held by `tests/account.rs`.

#![expect(clippy::print_stdout, reason = "what it prints is what it is for")]

mod request;

use request::{Bench, Traced};

/// Rounds; the least of them counts.
const ROUNDS: u32 = 200;

fn main() {
    println!("| account and measures of one request | ns | allocations |\n|---|---:|---:|");
    for traced in [Traced::No, Traced::Yes] {
        let mut bench = Bench::new(traced);
        let allocations = bench.allocations();
        let time = bench.time(ROUNDS).as_nanos();
        println!("| {} | {time} | {allocations:.2} |", traced.name());
    }
}
