//! Requests and answers of our own making, read and written again.
//!
//! Knows no streams.

use dialect::{
    Tokens,
    neutral::{Content, Effort, Role, Source, Stop, ToolChoice},
    responses::{Target, answer, request, usage},
};
use payload::writer::Writer;
use serde_json::{Value, json};

use super::{fixture, fixtures, normal, seed};

pub(super) fn again(body: &str) -> Value {
    let decoded = request::decode(body).unwrap_or_else(|misfit| panic!("{misfit}: {body}"));
    let encoded = request::encode(&decoded, &Target::new(&decoded.model)).unwrap();
    assert_eq!(encoded.dropped.paths(), [""; 0], "{body}");
    let twice = request::decode(str::from_utf8(&encoded.body).unwrap()).unwrap();
    assert_eq!(twice, decoded, "reading again is the same");
    serde_json::from_slice(&encoded.body).unwrap()
}

#[test]
fn every_request_of_this_family_is_written_as_it_was_read() {
    for name in fixtures("request-") {
        let body = fixture(&name);
        let original: Value = serde_json::from_str(&body).unwrap();
        assert_eq!(normal(&again(&body)), normal(&original), "{name}");
    }
}

#[test]
fn numbers_are_written_as_they_were() {
    let body =
        r#"{"model":"m","input":"x","temperature":1.0,"big":18446744073709551617,"top_p":0.10}"#;
    let decoded = request::decode(body).unwrap();
    let encoded = request::encode(&decoded, &Target::new("m")).unwrap();
    let written = String::from_utf8(encoded.body).unwrap();
    for number in [
        "\"temperature\":1.0,",
        "\"big\":18446744073709551617",
        "\"top_p\":0.10",
    ] {
        assert!(written.contains(number), "{number} in {written}");
    }
}

#[test]
fn every_answer_of_this_family_is_written_as_it_was_read() {
    for name in fixtures("answer-") {
        let body = fixture(&name);
        let original: Value = serde_json::from_str(&body).unwrap();
        let decoded = answer::decode(&body, &seed()).unwrap();
        let encoded = answer::encode(&decoded, &seed());
        let written: Value = serde_json::from_slice(&encoded).unwrap();
        assert_eq!(normal(&written), normal(&original), "{name}");
    }
}

#[test]
fn a_conversation_is_read_as_turns() {
    use Role::{Assistant, System, User};
    let request = request::decode(&fixture("request-tools.json")).unwrap();
    let roles: Vec<Role> = request.turns.iter().map(|turn| turn.role).collect();
    assert_eq!(roles, [System, User, Assistant, User, User]);
    let said = &request.turns[2].parts;
    assert_eq!(said.len(), 4);
    assert_eq!(
        said[0].content,
        Content::Reasoning {
            text: "Ask both gauges.".to_owned(),
            signature: Some("gAAAAABsealed==".to_owned()),
        }
    );
    assert_eq!(
        said[3].content,
        Content::ToolCall {
            id: "call_b".to_owned(),
            name: "now".to_owned(),
            arguments: "{}".to_owned(),
        }
    );
    let Content::ToolResult { id, parts, .. } = &request.turns[3].parts[1].content else {
        panic!("no result");
    };
    assert_eq!(id, "call_b");
    let Content::Image(image) = &parts[1].content else {
        panic!("no picture");
    };
    assert_eq!(image.source, Source::Base64("iVBORw0KGgo=".to_owned()));
    assert_eq!(image.media_type, "image/png");
    assert_eq!(request.reasoning.unwrap().effort, Some(Effort::Low));
    let names = vec!["level".to_owned(), "now".to_owned()];
    let required = true;
    assert_eq!(
        request.tool_choice,
        Some(ToolChoice::Allowed { names, required })
    );
}

#[test]
fn a_call_without_arguments_has_an_empty_object_of_them() {
    let body = r#"{"model":"m","input":[{"type":"function_call","call_id":"c","name":"f","arguments":""}]}"#;
    assert_eq!(again(body)["input"][0]["arguments"], "{}");
}

#[test]
fn a_custom_tool_is_a_function_of_one_text_to_others() {
    let request = request::decode(&fixture("request-kept.json")).unwrap();
    let parameters = request.tools[1].parameters.as_ref().unwrap().as_str();
    let schema: Value = serde_json::from_str(parameters).unwrap();
    assert_eq!(schema["required"], json!(["input"]));
    let calls = request.turns.iter().flat_map(|turn| &turn.parts);
    let arguments = calls.filter_map(|part| match &part.content {
        Content::ToolCall { arguments, .. } => Some(arguments.as_str()),
        _ => None,
    });
    let arguments: Vec<Value> = arguments
        .map(|it| serde_json::from_str(it).unwrap())
        .collect();
    assert_eq!(arguments, [json!({"input": "*** Begin\n\"x\""})]);
}

#[test]
fn answers_end_as_their_status_says() {
    let stop = |name: &str| {
        let body = fixture(&format!("answer-{name}.json"));
        let answer = answer::decode(&body, &seed()).unwrap();
        answer.choices[0].stop.clone().unwrap()
    };
    assert_eq!(stop("plain"), Stop::End);
    assert_eq!(stop("tools"), Stop::ToolCalls);
    assert_eq!(stop("refusal"), Stop::Refused(None));
    // A call that was cut off is not to be made.
    assert_eq!(stop("length"), Stop::Length);
    assert_eq!(stop("filter"), Stop::Filtered);
    assert_eq!(stop("failed"), Stop::Failed("The model broke.".to_owned()));
}

#[test]
fn usage_is_disjoint_and_written_as_it_was() {
    let cases = [
        (
            r#"{"input_tokens":2000,"input_tokens_details":{"cached_tokens":1024,"cache_write_tokens":512,
            "cache_write_tokens_details":{"ttl_12h_tokens":128,"ttl_30m_tokens":384}},
            "output_tokens":9,"output_tokens_details":{"reasoning_tokens":4},"total_tokens":2009}"#,
            [464, 1024, 384, 128, 5, 4],
        ),
        (
            r#"{"input_tokens":10,"output_tokens":5,"total_tokens":15}"#,
            [10, 0, 0, 0, 5, 0],
        ),
        // Reasoning beside the output, as the total shows.
        (
            r#"{"input_tokens":10,"output_tokens":5,"output_tokens_details":{"reasoning_tokens":7},"total_tokens":22}"#,
            [10, 0, 0, 0, 5, 7],
        ),
        // More of the cache than went in.
        (
            r#"{"input_tokens":3,"input_tokens_details":{"cached_tokens":9},"output_tokens":1,"total_tokens":4}"#,
            [0, 3, 0, 0, 1, 0],
        ),
    ];
    for (
        raw,
        [
            input,
            cached_input,
            cache_write,
            cache_write_hour,
            output,
            reasoning,
        ],
    ) in cases
    {
        let tokens = usage::tokens(raw).unwrap();
        let expected = Tokens {
            input,
            cached_input,
            cache_write,
            cache_write_hour,
            output,
            reasoning,
            ..Tokens::default()
        };
        assert_eq!(tokens, expected, "{raw}");
        let mut writer = Writer::default();
        usage::write(&mut writer, &tokens);
        let written = String::from_utf8(writer.into_bytes()).unwrap();
        assert_eq!(usage::tokens(&written), Some(tokens), "{written}");
    }
    for nothing in ["{}", "null", "[]", r#"{"input_tokens":"x"}"#, "{"] {
        assert_eq!(usage::tokens(nothing), None, "{nothing}");
    }
}

#[test]
fn a_misfit_says_where_it_stands() {
    let cases = [
        ("[]", "the body must be an object"),
        (r#"{"input":"x"}"#, "model must be a string"),
        (
            r#"{"model":"m","input":7}"#,
            "input must be a string or an array of items",
        ),
        (
            r#"{"model":"m","input":[{"role":"user","content":[{"type":"input_text"}]}]}"#,
            "input[0].content[0].text must be a string",
        ),
        (
            r#"{"model":"m","input":[{"role":"robot","content":"x"}]}"#,
            "input[0].role must be system, developer, user or assistant",
        ),
        (
            r#"{"model":"m","input":[{"type":"function_call","name":"f","arguments":"{}"}]}"#,
            "input[0].call_id must be a string",
        ),
        (
            r#"{"model":"m","tools":[{"type":"function"}]}"#,
            "tools[0].name must be a string",
        ),
        (
            r#"{"model":"m","text":{"format":{"type":"json_schema","name":"n"}}}"#,
            "text.format.schema must be an object",
        ),
    ];
    for (body, message) in cases {
        assert_eq!(request::decode(body).unwrap_err().to_string(), message);
    }
}
