//! The short form of the fuzzers: every entry with all its seeds, and with a few thousand changes of them.
//!
//! A failure names the entry, the seed and the number of the change. `just prove fuzz` runs the long form.

#![cfg(test)]

use std::{fs, panic, path::Path};

use fastrand::Rng;
use fuzz::{mutation, seeds, targets};

/// How many changes each entry is tried with, spread over its seeds.
const CHANGES: usize = 1_500;

/// The longest input that is changed: what is longer is tried as it is.
const INPUT_BYTES_MAX: usize = 64 << 10;

fn try_out(name: &str) {
    let target = targets::named(name).expect("an entry");
    let seeds = seeds::of(name);
    assert!(seeds.len() > 3, "{name} has no seeds");
    for (seed, input) in &seeds {
        run(target, input, seed);
    }
    for number in 0..CHANGES {
        let (seed, input) = &seeds[number % seeds.len()];
        if input.len() <= INPUT_BYTES_MAX {
            let mut rng = Rng::with_seed(number as u64);
            let changed = mutation::mutated(input, &mut rng);
            run(target, &changed, &format!("{seed}, change {number}"));
        }
    }
}

fn run(target: targets::Target, input: &[u8], what: &str) {
    let ran = panic::catch_unwind(|| (target.run)(input));
    if let Err(why) = ran {
        let shown: String = input.escape_ascii().to_string();
        println!("{}, {what}: {shown:.4000}", target.name);
        panic::resume_unwind(why);
    }
}

macro_rules! entries {
    ($($name:ident)*) => {
        $(#[test]
        fn $name() {
            try_out(stringify!($name));
        })*

        /// Every entry is tried here.
        const TRIED: &[&str] = &[$(stringify!($name)),*];
    };
}

entries! {
    json splice sse event_stream meter chat responses messages gemini converse cohere vectors transform jq token keys expression
}

#[test]
fn every_entry_is_tried_here_and_known_to_the_fuzzer() {
    let names = targets::ALL.map(|target| target.name);
    assert_eq!(TRIED, names);
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("targets/Cargo.toml");
    let manifest = fs::read_to_string(manifest).expect("the fuzzer's manifest");
    let listed: Vec<&str> = manifest
        .lines()
        .filter_map(|line| line.strip_prefix("name = \"")?.strip_suffix('"'))
        .filter(|name| *name != "fuzz-targets")
        .collect();
    assert_eq!(listed, names);
}
