//! What means the same in this family, brought to one form.
//!
//! A string is one text part; null and false of a stream are as good as absent; `reasoning` is `reasoning_content`.
//! Must never bring to one form what means something else.

use serde_json::{Value, json};

pub(crate) fn request(value: &Value) -> Value {
    let mut value = value.clone();
    tidy(&mut value);
    for message in value["messages"].as_array_mut().into_iter().flatten() {
        calls(message);
        if let Some(text) = message["content"].as_str() {
            message["content"] = match text {
                "" => Value::Null,
                text => json!([{"type": "text", "text": text}]),
            };
        }
    }
    if value["stream"] == json!(false) {
        value["stream"] = Value::Null;
    }
    if let Some(stop) = value["stop"].as_str() {
        value["stop"] = json!([stop]);
    }
    for max in ["max_tokens", "max_completion_tokens"] {
        if value[max].is_number() {
            value["max"] = value[max].take();
        }
    }
    if value["response_format"] == json!({"type": "text"}) {
        value["response_format"] = Value::Null;
    }
    tidy(&mut value);
    value
}

/// The number of a call says where it stands; a call without a type is a function.
fn calls(message: &mut Value) {
    let calls = message["tool_calls"].as_array_mut();
    for (at, call) in calls.into_iter().flatten().enumerate() {
        if call["type"].is_null() || call["type"] == "null" {
            call["type"] = json!("function");
        }
        if call["index"] == json!(at) {
            call["index"] = Value::Null;
        }
    }
}

pub(crate) fn answer(value: &Value) -> Value {
    let mut value = value.clone();
    value["object"] = Value::Null;
    for choice in value["choices"].as_array_mut().into_iter().flatten() {
        let message = &mut choice["message"];
        if message["reasoning"].is_string() {
            message["reasoning_content"] = message["reasoning"].take();
        }
        flatten(message);
        if message["content"] == "" {
            message["content"] = Value::Null;
        }
        calls(message);
        if message["tool_calls"] == json!([]) {
            message["tool_calls"] = Value::Null;
        }
    }
    tidy(&mut value);
    value
}

/// A list of texts and thoughts becomes two texts.
fn flatten(message: &mut Value) {
    let Some(parts) = message["content"].as_array().cloned() else {
        return;
    };
    let (mut said, mut thought) = (String::new(), String::new());
    for part in parts {
        said += part["text"].as_str().unwrap_or_default();
        for part in part["thinking"].as_array().into_iter().flatten() {
            thought += part["text"].as_str().unwrap_or_default();
        }
    }
    message["content"] = json!(said);
    if !thought.is_empty() {
        message["reasoning_content"] = json!(thought);
    }
}

fn tidy(value: &mut Value) {
    match value {
        Value::Object(members) => {
            members.retain(|_, value| !value.is_null());
            members.values_mut().for_each(tidy);
        }
        Value::Array(elements) => elements.iter_mut().for_each(tidy),
        _ => {}
    }
}
