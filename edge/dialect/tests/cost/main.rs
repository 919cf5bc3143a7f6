//! How often one word of a stream allocates, exactly, and how much memory a hostile stream can take.
//!
//! Knows counts and no time: `benches/cost` measures that. Its material is the same.

#![cfg(test)]

#[path = "../../benches/cost/material.rs"]
mod material;
#[path = "../../benches/cost/measure.rs"]
#[expect(dead_code, reason = "time is for the benchmark")]
mod measure;
mod hostile;

use std::fmt::Write;

use measure::Act;

/// The table, as it stands in `allocations.tsv`.
fn counted() -> String {
    let mut table = String::new();
    for act in measure::acts() {
        let each = Act::each(act.allocations());
        writeln!(table, "{}\t{each:.2}", act.name()).unwrap();
    }
    table
}

#[test]
fn a_word_of_a_stream_allocates_exactly_so_often() {
    let told = include_str!("allocations.tsv");
    let counted = counted();
    assert!(
        counted == told,
        "allocations for each word differ from tests/cost/allocations.tsv; if that is meant, it becomes:\n{counted}"
    );
}
