//! Requests of other families, and of ours for others: what is said differently, left out or refused.
//!
//! Knows the neutral form only, no other dialect.

use dialect::{
    neutral::{
        Cache, Content, Encoded, Extra, Family, Format, Json, Media, Part, Reasoning, Request,
        Role, Source, Tool, ToolChoice, Turn, Unsupported,
    },
    responses::{Target, crossing, request},
};
use serde_json::{Value, json};

use super::fixture;

fn crossed(request: &Request) -> Result<Encoded, Unsupported> {
    let mut target = Target::new("gpt");
    target.crossing = true;
    request::encode(request, &target)
}

fn body(request: &Request) -> Value {
    serde_json::from_slice(&crossed(request).unwrap().body).unwrap()
}

fn call(id: &str) -> Part {
    Part::new(Content::ToolCall {
        id: id.to_owned(),
        name: "f".to_owned(),
        arguments: String::new(),
    })
}

fn result(id: &str) -> Part {
    Part::new(Content::ToolResult {
        id: id.to_owned(),
        name: None,
        parts: vec![Part::text("ok")],
        failed: true,
    })
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

#[test]
fn a_conversation_of_another_family_is_a_list_of_items() {
    let thought = |signature: Option<&str>| {
        Part::new(Content::Reasoning {
            text: "Hm.".to_owned(),
            signature: signature.map(str::to_owned),
        })
    };
    let request = Request {
        turns: vec![
            Turn::new(Role::System, vec![Part::text("Be brief.")]),
            Turn::new(Role::User, vec![Part::text("Hi")]),
            Turn::new(
                Role::Assistant,
                vec![
                    thought(Some("s")),
                    thought(None),
                    Part::text(""),
                    call("a"),
                    call("b"),
                ],
            ),
            Turn::new(
                Role::User,
                vec![result("a"), result("b"), Part::text("Well?")],
            ),
        ],
        ..Request::default()
    };
    let encoded = crossed(&request).unwrap();
    let written: Value = serde_json::from_slice(&encoded.body).unwrap();
    assert_eq!(written["instructions"], "Be brief.");
    assert_eq!(written["store"], false);
    let message = |role: &str, text: &str| json!({"type":"message","role":role,"content":text});
    let call = |id: &str| json!({"type":"function_call","arguments":"{}","call_id":id,"name":"f"});
    let result = |id: &str| json!({"type":"function_call_output","call_id":id,"output":"ok"});
    let summary = json!([{"type":"summary_text","text":"Hm."}]);
    let items = [
        message("user", "Hi"),
        json!({"type":"reasoning","summary":summary,"encrypted_content":"s"}),
        call("a"),
        call("b"),
        result("a"),
        result("b"),
        message("user", "Well?"),
    ];
    assert_eq!(written["input"], json!(items));
    assert_eq!(
        encoded.dropped.paths(),
        [
            "messages[2].content[1]",
            "messages[3].content[0].is_error",
            "messages[3].content[1].is_error"
        ]
    );
}

#[test]
fn silence_of_another_family_is_said() {
    let request = Request {
        tools: vec![tool("f")],
        reasoning: Some(Reasoning {
            budget_tokens: Some(4_000),
            ..Reasoning::default()
        }),
        ..Request::default()
    };
    let written = body(&request);
    let none = json!({"type": "object", "properties": {}});
    assert_eq!(
        written["tools"],
        json!([{"type":"function","name":"f","parameters":none,"strict":false}])
    );
    assert_eq!(written["reasoning"], json!({"effort": "medium"}));
    assert_eq!(written["include"], json!(["reasoning.encrypted_content"]));
    // A request of our own says what it says.
    let own = request::encode(&request, &Target::new("m")).unwrap();
    let own: Value = serde_json::from_slice(&own.body).unwrap();
    assert_eq!(own["tools"], json!([{"type":"function","name":"f"}]));
    assert!(own.get("store").is_none() && own.get("include").is_none());
}

#[test]
fn what_has_no_place_here_is_told() {
    let number = || Some(Json::of("1"));
    let mut request = Request {
        turns: vec![Turn {
            name: Some("ann".to_owned()),
            extra: vec![Extra::new(Family::Chat, "weight", "1")],
            ..Turn::new(
                Role::User,
                vec![Part {
                    cache: Some(Cache { ttl: None }),
                    extra: vec![Extra::new(Family::Messages, "citations", "{}")],
                    ..Part::text("x")
                }],
            )
        }],
        tools: vec![Tool {
            cache: Some(Cache { ttl: None }),
            ..tool("f")
        }],
        service_tier: Some("standard_only".to_owned()),
        extra: vec![Extra::new(Family::Chat, "logit_bias", "{}")],
        ..Request::default()
    };
    request.sampling.top_k = number();
    request.sampling.seed = number();
    request.sampling.presence_penalty = number();
    request.sampling.frequency_penalty = number();
    request.sampling.stop = vec!["x".to_owned()];
    let encoded = crossed(&request).unwrap();
    assert_eq!(
        encoded.dropped.paths(),
        [
            "messages[0].weight",
            "messages[0].name",
            "messages[0].content[0].cache_control",
            "messages[0].content[0].citations",
            "tools[0].cache_control",
            "top_k",
            "seed",
            "presence_penalty",
            "frequency_penalty",
            "stop",
            "service_tier",
            "logit_bias",
        ]
    );
}

#[test]
fn what_changes_the_meaning_is_refused() {
    let turn = |role, part| Request {
        turns: vec![Turn::new(role, vec![part])],
        ..Request::default()
    };
    let media = || Media {
        source: Source::Base64("AA==".to_owned()),
        media_type: "audio/wav".to_owned(),
        name: None,
        detail: None,
    };
    let logprobs = {
        let mut request = Request::default();
        request.sampling.logprobs = Some(true);
        request
    };
    let several = Request {
        choices: Some(2),
        ..Request::default()
    };
    let hosted = Request {
        tools: vec![Tool {
            extra: vec![Extra::new(Family::Messages, "bash_20250124", "{}")],
            ..tool("")
        }],
        ..Request::default()
    };
    let foreign = Part::other(Extra::new(Family::Messages, "search_result", "{}"));
    let cases = [
        (
            turn(Role::User, Part::new(Content::Audio(media()))),
            "messages[0].content[0]",
        ),
        (
            turn(Role::Assistant, Part::new(Content::Image(media()))),
            "messages[0].content[0]",
        ),
        (turn(Role::User, foreign), "messages[0].content[0]"),
        (several, "n"),
        (logprobs, "logprobs"),
        (hosted, "tools[0]"),
    ];
    for (request, at) in cases {
        assert_eq!(crossed(&request).unwrap_err().at, at);
    }
}

#[test]
fn a_target_that_minds_something_is_minded() {
    let mut request = request::decode(
        r#"{"model":"m","instructions":"I","input":"x","temperature":1,"top_p":1,"reasoning":{"effort":"minimal"},"max_output_tokens":1}"#,
    )
    .unwrap();
    request.format = Format::JsonSchema {
        name: None,
        description: None,
        schema: Json::of("{}"),
        strict: None,
    };
    request.tool_choice = Some(ToolChoice::Named("f".to_owned()));
    let mut target = Target::new("m");
    target.instructions = false;
    target.sampling = false;
    target.minimal_effort = false;
    target.output_tokens_min = 16;
    let encoded = request::encode(&request, &target).unwrap();
    assert_eq!(
        encoded.dropped.paths(),
        ["temperature", "top_p", "max_output_tokens"]
    );
    let written: Value = serde_json::from_slice(&encoded.body).unwrap();
    assert_eq!(written["input"][0]["role"], "system");
    assert_eq!(written["reasoning"]["effort"], "low");
    assert_eq!(written["max_output_tokens"], 16);
    assert_eq!(written["text"]["format"]["name"], "answer");
    assert_eq!(
        written["tool_choice"],
        json!({"type": "function", "name": "f"})
    );
}

#[test]
fn a_cache_mark_goes_to_models_that_know_it() {
    let mut target = Target::new("m");
    target.crossing = true;
    target.cache_marks = true;
    let ttls = [
        (Some("1h"), json!("12h")),
        (Some("5m"), Value::Null),
        (None, Value::Null),
    ];
    for (ttl, written) in ttls {
        let part = Part {
            cache: Some(Cache {
                ttl: ttl.map(str::to_owned),
            }),
            ..Part::text("x")
        };
        let request = Request {
            turns: vec![Turn::new(Role::User, vec![part])],
            ..Request::default()
        };
        let encoded = request::encode(&request, &target).unwrap();
        let body: Value = serde_json::from_slice(&encoded.body).unwrap();
        let mark = &body["input"][0]["content"][0]["prompt_cache_breakpoint"];
        assert_eq!(
            (&mark["mode"], &mark["ttl"]),
            (&json!("explicit"), &written)
        );
    }
}

#[test]
fn what_only_this_family_keeps_does_not_go_to_another() {
    let refused = |body: &str| crossing::check(&request::decode(body).unwrap()).map_err(|it| it.at);
    let with = |member: &str| refused(&format!(r#"{{"model":"m",{member}}}"#));
    let at = |at: &str| Err(at.to_owned());
    assert_eq!(
        with(r#""previous_response_id":"resp_1""#),
        at("previous_response_id")
    );
    assert_eq!(with(r#""conversation":"conv_1""#), at("conversation"));
    assert_eq!(with(r#""prompt":{"id":"p"}"#), at("prompt"));
    assert_eq!(with(r#""background":true"#), at("background"));
    assert_eq!(with(r#""tools":[{"type":"web_search"}]"#), at("tools[0]"));
    assert_eq!(
        with(r#""tool_choice":{"type":"web_search"}"#),
        at("tool_choice")
    );
    let reference = r#""input":[{"role":"user","content":"x"},{"type":"item_reference","id":"x"}]"#;
    assert_eq!(with(reference), at("messages[1].content[0]"));
    for fine in [
        r#""background":false,"store":true,"include":[],"metadata":{},"truncation":"auto""#,
        r#""previous_response_id":null"#,
        r#""tools":[{"type":"custom","name":"f"}]"#,
    ] {
        assert_eq!(with(fine), Ok(()), "{fine}");
    }
    assert_eq!(refused(&fixture("request-tools.json")), Ok(()));
}

/// Calls in a row are one turn with the calls' own ids, and so are their results.
#[test]
fn calls_in_a_row_are_one_turn() {
    let body = r#"{"model":"m","input":[
        {"role":"user","content":"x"},
        {"type":"function_call","id":"fc_1","call_id":"call_1","name":"f","arguments":"{}"},
        {"type":"reasoning","id":"rs_1","summary":[],"encrypted_content":"s"},
        {"type":"function_call","id":"fc_2","call_id":"call_2","name":"f","arguments":"{}"},
        {"type":"function_call_output","call_id":"call_1","output":"1"},
        {"type":"function_call_output","call_id":"call_2","output":[{"type":"input_text","text":"2"}]}]}"#;
    let request = request::decode(body).unwrap();
    let shape: Vec<(Role, usize)> = request
        .turns
        .iter()
        .map(|turn| (turn.role, turn.parts.len()))
        .collect();
    assert_eq!(
        shape,
        [(Role::User, 1), (Role::Assistant, 3), (Role::User, 2)]
    );
    let ids = request.turns[1]
        .parts
        .iter()
        .filter_map(|part| match &part.content {
            Content::ToolCall { id, .. } => Some(id.as_str()),
            _ => None,
        });
    assert_eq!(ids.collect::<Vec<_>>(), ["call_1", "call_2"]);
}
