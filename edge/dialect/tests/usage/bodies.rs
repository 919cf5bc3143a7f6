//! Everything that may say what was used: our fixtures, and recordings.
//!
//! Knows where they stand and what they are called. Judges whether a body holds counts by its text alone, with no reader of
//! ours.

use std::{
    fs,
    path::{Path, PathBuf},
};

use dialect::{
    aws::event_stream::{self, Value as Header},
    base64,
    neutral::Family,
};
use serde_json::Value;

use crate::table;

/// One body.
pub(crate) struct Body {
    /// As the table calls it.
    pub(crate) name: String,
    /// Whose dialect it is, if it is one of ours.
    pub(crate) family: Option<Family>,
    pub(crate) said: Said,
    /// All of it, whatever it is.
    text: Vec<u8>,
}

/// What it is to a client.
pub(crate) enum Said {
    Answer(String),
    Stream(Vec<u8>),
    /// An error, which uses nothing.
    Nothing,
}

/// What counts are called, in any dialect.
const COUNTS: [&str; 5] = [
    "_tokens\"",
    "Tokens\"",
    "TokenCount\"",
    "_eval_count\"",
    "\"tokens\"",
];

/// Our own fixtures: answers and streams of every family.
pub(crate) fn own() -> Vec<Body> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let mut bodies = Vec::new();
    for folder in files(&folder) {
        let family_name = stem(&folder);
        let Some(family) = table::family(&family_name) else {
            continue;
        };
        for path in files(&folder) {
            let name = stem(&path);
            let bytes = fs::read(&path).unwrap();
            let said = match name.split(['-', '_']).next() {
                Some("answer") => Said::Answer(String::from_utf8(bytes.clone()).unwrap()),
                Some("stream" | "broken") => Said::Stream(stream(family, &bytes)),
                _ => continue,
            };
            bodies.push(Body {
                name: format!("{family_name}/{name}"),
                family: Some(family),
                said,
                text: bytes,
            });
        }
    }
    bodies
}

/// A fixture as it comes from a provider: Bedrock's are kept as lists of events.
fn stream(family: Family, bytes: &[u8]) -> Vec<u8> {
    if family != Family::Converse {
        return bytes.to_vec();
    }
    let case: Value = serde_json::from_slice(bytes).unwrap();
    let mut frames = Vec::new();
    for event in case["events"].as_array().unwrap() {
        let text = |name: &str| event[name].as_str();
        let (kind, name) = match (text("event"), text("exception")) {
            (Some(name), _) => ("event", name),
            (_, name) => ("exception", name.unwrap_or_default()),
        };
        let header = format!(":{kind}-type");
        let headers = [
            (&*header, Header::Text(name)),
            (":message-type", Header::Text(kind)),
        ];
        let payload = event["payload"].to_string();
        event_stream::write(&mut frames, &headers, payload.as_bytes()).unwrap();
    }
    frames
}

/// Every interaction of every recording, and the streams that Anthropic tests its SDK with.
pub(crate) fn recorded(folder: &str) -> Vec<Body> {
    let mut bodies = Vec::new();
    for folder in files(Path::new(folder)) {
        let name = stem(&folder);
        if name == "vectors" {
            for path in files(&folder.join("anthropic-sse")) {
                bodies.push(vector(&path));
            }
        } else if folder.is_dir() {
            for path in files(&folder) {
                let recording: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
                all_of(&format!("{name}/{}", stem(&path)), &recording, &mut bodies);
            }
        }
    }
    bodies
}

fn all_of(name: &str, recording: &Value, bodies: &mut Vec<Body>) {
    let interactions = recording["interactions"].as_array();
    for (at, interaction) in interactions.into_iter().flatten().enumerate() {
        bodies.push(interacted(format!("{name}#{at}"), interaction));
    }
    if let Some(chunks) = recording["chunks"].as_array() {
        let line = |chunk: &Value| {
            let kind = chunk["type"].as_str().unwrap_or_default();
            format!("event: {kind}\ndata: {chunk}\n\n")
        };
        let text = chunks.iter().map(line).collect::<String>().into_bytes();
        let cohere = name.starts_with("cohere/");
        bodies.push(Body {
            name: format!("{name}#0"),
            family: Some([Family::Messages, Family::Cohere][usize::from(cohere)]),
            said: Said::Stream(text.clone()),
            text,
        });
    }
}

fn interacted(name: String, interaction: &Value) -> Body {
    let url = interaction["url"].as_str().unwrap_or_default();
    let path = url.split('?').next().unwrap_or_default();
    let family = match path {
        _ if path.ends_with("/chat/completions") => Some(Family::Chat),
        _ if path.ends_with("/responses") => Some(Family::Responses),
        _ if path.ends_with("/v1/messages") => Some(Family::Messages),
        _ if path.contains("enerateContent") => Some(Family::Gemini),
        _ if path.ends_with("/converse") || path.ends_with("/converse-stream") => {
            Some(Family::Converse)
        }
        _ if path.ends_with("/v2/chat") => Some(Family::Cohere),
        _ => None,
    };
    let body = &interaction["response_body"];
    let packed = interaction["response_body_b64"].as_str();
    let text = match (packed, body) {
        (Some(packed), _) => base64::decode(packed).unwrap(),
        (_, Value::String(text)) => text.clone().into_bytes(),
        _ => body.to_string().into_bytes(),
    };
    let said = match interaction["framing"].as_str() {
        _ if interaction["status"].as_u64().is_some_and(|it| it >= 400) => Said::Nothing,
        Some("sse" | "aws-eventstream") => Said::Stream(text.clone()),
        _ => Said::Answer(String::from_utf8_lossy(&text).into_owned()),
    };
    Body {
        name,
        family,
        said,
        text,
    }
}

fn vector(path: &Path) -> Body {
    let mut text = fs::read(path).unwrap();
    // The files end where an editor left them; a stream ends with a blank line.
    text.extend(b"\n\n");
    Body {
        name: format!("vectors/anthropic-sse/{}#0", stem(path)),
        family: Some(Family::Messages),
        said: Said::Stream(text.clone()),
        text,
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap_or_else(|why| panic!("{}: {why}", folder.display()));
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

fn stem(path: &Path) -> String {
    path.file_stem().unwrap().to_string_lossy().into_owned()
}

// === impl Body ===

impl Body {
    /// Whether a count of tokens that is not zero stands anywhere in it.
    pub(crate) fn says_counts(&self) -> bool {
        let text = String::from_utf8_lossy(&self.text);
        COUNTS.iter().any(|name| {
            text.match_indices(name).any(|(at, name)| {
                let value = text[at + name.len()..].trim_start_matches([':', ' ']);
                value.starts_with(|first: char| first.is_ascii_digit() && first != '0')
            })
        })
    }
}
