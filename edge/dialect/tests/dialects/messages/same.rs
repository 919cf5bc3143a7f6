//! What means the same in this family, brought to one form.
//!
//! A string is one text part; null, false where that is the default, and a count of 0 are as good as absent. Must
//! never bring to one form what means something else.

use serde_json::{Value, json};

pub(crate) fn request(value: &Value) -> Value {
    let mut value = value.clone();
    tidy(&mut value, &["stream", "is_error"]);
    blocks(&mut value["system"]);
    for message in value["messages"].as_array_mut().into_iter().flatten() {
        blocks(&mut message["content"]);
    }
    tidy(&mut value, &[]);
    value
}

pub(crate) fn answer(value: &Value) -> Value {
    let mut value = value.clone();
    for name in ["cache_creation", "output_tokens_details", "server_tool_use"] {
        counts(&mut value["usage"][name]);
    }
    counts(&mut value["usage"]);
    tidy(&mut value, &[]);
    value
}

/// Takes counts of 0 out, and what is left empty.
fn counts(usage: &mut Value) {
    if let Some(members) = usage.as_object_mut() {
        members.retain(|_, value| *value != json!(0));
        if members.is_empty() {
            *usage = Value::Null;
        }
    }
}

/// A string becomes a list of one block.
fn blocks(content: &mut Value) {
    if let Some(text) = content.as_str() {
        *content = json!([{"type": "text", "text": text}]);
    }
    for block in content.as_array_mut().into_iter().flatten() {
        if block["type"] == "tool_result" {
            blocks(&mut block["content"]);
        }
    }
}

/// Takes nulls out, and these members where they are false.
fn tidy(value: &mut Value, flags: &[&str]) {
    match value {
        Value::Object(members) => {
            members.retain(|name, value| {
                !(value.is_null() || *value == false && flags.contains(&name.as_str()))
            });
            members.values_mut().for_each(|value| tidy(value, flags));
        }
        Value::Array(elements) => elements.iter_mut().for_each(|value| tidy(value, flags)),
        _ => {}
    }
}
