//! What each entry starts from: our own fixtures, in the form that it takes, and inputs that once broke something.
//!
//! Knows where fixtures stand and how they are called. Nothing is kept twice: a new fixture is a new seed.

use std::{fmt::Write, fs, path::Path};

use serde_json::Value;

use crate::family::KINDS;

/// The seeds of an entry, each with a name.
pub fn of(target: &str) -> Vec<(String, Vec<u8>)> {
    let mut seeds = match target {
        "json" | "splice" => bodies(|_, bytes| bytes),
        "sse" | "meter" => all_of("chat", |name| name.starts_with("stream-")),
        "event_stream" => frames(),
        "vectors" => vectors(),
        "transform" => lines("payload", "rules.txt", ("rules", "body")),
        "jq" => lines("payload", "programs.txt", ("program", "input")),
        "expression" => lines("claims", "expressions.txt", ("expression", "claims")),
        "token" => whole_lines("tokens.txt"),
        "keys" => whole_lines("keys.txt"),
        family => of_family(family),
    };
    // A byte that says how to try the rest.
    if matches!(
        target,
        "splice" | "sse" | "meter" | "event_stream" | "vectors" | "transform"
    ) {
        for (_, bytes) in &mut seeds {
            bytes.insert(0, 7);
        }
    }
    seeds.extend(found(target));
    seeds
}

/// Inputs that once broke something, and must never again.
fn found(target: &str) -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("found")
        .join(target);
    files(&folder)
}

fn fixtures(family: &str) -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../edge/dialect/tests/fixtures");
    files(&folder.join(family))
}

fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        files.extend(fs::read(entry.path()).ok().map(|bytes| (name, bytes)));
    }
    files.sort();
    files
}

fn all_of(family: &str, wanted: impl Fn(&str) -> bool) -> Vec<(String, Vec<u8>)> {
    let all = fixtures(family).into_iter();
    all.filter(|(name, _)| wanted(name)).collect()
}

fn bodies(form: impl Fn(&str, Vec<u8>) -> Vec<u8>) -> Vec<(String, Vec<u8>)> {
    let mut bodies = Vec::new();
    for family in [
        "chat",
        "responses",
        "messages",
        "gemini",
        "cohere",
        "openai",
    ] {
        for (name, bytes) in all_of(family, |_| true) {
            let bytes = form(&name, bytes);
            bodies.push((format!("{family}-{name}"), bytes));
        }
    }
    bodies
}

/// Requests, answers, streams and errors of a family, under the two bytes that say so.
fn of_family(family: &str) -> Vec<(String, Vec<u8>)> {
    let mut seeds = Vec::new();
    for (name, bytes) in fixtures(family) {
        let word = name.split(['-', '_', '.']).next().unwrap_or_default();
        let (kind, bodies) = match word {
            "request" => ("request", vec![body_of(family, &bytes)]),
            "answer" => ("answer", vec![bytes]),
            "stream" | "broken" if family == "converse" => ("framed", vec![events(&bytes)]),
            "stream" => ("stream", vec![bytes]),
            "error" | "errors" => ("error", errors(&bytes)),
            _ => continue,
        };
        let kind = KINDS.iter().position(|it| *it == kind);
        for (at, body) in bodies.into_iter().enumerate() {
            let mut seed = vec![kind.and_then(|it| u8::try_from(it).ok()).unwrap_or(0), 3];
            seed.extend(body);
            seeds.push((format!("{at}-{name}"), seed));
        }
    }
    seeds
}

/// Bedrock's requests are kept with what stands in their paths.
fn body_of(family: &str, bytes: &[u8]) -> Vec<u8> {
    match serde_json::from_slice::<Value>(bytes) {
        Ok(case) if family == "converse" => case["body"].to_string().into_bytes(),
        _ => bytes.to_vec(),
    }
}

/// Some fixtures of errors are lists of cases.
fn errors(bytes: &[u8]) -> Vec<Vec<u8>> {
    match serde_json::from_slice::<Value>(bytes) {
        Ok(Value::Array(cases)) if cases.iter().any(|it| it.get("body").is_some()) => cases
            .iter()
            .map(|case| case["body"].to_string().into_bytes())
            .collect(),
        _ => vec![bytes.to_vec()],
    }
}

/// Events of Bedrock as lines; see [`crate::stream::framed`].
fn events(bytes: &[u8]) -> Vec<u8> {
    let case: Value = serde_json::from_slice(bytes).unwrap_or_default();
    let mut text = String::new();
    for event in case["events"].as_array().into_iter().flatten() {
        let name = match (event["event"].as_str(), event["exception"].as_str()) {
            (Some(name), _) => name.to_owned(),
            (_, name) => format!("!{}", name.unwrap_or_default()),
        };
        // Writing into a string cannot fail.
        let _ = writeln!(text, "{name} {}", event["payload"]);
    }
    text.into_bytes()
}

fn frames() -> Vec<(String, Vec<u8>)> {
    let streams = all_of("converse", |name| name.starts_with("stream-")).into_iter();
    let framed = streams.map(|(name, bytes)| {
        let lines = String::from_utf8_lossy(&events(&bytes)).into_owned();
        (name, crate::stream::framed(&lines))
    });
    framed.collect()
}

fn vectors() -> Vec<(String, Vec<u8>)> {
    let mut seeds = Vec::new();
    for family in ["openai", "gemini", "cohere"] {
        seeds.extend(all_of(family, |name| name.starts_with("embed-")));
    }
    seeds
}

/// Each line of a file of `claims`'.
fn whole_lines(file: &str) -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/claims/tests/fixtures");
    let text = fs::read_to_string(folder.join(file)).unwrap_or_default();
    let lines = text.lines().enumerate();
    lines
        .map(|(at, line)| (at.to_string(), line.as_bytes().to_vec()))
        .collect()
}

/// Cases of a table of a shared crate's, as one line and what follows it.
fn lines(of: &str, file: &str, (first, second): (&str, &str)) -> Vec<(String, Vec<u8>)> {
    let shared = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared");
    let folder = shared.join(of).join("tests/fixtures");
    let text = fs::read_to_string(folder.join(file)).unwrap_or_default();
    let of = |case: &str, name: &str| {
        let line = case
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        line.map(str::to_owned)
    };
    let cases = text.split("\n\n").enumerate();
    let seeds = cases.filter_map(|(at, case)| {
        let seed = format!("{}\n{}", of(case, first)?, of(case, second)?);
        Some((format!("{at}"), seed.into_bytes()))
    });
    seeds.collect()
}
