//! Fixtures by name, and what the tests start from.
//!
//! Knows where they lie; nothing of what they say.

use std::{fs, path::PathBuf};

use dialect::neutral::Seed;
use serde_json::Value;

pub(crate) fn seed() -> Seed {
    Seed {
        request_id: "req-4711".to_owned(),
        now_seconds: 1_700_000_000,
    }
}

pub(crate) fn text(name: &str) -> String {
    let path = folder().join(name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

pub(crate) fn json(name: &str) -> Value {
    serde_json::from_str(&text(name)).unwrap()
}

/// The names that begin and end so, sorted.
pub(crate) fn names(beginning: &str, end: &str) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.starts_with(beginning) && name.ends_with(end))
        .collect();
    names.sort();
    assert!(!names.is_empty());
    names
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/messages")
}
