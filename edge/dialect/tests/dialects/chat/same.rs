//! What means the same in this family, brought to one form, and the target that a request was written for.
//!
//! Must never bring to one form what means something else.

use dialect::{
    chat::target::{Asking, CacheMarks, EndUser, OutputMax, Required, Target, Thoughts},
    neutral::Effort,
};
use serde_json::{Value, json};

/// A request in one form.
pub(crate) fn request(value: &Value) -> Value {
    let mut value = value.clone();
    if value["stream"] == false {
        value["stream"] = Value::Null;
    }
    if value["response_format"] == json!({"type": "text"}) {
        value["response_format"] = Value::Null;
    }
    if value["stop"].is_string() {
        value["stop"] = json!([value["stop"]]);
    }
    // Efforts that are meant without a word.
    if value["thinking"]["type"] == "disabled" {
        value["reasoning_effort"] = Value::Null;
    }
    if value["tools"] == json!([]) {
        value["tools"] = Value::Null;
    }
    for message in value["messages"].as_array_mut().into_iter().flatten() {
        self::message(message);
        if let Some(details) = message.get_mut("reasoning_details") {
            for (at, detail) in (0_u64..).zip(details.as_array_mut().into_iter().flatten()) {
                detail["index"] = json!(at);
            }
        }
    }
    tidy(&mut value);
    value
}

fn message(message: &mut Value) {
    match &message["content"] {
        Value::Array(parts) if parts.len() == 1 && parts[0].get("cache_control").is_none() => {
            if let Some(text) = parts[0]["text"].as_str()
                && parts[0].as_object().is_some_and(|part| part.len() == 2)
            {
                message["content"] = json!(text);
            }
        }
        Value::String(text) if text.is_empty() => message["content"] = Value::Null,
        _ => {}
    }
    for part in message["content"].as_array_mut().into_iter().flatten() {
        if part["image_url"].is_string() {
            part["image_url"] = json!({"url": part["image_url"]});
        }
    }
    for call in message["tool_calls"].as_array_mut().into_iter().flatten() {
        call.as_object_mut().unwrap().remove("index");
        if call["type"].is_null() {
            call["type"] = json!("function");
        }
        if call["function"]["arguments"] == "" {
            call["function"]["arguments"] = json!("{}");
        }
    }
    for list in ["tool_calls"] {
        if message[list] == json!([]) {
            message[list] = Value::Null;
        }
    }
}

/// An answer in one form.
pub(crate) fn answer(value: &Value) -> Value {
    let mut value = value.clone();
    for choice in value["choices"].as_array_mut().into_iter().flatten() {
        let message = &mut choice["message"];
        if message["reasoning"] == "" {
            message["reasoning"] = Value::Null;
        }
        self::message(message);
    }
    tidy(&mut value);
    value
}

/// Takes nulls out of every object, save what a schema or an unknown member says.
pub(crate) fn tidy(value: &mut Value) {
    match value {
        Value::Object(members) => {
            members.retain(|_, value| !value.is_null());
            for (name, value) in members.iter_mut() {
                if !matches!(name.as_str(), "parameters" | "schema") {
                    tidy(value);
                }
            }
        }
        Value::Array(elements) => elements.iter_mut().for_each(tidy),
        _ => {}
    }
}

/// The target that takes a request as it was written.
pub(crate) fn target(request: &Value) -> Target<'_> {
    let text = request.to_string();
    let has = |name: &str| !request[name].is_null();
    let either = |word: &str| text.contains(&format!("\"{word}\":"));
    Target {
        output_max: if has("max_tokens") {
            OutputMax::MaxTokens
        } else {
            OutputMax::MaxCompletionTokens
        },
        thoughts: match () {
            () if either("reasoning_details") => Thoughts::Details,
            () if either("reasoning_content") => Thoughts::Content,
            () => Thoughts::Chunks,
        },
        asking: match () {
            () if has("reasoning") => Asking::Object,
            () if has("thinking") => Asking::Thinking,
            () => Asking::Word,
        },
        efforts: &Effort::ALL,
        cache: match () {
            () if either("cache_control") => CacheMarks::Control,
            () if either("prompt_cache_breakpoint") => CacheMarks::Breakpoint,
            () => CacheMarks::None,
        },
        end_user: if has("user") {
            EndUser::User
        } else {
            EndUser::SafetyIdentifier
        },
        required: if request["tool_choice"] == "any" {
            Required::Any
        } else {
            Required::Required
        },
        seed: if has("random_seed") {
            "random_seed"
        } else {
            "seed"
        },
        top_k: true,
        document_urls: true,
        ..Target::new(request["model"].as_str().unwrap_or_default())
    }
}
