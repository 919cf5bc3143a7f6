//! What the counts of every fixture and recording cost, against figures that a script of its own worked out in fractions:
//! `costs.py` beside this file.
//!
//! Knows the tables; the counts are those that were worked out by hand for `edge/dialect/tests/usage`.

#![cfg(test)]

use std::{collections::HashMap, sync::Arc};

use policy::{
    cost::{self, Charge, Cost, Priced},
    price::{BasisPoints, Row},
    published,
    usage::{Counter, Usage},
};

const OWN: &str = include_str!("../../../../edge/dialect/tests/usage/own.tsv");
const RECORDINGS: &str = include_str!("../../../../edge/dialect/tests/usage/recordings.tsv");
const COSTS: &str = include_str!("costs.tsv");

fn lines(text: &str) -> impl Iterator<Item = Vec<&str>> {
    text.lines()
        .filter(|line| !line.starts_with('#') && !line.is_empty())
        .map(|line| line.split('\t').collect())
}

/// The counters of each body that says what it used.
fn vectors() -> HashMap<&'static str, Usage> {
    let mut vectors = HashMap::new();
    for cells in lines(OWN).chain(lines(RECORDINGS)) {
        let counts: Vec<u64> = cells[2..].iter().filter_map(|it| it.parse().ok()).collect();
        if counts.len() != 8 {
            continue;
        }
        let counters = Counter::ALL.into_iter().zip(counts);
        let usage = counters.fold(Usage::default(), |sum, (it, count)| sum.with(it, count));
        let usage = usage.with(Counter::Requests, 1);
        assert!(
            vectors.insert(cells[0], usage).is_none(),
            "{} twice",
            cells[0]
        );
    }
    vectors
}

#[test]
fn every_vector_costs_what_was_worked_out() {
    let rows: HashMap<&str, &Arc<Row>> = published::rows()
        .iter()
        .map(|row| (row.reference.as_str(), row))
        .collect();
    let vectors = vectors();
    let mut unused: Vec<&str> = vectors.keys().copied().collect();
    let mut compared = 0;
    for cells in lines(COSTS) {
        let [name, reference, off, expected] = cells[..] else {
            panic!("no line of the table: {cells:?}");
        };
        let usage = vectors[name];
        let row = Arc::clone(rows[reference]);
        assert!(row.above_input_tokens == 0 || usage.input_total() > row.above_input_tokens);
        let off = BasisPoints::new(off.parse().unwrap()).unwrap();
        let charge = Charge {
            usage,
            priced: Some(Priced { row, off }),
        };
        let expected = expected.parse().map_or(Cost::Unknown, Cost::Known);
        assert_eq!(cost::cost([&charge]), expected, "{name} at {reference}");
        unused.retain(|it| *it != name);
        compared += 1;
    }
    assert!(compared > 300, "{compared} costs were compared");
    // The table holds a line for every vector whose family has a price list.
    assert!(unused.len() < 10, "without a line: {unused:?}");
}
