//! `cargo bench -p dialect --bench cost`: nanoseconds and allocations for one word of a stream, as a table for
//! `docs/performance.md`.
//!
//! Knows how figures are shown. The counts, which do not depend on the machine, are held by `tests/cost`.

#![expect(clippy::print_stdout, reason = "what it prints is what it is for")]

mod material;
mod measure;

use measure::Act;

/// Rounds of each act; the least of them counts.
const ROUNDS: u32 = 400;

fn main() {
    println!("| one word of a stream | ns | allocations |\n|---|---:|---:|");
    for act in measure::acts() {
        let allocations = Act::each(act.allocations());
        let time = act.time(ROUNDS).as_nanos();
        println!("| {} | {time} | {allocations:.2} |", act.name());
    }
}
