//! `OpenAI` Responses: what its tests share.
//!
//! Owns what counts as the same request and the same answer, and the seed. Knows nothing of single cases.

use std::{fs, path::PathBuf};

use dialect::{
    neutral::{Answer, Content, Delta, Event, Kind, Part, Seed, Stop},
    responses::decoder::Decoder,
};
use serde_json::{Value, json};

mod round_trips;
mod streams;
mod encoding;
mod crossing;
mod errors;
mod hostile;
mod recordings;

fn seed() -> Seed {
    Seed {
        request_id: "0193-ab".to_owned(),
        now_seconds: 1_764_150_000,
    }
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/responses")
}

fn fixture(name: &str) -> String {
    fs::read_to_string(folder().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// The names of the fixtures that begin with `prefix`.
fn fixtures(prefix: &str) -> Vec<String> {
    let files = fs::read_dir(folder()).unwrap();
    let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.filter(|name| name.starts_with(prefix)).collect();
    names.sort();
    assert!(!names.is_empty(), "no fixture begins with {prefix}");
    names
}

/// A request as far as its meaning goes: null is absent, and so is what is absent by default. A text alone is one part.
fn normal(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            let mut out = serde_json::Map::new();
            for (name, value) in members {
                let empty = matches!(
                    name.as_str(),
                    "annotations" | "logprobs" | "tools" | "input"
                ) && *value == json!([]);
                if !value.is_null() && !empty {
                    out.insert(name.clone(), normal(value));
                }
            }
            if let (Some(role), Some(Value::String(text))) = (out.get("role"), out.get("content")) {
                let kind = if role == "assistant" {
                    "output_text"
                } else {
                    "input_text"
                };
                out.insert("content".to_owned(), json!([{"type": kind, "text": text}]));
            }
            if out.contains_key("role") {
                out.insert("type".to_owned(), json!("message"));
            }
            if let Some(Value::String(text)) = out.get("output") {
                out.insert(
                    "output".to_owned(),
                    json!([{"type": "input_text", "text": text}]),
                );
            }
            if let Some(Value::String(text)) =
                out.get("input").filter(|_| out.contains_key("model"))
            {
                let content = json!([{"type": "input_text", "text": text}]);
                let item = json!([{"type": "message", "role": "user", "content": content}]);
                out.insert("input".to_owned(), item);
            }
            if out.get("format") == Some(&json!({"type": "text"})) {
                out.remove("format");
            }
            if out.get("text") == Some(&json!({})) {
                out.remove("text");
            }
            if out.get("stream") == Some(&json!(false)) {
                out.remove("stream");
            }
            if let Some(details) = out
                .get_mut("input_tokens_details")
                .and_then(Value::as_object_mut)
            {
                details.entry("cache_write_tokens").or_insert(json!(0));
            }
            Value::Object(out)
        }
        Value::Array(elements) => elements.iter().map(normal).collect(),
        other => other.clone(),
    }
}

/// All events of a stream that comes in these pieces.
fn decode<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<Event> {
    let (mut decoder, mut events) = (Decoder::new(&seed()), Vec::new());
    for piece in pieces {
        decoder.push(piece, &mut events);
    }
    decoder.finish(&mut events);
    events
}

/// Checks the grammar of events, and puts an answer together from them.
fn fold(events: &[Event]) -> Answer {
    let mut answer = Answer::default();
    let mut parts: Vec<Part> = Vec::new();
    let mut stop = None;
    let mut open = false;
    for (at, event) in events.iter().enumerate() {
        match event {
            Event::Start {
                id,
                model,
                created_seconds,
            } => {
                let before = &events[..at];
                assert!(before.iter().all(|it| *it == Event::Ping), "starts late");
                answer.id.clone_from(id);
                answer.model.clone_from(model);
                answer.created_seconds = *created_seconds;
            }
            Event::Open { choice, part, kind } => {
                assert!(!open, "parts interleave");
                assert_eq!((*choice, *part as usize), (0, parts.len()));
                assert_eq!(stop, None, "a part behind its stop");
                parts.push(begun(kind));
                open = true;
            }
            Event::Delta { part, delta, .. } => {
                assert!(open && *part as usize + 1 == parts.len());
                grow(parts.last_mut().unwrap(), delta);
            }
            Event::Close { part, .. } => {
                assert!(open && *part as usize + 1 == parts.len());
                open = false;
                if let Content::ToolCall { arguments, .. } = &mut parts.last_mut().unwrap().content
                    && arguments.is_empty()
                {
                    "{}".clone_into(arguments);
                }
            }
            Event::Stop { stop: why, .. } => {
                assert!(!open && stop.is_none());
                stop = Some(why.clone());
            }
            Event::Usage(tokens) => answer.tokens = Some(*tokens),
            Event::Ping | Event::Extra(_) => {}
            Event::Error(_) | Event::End => {
                let behind = &events[at + 1..];
                let counted = matches!((event, behind), (Event::Error(_), [Event::Usage(_)]));
                assert!(behind.is_empty() || counted, "something behind the end");
                assert!(!open, "a part without its end");
            }
        }
    }
    let ends = |it: &&Event| matches!(it, Event::Error(_) | Event::End);
    assert!(events.iter().any(|it| ends(&it)), "no end: {events:?}");
    answer.choices.push(dialect::neutral::Choice {
        parts,
        stop,
        extra: Vec::new(),
    });
    answer
}

fn begun(kind: &Kind) -> Part {
    Part::new(match kind {
        Kind::Text => Content::Text(String::new()),
        Kind::Refusal => Content::Refusal(String::new()),
        Kind::Reasoning => Content::Reasoning {
            text: String::new(),
            signature: None,
        },
        Kind::ToolCall { id, name } => Content::ToolCall {
            id: id.clone(),
            name: name.clone(),
            arguments: String::new(),
        },
    })
}

fn grow(part: &mut Part, delta: &Delta) {
    match (&mut part.content, delta) {
        (
            Content::Text(text)
            | Content::Refusal(text)
            | Content::Reasoning {
                text,
                signature: None,
            },
            Delta::Text(more),
        ) => text.push_str(more),
        (Content::ToolCall { arguments, .. }, Delta::Arguments(more)) => arguments.push_str(more),
        (Content::Reasoning { signature, .. }, Delta::Signature(proof)) => {
            assert_eq!(signature.replace(proof.clone()), None, "two signatures");
        }
        (content @ Content::Reasoning { .. }, Delta::Redacted(data)) => {
            *content = Content::RedactedReasoning(data.clone());
        }
        (content, delta) => panic!("{delta:?} does not belong to {content:?}"),
    }
}

/// What a stream and a whole answer must say alike: everything but what only this family understands.
fn bare(answer: &Answer) -> (Vec<Content>, Option<Stop>, Option<dialect::Tokens>) {
    let choice = &answer.choices[0];
    let said = choice.parts.iter().map(|part| part.content.clone());
    let said = said.filter(|content| *content != Content::Other);
    (said.collect(), choice.stop.clone(), answer.tokens)
}
