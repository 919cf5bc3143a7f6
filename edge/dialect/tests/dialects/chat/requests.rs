//! Requests: what a client sends is what the provider gets.
//!
//! Knows the neutral form where a fixture is read into it.

use dialect::{
    chat::{client::Client, crossing, request},
    neutral::{Cache, Content, Format, Part, Request, Role, ToolChoice},
};
use serde_json::{Value, json};

use super::{fixture, same};

fn decode(name: &str) -> Request {
    request::decode(&fixture::read(name)).unwrap()
}

#[test]
fn every_request_goes_on_as_it_came() {
    for (name, body) in fixture::all("request-") {
        if name == "request-functions.json" {
            continue;
        }
        let original: Value = serde_json::from_str(&body).unwrap();
        let target = same::target(&original);
        let read = request::decode(&body).unwrap();
        let encoded = request::encode(&read, &target).unwrap();
        let written: Value = serde_json::from_slice(&encoded.body).unwrap();
        assert_eq!(same::request(&written), same::request(&original), "{name}");
        assert!(encoded.dropped.is_empty(), "{name}: {:?}", encoded.dropped);
        // The same bytes every time, and the same when read again.
        let again = request::decode(std::str::from_utf8(&encoded.body).unwrap()).unwrap();
        assert_eq!(
            request::encode(&again, &target).unwrap().body,
            encoded.body,
            "{name}"
        );
        assert_eq!(again, read, "{name}");
    }
}

#[test]
fn numbers_stand_as_they_were_written() {
    let body = fixture::read("request-plain.json");
    let original: Value = serde_json::from_str(&body).unwrap();
    let encoded = request::encode(&request::decode(&body).unwrap(), &same::target(&original));
    let text = String::from_utf8(encoded.unwrap().body).unwrap();
    assert!(text.contains("\"temperature\":1.0,"), "{text}");
    assert!(text.contains("\"seed\":12345678901234567890"), "{text}");
}

#[test]
fn a_run_of_results_is_one_turn_of_the_user() {
    let request = decode("request-tools.json");
    let roles: Vec<Role> = request.turns.iter().map(|turn| turn.role).collect();
    let (user, model) = (Role::User, Role::Assistant);
    assert_eq!(roles, [user, model, user, model, user]);
    let ids = request.turns[2]
        .parts
        .iter()
        .map(|part| match &part.content {
            Content::ToolResult { id, .. } => id.as_str(),
            other => panic!("{other:?}"),
        });
    let ids = ids.collect::<Vec<_>>();
    assert_eq!(ids, ["call_1", "call_2", "call_3"]);
    assert_eq!(request.parallel_tools, Some(false));
    assert_eq!(request.tool_choice, Some(ToolChoice::Required));
    assert_eq!(request.tools[1].parameters, None);
}

#[test]
fn functions_of_the_old_kind_are_tools_and_their_results_find_their_calls() {
    let body = fixture::read("request-functions.json");
    assert!(Client::of(&body).unwrap().functions);
    let request = request::decode(&body).unwrap();
    assert_eq!(request.tools[0].name, "now");
    assert_eq!(
        request.tool_choice,
        Some(ToolChoice::Named("now".to_owned()))
    );
    let Content::ToolCall { id: called, .. } = &request.turns[1].parts[0].content else {
        panic!("no call");
    };
    let Content::ToolResult { id, .. } = &request.turns[2].parts[0].content else {
        panic!("no result");
    };
    assert_eq!(id, called);
    let original = serde_json::from_str(&body).unwrap();
    let encoded = request::encode(&request, &same::target(&original)).unwrap();
    let written: Value = serde_json::from_slice(&encoded.body).unwrap();
    assert_eq!(written["messages"][2]["role"], "tool");
    assert_eq!(
        written["messages"][2]["tool_call_id"],
        written["messages"][1]["tool_calls"][0]["id"]
    );
    assert_eq!(written["tools"][0]["function"]["name"], "now");
    assert!(written.get("functions").is_none() && written.get("function_call").is_none());
}

#[test]
fn thoughts_keep_their_own_proofs_and_their_order() {
    let request = decode("request-reasoning-details.json");
    let contents: Vec<&Content> = request.turns[1]
        .parts
        .iter()
        .map(|part| &part.content)
        .collect();
    let thought = |text: &str, proof: &str| Content::Reasoning {
        text: text.to_owned(),
        signature: Some(proof.to_owned()),
    };
    assert_eq!(contents[0], &thought("First thought", "c2lnLTE="));
    assert_eq!(
        contents[1],
        &Content::RedactedReasoning("cmVkYWN0ZWQ=".to_owned())
    );
    assert_eq!(contents[2], &thought("Second thought", "c2lnLTI="));
    assert!(matches!(contents[3], Content::Text(_)));
    assert!(matches!(contents[4], Content::ToolCall { .. }));
    let reasoning = request.reasoning.unwrap();
    assert_eq!(
        (reasoning.budget_tokens, reasoning.shown),
        (Some(2_000), Some(false))
    );
}

#[test]
fn pieces_of_one_thought_that_a_client_sends_back_apart_are_one() {
    let body = json!({"messages": [{"role": "assistant", "content": "x", "reasoning_details": [
        {"type": "reasoning.text", "text": "a", "index": 0},
        {"type": "reasoning.text", "text": "b", "index": 0},
        {"type": "reasoning.text", "signature": "s", "index": 0},
        {"type": "reasoning.text", "text": "c", "signature": "t", "index": 1},
        {"type": "reasoning.text", "text": "d", "index": 2},
        {"type": "reasoning.text", "text": "e", "index": 3},
    ]}]});
    let request = request::decode(&body.to_string()).unwrap();
    let thoughts = request.turns[0]
        .parts
        .iter()
        .filter_map(|part| match &part.content {
            Content::Reasoning { text, signature } => Some((text.as_str(), signature.as_deref())),
            _ => None,
        });
    assert_eq!(
        thoughts.collect::<Vec<_>>(),
        [
            ("ab", Some("s")),
            ("c", Some("t")),
            ("d", None),
            ("e", None)
        ]
    );
}

#[test]
fn other_ways_of_carrying_proofs_are_read() {
    let blocks = json!({"messages": [{"role": "assistant", "content": "x", "thinking_blocks": [
        {"type": "thinking", "thinking": "a", "signature": "s"},
        {"type": "redacted_thinking", "data": "d"},
    ], "reasoning_content": "a"}]});
    let request = request::decode(&blocks.to_string()).unwrap();
    assert_eq!(request.turns[0].parts.len(), 3);
    assert_eq!(
        request.turns[0].parts[1].content,
        Content::RedactedReasoning("d".to_owned())
    );

    let google = json!({"messages": [{"role": "assistant", "tool_calls": [
        {"id": "f", "function": {"name": "now", "arguments": "{}"},
         "extra_content": {"google": {"thought_signature": "g"}}},
    ]}]});
    let request = request::decode(&google.to_string()).unwrap();
    let proof = Content::Reasoning {
        text: String::new(),
        signature: Some("g".to_owned()),
    };
    assert_eq!(request.turns[0].parts[0].content, proof);

    let beside = json!({"messages": [{"role": "assistant", "reasoning_content": "words",
        "reasoning_details": [{"type": "reasoning.text", "signature": "s"}]}]});
    let request = request::decode(&beside.to_string()).unwrap();
    let whole = Content::Reasoning {
        text: "words".to_owned(),
        signature: Some("s".to_owned()),
    };
    assert_eq!(request.turns[0].parts.len(), 1);
    assert_eq!(request.turns[0].parts[0].content, whole);
}

#[test]
fn media_forms_and_marks_are_read() {
    let request = decode("request-media.json");
    let kinds = request.turns[0]
        .parts
        .iter()
        .map(|part| match &part.content {
            Content::Text(_) => "text",
            Content::Image(_) => "image",
            Content::Audio(_) => "audio",
            Content::Document(_) => "document",
            Content::Other => "other",
            _ => "?",
        });
    let kinds = kinds.collect::<Vec<_>>();
    assert_eq!(
        kinds,
        [
            "text", "image", "image", "audio", "audio", "document", "document", "other"
        ]
    );
    assert!(matches!(
        decode("request-structured.json").format,
        Format::JsonSchema { .. }
    ));
    let cached = decode("request-cache.json");
    let hour = Cache {
        ttl: Some("1h".to_owned()),
    };
    assert_eq!(cached.turns[0].parts[0].cache, Some(hour));
    assert_eq!(cached.tools[0].cache, Some(Cache { ttl: None }));
    let refused = &decode("request-refusal.json").turns[1].parts[0].content;
    assert_eq!(
        refused,
        &Content::Refusal("I can't help with that.".to_owned())
    );
}

#[test]
fn what_only_this_family_can_be_asked_is_refused_for_others() {
    for (name, at) in [
        ("request-custom-tool.json", "tool_choice"),
        ("request-media.json", "messages[0].content[7]"),
        ("request-grammar-form.json", "response_format"),
    ] {
        assert_eq!(crossing::check(&decode(name)).unwrap_err().at, at, "{name}");
    }
    for name in [
        "request-plain.json",
        "request-tools.json",
        "request-cache.json",
    ] {
        assert_eq!(crossing::check(&decode(name)), Ok(()), "{name}");
    }
    let sound = r#"{"messages":[],"modalities":["text","audio"]}"#;
    assert_eq!(
        crossing::check(&request::decode(sound).unwrap())
            .unwrap_err()
            .at,
        "modalities"
    );
}

#[test]
fn what_does_not_fit_is_said_with_its_place() {
    for (body, expected) in [
        ("{}", "messages must be an array"),
        (
            r#"{"messages":[{"role":"x"}]}"#,
            "messages[0].role must be one of system, developer, user, assistant and tool",
        ),
        (
            r#"{"messages":[{"role":"user","content":5}]}"#,
            "messages[0].content must be a string or an array",
        ),
        (
            r#"{"messages":[{"role":"user","content":[{"type":"image_url","image_url":{}}]}]}"#,
            "messages[0].content[0].image_url.url must be a string",
        ),
        (
            r#"{"messages":[],"n":-1}"#,
            "n must be a number of at least 0",
        ),
        (
            r#"{"messages":[],"tools":[{"type":"function","function":{}}]}"#,
            "tools[0].function.name must be a string",
        ),
        (
            r#"{"messages":[],"stream_options":{"include_usage":1}}"#,
            "stream_options.include_usage must be true or false",
        ),
        (
            r#"{"messages":[],"model":"a","model":"b"}"#,
            "model stands there twice: send it once",
        ),
    ] {
        assert_eq!(
            request::decode(body).unwrap_err().to_string(),
            expected,
            "{body}"
        );
    }
}

#[test]
fn a_message_that_is_marked_is_marked_at_its_last_part() {
    let body =
        r#"{"messages":[{"role":"user","content":"x","cache_control":{"type":"ephemeral"}}]}"#;
    let request = request::decode(body).unwrap();
    let mut expected = Part::text("x");
    expected.cache = Some(Cache { ttl: None });
    assert_eq!(request.turns[0].parts, [expected]);
}
