//! `POST /v1/chat/completions`: what may be asked, and what is answered.

use serde_json::{Map, Value, json};

use crate::demo::{
    generation::{Form, Generation, Stream, Wanted, tokens},
    model,
    refusal::Refusal,
    rule::{self, Rule, Shape, rule},
};

const ROLES: [&str; 6] = [
    "system",
    "assistant",
    "user",
    "function",
    "tool",
    "developer",
];
const PARTS: [&str; 5] = ["text", "image_url", "input_audio", "refusal", "file"];

/// Each message costs a few tokens beside its words.
const MESSAGE_TOKENS: u64 = 3;

const RULES: [Rule; 35] = [
    rule("model", Shape::Any),
    rule("messages", Shape::Any),
    rule("audio", Shape::Object),
    rule("frequency_penalty", Shape::Number(-2.0, 2.0)),
    rule("function_call", Shape::Any),
    rule("functions", Shape::Objects),
    rule("logit_bias", Shape::Object),
    rule("logprobs", Shape::Boolean),
    rule("max_completion_tokens", Shape::Integer(1, 1_000_000)),
    rule("max_tokens", Shape::Integer(1, 1_000_000)),
    rule("metadata", Shape::Object),
    rule("modalities", Shape::Texts(2)),
    rule("n", Shape::Integer(1, 128)),
    rule("parallel_tool_calls", Shape::Boolean),
    rule("prediction", Shape::Object),
    rule("presence_penalty", Shape::Number(-2.0, 2.0)),
    rule("prompt_cache_key", Shape::Text),
    rule("prompt_cache_retention", Shape::Text),
    rule("reasoning_effort", Shape::Text),
    rule("response_format", Shape::Object),
    rule("safety_identifier", Shape::Text),
    rule("seed", Shape::Integer(i64::MIN, i64::MAX)),
    rule("service_tier", Shape::Text),
    rule("stop", Shape::Texts(4)),
    rule("store", Shape::Boolean),
    rule("stream", Shape::Boolean),
    rule("stream_options", Shape::Object),
    rule("temperature", Shape::Number(0.0, 2.0)),
    rule("tool_choice", Shape::Any),
    rule("tools", Shape::Objects),
    rule("top_logprobs", Shape::Integer(0, 20)),
    rule("top_p", Shape::Number(0.0, 1.0)),
    rule("user", Shape::Text),
    rule("verbosity", Shape::OneOf(&["low", "medium", "high"])),
    rule("web_search_options", Shape::Object),
];

/// Answers.
pub fn answer(body: &Map<String, Value>, now_seconds: u64) -> Result<Generation, Refusal> {
    model::asked(body, model::CHAT)?;
    let messages = messages(rule::required(body, "messages")?)?;
    rule::check(body, &RULES)?;
    let tokens_max = body
        .get("max_completion_tokens")
        .or_else(|| body.get("max_tokens"));
    let wanted = Wanted {
        form: Form::Chat,
        choices: body.get("n").and_then(Value::as_u64).unwrap_or(1),
        tokens_max: tokens_max.and_then(Value::as_u64),
        stops: rule::texts(body.get("stop")),
        prompt_tokens: messages
            .iter()
            .map(|(_, text)| tokens(text) + MESSAGE_TOKENS)
            .sum(),
        stream: stream(body)?,
    };
    let heard = messages
        .iter()
        .rev()
        .find(|(role, _)| role == "user")
        .map_or("", |(_, text)| text);
    let text = match body.get("response_format").map(|format| &format["type"]) {
        Some(Value::String(kind)) if kind == "json_object" => {
            json!({ "you_said": heard }).to_string()
        }
        Some(Value::String(kind)) if kind != "text" => {
            let known = ["text", "json_object"];
            return Err(rule::unknown_value("response_format.type", kind, &known));
        }
        _ if heard.is_empty() => "I am the demo provider, and I heard nothing.".to_owned(),
        _ => format!("I am the demo provider, and I say back what I hear: {heard}"),
    };
    Ok(Generation::new(&text, wanted, now_seconds))
}

/// How the answer is streamed, if it is.
pub fn stream(body: &Map<String, Value>) -> Result<Option<Stream>, Refusal> {
    let streamed = body.get("stream") == Some(&Value::Bool(true));
    let options = body.get("stream_options").and_then(Value::as_object);
    match (streamed, options) {
        (false, Some(_)) => {
            let message =
                "The 'stream_options' parameter is only allowed when 'stream' is enabled.";
            Err(Refusal::invalid(
                "invalid_value",
                "stream_options",
                message.to_owned(),
            ))
        }
        (false, None) => Ok(None),
        (true, None) => Ok(Some(Stream::default())),
        (true, Some(options)) => {
            let rules = [
                rule("include_usage", Shape::Boolean),
                rule("include_obfuscation", Shape::Boolean),
            ];
            rule::check(options, &rules)?;
            let include_usage = options.get("include_usage") == Some(&Value::Bool(true));
            Ok(Some(Stream { include_usage }))
        }
    }
}

/// The roles and texts of the messages.
fn messages(value: &Value) -> Result<Vec<(String, String)>, Refusal> {
    let wrong = || Refusal::wrong_type("messages", "an array of objects", value);
    let items = value.as_array().ok_or_else(wrong)?;
    if items.is_empty() {
        let message = "Invalid 'messages': empty array. Expected an array with minimum length 1, but got \
                       an empty array instead.";
        return Err(Refusal::invalid(
            "empty_array",
            "messages",
            message.to_owned(),
        ));
    }
    items
        .iter()
        .enumerate()
        .map(|(at, item)| message(&format!("messages[{at}]"), item))
        .collect()
}

fn message(here: &str, item: &Value) -> Result<(String, String), Refusal> {
    let item = item
        .as_object()
        .ok_or_else(|| Refusal::wrong_type(here, "an object", item))?;
    let role = match item.get("role") {
        None => return Err(Refusal::missing(&format!("{here}.role"))),
        Some(Value::String(role)) if ROLES.contains(&role.as_str()) => role.clone(),
        Some(Value::String(role)) => {
            return Err(rule::unknown_value(&format!("{here}.role"), role, &ROLES));
        }
        Some(other) => {
            return Err(Refusal::wrong_type(
                &format!("{here}.role"),
                "a string",
                other,
            ));
        }
    };
    let calls = item.contains_key("tool_calls") || item.contains_key("function_call");
    let here = format!("{here}.content");
    let text = match item.get("content") {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(parts)) => parts_text(&here, parts)?,
        // An assistant that called a tool had nothing else to say.
        None | Some(Value::Null) if role == "assistant" && calls => String::new(),
        None => return Err(Refusal::missing(&here)),
        Some(other) => {
            return Err(Refusal::wrong_type(
                &here,
                "a string or an array of objects",
                other,
            ));
        }
    };
    Ok((role, text))
}

fn parts_text(here: &str, parts: &[Value]) -> Result<String, Refusal> {
    let mut texts = Vec::new();
    for (at, part) in parts.iter().enumerate() {
        let here = format!("{here}[{at}]");
        match part["type"].as_str() {
            Some("text") => match &part["text"] {
                Value::String(text) => texts.push(text.as_str()),
                Value::Null => return Err(Refusal::missing(&format!("{here}.text"))),
                other => {
                    return Err(Refusal::wrong_type(
                        &format!("{here}.text"),
                        "a string",
                        other,
                    ));
                }
            },
            Some(kind) if PARTS.contains(&kind) => {}
            Some(kind) => return Err(rule::unknown_value(&format!("{here}.type"), kind, &PARTS)),
            None => return Err(Refusal::missing(&format!("{here}.type"))),
        }
    }
    Ok(texts.join(" "))
}

#[cfg(test)]
#[path = "chat_test.rs"]
mod tests;
