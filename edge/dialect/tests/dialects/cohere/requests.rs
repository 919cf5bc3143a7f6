//! Requests of Cohere's clients: what they mean, and that they are written as they came.

use dialect::{
    cohere::request::{self, Target},
    neutral::{Content, Effort, Family, Format, Role, Source, ToolChoice},
};
use serde_json::{Value, json};

use super::fixture::{self, json, normal};

/// Reads a request and writes it for the same model.
pub(crate) fn again(body: &str) -> Value {
    let request = request::decode(body).unwrap();
    let encoded = request::encode(&request, &Target::new(&request.model)).unwrap();
    assert!(encoded.dropped.is_empty(), "{:?}", encoded.dropped);
    let twice = request::encode(&request, &Target::new(&request.model)).unwrap();
    assert_eq!(encoded.body, twice.body, "the same bytes each time");
    json(&encoded.body)
}

#[test]
fn every_request_is_written_as_it_came() {
    for name in fixture::names("request-") {
        let body = fixture::read(&name);
        assert_eq!(
            normal(again(&body)),
            normal(json(body.as_bytes())),
            "{name}"
        );
    }
}

#[test]
fn numbers_keep_the_digits_they_were_written_with() {
    let body = fixture::read("request-plain.json");
    let request = request::decode(&body).unwrap();
    let encoded = request::encode(&request, &Target::new("m")).unwrap();
    let text = String::from_utf8(encoded.body).unwrap();
    assert!(text.contains(r#""temperature":0.30"#));
    assert!(text.contains(r#""seed":9007199254740993"#));
    assert!(text.contains(r#""x_note":1.0"#));
    assert!(text.starts_with(r#"{"model":"m","#));
}

#[test]
fn a_request_means_what_it_says() {
    let request = request::decode(&fixture::read("request-plain.json")).unwrap();
    let roles: Vec<Role> = request.turns.iter().map(|turn| turn.role).collect();
    assert_eq!(
        roles,
        [Role::System, Role::User, Role::Assistant, Role::User]
    );
    assert_eq!(request.turns[3].parts.len(), 2);
    assert_eq!(request.sampling.top_p.unwrap().as_str(), "0.9");
    assert_eq!(request.sampling.top_k.unwrap().as_str(), "40");
    assert_eq!(request.sampling.stop, ["\n\n", "END"]);
    assert_eq!(request.output_tokens_max, Some(64));
    assert!(request.stream && request.stream_usage);
    assert!(
        request
            .extra
            .iter()
            .all(|extra| extra.family == Family::Cohere)
    );
    assert_eq!(request.extra.len(), 5);
}

#[test]
fn results_that_follow_one_another_are_one_turn_and_documents_are_texts() {
    let request = request::decode(&fixture::read("request-tools.json")).unwrap();
    assert_eq!(request.tool_choice, Some(ToolChoice::Required));
    assert_eq!(request.turns.len(), 4);
    let results: Vec<Vec<String>> = request.turns[2]
        .parts
        .iter()
        .map(|part| match &part.content {
            Content::ToolResult { parts, failed, .. } => {
                assert!(!failed);
                parts.iter().map(|part| text(&part.content)).collect()
            }
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(
        results,
        [
            vec!["21 degrees"],
            vec![r#"{"degrees": "4", "sky": "grey"}"#],
            vec!["noon", "or so"]
        ]
    );
    assert!(request.tools.iter().all(|tool| tool.strict == Some(true)));
    assert!(request.tools[2].name.is_empty());
}

#[test]
fn a_document_whose_text_was_changed_is_no_longer_what_came() {
    let mut request = request::decode(&fixture::read("request-tools.json")).unwrap();
    let Content::ToolResult { parts, .. } = &mut request.turns[2].parts[1].content else {
        panic!("no result");
    };
    parts[0].content = Content::Text("hidden".to_owned());
    let encoded = request::encode(&request, &Target::new("m")).unwrap();
    let body = json(&encoded.body);
    assert_eq!(
        body["messages"][3]["content"],
        json!([{"type": "text", "text": "hidden"}])
    );
    assert!(!String::from_utf8(encoded.body).unwrap().contains("grey"));
}

#[test]
fn thoughts_come_before_calls_whichever_member_held_them() {
    let request = request::decode(&fixture::read("request-reasoning.json")).unwrap();
    let said: Vec<String> = request.turns[1]
        .parts
        .iter()
        .map(|part| text(&part.content))
        .collect();
    assert_eq!(
        said,
        [
            "thought: Ten times three and seven times three.",
            "I will check.",
            "thought: I will multiply.",
            "mul({\"a\":17,\"b\":3})"
        ]
    );
    assert_eq!(request.reasoning.unwrap().budget_tokens, Some(2_000));
}

#[test]
fn pictures_are_taken_apart_only_if_they_can_be_put_together_again() {
    let request = request::decode(&fixture::read("request-image.json")).unwrap();
    let sources: Vec<(&str, &Source)> = request.turns[0]
        .parts
        .iter()
        .filter_map(|part| match &part.content {
            Content::Image(media) => Some((media.media_type.as_str(), &media.source)),
            _ => None,
        })
        .collect();
    assert_eq!(
        sources[0],
        ("image/png", &Source::Base64("iVBORw0KGgo=".to_owned()))
    );
    assert!(
        sources[1..]
            .iter()
            .all(|(kind, source)| kind.is_empty() && matches!(source, Source::Url(_)))
    );
}

#[test]
fn formats_and_thinking_are_read() {
    let request = request::decode(&fixture::read("request-structured.json")).unwrap();
    let Format::JsonSchema { schema, .. } = &request.format else {
        panic!("{:?}", request.format);
    };
    assert!(schema.as_str().contains(r#""maximum": 1e2"#));
    assert_eq!(request.reasoning.unwrap().effort, Some(Effort::None));
}

#[test]
fn empty_arguments_are_an_empty_object() {
    for arguments in ["\"\"", "null", "\" \"", "\"{}\""] {
        let body = format!(
            r#"{{"model":"m","messages":[{{"role":"assistant","tool_calls":[
                {{"id":"a","type":"function","function":{{"name":"now","arguments":{arguments}}}}}]}}]}}"#
        );
        let written = again(&body);
        let call = &written["messages"][0]["tool_calls"][0];
        assert_eq!(call["function"]["arguments"], "{}", "{arguments}");
    }
}

#[test]
fn what_does_not_fit_is_told_with_its_place() {
    for (body, told) in [
        ("[]", "the body must be an object"),
        ("{}", "model is missing"),
        (r#"{"model":1,"messages":[]}"#, "model must be a string"),
        (r#"{"model":"m"}"#, "messages is missing"),
        (
            r#"{"model":"m","messages":[{}]}"#,
            "messages[0].role is missing",
        ),
        (
            r#"{"model":"m","messages":[{"role":"bot"}]}"#,
            "messages[0].role must be system, user, assistant or tool",
        ),
        (
            r#"{"model":"m","messages":[{"role":"user","content":[{"type":"text"}]}]}"#,
            "messages[0].content[0].text is missing",
        ),
        (
            r#"{"model":"m","messages":[{"role":"user","content":[{"type":"image_url","image_url":{}}]}]}"#,
            "messages[0].content[0].image_url.url is missing",
        ),
        (
            r#"{"model":"m","messages":[{"role":"tool","content":"x"}]}"#,
            "messages[0].tool_call_id is missing",
        ),
        (
            r#"{"model":"m","messages":[{"role":"assistant","tool_calls":[{"function":{"name":"a"}}]}]}"#,
            "messages[0].tool_calls[0].id is missing",
        ),
        (
            r#"{"model":"m","messages":[],"tools":[{"function":{}}]}"#,
            "tools[0].function.name is missing",
        ),
        (
            r#"{"model":"m","messages":[],"tool_choice":"auto"}"#,
            "tool_choice must be REQUIRED or NONE",
        ),
        (
            r#"{"model":"m","messages":[],"response_format":{"type":"xml"}}"#,
            "response_format.type must be text or json_object",
        ),
        (
            r#"{"model":"m","messages":[],"thinking":{"type":"some"}}"#,
            "thinking.type must be enabled or disabled",
        ),
        (
            r#"{"model":"m","messages":[],"stop_sequences":["a",1]}"#,
            "stop_sequences[1] must be a string",
        ),
        (
            r#"{"model":"m","model":"n","messages":[]}"#,
            "model stands there twice: send it once",
        ),
    ] {
        assert_eq!(
            request::decode(body).unwrap_err().to_string(),
            told,
            "{body}"
        );
    }
}

fn text(content: &Content) -> String {
    match content {
        Content::Text(text) => text.clone(),
        Content::Reasoning { text, .. } => format!("thought: {text}"),
        Content::ToolCall {
            name, arguments, ..
        } => format!("{name}({arguments})"),
        other => panic!("{other:?}"),
    }
}
