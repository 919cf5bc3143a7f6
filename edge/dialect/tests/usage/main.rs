//! What was used, against vectors that were worked out by hand: every recording and every fixture of ours, by every way in
//! which the edge reads it.
//!
//! Knows the tables beside it, which hold numbers and names and nothing of what was said. A body with usage and without a
//! line fails, and so does a line without a body.

#![cfg(test)]

mod table;
mod bodies;
mod reading;

use std::{collections::BTreeSet, env};

use self::{
    bodies::{Body, Said},
    table::Table,
};

#[test]
fn our_fixtures_use_what_was_worked_out() {
    let table = Table::parse(include_str!("own.tsv"));
    let read = check(&table, bodies::own());
    assert!(read > 100, "{read} fixtures were compared");
}

#[test]
fn recordings_use_what_was_worked_out() {
    let Ok(folder) = env::var("SLUICE_RECORDINGS") else {
        println!("skipped, because SLUICE_RECORDINGS names no folder");
        return;
    };
    let table = Table::parse(include_str!("recordings.tsv"));
    let read = check(&table, bodies::recorded(&folder));
    println!("{read} usages compared");
    assert!(read > 100, "{read} recordings were compared");
}

/// Compares every body with its line, and sees that none lacks the other. How many were compared.
fn check(table: &Table, bodies: Vec<Body>) -> usize {
    let mut wrong = Vec::new();
    let mut used = BTreeSet::new();
    for body in bodies {
        let line = table.line(&body.name);
        if line.is_none() && body.says_counts() {
            wrong.push(format!("{}: has counts and no line", body.name));
        }
        let Some(line) = line else {
            continue;
        };
        used.insert(body.name.clone());
        if body.family != line.family {
            wrong.push(format!("{}: the line says {:?}", body.name, line.family));
        }
        let Some(family) = body.family else {
            continue;
        };
        let read = match &body.said {
            Said::Answer(text) => reading::of_answer(family, text),
            Said::Stream(bytes) => reading::of_stream(family, bytes),
            Said::Nothing => Vec::new(),
        };
        for (way, tokens) in read {
            if tokens != line.tokens {
                let expected = line.tokens;
                wrong.push(format!("{}, {way}: {tokens:?} for {expected:?}", body.name));
            }
        }
    }
    let unused = table.names().filter(|name| !used.contains(*name));
    wrong.extend(unused.map(|name| format!("{name}: has a line and no body")));
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
    used.len()
}
