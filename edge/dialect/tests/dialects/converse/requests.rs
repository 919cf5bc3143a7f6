//! Requests, there and back.

use dialect::{
    converse::request::{self, Target},
    neutral::{Content, Effort, Format, Json, Reasoning, Request, Role, ToolChoice},
};
use serde_json::{Value, json};

use crate::converse::cases;

/// A model that takes everything that a fixture sends.
pub(crate) fn target(model: &str) -> Target<'_> {
    Target::new(model)
}

pub(crate) fn decode(model: &str, body: &Value) -> Request {
    request::decode(&body.to_string(), model, false).unwrap()
}

/// What becomes of a request for a model: the body, and the names of what was dropped.
pub(crate) fn encode(request: &Request, target: &Target<'_>) -> (Value, Vec<String>) {
    let encoded = request::encode(request, target).unwrap();
    let body = serde_json::from_slice(&encoded.body).unwrap();
    (body, encoded.dropped.paths().to_vec())
}

#[test]
fn every_request_goes_back_as_it_came() {
    for (name, case) in cases::all("request-") {
        let model = case["model"].as_str().unwrap();
        let request = decode(model, &case["body"]);
        let (body, dropped) = encode(&request, &target(model));
        assert_eq!(body, case["body"], "{name}");
        assert_eq!(dropped, [""; 0], "{name}");
        // And is read the same way again.
        assert_eq!(decode(model, &body), request, "{name}");
    }
}

#[test]
fn bytes_of_values_stay_what_they_were() {
    let body = r#"{"messages":[{"role":"assistant","content":[{"toolUse":{"toolUseId":"a","name":"b","input":{ "n" : 1.0,"u":18446744073709551615, "e":"\u00e9"}}}]}],"inferenceConfig":{"temperature":0.20},"toolConfig":{"tools":[{"toolSpec":{"name":"b","inputSchema":{"json":{ "type":"object" }}}}]},"x":[1E2]}"#;
    let request = request::decode(body, "m", false).unwrap();
    let encoded = request::encode(&request, &target("m")).unwrap();
    assert_eq!(String::from_utf8(encoded.body).unwrap(), body);
}

#[test]
fn a_request_says_what_everyone_understands() {
    let all = cases::all("request-");
    let read = |name: &str| {
        let (_, case) = all.iter().find(|(it, _)| it == name).unwrap();
        decode(case["model"].as_str().unwrap(), &case["body"])
    };
    let plain = read("request-plain");
    assert_eq!(plain.turns[0].role, Role::System);
    assert_eq!(plain.output_tokens_max, Some(64));
    assert_eq!(plain.sampling.temperature, Some(Json::of("0.2")));
    assert_eq!(plain.sampling.stop, ["END", "\n\n#"]);
    let tools = read("request-tools");
    assert_eq!(
        tools.tool_choice,
        Some(ToolChoice::Named("clock".to_owned()))
    );
    assert_eq!(tools.tools.len(), 2);
    assert!(tools.tools[1].cache.is_some() && tools.tools[0].cache.is_none());
    let parallel = read("request-tools-parallel");
    let Content::ToolResult { failed, parts, .. } = &parallel.turns[2].parts[1].content else {
        panic!("{parallel:?}")
    };
    assert!(*failed && parts.len() == 2);
    let reasoning = read("request-reasoning");
    assert_eq!(reasoning.reasoning.unwrap().budget_tokens, Some(2_048));
    assert_eq!(
        reasoning.turns[1].parts[1].content,
        Content::RedactedReasoning("EtkECkgIBx".to_owned())
    );
    let adaptive = read("request-reasoning-adaptive").reasoning.unwrap();
    assert_eq!(
        (adaptive.effort, adaptive.shown),
        (Some(Effort::Max), Some(true))
    );
    assert_eq!(
        read("request-reasoning-nova").sampling.top_k,
        Some(Json::of("20"))
    );
    assert!(
        matches!(read("request-structured").format, Format::JsonSchema { name: Some(name), .. } if name == "City")
    );
    let cache = read("request-cache");
    let ttl = |turn: usize, part: usize| {
        cache.turns[turn].parts[part]
            .cache
            .as_ref()
            .unwrap()
            .ttl
            .as_deref()
    };
    assert_eq!(
        [ttl(0, 0), ttl(1, 0), ttl(1, 1)],
        [Some("1h"), None, Some("5m")]
    );
}

#[test]
fn what_is_wrong_is_told_with_its_place() {
    let cases = [
        ("[]", "the body must be an object"),
        (
            r#"{"messages":[{"role":"x"}]}"#,
            "messages[0].role must be user, assistant or system",
        ),
        (
            r#"{"messages":[{"role":"user","content":[{"text":1}]}]}"#,
            "messages[0].content[0].text must be a string",
        ),
        (
            r#"{"messages":[{"role":"user","content":[{"a":1,"b":2}]}]}"#,
            "messages[0].content[0] must hold one kind of content",
        ),
        (
            r#"{"messages":[{"role":"user","content":[{"toolResult":{"toolUseId":"a","content":[{"json":1},{}]}}]}]}"#,
            "messages[0].content[0].toolResult.content[1] must hold one kind of content",
        ),
        (
            r#"{"messages":[{"role":"user","content":[{"toolUse":{"name":"a"}}]}]}"#,
            "messages[0].content[0].toolUse.toolUseId must be a string that is not empty",
        ),
        (
            r#"{"inferenceConfig":{"stopSequences":["a",1]}}"#,
            "inferenceConfig.stopSequences[1] must be a string",
        ),
        (
            r#"{"messages":[{"role":"user","content":[{"text":"x","json":1}]}]}"#,
            "messages[0].content[0] must hold one kind of content",
        ),
        (
            r#"{"toolConfig":{"tools":[{"toolSpec":{}}]}}"#,
            "toolConfig.tools[0].toolSpec.name is missing",
        ),
        (
            r#"{"outputConfig":{"textFormat":{"type":"json_schema","structure":{"jsonSchema":{"schema":"{"}}}}}"#,
            "outputConfig.textFormat.structure.jsonSchema.schema must be a JSON Schema in a string",
        ),
        (
            r#"{"a":1,"messages":[],"messages":[]}"#,
            "messages stands there twice: send it once",
        ),
    ];
    for (body, expected) in cases {
        let misfit = request::decode(body, "m", false).unwrap_err();
        assert_eq!(misfit.to_string(), expected);
    }
}

/// The fields that only a model understands, the most tokens of 500, and what was dropped.
fn ask(
    model: &str,
    effort: Option<Effort>,
    budget_tokens: Option<u64>,
) -> (Value, Value, Vec<String>) {
    let plain = json!({"messages":[{"role":"user","content":[{"text":"x"}]}]});
    let mut request = decode(model, &plain);
    request.output_tokens_max = Some(500);
    request.reasoning = Some(Reasoning {
        effort,
        budget_tokens,
        ..Reasoning::default()
    });
    let (body, dropped) = encode(&request, &target(model));
    let max = body["inferenceConfig"]["maxTokens"].clone();
    (body["additionalModelRequestFields"].clone(), max, dropped)
}

#[test]
fn p44_p45_each_model_is_asked_to_think_in_its_own_words() {
    let (budget, adaptive) = ("anthropic.claude-sonnet-4-5", "anthropic.claude-opus-4-6");
    let (nova, word) = ("amazon.nova-2-lite-v1:0", "openai.gpt-oss-20b-1:0");
    let enabled = |tokens: u64| json!({"thinking":{"type":"enabled","budget_tokens":tokens}});
    let adapted =
        |word: &str| json!({"thinking":{"type":"adaptive"},"output_config":{"effort":word}});
    let asked =
        |word: &str| json!({"reasoningConfig":{"type":"enabled","maxReasoningEffort":word}});
    let off = |name: &str| json!({name:{"type":"disabled"}});
    let cases = [
        (budget, Some(Effort::Medium), None, enabled(4_096), 4_596),
        (budget, None, Some(2_000), enabled(2_000), 500),
        (budget, Some(Effort::None), None, Value::Null, 500),
        (adaptive, Some(Effort::Minimal), None, adapted("low"), 500),
        (adaptive, Some(Effort::XHigh), None, adapted("xhigh"), 500),
        (adaptive, None, Some(7_000), adapted("high"), 500),
        (adaptive, None, Some(0), off("thinking"), 500),
        (nova, Some(Effort::Max), None, asked("high"), 500),
        (nova, Some(Effort::None), None, off("reasoningConfig"), 500),
        (
            word,
            Some(Effort::Minimal),
            None,
            json!({"reasoning_config":"low"}),
            500,
        ),
    ];
    for (model, effort, tokens, fields, max) in cases {
        let expected = (fields, json!(max), Vec::new());
        assert_eq!(
            ask(model, effort, tokens),
            expected,
            "{model} {effort:?} {tokens:?}"
        );
    }
}

#[test]
fn a_wish_to_think_that_a_model_cannot_follow_is_told() {
    let claude = ask("anthropic.claude-sonnet-4-5", None, Some(1_000));
    assert_eq!(
        (claude.0, claude.2),
        (Value::Null, vec!["thinking.budget_tokens".to_owned()])
    );
    for (model, effort) in [
        ("meta.llama3-1-8b-instruct-v1:0", Effort::Low),
        ("openai.gpt-oss-20b-1:0", Effort::None),
    ] {
        let (fields, _, dropped) = ask(model, Some(effort), None);
        assert_eq!(
            (fields, dropped),
            (Value::Null, vec!["reasoning_effort".to_owned()])
        );
    }
}
