//! Streams to clients: the grammar that clients with types check.
//!
//! Owns a client's accumulator, which is as strict as theirs. Knows nothing of providers' faults.

use dialect::{
    Tier, Tokens,
    neutral::{Class, Delta, Error, Event, Extra, Family, Kind, Request, Stop},
    responses::{answer, echo::Echo, encoder::Encoder, request},
    sse,
};
use serde_json::{Value, json};

use super::{bare, decode, fixture, fixtures, fold, normal, seed, streams::whole};

fn encode(events: &[Event], echo: Echo) -> String {
    let (mut encoder, mut out) = (Encoder::new(&seed(), echo), Vec::new());
    for event in events {
        encoder.push(event, &mut out);
    }
    String::from_utf8(out).unwrap()
}

/// Reads a stream as a strict client does: every number in order, everything that begins ends, every piece belongs to
/// what is open, and the end repeats the whole. Gives the last response.
pub(super) fn accumulate(stream: &str) -> Value {
    let (mut items, mut open, mut last) = (Vec::<Value>::new(), None::<Value>, Value::Null);
    let mut parts_open = 0;
    let mut lines = Vec::new();
    for block in stream
        .split_terminator("\n\n")
        .filter(|it| !it.starts_with(':'))
    {
        let read = sse::read(block.as_bytes());
        let event: Value = serde_json::from_slice(&read.data).unwrap();
        let kind = event["type"].as_str().unwrap().to_owned();
        assert_eq!(read.name, Some(kind.as_bytes()));
        assert_eq!(event["sequence_number"], lines.len(), "{block}");
        lines.push(kind.clone());
        let at = &event["output_index"];
        match kind.as_str() {
            "response.created" | "response.in_progress" => {
                assert!(items.is_empty() && open.is_none());
                assert_eq!(event["response"]["status"], "in_progress");
                assert_eq!(event["response"]["output"], json!([]));
                assert!(event["response"]["usage"].is_null());
                required(&event["response"]);
            }
            "response.output_item.added" => {
                assert!(open.is_none(), "{block}");
                assert_eq!(*at, items.len());
                open = Some(event["item"].clone());
            }
            "response.output_item.done" => {
                let begun = open.take().unwrap();
                assert_eq!((at, parts_open), (&json!(items.len()), 0));
                for same in ["id", "type", "call_id", "name"] {
                    assert_eq!(begun[same], event["item"][same], "{same}");
                }
                for grown in ["arguments", "input"] {
                    assert_eq!(begun[grown], event["item"][grown], "{grown}");
                }
                if begun["type"] == "message" {
                    assert_eq!(begun["content"], event["item"]["content"]);
                }
                if begun["type"] == "reasoning" {
                    assert_eq!(begun["summary"], event["item"]["summary"]);
                }
                items.push(event["item"].clone());
            }
            "error" => {
                assert_eq!(event["message"], event["error"]["message"]);
            }
            "response.completed" | "response.incomplete" | "response.failed" => {
                assert!(open.is_none());
                last = event["response"].clone();
                assert_eq!(last["output"], json!(items));
                assert_eq!(
                    format!("response.{}", last["status"].as_str().unwrap()),
                    kind
                );
                required(&last);
            }
            _ => {
                let item = open.as_mut().unwrap();
                assert_eq!((at, &event["item_id"]), (&json!(items.len()), &item["id"]));
                parts_open += grow(item, &kind, &event);
            }
        }
    }
    last
}

/// Puts an event into the item that is open, and tells how many parts more are open then.
fn grow(item: &mut Value, kind: &str, event: &Value) -> i32 {
    let add = |text: &mut Value| {
        let grown = format!(
            "{}{}",
            text.as_str().unwrap(),
            event["delta"].as_str().unwrap()
        );
        *text = json!(grown);
    };
    let place = event["content_index"]
        .as_u64()
        .map(|at| usize::try_from(at).unwrap());
    match kind {
        "response.content_part.added" => {
            let parts = item["content"].as_array_mut().unwrap();
            assert_eq!(place, Some(parts.len()));
            parts.push(event["part"].clone());
            return 1;
        }
        "response.output_text.delta" => {
            assert_eq!(event["logprobs"], json!([]));
            add(&mut item["content"][place.unwrap()]["text"]);
        }
        "response.refusal.delta" => add(&mut item["content"][place.unwrap()]["refusal"]),
        "response.output_text.annotation.added" => {
            let notes = item["content"][place.unwrap()]["annotations"]
                .as_array_mut()
                .unwrap();
            assert_eq!(event["annotation_index"], notes.len());
            notes.push(event["annotation"].clone());
        }
        "response.output_text.done" => {
            assert_eq!(event["text"], item["content"][place.unwrap()]["text"]);
        }
        "response.refusal.done" => {
            assert_eq!(event["refusal"], item["content"][place.unwrap()]["refusal"]);
        }
        "response.content_part.done" => {
            assert_eq!(event["part"], item["content"][place.unwrap()]);
            return -1;
        }
        "response.function_call_arguments.delta" => add(&mut item["arguments"]),
        "response.function_call_arguments.done" => {
            assert_eq!(event["arguments"], item["arguments"]);
        }
        "response.custom_tool_call_input.delta" => add(&mut item["input"]),
        "response.custom_tool_call_input.done" => assert_eq!(event["input"], item["input"]),
        "response.reasoning_summary_part.added" => {
            let parts = item["summary"].as_array_mut().unwrap();
            assert_eq!(event["summary_index"], parts.len());
            parts.push(event["part"].clone());
            return 1;
        }
        "response.reasoning_summary_text.delta" => add(&mut item["summary"][0]["text"]),
        "response.reasoning_summary_text.done" => {
            assert_eq!(event["text"], item["summary"][0]["text"]);
        }
        "response.reasoning_summary_part.done" => {
            assert_eq!(event["part"], item["summary"][0]);
            return -1;
        }
        other => panic!("{other} is no event of this dialect"),
    }
    0
}

/// What clients with types read from every response without asking.
fn required(response: &Value) {
    let members = response.as_object().unwrap();
    for name in [
        "id",
        "object",
        "created_at",
        "status",
        "model",
        "output",
        "parallel_tool_calls",
        "tool_choice",
        "tools",
        "error",
        "incomplete_details",
        "instructions",
        "metadata",
        "temperature",
        "top_p",
        "usage",
        "text",
        "reasoning",
        "max_output_tokens",
        "truncation",
        "previous_response_id",
        "store",
        "user",
        "service_tier",
        "top_logprobs",
        "background",
    ] {
        assert!(members.contains_key(name), "{name} is missing");
    }
    assert_eq!(response["object"], "response");
    assert!(response["id"].as_str().unwrap().starts_with("resp_"));
}

#[test]
fn a_stream_goes_through_and_says_the_same() {
    for name in fixtures("stream-") {
        let request = request::decode(&fixture("request-kept.json")).unwrap();
        let events = decode([fixture(&name).as_bytes()]);
        let written = encode(&events, Echo::of(&request));
        let last = accumulate(&written);
        let again = decode([written.as_bytes()]);
        let (said, stop, tokens) = bare(&fold(&again));
        let expected = bare(&fold(&events));
        // What is echoed of a request names the tier that was asked for, and not the one that served.
        let counted = |tokens: Option<Tokens>| tokens.map(|it| it.served(Tier::Standard));
        assert_eq!((said, stop), (expected.0, expected.1), "{name}");
        // What a failed stream used stands in its very last event, behind the one that ends it for a reader.
        assert!(
            counted(tokens) == counted(expected.2) || last["status"] == "failed",
            "{name}"
        );
        // And the whole answer is written as the stream accumulates.
        if let Some(response) = whole(&fixture(&name)) {
            let mut answer = answer::decode(&response, &seed()).unwrap();
            answer.extra.clear();
            for part in &mut answer.choices[0].parts {
                part.extra
                    .retain(|it| matches!(it.name.as_str(), "annotations" | "input"));
            }
            let written = answer::encode_for(&answer, &seed(), &Echo::of(&request));
            let written: Value = serde_json::from_slice(&written).unwrap();
            assert_eq!(normal(&written), normal(&last), "{name}");
        }
    }
}

#[test]
fn the_end_repeats_what_was_asked() {
    let request = request::decode(&fixture("request-tools.json")).unwrap();
    let events = decode([fixture("stream-tools.sse").as_bytes()]);
    let last = accumulate(&encode(&events, Echo::of(&request)));
    let asked: Value = serde_json::from_str(&fixture("request-tools.json")).unwrap();
    for name in [
        "instructions",
        "tool_choice",
        "parallel_tool_calls",
        "reasoning",
        "store",
    ] {
        assert_eq!(last[name], asked[name], "{name}");
    }
    assert_eq!(last["tools"][0], asked["tools"][0]);
    assert_eq!(last["text"], json!({"format": {"type": "text"}}));
    assert_eq!(last["usage"]["input_tokens_details"]["cached_tokens"], 32);
    assert_eq!(last["usage"]["total_tokens"], 71);
}

fn open(part: u32, kind: Kind) -> Event {
    Event::Open {
        choice: 0,
        part,
        kind,
    }
}

fn delta(part: u32, delta: Delta) -> Event {
    Event::Delta {
        choice: 0,
        part,
        delta,
    }
}

const fn close(part: u32) -> Event {
    Event::Close { choice: 0, part }
}

fn stop(stop: Stop) -> Event {
    Event::Stop { choice: 0, stop }
}

fn call(name: &str) -> Kind {
    Kind::ToolCall {
        id: "toolu_1".to_owned(),
        name: name.to_owned(),
    }
}

#[test]
fn another_familys_stream_is_one_of_ours() {
    let last = accumulate(&encode(
        &[
            Event::Ping,
            Event::Start {
                id: "msg_01".to_owned(),
                model: "claude".to_owned(),
                created_seconds: None,
            },
            open(0, Kind::Reasoning),
            delta(0, Delta::Text("Hm.".to_owned())),
            delta(0, Delta::Signature("sig".to_owned())),
            close(0),
            open(1, Kind::Reasoning),
            delta(1, Delta::Redacted("blob".to_owned())),
            close(1),
            open(2, Kind::Reasoning),
            close(2),
            open(3, Kind::Text),
            delta(3, Delta::Text("A".to_owned())),
            close(3),
            Event::Extra(Extra::new(Family::Messages, "citation", "{}")),
            open(4, Kind::Text),
            delta(4, Delta::Text("B".to_owned())),
            close(4),
            open(5, call("now")),
            close(5),
            stop(Stop::ToolCalls),
            Event::End,
        ],
        Echo::of(&Request {
            model: "public".to_owned(),
            ..Request::default()
        }),
    ));
    assert_eq!(last["id"], "resp_01");
    assert_eq!(last["model"], "claude");
    assert_eq!(last["created_at"], seed().now_seconds);
    let output = last["output"].as_array().unwrap();
    let kinds: Vec<&str> = output
        .iter()
        .map(|it| it["type"].as_str().unwrap())
        .collect();
    assert_eq!(
        kinds,
        ["reasoning", "reasoning", "message", "function_call"]
    );
    assert_eq!(output[0]["encrypted_content"], "sig");
    assert_eq!(output[1]["encrypted_content"], "redacted:blob");
    assert_eq!(output[2]["content"].as_array().unwrap().len(), 2);
    assert_eq!(output[3]["arguments"], "{}");
    assert_eq!(output[3]["call_id"], "toolu_1");
    assert!(last["usage"].is_null());
}

#[test]
fn what_another_family_sealed_comes_back_sealed() {
    let body = r#"{"model":"m","input":[{"type":"reasoning","summary":[],"encrypted_content":"redacted:blob"}]}"#;
    let request = request::decode(body).unwrap();
    let sealed = dialect::neutral::Content::RedactedReasoning("blob".to_owned());
    assert_eq!(request.turns[0].parts[0].content, sealed);
    super::round_trips::again(body);
}

#[test]
fn a_custom_call_is_told_as_one() {
    let request = request::decode(&fixture("request-kept.json")).unwrap();
    let events = [
        open(0, call("patch")),
        delta(0, Delta::Arguments("{\"inp".to_owned())),
        delta(0, Delta::Arguments("ut\":\"a\\nb\"}".to_owned())),
        close(0),
        stop(Stop::ToolCalls),
        Event::End,
    ];
    let last = accumulate(&encode(&events, Echo::of(&request)));
    assert_eq!(last["output"][0]["type"], "custom_tool_call");
    assert_eq!(last["output"][0]["input"], "a\nb");
}

#[test]
fn what_was_cut_off_says_so() {
    let cases = [
        (Stop::Length, "max_output_tokens"),
        (Stop::ContextFull, "max_output_tokens"),
        (Stop::Filtered, "content_filter"),
    ];
    for (why, reason) in cases {
        let events = [
            open(0, call("f")),
            delta(0, Delta::Arguments("{\"x\":48".to_owned())),
            close(0),
            stop(why),
            Event::End,
        ];
        let last = accumulate(&encode(&events, Echo::default()));
        assert_eq!(last["status"], "incomplete");
        assert_eq!(last["incomplete_details"]["reason"], reason);
        assert_eq!(last["output"][0]["status"], "incomplete");
    }
}

#[test]
fn an_error_ends_a_stream_with_both_its_events_and_nothing_more() {
    let events = [
        open(0, Kind::Text),
        delta(0, Delta::Text("Hi".to_owned())),
        close(0),
        Event::Error(Error::new(Class::Overloaded, "no room")),
        Event::End,
    ];
    let stream = encode(&events, Echo::default());
    let last = accumulate(&stream);
    assert_eq!(
        last["error"],
        json!({"code": "overloaded", "message": "no room"})
    );
    assert_eq!(last["output"][0]["status"], "incomplete");
    assert_eq!(stream.matches("event: error\n").count(), 1);
    assert!(!stream.contains("response.completed") && !stream.contains("[DONE]"));
    // Before anything else, too.
    let alone = encode(&events[3..], Echo::default());
    assert_eq!(accumulate(&alone)["status"], "failed");
}

#[test]
fn the_same_events_give_the_same_bytes() {
    let events = decode([fixture("stream-reasoning.sse").as_bytes()]);
    let once = encode(&events, Echo::default());
    assert_eq!(once, encode(&events, Echo::default()));
}
