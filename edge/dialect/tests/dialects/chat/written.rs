//! Streams that are written for a client: what strict clients check, and that nothing is lost on the way.
//!
//! Knows the grammar of chunks, checked with another JSON reader.

use std::collections::{BTreeMap, BTreeSet};

use dialect::{
    Tokens,
    chat::{client::Client, encoder::Encoder},
    neutral::{Class, Delta, Error, Event, Extra, Family, Kind, Stop},
};
use serde_json::{Value, json};

use super::{
    fixture::{self, seed},
    told,
};

/// What a client gets.
pub(crate) fn encode(events: &[Event], client: Client) -> String {
    let (mut encoder, mut out) = (Encoder::new(&seed(), client), Vec::new());
    for event in events {
        encoder.push(event, &mut out);
    }
    String::from_utf8(out).unwrap()
}

/// The chunks of a stream, which is checked: one role and one end for each answer, calls numbered without gaps, and
/// `[DONE]` once if it got done.
pub(crate) fn check(stream: &str, client: Client) -> Vec<Value> {
    let mut chunks: Vec<Value> = Vec::new();
    let mut done = 0;
    for event in stream.split_terminator("\n\n") {
        if event.starts_with(':') {
            continue;
        }
        let data = event.strip_prefix("data: ").unwrap();
        assert_eq!(done, 0, "something after [DONE]");
        if data == "[DONE]" {
            done += 1;
        } else {
            chunks.push(serde_json::from_str(data).unwrap());
        }
    }
    let failed = chunks
        .last()
        .is_some_and(|chunk| chunk["error"].is_object());
    assert_eq!(done, u32::from(!failed), "{stream}");
    let (mut roles, mut ends, mut calls) = (BTreeMap::new(), BTreeSet::new(), BTreeMap::new());
    for chunk in chunks.iter().filter(|chunk| !chunk["error"].is_object()) {
        assert_eq!(chunk["object"], "chat.completion.chunk");
        assert!(chunk["id"].is_string() && chunk["created"].is_u64() && chunk["model"].is_string());
        if client.include_usage {
            assert!(chunk.get("usage").is_some());
        } else {
            assert!(chunk.get("usage").is_none_or(Value::is_null));
            assert_ne!(chunk["choices"], json!([]));
        }
        for choice in chunk["choices"].as_array().unwrap() {
            let index = choice["index"].as_u64().unwrap();
            assert!(!ends.contains(&index), "a chunk after the end");
            if choice["delta"]["role"] == "assistant" {
                *roles.entry(index).or_insert(0) += 1;
            }
            assert_eq!(roles.get(&index), Some(&1), "one role, and first");
            if choice["finish_reason"].is_string() {
                ends.insert(index);
            }
            for call in choice["delta"]["tool_calls"]
                .as_array()
                .into_iter()
                .flatten()
            {
                let begun: &mut u64 = calls.entry(index).or_insert(0);
                let number = call["index"].as_u64().unwrap();
                if call.get("id").is_some() {
                    assert_eq!(number, *begun);
                    assert!(call["function"]["name"].is_string());
                    *begun += 1;
                } else {
                    assert_eq!(number + 1, *begun);
                }
            }
        }
    }
    assert!(failed || ends.len() == roles.len());
    chunks
}

fn asked() -> Client {
    Client {
        include_usage: true,
        ..Client::default()
    }
}

#[test]
fn what_is_read_and_written_is_read_the_same_again() {
    for (name, stream) in fixture::all("stream-") {
        let events = told::decode([stream.as_bytes()]);
        for client in [asked(), Client::default()] {
            let written = encode(&events, client);
            check(&written, client);
            let again = told::decode([written.as_bytes()]);
            if name == "stream-broken-finish.sse" {
                assert!(matches!(again.last(), Some(Event::Error(_))));
                continue;
            }
            let (mut first, mut second) = (told::fold(&events), told::fold(&again));
            if !client.include_usage {
                // Groq tells it in a member of its own, too.
                first.tokens = None;
                second.tokens = None;
            }
            // Where there was none, we say when.
            second.created_seconds = first.created_seconds;
            if first.id.is_empty() {
                second.id.clear();
            }
            for choice in first.choices.iter_mut().chain(&mut second.choices) {
                // There is one word for both.
                if choice.stop == Some(Stop::ContextFull) {
                    choice.stop = Some(Stop::Length);
                }
            }
            assert_eq!(second, first, "{name}");
            let ends = |events: &[Event]| matches!(events.last(), Some(Event::Error(_)));
            assert_eq!(ends(&again), ends(&events), "{name}");
        }
    }
}

#[test]
fn members_of_this_family_go_on_and_those_of_others_do_not() {
    let events = told::decode([fixture::read("stream-plain.sse").as_bytes()]);
    assert!(encode(&events, asked()).contains("\"system_fingerprint\":\"fp_1\""));
    let azure = told::decode([fixture::read("stream-azure.sse").as_bytes()]);
    let written = encode(&azure, asked());
    assert!(written.contains("\"prompt_filter_results\":["), "{written}");
    assert!(
        written.contains("\"content_filter_results\":{\"hate\""),
        "{written}"
    );
    let other = Event::Extra(Extra::new(Family::Gemini, "secret", "1"));
    let start = Event::Start {
        id: String::new(),
        model: "m".into(),
        created_seconds: None,
    };
    assert!(!encode(&[other, start], asked()).contains("secret"));
}

#[test]
fn a_call_without_arguments_has_an_empty_object() {
    let kind = Kind::ToolCall {
        id: "a".into(),
        name: "now".into(),
    };
    let stop = Stop::End;
    let events = [
        Event::Open {
            choice: 0,
            part: 0,
            kind,
        },
        Event::Close { choice: 0, part: 0 },
        Event::Stop { choice: 0, stop },
        Event::End,
    ];
    let chunks = check(&encode(&events, Client::default()), Client::default());
    let arguments = &chunks[2]["choices"][0]["delta"]["tool_calls"][0]["function"]["arguments"];
    assert_eq!(arguments, "{}");
    assert_eq!(chunks[3]["choices"][0]["finish_reason"], "tool_calls");
    let old = Client {
        functions: true,
        ..Client::default()
    };
    let written = encode(&events, old);
    check(&written, old);
    assert!(
        written.contains("\"function_call\":{\"name\":\"now\"") && !written.contains("tool_calls")
    );
    assert!(written.contains("\"finish_reason\":\"function_call\""));
}

#[test]
fn proofs_go_to_the_client_with_their_own_thoughts() {
    let part = |part, deltas: &[Delta]| {
        let mut events = vec![Event::Open {
            choice: 0,
            part,
            kind: Kind::Reasoning,
        }];
        events.extend(deltas.iter().map(|delta| Event::Delta {
            choice: 0,
            part,
            delta: delta.clone(),
        }));
        events.push(Event::Close { choice: 0, part });
        events
    };
    let mut events = part(0, &[Delta::Text("a".into()), Delta::Signature("s".into())]);
    events.extend(part(1, &[Delta::Redacted("d".into())]));
    events.extend(part(
        2,
        &[Delta::Text("b".into()), Delta::Signature("t".into())],
    ));
    events.extend([
        Event::Stop {
            choice: 0,
            stop: Stop::End,
        },
        Event::End,
    ]);
    let chunks = check(&encode(&events, Client::default()), Client::default());
    let details: Vec<Value> = chunks
        .iter()
        .filter_map(|chunk| {
            chunk["choices"][0]["delta"]["reasoning_details"]
                .as_array()
                .cloned()
        })
        .flatten()
        .collect();
    assert_eq!(
        details,
        [
            json!({"type": "reasoning.text", "text": "a", "index": 0}),
            json!({"type": "reasoning.text", "signature": "s", "index": 0}),
            json!({"type": "reasoning.encrypted", "data": "d", "index": 1}),
            json!({"type": "reasoning.text", "text": "b", "index": 2}),
            json!({"type": "reasoning.text", "signature": "t", "index": 2}),
        ]
    );
    // A client that sends the pieces back as they came gives the thoughts back.
    let back =
        json!({"messages": [{"role": "assistant", "content": "x", "reasoning_details": details}]});
    let turn = dialect::chat::request::decode(&back.to_string())
        .unwrap()
        .turns
        .remove(0);
    let proofs: Vec<_> = turn
        .parts
        .iter()
        .filter_map(|part| match &part.content {
            dialect::neutral::Content::Reasoning { text, signature } => {
                Some((text.as_str(), signature.as_deref()))
            }
            _ => None,
        })
        .collect();
    assert_eq!(proofs, [("a", Some("s")), ("b", Some("t"))]);
}

#[test]
fn usage_is_told_to_whom_asked_alone() {
    let tokens = Tokens {
        input: 3,
        cached_input: 1,
        output: 2,
        ..Tokens::default()
    };
    let events = [
        Event::Start {
            id: "x".into(),
            model: "m".into(),
            created_seconds: Some(1),
        },
        Event::Stop {
            choice: 0,
            stop: Stop::End,
        },
        Event::Usage(tokens),
        Event::End,
    ];
    let chunks = check(&encode(&events, asked()), asked());
    let last = chunks.last().unwrap();
    assert_eq!(
        (&last["choices"], &last["usage"]["prompt_tokens"]),
        (&json!([]), &json!(4))
    );
    assert!(
        chunks[..chunks.len() - 1]
            .iter()
            .all(|chunk| chunk["usage"].is_null())
    );
    check(&encode(&events, Client::default()), Client::default());
}

#[test]
fn a_failure_has_no_done() {
    let error = Event::Error(Error::new(Class::Timeout, "late"));
    let written = encode(&[error, Event::End], asked());
    let chunks = check(&written, asked());
    assert_eq!(chunks[0]["error"]["type"], "timeout");
    let refused = [
        Event::Stop {
            choice: 0,
            stop: Stop::Refused(Some("why".into())),
        },
        Event::End,
    ];
    let chunks = check(&encode(&refused, asked()), asked());
    let end = &chunks[1]["choices"][0];
    assert_eq!(
        (&end["finish_reason"], &end["delta"]["refusal"]),
        (&json!("content_filter"), &json!("why"))
    );
    assert_eq!(encode(&[Event::Ping], asked()), ": ping\n\n");
}
