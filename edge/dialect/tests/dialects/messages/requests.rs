//! What clients of this family send: read and written again for the same model, it is the same.
//!
//! Knows Anthropic's own host; see `targets` for others.

use dialect::{
    messages::{answer, count, request, target::Target},
    neutral::{Content, Effort, Format, Role, ToolChoice},
};
use fastrand::Rng;
use serde_json::{Value, json};

use super::{fixture, same};

fn written(body: &Value) -> Value {
    let read = request::decode(&body.to_string()).unwrap();
    let model = read.model.clone();
    let encoded = request::encode(&read, &Target::new(&model)).unwrap();
    assert!(
        encoded.dropped.is_empty(),
        "{:?} of {body}",
        encoded.dropped
    );
    serde_json::from_slice(&encoded.body).unwrap()
}

fn misfit(body: &Value) -> String {
    request::decode(&body.to_string()).unwrap_err().to_string()
}

#[test]
fn a_request_comes_back_the_same() {
    for name in fixture::names("request_", ".json") {
        let body = fixture::json(&name);
        assert_eq!(
            same::request(&written(&body)),
            same::request(&body),
            "{name}"
        );
    }
}

#[test]
fn the_same_request_is_always_written_in_the_same_bytes() {
    for name in fixture::names("request_", ".json") {
        let read = request::decode(&fixture::text(&name)).unwrap();
        let write = || request::encode(&read, &Target::new("m")).unwrap().body;
        assert_eq!(write(), write());
        let body = String::from_utf8(write()).unwrap();
        assert!(!body.contains("18446744073709551616"), "{name}");
    }
    let unknown = request::decode(&fixture::text("request_unknown.json")).unwrap();
    let body = request::encode(&unknown, &Target::new("m")).unwrap().body;
    let body = String::from_utf8(body).unwrap();
    assert!(body.contains("18446744073709551615") && body.contains("1.5"));
}

#[test]
fn the_neutral_form_says_what_other_families_can_use() {
    let read = |name: &str| request::decode(&fixture::text(name)).unwrap();
    let plain = read("request_plain.json");
    assert_eq!(plain.turns[0].role, Role::System);
    assert_eq!(plain.end_user.as_deref(), Some("u-4711"));
    assert_eq!(plain.sampling.stop, ["END", "\n\nHuman:"]);
    let tools = read("request_tools.json");
    assert_eq!((tools.parallel_tools, tools.stream), (Some(false), true));
    assert_eq!(tools.tool_choice, Some(ToolChoice::Auto));
    let Content::ToolResult {
        failed: true, id, ..
    } = &tools.turns[2].parts[2].content
    else {
        panic!("{:?}", tools.turns[2]);
    };
    assert_eq!(id, "toolu_01C");
    let effort = |name| read(name).reasoning.unwrap().effort;
    assert_eq!(effort("request_adaptive_plain.json"), Some(Effort::High));
    assert_eq!(effort("request_adaptive.json"), Some(Effort::XHigh));
    let thinking = read("request_thinking.json").reasoning.unwrap();
    assert_eq!(
        (thinking.budget_tokens, thinking.shown),
        (Some(4096), Some(true))
    );
    let off = read("request_thinking_off.json").reasoning.unwrap();
    assert_eq!(off.budget_tokens, Some(0));
    let structured = read("request_structured.json").format;
    assert!(matches!(structured, Format::JsonSchema { .. }));
}

#[test]
fn a_client_is_told_where_it_is_wrong() {
    let with = |messages: Value| json!({"model": "m", "max_tokens": 1, "messages": messages});
    assert_eq!(misfit(&json!({"messages": []})), "model is required");
    assert_eq!(misfit(&json!({"model": "m"})), "messages is required");
    assert_eq!(
        misfit(&with(
            json!([{"role": "user", "content": [{"type": "text"}]}])
        )),
        "messages[0].content[0].text is required"
    );
    assert_eq!(
        misfit(&with(json!([{"role": "tool", "content": ""}]))),
        "messages[0].role must be user, assistant or system"
    );
    let call = json!({"type": "tool_use", "id": "a", "name": "f", "input": [1]});
    assert_eq!(
        misfit(&with(json!([{"role": "assistant", "content": [call]}]))),
        "messages[0].content[0].input must be an object"
    );
    let twice = r#"{"model":"m","messages":[],"model":"n"}"#;
    assert_eq!(request::decode(twice).unwrap_err().at, "model");
}

#[test]
fn a_call_without_arguments_is_an_object_though_a_client_kept_a_string() {
    let call = json!({"type": "tool_use", "id": "a", "name": "f", "input": ""});
    let body = json!({"model": "m", "max_tokens": 1, "messages": [
        {"role": "user", "content": "x"}, {"role": "assistant", "content": [call]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "a"}]}]});
    assert_eq!(
        written(&body)["messages"][1]["content"][0]["input"],
        json!({})
    );
}

#[test]
fn empty_words_are_not_sent() {
    let body = json!({"model": "m", "max_tokens": 1, "system": " ", "messages": [
        {"role": "user", "content": [{"type": "text", "text": "\n"}, {"type": "text", "text": "x"}]},
        {"role": "assistant", "content": ""},
        {"role": "user", "content": "y"}]});
    let written = written(&body);
    assert_eq!(written["system"], Value::Null);
    let texts = json!([{"type": "text", "text": "x"}, {"type": "text", "text": "y"}]);
    assert_eq!(
        written["messages"],
        json!([{"role": "user", "content": texts}])
    );
}

#[test]
fn results_of_tools_come_first_and_in_one_message() {
    let result = |id: &str| json!({"type": "tool_result", "tool_use_id": id, "content": "r"});
    let text = json!({"type": "text", "text": "and"});
    let body = json!({"model": "m", "max_tokens": 1, "messages": [
        {"role": "user", "content": [text, result("a")]},
        {"role": "user", "content": [result("b")]}]});
    let expected = json!([{"role": "user", "content": [result("a"), result("b"), text]}]);
    assert_eq!(written(&body)["messages"], expected);
}

#[test]
fn what_is_to_be_gone_on_with_ends_in_no_space() {
    let body = json!({"model": "m", "max_tokens": 1, "messages": [
        {"role": "user", "content": "x"}, {"role": "assistant", "content": "Well, \n"}]});
    assert_eq!(written(&body)["messages"][1]["content"], "Well,");
}

#[test]
fn the_form_of_the_beta_is_read_as_todays() {
    let format = json!({"type": "json_schema", "schema": {"type": "object"}});
    let body = json!({"model": "m", "max_tokens": 1, "messages": [], "output_format": format});
    assert_eq!(written(&body)["output_config"]["format"], format);
}

#[test]
fn a_count_is_asked_without_a_limit() {
    let mut body = fixture::json("request_thinking.json");
    for name in ["max_tokens", "temperature"] {
        body.as_object_mut().unwrap().remove(name);
    }
    let read = count::decode(&body.to_string()).unwrap();
    let encoded = count::encode(&read, &Target::new("claude-opus-4-8")).unwrap();
    let written: Value = serde_json::from_slice(&encoded.body).unwrap();
    assert_eq!(same::request(&written), same::request(&body));
    let full = request::decode(&fixture::text("request_plain.json")).unwrap();
    let encoded = count::encode(&full, &Target::new("m")).unwrap();
    let written: Value = serde_json::from_slice(&encoded.body).unwrap();
    let names: Vec<&String> = written.as_object().unwrap().keys().collect();
    assert_eq!(names, ["messages", "model", "system"]);
}

#[test]
fn a_count_is_read_and_written() {
    assert_eq!(count::decode_answer(r#"{"input_tokens":14}"#), Ok(14));
    assert_eq!(count::decode_answer(r#"{"inputTokens":14}"#), Ok(14));
    assert!(count::decode_answer("{}").is_err());
    assert_eq!(count::encode_answer(14), br#"{"input_tokens":14}"#);
}

#[test]
fn no_bytes_are_too_broken_to_be_read() {
    let mut rng = Rng::with_seed(8);
    let names = fixture::names("", ".json");
    let mut read = 0;
    for round in 0..4_000 {
        let name = &names[round % names.len()];
        let mut bytes = fixture::text(name).into_bytes();
        for _ in 0..rng.usize(1..4) {
            let (at, other) = (rng.usize(..bytes.len()), rng.usize(..bytes.len()));
            match rng.u8(..3) {
                0 => bytes[at] = rng.u8(b' '..127),
                1 => bytes.swap(at, other),
                _ => {
                    bytes.remove(at);
                }
            }
        }
        let text = String::from_utf8_lossy(&bytes);
        if let Ok(request) = request::decode(&text)
            && let Ok(encoded) = request::encode(&request, &Target::new("m"))
        {
            let written = serde_json::from_slice::<Value>(&encoded.body);
            assert!(written.is_ok(), "{text}");
            read += 1;
        }
        if let Ok(answer) = answer::decode(&text, &fixture::seed()) {
            let written = answer::encode(&answer, &fixture::seed());
            assert!(serde_json::from_slice::<Value>(&written).is_ok(), "{text}");
            read += 1;
        }
    }
    assert!(read > 100, "only {read} could be read");
}
