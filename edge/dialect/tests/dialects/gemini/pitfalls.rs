//! What others got wrong with Gemini, once each.

use dialect::{
    gemini::{Target, answer, encoder::Framing, error, request, usage},
    neutral::{Class, Content, Delta, Event, Kind, Part, Request, Role, Seed, Stop, Tool, Turn},
};
use serde_json::{Value, json};

use super::{events, fold, seed, streams::written};

fn chunk(parts: &Value, rest: &str) -> String {
    format!("data: {{\"candidates\":[{{\"content\":{{\"parts\":{parts}}}{rest}}}]}}\n\n")
}

fn asked(turns: Vec<Turn>) -> Request {
    Request {
        turns,
        ..Request::default()
    }
}

fn sent(request: &Request, target: &Target<'_>) -> Value {
    super::json(&request::encode(request, target).unwrap().body)
}

fn call(id: &str, name: &str, arguments: &str) -> Part {
    Part::new(Content::ToolCall {
        id: id.to_owned(),
        name: name.to_owned(),
        arguments: arguments.to_owned(),
    })
}

fn result(id: &str, text: &str) -> Part {
    Part::new(Content::ToolResult {
        id: id.to_owned(),
        name: None,
        parts: vec![Part::text(text)],
        failed: false,
    })
}

#[test]
fn p1_to_p3_characters_and_lines_survive_any_cut() {
    let text = "日本\u{2028}語 🌊\r\n";
    let stream =
        chunk(&json!([{"text": text}]), ",\"finishReason\":\"STOP\"").replace("\n\n", "\r\n\r\n");
    for size in 1..12 {
        let folded = fold::answer(&events(stream.as_bytes().chunks(size))).unwrap();
        assert_eq!(folded.choices[0].parts, [Part::text(text)]);
    }
}

#[test]
fn p4_stop_behind_a_call_means_tools_whichever_chunk_says_it() {
    let called = json!([{"functionCall": {"name": "f", "args": {"a": 1}}}]);
    let end =
        |reason: &str| format!("data: {{\"candidates\":[{{\"finishReason\":\"{reason}\"}}]}}\n\n");
    let early = chunk(&json!([{"text": "x"}]), ",\"finishReason\":\"STOP\"") + &chunk(&called, "");
    for (stream, expected) in [
        (
            chunk(&called, ",\"finishReason\":\"STOP\""),
            Stop::ToolCalls,
        ),
        (chunk(&called, "") + &end("STOP"), Stop::ToolCalls),
        (early, Stop::ToolCalls),
        (chunk(&called, "") + &end("MAX_TOKENS"), Stop::Length),
        (chunk(&called, "") + &end("SAFETY"), Stop::Filtered),
        (
            chunk(&called, "") + &end("UNEXPECTED_TOOL_CALL"),
            Stop::Failed("UNEXPECTED_TOOL_CALL".to_owned()),
        ),
        (
            chunk(&json!([{"text": "x"}]), "") + &end("NEW_WORD"),
            Stop::End,
        ),
        (end("NEW_WORD"), Stop::Failed("NEW_WORD".to_owned())),
    ] {
        let folded = fold::answer(&events([stream.as_bytes()])).unwrap();
        assert_eq!(folded.choices[0].stop, Some(expected), "{stream}");
    }
}

#[test]
fn p5_no_arguments_are_an_empty_object() {
    for arguments in ["", " ", "{}"] {
        let turn = Turn::new(Role::Assistant, vec![call("c", "f", arguments)]);
        let sent = sent(&asked(vec![turn]), &Target::new("gemini-2.5-flash"));
        assert_eq!(
            sent["contents"][0]["parts"][0]["functionCall"]["args"],
            json!({})
        );
    }
    // A call without any delta.
    let (choice, part) = (0, 0);
    let kind = Kind::ToolCall {
        id: "c".to_owned(),
        name: "f".to_owned(),
    };
    let events = [
        Event::Open { choice, part, kind },
        Event::Close { choice, part },
    ];
    let stream = String::from_utf8(written(&events, Framing::Events)).unwrap();
    assert!(
        stream.contains(r#"{"id":"c","name":"f","args":{}}"#),
        "{stream}"
    );
}

#[test]
fn p6_calls_without_ids_get_different_ones_over_the_whole_stream() {
    let one = chunk(&json!([{"functionCall": {"name": "f"}}]), "");
    let last = chunk(
        &json!([{"functionCall": {"name": "f"}}]),
        ",\"finishReason\":\"STOP\"",
    );
    let folded = fold::answer(&events([format!("{one}{one}{last}").as_bytes()])).unwrap();
    let ids: Vec<_> = folded.choices[0]
        .parts
        .iter()
        .map(|part| match &part.content {
            Content::ToolCall { id, .. } => id.as_str(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(ids, ["call_req70", "call_req71", "call_req72"]);
}

#[test]
fn p7_and_p8_results_stand_together_in_the_order_of_the_calls() {
    let request = asked(vec![
        Turn::new(
            Role::Assistant,
            vec![call("a", "f", "{}"), call("b", "g", "{}")],
        ),
        Turn::new(Role::User, vec![result("b", "2")]),
        Turn::new(Role::User, vec![Part::text("and?"), result("a", "1")]),
    ]);
    let target = Target::new("gemini-2.5-flash");
    let sent_there = sent(&request, &target);
    assert_eq!(
        sent_there["contents"][1],
        json!({"role": "user", "parts": [
            {"functionResponse": {"id": "a", "name": "f", "response": {"result": "1"}}},
            {"functionResponse": {"id": "b", "name": "g", "response": {"result": "2"}}},
            {"text": "and?"},
        ]})
    );
    // Vertex refuses ids.
    let vertex = sent(&request, &target.on_vertex()).to_string();
    assert!(!vertex.contains("\"id\""), "{vertex}");
}

#[test]
fn p9_schemas_go_as_json_schema_and_empty_ones_not_at_all() {
    let tool = |parameters: Option<&str>| Tool {
        name: "f".to_owned(),
        description: None,
        parameters: parameters.map(dialect::neutral::Json::of),
        strict: None,
        cache: None,
        extra: Vec::new(),
    };
    let schema = r##"{"type":"object","properties":{"b":{"$ref":"#/$defs/x"},"a":{"const":1}},"additionalProperties":false,"$defs":{"x":{}}}"##;
    let mut request = asked(vec![Turn::new(Role::User, vec![Part::text("x")])]);
    request.tools = vec![tool(Some(schema)), tool(None), tool(Some("{}"))];
    let body = request::encode(&request, &Target::new("m")).unwrap().body;
    let body = String::from_utf8(body).unwrap();
    let expected = format!(
        r#""tools":[{{"functionDeclarations":[{{"name":"f","parametersJsonSchema":{schema}}},{{"name":"f"}},{{"name":"f"}}]}}]"#
    );
    assert!(body.contains(&expected), "{body}");
}

#[test]
fn p10_references_in_results_are_text() {
    let request = asked(vec![
        Turn::new(Role::Assistant, vec![call("a", "f", "{}")]),
        Turn::new(Role::User, vec![result("a", r##"{"$ref":"#/x"}"##)]),
    ]);
    let sent = sent(&request, &Target::new("m"));
    let response = &sent["contents"][1]["parts"][0]["functionResponse"]["response"];
    assert_eq!(*response, json!({"result": "{\"$ref\":\"#/x\"}"}));
}

#[test]
fn p11_and_p12_a_signature_comes_back_on_its_call_by_way_of_other_clients() {
    let body = json!({"candidates": [{"finishReason": "STOP", "content": {"parts": [
        {"text": "I look.", "thought": true},
        {"text": "One moment."},
        {"functionCall": {"name": "f", "args": {}}, "thoughtSignature": "c2ln"},
        {"functionCall": {"name": "g", "args": {}}},
    ]}}]});
    let answer = answer::decode(&body.to_string(), &seed()).unwrap();
    // A client of chat completions keeps thoughts first, then words, then calls, and no extras.
    let mut parts = answer.choices[0].parts.clone();
    for part in &mut parts {
        part.extra.clear();
    }
    parts.sort_by_key(|part| match part.content {
        Content::Reasoning { .. } => 0,
        Content::ToolCall { .. } => 2,
        _ => 1,
    });
    let request = asked(vec![Turn::new(Role::Assistant, parts)]);
    let sent = sent(&request, &Target::new("gemini-3-pro-preview"));
    let signatures: Vec<_> = sent["contents"][0]["parts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|part| part["thoughtSignature"].as_str())
        .collect();
    assert_eq!(signatures, [None, None, Some("c2ln"), None]);
}

#[test]
fn p12_a_lost_signature_is_stood_in_for_where_one_is_wanted() {
    let parts = || vec![call("a", "f", "{}"), call("b", "g", "{}")];
    let request = asked(vec![Turn::new(Role::Assistant, parts())]);
    let third = sent(&request, &Target::new("gemini-3-pro-preview"));
    let parts = &third["contents"][0]["parts"];
    assert_eq!(
        parts[0]["thoughtSignature"],
        "skip_thought_signature_validator"
    );
    assert!(parts[1]["thoughtSignature"].is_null());
    let second = sent(&request, &Target::new("gemini-2.5-pro"));
    assert!(second["contents"][0]["parts"][0]["thoughtSignature"].is_null());
}

#[test]
fn p13_empty_texts_are_not_sent() {
    let request = asked(vec![
        Turn::new(Role::User, vec![Part::text("x")]),
        Turn::new(Role::Assistant, vec![Part::text(""), call("a", "f", "{}")]),
        Turn::new(Role::User, vec![result("a", "1")]),
        Turn::new(Role::Assistant, vec![Part::text("")]),
        Turn::new(Role::User, vec![Part::text("y")]),
    ]);
    let sent = sent(&request, &Target::new("m"));
    assert_eq!(sent["contents"].as_array().unwrap().len(), 3);
    assert!(!sent.to_string().contains(r#""text":"""#), "{sent}");
}

#[test]
fn p15_thoughts_are_output_and_cached_tokens_are_input() {
    let raw = r#"{"promptTokenCount":100,"cachedContentTokenCount":40,"toolUsePromptTokenCount":10,
        "candidatesTokenCount":20,"thoughtsTokenCount":30,"totalTokenCount":160}"#;
    let tokens = usage::tokens(raw).unwrap();
    assert_eq!(
        (tokens.input_total(), tokens.output_total(), tokens.total()),
        (110, 50, 160)
    );
}

#[test]
fn p24_the_same_request_gives_the_same_bytes() {
    let body = super::fixture("request-tools.json");
    let request = request::decode(&body, "m", false).unwrap();
    let encode = || request::encode(&request, &Target::new("m")).unwrap().body;
    assert_eq!(encode(), encode());
}

#[test]
fn p27_a_part_that_says_nothing_opens_nothing() {
    let stream = chunk(&json!([{"text": ""}]), "")
        + &chunk(
            &json!([{"functionCall": {"name": "f"}}]),
            ",\"finishReason\":\"STOP\"",
        );
    let opened = events([stream.as_bytes()]);
    let opened = opened
        .iter()
        .filter(|event| matches!(event, Event::Open { .. }));
    assert_eq!(opened.count(), 1);
}

#[test]
fn p38_an_error_in_a_stream_is_no_end() {
    for stream in [
        chunk(&json!([{"text": "x"}]), ",\"finishReason\":\"STOP\"")
            + "data: {\"error\":{\"code\":500,\"message\":\"m\",\"status\":\"INTERNAL\"}}\n\n",
        "[{\"error\":{\"code\":400,\"message\":\"m\",\"status\":\"INVALID_ARGUMENT\"}}]".to_owned(),
        "{\"error\":{\"code\":404,\"message\":\"m\",\"status\":\"NOT_FOUND\"}}".to_owned(),
        "data: not json\n\n".to_owned(),
    ] {
        let events = events([stream.as_bytes()]);
        assert!(matches!(events.last(), Some(Event::Error(_))), "{stream}");
        let out = String::from_utf8(written(&events, Framing::Array)).unwrap();
        let array = super::json(out.as_bytes());
        assert!(array.as_array().unwrap().last().unwrap()["error"]["code"].is_u64());
    }
}

#[test]
fn p42_an_error_stays_an_error_of_its_class() {
    let body = br#"{"error":{"code":400,"message":"bad schema","status":"INVALID_ARGUMENT"}}"#;
    assert_eq!(error::decode(400, body).class, Class::InvalidRequest);
}

#[test]
fn p50_a_plain_error_under_a_stream_s_content_type_is_found() {
    let body = br#"{"error":{"code":404,"message":"models/x is not found","status":"NOT_FOUND"}}"#;
    let events = events([body.as_slice()]);
    let [Event::Error(error)] = events.as_slice() else {
        panic!("{events:?}");
    };
    assert_eq!(error.class, Class::NotFound);
    assert_eq!(error::decode(404, body), *error);
}

#[test]
fn a_call_that_is_cut_is_left_out_and_the_reason_says_so() {
    let (choice, part) = (0, 0);
    for (stop, reason) in [
        (Stop::Length, "MAX_TOKENS"),
        (Stop::ToolCalls, "MALFORMED_FUNCTION_CALL"),
    ] {
        let kind = Kind::ToolCall {
            id: "c".to_owned(),
            name: "f".to_owned(),
        };
        let events = [
            Event::Open { choice, part, kind },
            Event::Delta {
                choice,
                part,
                delta: Delta::Arguments("{\"a\":".to_owned()),
            },
            Event::Close { choice, part },
            Event::Stop { choice, stop },
            Event::End,
        ];
        let array = super::json(&written(&events, Framing::Array));
        assert_eq!(array[0]["candidates"][0]["finishReason"], reason);
        assert!(!array.to_string().contains("functionCall"));
    }
}

#[test]
fn pieces_of_calls_go_on_to_google_s_clients_as_they_are() {
    let piece = json!([{"functionCall": {"name": "f", "partialArgs": [{"jsonPath": "$.a", "stringValue": "x"}], "willContinue": true}}]);
    let stream =
        chunk(&piece, "") + &chunk(&json!([{"functionCall": {}}]), ",\"finishReason\":\"STOP\"");
    let events = events([stream.as_bytes()]);
    assert_eq!(
        fold::answer(&events).unwrap().choices[0].stop,
        Some(Stop::ToolCalls)
    );
    let array = super::json(&written(&events, Framing::Array));
    assert_eq!(array[0]["candidates"][0]["content"]["parts"], piece);
}

#[test]
fn ids_do_not_depend_on_the_clock() {
    let other = Seed {
        now_seconds: 1,
        ..seed()
    };
    assert_eq!(other.tool_call_id(3), seed().tool_call_id(3));
}
