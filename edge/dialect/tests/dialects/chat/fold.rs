//! Neutral events and chunks: whether they keep their grammar, and what they come to.
//!
//! Knows one answer per stream.

use std::collections::BTreeMap;

use dialect::neutral::Event;
use serde_json::{Value, json};

/// Checks the grammar of `neutral::Event`. Whether the stream ended well.
pub(crate) fn grammar(events: &[Event]) -> bool {
    let (mut started, mut ended) = (false, None);
    let (mut open, mut parts) = (BTreeMap::new(), BTreeMap::new());
    for event in events {
        assert_eq!(ended, None, "something follows the end: {events:?}");
        match event {
            Event::Start { .. } => assert!(!std::mem::replace(&mut started, true)),
            Event::Open { choice, part, .. } => {
                assert!(
                    started && open.insert(*choice, *part).is_none(),
                    "{events:?}"
                );
                let next = parts.entry(*choice).or_insert(0);
                assert_eq!(next, part, "{events:?}");
                *next += 1;
            }
            Event::Delta { choice, part, .. } => assert_eq!(open.get(choice), Some(part)),
            Event::Close { choice, part } => assert_eq!(open.remove(choice), Some(*part)),
            Event::Stop { .. } => assert!(open.is_empty()),
            Event::Usage(_) | Event::Extra(_) => assert!(started),
            Event::Ping => {}
            Event::Error(_) => ended = Some(false),
            Event::End => ended = Some(true),
        }
    }
    assert!(open.is_empty(), "a part stays open: {events:?}");
    ended.unwrap_or_else(|| panic!("no end: {events:?}"))
}

/// What a client heard of its first answer; checks the grammar of the chunks if it is `strict`.
pub(crate) fn client(stream: &str, strict: bool) -> Value {
    let mut heard = json!({"content": "", "reasoning": "", "refusal": "", "calls": []});
    let (mut roles, mut finishes, mut done) = (0, 0, 0);
    let mut calls: Vec<[String; 3]> = Vec::new();
    for line in stream.lines() {
        let Some(data) = line.strip_prefix("data: ") else {
            continue;
        };
        assert!(!strict || done == 0, "something follows the end: {stream}");
        if data.starts_with("[DONE]") {
            done += 1;
            continue;
        }
        let chunk: Value = serde_json::from_str(data).unwrap();
        if chunk["error"].is_object() {
            heard["error"] = chunk["error"].clone();
        }
        if chunk["usage"].is_object() {
            heard["total"] = chunk["usage"]["total_tokens"].clone();
        }
        let choice = &chunk["choices"][0];
        let delta = &choice["delta"];
        roles += u32::from(delta["role"].is_string());
        if choice["finish_reason"].is_string() {
            finishes += 1;
            heard["finish"] = choice["finish_reason"].clone();
        }
        for (to, from) in [
            ("content", "content"),
            ("reasoning", "reasoning_content"),
            ("reasoning", "reasoning"),
            ("refusal", "refusal"),
        ] {
            let piece = delta[from].as_str().unwrap_or_default();
            heard[to] = json!(heard[to].as_str().unwrap().to_owned() + piece);
        }
        // Mistral's content is a list, with its thoughts in it.
        for part in delta["content"].as_array().into_iter().flatten() {
            let mut add = |to: &str, piece: &Value| {
                let piece = piece.as_str().unwrap_or_default();
                heard[to] = json!(heard[to].as_str().unwrap().to_owned() + piece);
            };
            add("content", &part["text"]);
            for thought in part["thinking"].as_array().into_iter().flatten() {
                add("reasoning", &thought["text"]);
            }
        }
        for call in delta["tool_calls"].as_array().into_iter().flatten() {
            let index = usize::try_from(call["index"].as_u64().unwrap_or(0)).unwrap();
            if index == calls.len() {
                calls.push(Default::default());
            }
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            calls[index][0] += &text(&call["id"]);
            calls[index][1] += &text(&call["function"]["name"]);
            calls[index][2] += &text(&call["function"]["arguments"]);
        }
    }
    heard["calls"] = json!(calls);
    heard["done"] = json!(done);
    if strict {
        assert!(roles <= 1 && finishes <= 1 && done <= 1, "{stream}");
        assert_eq!(done == 1, heard["error"].is_null(), "{stream}");
        assert!(done == 0 || finishes == 1, "{stream}");
    }
    heard
}
