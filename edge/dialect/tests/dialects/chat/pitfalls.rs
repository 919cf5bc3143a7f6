//! What others have got wrong in this family, by the numbers of the protocol notes.
//!
//! Knows one case of each; what is proved elsewhere is not repeated.

use dialect::{
    chat::{
        request,
        target::{Target, Thoughts},
    },
    neutral::{Content, Event, Part, Request, Role, Turn},
};
use serde_json::{Value, json};

use super::{fixture, told};

fn text(events: &[Event]) -> String {
    let answer = told::fold(events);
    let texts = answer.choices[0]
        .parts
        .iter()
        .filter_map(|part| match &part.content {
            Content::Text(text) => Some(text.as_str()),
            _ => None,
        });
    texts.collect()
}

fn written(turns: Vec<Turn>, target: &Target<'_>) -> Value {
    let encoded = request::encode(
        &Request {
            turns,
            ..Request::default()
        },
        target,
    )
    .unwrap();
    serde_json::from_slice(&encoded.body).unwrap()
}

fn call(id: &str) -> Part {
    Part::new(Content::ToolCall {
        id: id.into(),
        name: "now".into(),
        arguments: "{}".into(),
    })
}

fn result(id: &str) -> Part {
    let parts = vec![Part::text("12:00")];
    Part::new(Content::ToolResult {
        id: id.into(),
        name: None,
        parts,
        failed: false,
    })
}

#[test]
fn p01_p02_p03_letters_line_ends_and_separators_survive_any_cut() {
    let stream = fixture::read("stream-crlf.sse");
    for size in 1..40 {
        let events = told::decode(stream.as_bytes().chunks(size));
        assert_eq!(text(&events), "žluťoučký 🐎\u{2028} kůň");
    }
}

#[test]
fn p05_a_call_without_arguments_is_an_empty_object() {
    let body = json!({"messages": [{"role": "assistant", "tool_calls": [
        {"id": "a", "type": "function", "function": {"name": "now", "arguments": ""}},
        {"id": "b", "type": "function", "function": {"name": "now", "arguments": null}},
        {"id": "c", "type": "function", "function": {"name": "now"}},
        {"id": "d", "type": "function", "function": {"name": "now", "arguments": {}}},
    ]}]});
    for part in &request::decode(&body.to_string()).unwrap().turns[0].parts {
        assert!(matches!(&part.content, Content::ToolCall { arguments, .. } if arguments == "{}"));
    }
}

#[test]
fn p07_results_stand_right_behind_their_calls() {
    let turns = vec![
        Turn::new(Role::Assistant, vec![call("a"), call("b")]),
        Turn::new(
            Role::User,
            vec![Part::text("Go on."), result("a"), result("b")],
        ),
    ];
    let body = written(turns, &Target::new("m"));
    let roles: Vec<&Value> = body["messages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|message| &message["role"])
        .collect();
    assert_eq!(roles, ["assistant", "tool", "tool", "user"]);
}

#[test]
fn p13_p27_empty_words_open_no_part() {
    let events = told::decode([fixture::read("stream-zero-arguments.sse").as_bytes()]);
    assert_eq!(told::fold(&events).choices[0].parts.len(), 1);
    let body = r#"{"messages":[{"role":"user","content":""},{"role":"assistant","content":""}]}"#;
    let request = request::decode(body).unwrap();
    assert!(request.turns.iter().all(|turn| turn.parts.is_empty()));
}

#[test]
fn p18_deepseek_gets_its_thoughts_back() {
    let request = request::decode(&fixture::read("request-reasoning-content.json")).unwrap();
    let target = Target {
        thoughts: Thoughts::Content,
        ..Target::compatible("m")
    };
    let encoded = request::encode(&request, &target).unwrap();
    let body: Value = serde_json::from_slice(&encoded.body).unwrap();
    assert_eq!(body["messages"][1]["reasoning_content"], "I need the time.");
}

#[test]
fn p24_the_same_request_has_the_same_bytes() {
    for (name, body) in fixture::all("request-") {
        let read = || request::decode(&body).unwrap();
        let target = Target {
            document_urls: true,
            ..Target::new("m")
        };
        let bytes = || request::encode(&read(), &target).unwrap().body;
        assert_eq!(bytes(), bytes(), "{name}");
    }
}

#[test]
fn p29_a_stop_behind_a_call_is_a_call() {
    let events = told::decode([fixture::read("stream-zero-arguments.sse").as_bytes()]);
    let stop = dialect::neutral::Stop::ToolCalls;
    assert!(events.contains(&Event::Stop { choice: 0, stop }));
}

#[test]
fn p32_calls_in_turns_of_their_own_are_one_message() {
    let turns = vec![
        Turn::new(Role::Assistant, vec![Part::text("Let me see."), call("a")]),
        Turn::new(Role::Assistant, vec![call("b")]),
        Turn::new(Role::User, vec![result("a")]),
        Turn::new(Role::User, vec![result("b")]),
        Turn::new(Role::Assistant, vec![Part::text("Noon.")]),
        Turn::new(Role::Assistant, vec![Part::text("Indeed.")]),
    ];
    let body = written(turns, &Target::new("m"));
    let messages = body["messages"].as_array().unwrap();
    let roles: Vec<&Value> = messages.iter().map(|message| &message["role"]).collect();
    assert_eq!(
        roles,
        ["assistant", "tool", "tool", "assistant", "assistant"]
    );
    assert_eq!(messages[0]["tool_calls"].as_array().unwrap().len(), 2);
    assert_eq!(messages[0]["content"], "Let me see.");
}

#[test]
fn p35_a_false_wish_for_usage_is_one_and_chunks_without_choices_are_read() {
    let body = r#"{"messages":[],"stream":true,"stream_options":{"include_usage":false}}"#;
    assert!(!request::decode(body).unwrap().stream_usage);
    let stream = concat!(
        "data: {\"choices\":[{\"delta\":{\"content\":\"x\"},\"finish_reason\":\"stop\"}]}\n\n",
        "data: {\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":1}}\n\n",
        "data: [DONE]\n\n",
    );
    let answer = told::fold(&told::decode([stream.as_bytes()]));
    assert_eq!(answer.tokens.unwrap().total(), 2);
}

#[test]
fn p38_an_end_that_is_none_is_an_error() {
    for name in [
        "stream-broken-done.sse",
        "stream-broken-cut.sse",
        "stream-broken-error.sse",
    ] {
        let events = told::decode([fixture::read(name).as_bytes()]);
        assert!(
            !events
                .iter()
                .any(|event| matches!(event, Event::End | Event::Stop { .. })),
            "{name}"
        );
        assert_eq!(text(&events), "Hel", "{name}");
    }
    for empty in [
        "",
        ": keep-alive\n\n",
        "data: [DONE]\n\n",
        "<html>",
        "{\"error\":1}",
    ] {
        let events = told::decode([empty.as_bytes()]);
        assert!(matches!(events[..], [Event::Error(_)]), "{empty}");
    }
}
