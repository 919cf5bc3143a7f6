//! The fixtures of this family, and what is compared in them.
//!
//! Owns what counts as the same: a string is an array of one text; what is null, empty or the default is absent.

use std::{fs, path::PathBuf};

use dialect::neutral::Seed;
use serde_json::{Map, Value, json};

pub(crate) fn read(name: &str) -> String {
    let path = folder().join(name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The names that begin so, in order.
pub(crate) fn names(prefix: &str) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.starts_with(prefix))
        .collect();
    names.sort();
    assert!(!names.is_empty(), "no fixture begins with {prefix}");
    names
}

pub(crate) fn seed() -> Seed {
    Seed {
        request_id: "0190-ab".to_owned(),
        now_seconds: 1_700_000_000,
    }
}

pub(crate) fn json(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(bytes)))
}

/// The same request or answer in one way of writing it.
pub(crate) fn normal(mut value: Value) -> Value {
    let Some(body) = value.as_object_mut() else {
        return value;
    };
    body.retain(|_, value| !value.is_null());
    if body.get("stream") == Some(&json!(false)) {
        body.remove("stream");
    }
    for name in ["messages", "tools"] {
        let elements = body.get_mut(name).and_then(Value::as_array_mut);
        for element in elements.into_iter().flatten() {
            element.as_object_mut().map(plain);
        }
    }
    if let Some(message) = body.get_mut("message").and_then(Value::as_object_mut) {
        plain(message);
    }
    value
}

fn plain(message: &mut Map<String, Value>) {
    if let Some(Value::String(text)) = message.get("content") {
        let text = json!([{"type": "text", "text": text}]);
        message.insert("content".to_owned(), text);
    }
    for (name, empty) in [
        ("content", json!([])),
        ("tool_calls", json!([])),
        ("tool_plan", json!("")),
    ] {
        if message
            .get(name)
            .is_some_and(|value| *value == empty || value.is_null())
        {
            message.remove(name);
        }
    }
    for call in message
        .get_mut("tool_calls")
        .and_then(Value::as_array_mut)
        .into_iter()
        .flatten()
    {
        let arguments = &mut call["function"]["arguments"];
        if arguments.is_null() || arguments == "" {
            *arguments = json!("{}");
        }
    }
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/cohere")
}
