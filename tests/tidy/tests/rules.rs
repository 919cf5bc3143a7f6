//! The house rules. Each test collects everything that breaks its rule and names it, so that one run is enough.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    process::Command,
};

use cargo_metadata::{DependencyKind, MetadataCommand};
use tidy::{order, tree};

/// Which of our crates a crate may depend on. What is absent is forbidden.
const MAY_DEPEND_ON: [(&str, &[&str]); 35] = [
    ("payload", &[]),
    ("policy", &["payload"]),
    ("keys", &[]),
    ("claims", &["policy"]),
    ("credential", &["policy"]),
    ("seal", &[]),
    ("checkpoint", &[]),
    ("lifecycle", &[]),
    ("egress", &[]),
    ("telemetry", &["lifecycle", "egress"]),
    ("tls", &[]),
    ("proto", &["payload", "policy"]),
    ("columns", &["proto"]),
    ("dialect", &["payload"]),
    ("counters", &["policy", "lifecycle"]),
    ("shaping", &["policy"]),
    ("spans", &["lifecycle", "telemetry"]),
    ("tokenizer", &[]),
    (
        "worker",
        &[
            "policy",
            "payload",
            "keys",
            "claims",
            "credential",
            "seal",
            "checkpoint",
            "lifecycle",
            "telemetry",
            "tls",
            "egress",
            "proto",
            "dialect",
            "counters",
            "shaping",
            "spans",
            "tokenizer",
        ],
    ),
    (
        "domain",
        &["policy", "payload", "keys", "claims", "credential"],
    ),
    ("store", &["policy", "payload", "egress", "domain"]),
    ("sinks", &["lifecycle", "egress", "proto", "columns"]),
    ("courier", &["egress"]),
    ("signers", &["claims", "credential", "egress"]),
    ("custodians", &["credential", "seal", "lifecycle", "egress"]),
    ("factors", &[]),
    ("registries", &["egress", "domain"]),
    (
        "server",
        &[
            "policy",
            "payload",
            "keys",
            "claims",
            "seal",
            "checkpoint",
            "lifecycle",
            "telemetry",
            "tls",
            "proto",
            "domain",
            "store",
            "sinks",
            "courier",
            "signers",
            "custodians",
            "factors",
            "registries",
        ],
    ),
    ("private-postgres", &[]),
    (
        "cli",
        &[
            "policy",
            "payload",
            "keys",
            "seal",
            "checkpoint",
            "lifecycle",
            "egress",
            "proto",
            "columns",
            "worker",
            "server",
            "private-postgres",
        ],
    ),
    ("tidy", &[]),
    ("fuzz", &["payload", "policy", "claims", "dialect"]),
    (
        "harness",
        &[
            "payload",
            "proto",
            "private-postgres",
            "seal",
            "keys",
            "policy",
        ],
    ),
    ("scenarios", &["harness", "proto", "policy", "dialect"]),
    ("load", &["harness", "proto"]),
];

/// Which crates may know an outside crate that is a wall. Development dependencies are free.
const WALLS: [(&str, &[&str]); 19] = [
    ("redis", &["counters", "harness", "scenarios", "load"]),
    ("sqlx", &["store", "harness", "scenarios", "load"]),
    ("prost", &["proto", "server", "cli"]),
    ("tonic-prost", &["proto"]),
    (
        "aws-lc-rs",
        &[
            "keys",
            "claims",
            "credential",
            "seal",
            "checkpoint",
            "factors",
            "scenarios",
        ],
    ),
    ("argon2", &["factors"]),
    ("totp-rs", &["factors"]),
    ("cel", &["claims"]),
    ("rcgen", &["tls", "harness", "scenarios"]),
    ("x509-parser", &["tls"]),
    ("jaq-core", &["payload"]),
    ("jaq-std", &["payload"]),
    ("metrics-exporter-prometheus", &["lifecycle"]),
    (
        "opentelemetry-proto",
        &["telemetry", "spans", "harness", "scenarios"],
    ),
    ("tracing-subscriber", &["lifecycle"]),
    ("parquet", &["columns"]),
    ("object_store", &["sinks"]),
    ("lettre", &["courier"]),
    ("bpe-openai", &["tokenizer"]),
];

/// Crates that must not be in the graph at all.
const BANNED_CRATES: [&str; 5] = ["ring", "rsa", "openssl", "native-tls", "reqwest"];

/// Words that say nothing, in the name of a file, module or crate.
const BANNED_WORDS: [&str; 7] = [
    "util", "utils", "common", "helper", "helpers", "misc", "manager",
];

const FILE_LINES_MAX: usize = 500;

fn none(broken: &[String]) {
    assert!(broken.is_empty(), "\n{}\n", broken.join("\n"));
}

#[test]
fn members_stand_in_dependency_order_and_keep_to_their_walls() {
    let metadata = MetadataCommand::new()
        .manifest_path(tree::root().join("Cargo.toml"))
        // What other systems would take in is not in our graph.
        .other_options(
            [
                "--locked",
                "--offline",
                "--filter-platform",
                "x86_64-unknown-linux-gnu",
            ]
            .map(str::to_owned),
        )
        .exec()
        .expect("cargo metadata answers");
    let manifest = fs::read_to_string(tree::root().join("Cargo.toml")).expect("manifest is there");
    let members: Vec<&str> = manifest
        .lines()
        .skip_while(|line| !line.starts_with("members"))
        .skip(1)
        .take_while(|line| !line.starts_with(']'))
        .map(|line| line.trim().trim_matches([',', '"']))
        .collect();
    let law: BTreeMap<_, _> = MAY_DEPEND_ON.into_iter().collect();
    let ours = metadata.workspace_packages();
    let place = |name: &str| {
        let package = ours.iter().find(|it| it.name.as_str() == name)?;
        let folder = package.manifest_path.parent()?;
        members.iter().position(|member| folder.ends_with(member))
    };
    let mut broken = Vec::new();
    for package in &ours {
        let name = package.name.as_str();
        let Some(allowed) = law.get(name) else {
            broken.push(format!("{name}: has no row in MAY_DEPEND_ON"));
            continue;
        };
        for dependency in &package.dependencies {
            let on = dependency.name.as_str();
            if dependency.kind != DependencyKind::Normal {
                continue;
            }
            if law.contains_key(on) && !allowed.contains(&on) {
                broken.push(format!(
                    "{name} depends on {on}: the wall between them is gone"
                ));
            }
            if law.contains_key(on) && place(on) >= place(name) {
                broken.push(format!("{name} depends on {on}, which is listed below it"));
            }
            if WALLS
                .iter()
                .any(|(wall, who)| *wall == on && !who.contains(&name))
            {
                broken.push(format!(
                    "{name} depends on {on}, which is behind another crate's wall"
                ));
            }
        }
    }
    let built = built();
    assert!(built.contains("rustls"), "the graph was read");
    for name in built {
        if BANNED_CRATES.contains(&name.as_str()) {
            broken.push(format!("{name} is in the graph and must not be"));
        }
    }
    none(&broken);
}

/// The names of everything that is built; `cargo metadata` also lists what nobody switched on.
fn built() -> BTreeSet<String> {
    let output = Command::new(env!("CARGO"))
        .args([
            "tree",
            "--workspace",
            "--prefix",
            "none",
            "--format",
            "{p}",
            "--edges",
            "all",
        ])
        .args(["--locked", "--offline"])
        .current_dir(tree::root())
        .output()
        .expect("cargo tree answers");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.lines()
        .filter_map(|line| line.split(' ').next())
        .map(str::to_owned)
        .collect()
}

#[test]
fn modules_name_only_what_is_listed_above_them() {
    let sources = tree::sources().expect("the tree can be read");
    let mut broken = Vec::new();
    for lib in sources.iter().filter(|it| it.path.ends_with("/src/lib.rs")) {
        let folder = lib.path.trim_end_matches("lib.rs");
        for list in sources
            .iter()
            .filter_map(|source| order::list(source, folder))
        {
            broken.extend(
                sources
                    .iter()
                    .flat_map(|source| order::upward(source, &list)),
            );
        }
    }
    let parents = sources
        .iter()
        .filter(|source| order::names_its_parent(source));
    broken.extend(parents.map(|source| format!("{}: a child names its parent", source.path)));
    none(&broken);
}

#[test]
fn every_file_opens_with_what_it_owns_and_stays_readable() {
    let mut broken = Vec::new();
    for source in tree::sources().expect("the tree can be read") {
        let lines = source.text.lines().count();
        if !source.text.starts_with("//!") {
            broken.push(format!("{}: has no head", source.path));
        }
        if lines > FILE_LINES_MAX {
            broken.push(format!("{}: has {lines} lines", source.path));
        }
    }
    none(&broken);
}

#[test]
fn names_say_something() {
    let mut broken = Vec::new();
    for path in tree::files(&tree::root()).expect("the tree can be read") {
        let parts = path.split('/').flat_map(|part| part.split(['.', '_', '-']));
        for word in parts {
            if BANNED_WORDS.contains(&word) {
                broken.push(format!("{path}: `{word}` says nothing"));
            }
        }
    }
    none(&broken);
}

/// A thing that only the named files may touch, and where they stand.
const ONLY_IN: [(&str, &[&str]); 5] = [
    // `call.rs` reads the codes that a provider chose.
    (
        "StatusCode::",
        &[
            "edge/worker/src/respond.rs",
            "edge/worker/src/call.rs",
            "shared/lifecycle/src/ops.rs",
        ],
    ),
    // Records that travel as bytes go by a call of their own, which may find no control plane.
    (
        "Status::",
        &["control-plane/server/src/status.rs", "proto/src/report.rs"],
    ),
    // The edge and the command line read the codes that the control plane chose.
    (
        "Code::",
        &[
            "control-plane/server/src/status.rs",
            "edge/worker/src/feed/session.rs",
            "edge/worker/src/report.rs",
            "edge/worker/src/report/courier.rs",
            "edge/worker/src/recall.rs",
            "cli/",
        ],
    ),
    (
        "std::env::",
        &[
            "shared/lifecycle/src/settings.rs",
            "control-plane/server/src/main.rs",
            "edge/worker/src/main.rs",
            "cli/",
        ],
    ),
    (
        "tokio::spawn",
        &[
            "edge/worker/src/worker.rs",
            "edge/worker/src/serve.rs",
            "control-plane/server/src/server.rs",
            "shared/lifecycle/",
            "cli/",
        ],
    ),
];

#[test]
fn each_decision_is_taken_in_its_own_file() {
    let mut broken = Vec::new();
    for source in tree::sources().expect("the tree can be read") {
        if source.is_test() {
            continue;
        }
        for (line, code) in source.code() {
            for (thing, places) in ONLY_IN {
                let names = code
                    .match_indices(thing)
                    .any(|(at, _)| starts_a_word(code, at));
                if names && !places.iter().any(|place| source.path.starts_with(place)) {
                    broken.push(format!(
                        "{}:{line}: `{thing}` belongs to {places:?}",
                        source.path
                    ));
                }
            }
        }
    }
    none(&broken);
}

fn starts_a_word(code: &str, at: usize) -> bool {
    !code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_')
}

#[test]
fn nothing_is_left_for_later_in_the_code() {
    let marks = [["TO", "DO"], ["FIX", "ME"], ["X", "XX"], ["HA", "CK"]].map(|it| it.concat());
    let mut broken = Vec::new();
    for source in tree::sources().expect("the tree can be read") {
        for (at, line) in source.text.lines().enumerate() {
            if marks.iter().any(|mark| line.contains(mark.as_str())) {
                broken.push(format!("{}:{}: {}", source.path, at + 1, line.trim()));
            }
        }
    }
    none(&broken);
}

#[test]
fn migrations_are_numbered_named_by_a_verb_and_say_why() {
    let mut numbers = Vec::new();
    let mut broken = Vec::new();
    for path in tree::files(&tree::root()).expect("the tree can be read") {
        let Some(name) = path
            .strip_prefix("migrations/")
            .filter(|it| *it != "README.md")
        else {
            continue;
        };
        let (number, words) = name.split_once('_').unwrap_or((name, ""));
        match number.parse::<usize>() {
            Ok(number) if name.len() > 5 && words.contains('_') => numbers.push(number),
            _ => broken.push(format!("{path}: is not NNNN_verb_noun.sql")),
        }
        let text = fs::read_to_string(tree::root().join(&path)).expect("a listed file is there");
        if !text.starts_with("-- ") {
            broken.push(format!("{path}: does not open with why"));
        }
    }
    let expected: Vec<usize> = (1..=numbers.len()).collect();
    assert_eq!(numbers, expected, "migrations are numbered without gaps");
    none(&broken);
}

#[test]
fn every_refusal_stands_in_the_table_of_errors() {
    let listed = fs::read_to_string(tree::root().join("edge/worker/src/respond/errors.rs"));
    let table = fs::read_to_string(tree::root().join("docs/errors.md")).expect("docs/errors.md");
    let listed = listed.expect("the list of errors is there");
    // A line of the list: NAME = "code" status KIND Fault retry;
    let codes: Vec<&str> = listed
        .lines()
        .filter(|line| line.ends_with(';') && line.contains(" = \""))
        .filter_map(|line| line.split('"').nth(1))
        .filter(|code| code.contains('_') && !code.ends_with("_error"))
        .collect();
    assert!(codes.len() >= 10, "the list of errors was read: {codes:?}");
    let missing: Vec<String> = codes
        .iter()
        .filter(|code| !table.contains(&format!("`{code}`")))
        .map(|code| format!("{code}: is not in docs/errors.md"))
        .collect();
    none(&missing);
}
