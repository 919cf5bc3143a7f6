//! Requests that other families made, written for Cohere: what is said otherwise, dropped by name, or refused.

use dialect::{
    cohere::request::{self, Target},
    neutral::{
        Cache, Content, Effort, Extra, Family, Format, Json, Media, Part, Reasoning, Request, Role,
        Source, Tool, ToolChoice, Turn,
    },
};
use serde_json::{Value, json};

use super::fixture;

fn asks(parts: Vec<Part>) -> Request {
    Request {
        turns: vec![Turn::new(Role::User, parts)],
        ..Request::default()
    }
}

fn written(request: &Request) -> (Value, Vec<String>) {
    let encoded = request::encode(request, &Target::new("command")).unwrap();
    (
        fixture::json(&encoded.body),
        encoded.dropped.paths().to_vec(),
    )
}

fn refused(request: &Request) -> String {
    request::encode(request, &Target::new("command"))
        .unwrap_err()
        .at
}

fn tool(name: &str) -> Tool {
    Tool {
        name: name.to_owned(),
        description: None,
        parameters: None,
        strict: None,
        cache: None,
        extra: Vec::new(),
    }
}

fn result(parts: Vec<Part>, failed: bool) -> Part {
    Part::new(Content::ToolResult {
        id: "c1".to_owned(),
        name: Some("weather".to_owned()),
        parts,
        failed,
    })
}

fn thought(text: &str, signature: Option<&str>) -> Part {
    Part::new(Content::Reasoning {
        text: text.to_owned(),
        signature: signature.map(str::to_owned),
    })
}

fn call() -> Part {
    Part::new(Content::ToolCall {
        id: "c1".to_owned(),
        name: "weather".to_owned(),
        arguments: String::new(),
    })
}

fn media(source: Source) -> Media {
    Media {
        source,
        media_type: "text/plain".to_owned(),
        name: Some("notes".to_owned()),
        detail: None,
    }
}

#[test]
fn results_stand_before_what_else_the_user_says() {
    let request = asks(vec![
        result(vec![Part::text("21")], false),
        Part::text("Go on."),
    ]);
    let (body, dropped) = written(&request);
    assert_eq!(
        body["messages"],
        json!([
            {"role": "tool", "tool_call_id": "c1", "content": "21"},
            {"role": "user", "content": "Go on."}
        ])
    );
    assert!(dropped.is_empty());
}

#[test]
fn a_failure_is_said_in_words() {
    for (parts, content) in [
        (
            vec![Part::text("no such city")],
            json!("Error: no such city"),
        ),
        (Vec::new(), json!("Error: ")),
    ] {
        let (body, _) = written(&asks(vec![result(parts, true)]));
        assert_eq!(body["messages"][0]["content"], content);
    }
    let (body, _) = written(&asks(vec![result(Vec::new(), false)]));
    assert_eq!(body["messages"][0]["content"], "");
}

#[test]
fn thoughts_are_a_plan_where_calls_follow_and_content_where_none_do() {
    let mut request = asks(vec![Part::text("hi")]);
    let parts = vec![thought("I will ask.", Some("sig")), call()];
    request.turns.push(Turn::new(Role::Assistant, parts));
    let parts = vec![thought("Easy.", None), Part::text("Done.")];
    request.turns.push(Turn::new(Role::Assistant, parts));
    let (body, dropped) = written(&request);
    assert_eq!(body["messages"][1]["tool_plan"], "I will ask.");
    assert_eq!(body["messages"][1].get("content"), None);
    assert_eq!(
        body["messages"][1]["tool_calls"][0]["function"]["arguments"],
        "{}"
    );
    assert_eq!(
        body["messages"][2]["content"],
        json!([{"type": "thinking", "thinking": "Easy."}, {"type": "text", "text": "Done."}])
    );
    assert_eq!(dropped, ["messages[1].content[0].signature"]);
}

#[test]
fn thoughts_that_only_their_maker_can_read_are_dropped_by_name() {
    let mut request = asks(vec![Part::text("hi")]);
    let sealed = Part::new(Content::RedactedReasoning("x".to_owned()));
    let alone = Turn::new(Role::Assistant, vec![sealed.clone()]);
    request.turns.push(alone);
    let refusal = Part::new(Content::Refusal("No.".to_owned()));
    request
        .turns
        .push(Turn::new(Role::Assistant, vec![sealed, refusal]));
    let (body, dropped) = written(&request);
    assert_eq!(
        body["messages"],
        json!([{"role": "user", "content": "hi"}, {"role": "assistant", "content": "No."}])
    );
    assert_eq!(
        dropped,
        ["messages[1].content[0]", "messages[2].content[0]"]
    );
}

#[test]
fn developers_are_the_system_and_names_and_cache_marks_are_dropped_by_name() {
    let mut words = Part::text("Be brief.");
    words.cache = Some(Cache { ttl: None });
    words.extra.push(Extra::new(Family::Chat, "x_part", "1"));
    let mut turn = Turn::new(Role::Developer, vec![words]);
    turn.name = Some("boss".to_owned());
    turn.extra.push(Extra::new(Family::Messages, "x_turn", "1"));
    let request = Request {
        turns: vec![turn],
        extra: vec![Extra::new(Family::Chat, "logit_bias", "{}")],
        parallel_tools: Some(false),
        end_user: Some("u".to_owned()),
        service_tier: Some("flex".to_owned()),
        ..Request::default()
    };
    let (body, mut dropped) = written(&request);
    assert_eq!(
        body,
        json!({"model": "command", "messages": [{"role": "system", "content": "Be brief."}]})
    );
    dropped.sort();
    assert_eq!(
        dropped,
        [
            "logit_bias",
            "messages[0].content[0].cache_control",
            "messages[0].content[0].x_part",
            "messages[0].name",
            "messages[0].x_turn",
            "parallel_tool_calls",
            "service_tier",
            "user",
        ]
    );
}

#[test]
fn one_tool_is_forced_by_offering_no_other() {
    let mut request = asks(vec![Part::text("hi")]);
    request.tools = vec![tool("a"), tool("b"), tool("c")];
    let single = |name: &str| Some(ToolChoice::Named(name.to_owned()));
    let allowed = |required| {
        let names = vec!["a".to_owned(), "c".to_owned()];
        Some(ToolChoice::Allowed { names, required })
    };
    for (choice, offered, word) in [
        (None, "abc", None),
        (Some(ToolChoice::Auto), "abc", None),
        (Some(ToolChoice::None), "abc", Some("NONE")),
        (Some(ToolChoice::Required), "abc", Some("REQUIRED")),
        (single("b"), "b", Some("REQUIRED")),
        (allowed(false), "ac", None),
        (allowed(true), "ac", Some("REQUIRED")),
    ] {
        request.tool_choice = choice;
        let (body, _) = written(&request);
        let names: String = body["tools"]
            .as_array()
            .unwrap()
            .iter()
            .map(|tool| tool["function"]["name"].as_str().unwrap())
            .collect();
        assert_eq!(
            (names.as_str(), body["tool_choice"].as_str()),
            (offered, word)
        );
        let schema = &body["tools"][0]["function"]["parameters"];
        assert_eq!(*schema, json!({"type": "object", "properties": {}}));
    }
    request.tool_choice = single("z");
    assert_eq!(refused(&request), "tool_choice");
}

#[test]
fn tools_are_strict_together_or_not_at_all() {
    let mut request = asks(vec![Part::text("hi")]);
    for (strict, written_as, dropped_as) in [
        ([Some(true), Some(true)], json!(true), &[][..]),
        ([Some(false), Some(false)], json!(false), &[]),
        ([None, None], Value::Null, &[]),
        (
            [None, Some(true)],
            Value::Null,
            &["tools[1].function.strict"],
        ),
    ] {
        request.tools = vec![tool("a"), tool("b")];
        for (tool, strict) in request.tools.iter_mut().zip(strict) {
            tool.strict = strict;
        }
        let (body, dropped) = written(&request);
        assert_eq!(
            (&body["strict_tools"], dropped.as_slice()),
            (
                &written_as,
                &dropped_as
                    .iter()
                    .map(ToString::to_string)
                    .collect::<Vec<_>>()[..]
            )
        );
    }
}

#[test]
fn effort_becomes_tokens_and_none_is_off() {
    let mut request = asks(vec![Part::text("hi")]);
    for (effort, expected) in [
        (Effort::None, json!({"type": "disabled"})),
        (
            Effort::Minimal,
            json!({"type": "enabled", "token_budget": 512}),
        ),
        (
            Effort::Low,
            json!({"type": "enabled", "token_budget": 1024}),
        ),
        (
            Effort::Medium,
            json!({"type": "enabled", "token_budget": 4096}),
        ),
        (
            Effort::High,
            json!({"type": "enabled", "token_budget": 16384}),
        ),
        (Effort::XHigh, json!({"type": "enabled"})),
        (Effort::Max, json!({"type": "enabled"})),
    ] {
        request.reasoning = Some(Reasoning {
            effort: Some(effort),
            ..Reasoning::default()
        });
        assert_eq!(written(&request).0["thinking"], expected);
    }
    for (tokens, expected) in [
        (0, json!({"type": "disabled"})),
        (77, json!({"type": "enabled", "token_budget": 77})),
    ] {
        request.reasoning = Some(Reasoning {
            effort: Some(Effort::High),
            budget_tokens: Some(tokens),
            ..Reasoning::default()
        });
        assert_eq!(written(&request).0["thinking"], expected);
    }
    let silent = Target {
        thinks: false,
        ..Target::new("command")
    };
    let encoded = request::encode(&request, &silent).unwrap();
    assert_eq!(fixture::json(&encoded.body).get("thinking"), None);
    assert_eq!(encoded.dropped.paths(), ["reasoning_effort"]);
}

#[test]
fn a_schema_is_held_and_its_name_is_dropped() {
    let mut request = asks(vec![Part::text("hi")]);
    request.format = Format::JsonSchema {
        name: Some("person".to_owned()),
        description: None,
        schema: Json::of(r#"{"type":"object"}"#),
        strict: Some(true),
    };
    let (body, dropped) = written(&request);
    assert_eq!(
        body["response_format"],
        json!({"type": "json_object", "json_schema": {"type": "object"}})
    );
    assert_eq!(dropped, ["response_format.json_schema.name"]);
    request.format = Format::JsonObject;
    assert_eq!(
        written(&request).0["response_format"],
        json!({"type": "json_object"})
    );
}

#[test]
fn a_text_file_is_a_document_in_a_result() {
    let file = Part::new(Content::Document(media(Source::Text("21".to_owned()))));
    let (body, _) = written(&asks(vec![result(vec![file], false)]));
    assert_eq!(
        body["messages"][0]["content"],
        json!([{"type": "document", "document": {"data": {"title": "notes", "text": "21"}}}])
    );
}

#[test]
fn what_would_change_the_meaning_is_refused() {
    let inner = || media(Source::Base64("AA==".to_owned()));
    for (parts, at) in [
        (
            vec![Part::new(Content::Audio(inner()))],
            "messages[0].content[0]",
        ),
        (
            vec![Part::text("a"), Part::new(Content::Document(inner()))],
            "messages[0].content[1]",
        ),
        (
            vec![Part::new(Content::Image(media(Source::File(
                "f".to_owned(),
            ))))],
            "messages[0].content[0]",
        ),
        (
            vec![result(vec![Part::new(Content::Image(inner()))], false)],
            "messages[0].content[0].content[0]",
        ),
        (
            vec![result(
                vec![Part::text("a"), Part::new(Content::Audio(inner()))],
                false,
            )],
            "messages[0].content[0].content[1]",
        ),
        (
            vec![Part::other(Extra::new(
                Family::Messages,
                "search_result",
                "{}",
            ))],
            "messages[0].content[0]",
        ),
    ] {
        assert_eq!(refused(&asks(parts)), at);
    }
    let mut request = asks(vec![Part::text("hi")]);
    request.choices = Some(2);
    assert_eq!(refused(&request), "n");
    request.choices = Some(1);
    request.sampling.logprobs = Some(true);
    assert_eq!(refused(&request), "logprobs");
    request.sampling.logprobs = Some(false);
    let mut own = tool("");
    own.extra
        .push(Extra::new(Family::Messages, "web_search", "{}"));
    request.tools.push(own);
    assert_eq!(refused(&request), "tools[0]");
}
