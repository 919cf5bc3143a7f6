//! A client as strict as the official libraries: it reads a stream and puts the message together.
//!
//! Knows the grammar of the wire, with another JSON reader than ours.

use serde_json::{Value, json};

/// What a stream came to.
pub(crate) struct Heard {
    /// The message, or null if it never began.
    pub(crate) message: Value,
    /// The error that ended it.
    pub(crate) error: Option<Value>,
    /// All events in order.
    pub(crate) events: Vec<Value>,
}

/// Reads a whole stream.
pub(crate) fn hear(stream: &[u8]) -> Heard {
    let text = str::from_utf8(stream).unwrap();
    let mut heard = Heard {
        message: Value::Null,
        error: None,
        events: Vec::new(),
    };
    let mut open = None;
    let mut stopped = false;
    for event in text.split_inclusive("\n\n") {
        assert!(event.ends_with("\n\n"), "cut: {event}");
        if event.starts_with(':') {
            continue;
        }
        let mut lines = event.trim_end_matches('\n').split('\n');
        let name = lines.next().and_then(|line| line.strip_prefix("event: "));
        let data = lines.next().and_then(|line| line.strip_prefix("data: "));
        assert_eq!(lines.next(), None, "{event}");
        let data: Value = serde_json::from_str(data.expect(event)).expect(event);
        assert_eq!(name, data["type"].as_str(), "{event}");
        assert!(!stopped && heard.error.is_none(), "behind the end: {event}");
        take(&mut heard, &mut open, &mut stopped, &data);
        heard.events.push(data);
    }
    assert!(stopped != heard.error.is_some(), "no end: {text}");
    assert!(open.is_none() || heard.error.is_some(), "open: {text}");
    heard
}

fn take(heard: &mut Heard, open: &mut Option<String>, stopped: &mut bool, data: &Value) {
    let message = &mut heard.message;
    match data["type"].as_str().unwrap() {
        "message_start" => {
            assert!(message.is_null(), "it begins twice");
            assert_eq!(data["message"]["content"], json!([]));
            assert!(data["message"]["usage"]["input_tokens"].is_u64());
            *message = data["message"].clone();
        }
        "content_block_start" => {
            assert!(open.is_none(), "blocks interleave");
            let content = message["content"].as_array_mut().expect("not begun");
            assert_eq!(data["index"], content.len());
            content.push(data["content_block"].clone());
            *open = Some(String::new());
        }
        "content_block_delta" => {
            let content = message["content"].as_array_mut().unwrap();
            assert_eq!(data["index"], content.len() - 1);
            grow(
                content.last_mut().unwrap(),
                open.as_mut().expect("closed"),
                &data["delta"],
            );
        }
        "content_block_stop" => {
            let content = message["content"].as_array_mut().unwrap();
            assert_eq!(data["index"], content.len() - 1);
            let arguments = open.take().expect("closed");
            let block = content.last_mut().unwrap();
            if !arguments.is_empty() {
                // What was cut short stays text.
                block["input"] = serde_json::from_str(&arguments).unwrap_or(json!(arguments));
            }
        }
        "message_delta" => {
            assert!(open.is_none(), "a block is open");
            for (name, value) in data["delta"].as_object().unwrap() {
                message[name] = value.clone();
            }
            for (name, value) in data["usage"].as_object().unwrap() {
                message["usage"][name] = value.clone();
            }
            for (name, value) in data.as_object().unwrap() {
                if !matches!(name.as_str(), "type" | "delta" | "usage") {
                    message[name] = value.clone();
                }
            }
        }
        "message_stop" => {
            assert!(message["stop_reason"].is_string(), "no reason");
            *stopped = true;
        }
        "error" => heard.error = Some(data["error"].clone()),
        _ => assert!(!message.is_null(), "before the beginning: {data}"),
    }
}

fn grow(block: &mut Value, arguments: &mut String, delta: &Value) {
    let piece = |name: &str| delta[name].as_str().unwrap_or_else(|| panic!("{delta}"));
    let extend = |value: &mut Value, piece: &str| {
        *value = json!(format!("{}{piece}", value.as_str().unwrap()));
    };
    match (
        delta["type"].as_str().unwrap(),
        block["type"].as_str().unwrap(),
    ) {
        ("text_delta", "text") => extend(&mut block["text"], piece("text")),
        ("thinking_delta", "thinking") => extend(&mut block["thinking"], piece("thinking")),
        ("signature_delta", "thinking") => block["signature"] = json!(piece("signature")),
        ("input_json_delta", "tool_use" | "server_tool_use") => {
            arguments.push_str(piece("partial_json"));
        }
        ("citations_delta", "text") => {
            if let Some(citations) = block["citations"].as_array_mut() {
                citations.push(delta["citation"].clone());
            } else {
                block["citations"] = json!([delta["citation"].clone()]);
            }
        }
        ("compaction_delta", "compaction") => {
            for name in ["content", "encrypted_content"] {
                if !delta[name].is_null() {
                    block[name] = delta[name].clone();
                }
            }
        }
        (delta, block) => panic!("{delta} in {block}"),
    }
}
