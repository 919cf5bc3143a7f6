//! The fixtures of this family: files whose names begin with what they hold.
//!
//! Knows where they are, and nothing of what stands in them.

use std::{fs, path::PathBuf};

use dialect::neutral::Seed;

/// What translations are made from.
pub(crate) fn seed() -> Seed {
    Seed {
        request_id: "req-7".to_owned(),
        now_seconds: 1_800_000_000,
    }
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/chat")
}

/// One of them.
pub(crate) fn read(name: &str) -> String {
    fs::read_to_string(folder().join(name)).unwrap()
}

/// All whose names begin with `kind`: names and texts, in order. There must be some.
pub(crate) fn all(kind: &str) -> Vec<(String, String)> {
    let mut found: Vec<(String, String)> = fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.starts_with(kind))
        .map(|name| (name.clone(), read(&name)))
        .collect();
    found.sort();
    assert!(!found.is_empty(), "no fixture begins with {kind}");
    found
}
