//! What other gateways got wrong, as named tests.

use dialect::{
    converse::{
        names,
        request::{self, Target},
    },
    neutral::{
        Cache, Content, Delta, Event, Extra, Family, Json, Part, Reasoning, Request, Role, Tool,
        ToolChoice, Turn, Unsupported,
    },
};
use serde_json::{Value, json};

use crate::converse::{cases, requests::encode};

pub(crate) const CLAUDE: &str = "us.anthropic.claude-sonnet-4-5-20250929-v1:0";
pub(crate) const LLAMA: &str = "us.meta.llama3-3-70b-instruct-v1:0";

fn user(parts: Vec<Part>) -> Turn {
    Turn::new(Role::User, parts)
}

pub(crate) fn says(text: &str) -> Request {
    Request {
        turns: vec![user(vec![Part::text(text)])],
        ..Request::default()
    }
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

pub(crate) fn tool(name: &str) -> Tool {
    Tool {
        name: name.to_owned(),
        description: Some(String::new()),
        parameters: None,
        strict: None,
        cache: None,
        extra: Vec::new(),
    }
}

pub(crate) fn body(request: &Request, model: &str) -> Value {
    encode(request, &Target::new(model)).0
}

pub(crate) fn refused(request: &Request, model: &str) -> Unsupported {
    request::encode(request, &Target::new(model)).unwrap_err()
}

#[test]
fn p5_arguments_are_an_object_and_never_a_string() {
    let mut request = says("x");
    request
        .turns
        .push(Turn::new(Role::Assistant, vec![call("a", "t", "")]));
    let input = |request: &Request| {
        body(request, CLAUDE)["messages"][1]["content"][0]["toolUse"]["input"].clone()
    };
    assert_eq!(input(&request), json!({}));
    for arguments in ["{\"a\":", "\"{}\"", "[1]", "null"] {
        request.turns[1].parts[0] = call("a", "t", arguments);
        assert_eq!(
            refused(&request, CLAUDE).at,
            "messages[1].content[0].arguments"
        );
    }
}

#[test]
fn p7_results_come_first_and_in_one_message() {
    let mut request = says("x");
    request.turns.push(Turn::new(
        Role::Assistant,
        vec![call("a", "t", "{}"), call("b", "t", "{}")],
    ));
    request.turns.push(user(vec![result("a", "1")]));
    request
        .turns
        .push(user(vec![Part::text("and"), result("b", "2")]));
    let body = body(&request, CLAUDE);
    let content = &body["messages"][2]["content"];
    assert_eq!(body["messages"].as_array().unwrap().len(), 3);
    assert_eq!(content[0]["toolResult"]["toolUseId"], "a");
    assert_eq!(content[1]["toolResult"]["toolUseId"], "b");
    assert_eq!(content[2]["text"], "and");
}

#[test]
fn p11_thoughts_go_back_only_with_their_proof_and_each_with_its_own() {
    let thought = |text: &str, signature: Option<&str>| {
        Part::new(Content::Reasoning {
            text: text.to_owned(),
            signature: signature.map(str::to_owned),
        })
    };
    let mut request = says("x");
    let parts = vec![
        thought("a", Some("1")),
        thought("b", None),
        thought("", Some("2")),
        Part::text("y"),
    ];
    request.turns.push(Turn::new(Role::Assistant, parts));
    let (claude, dropped) = encode(&request, &Target::new(CLAUDE));
    let expected = json!([
        {"reasoningContent":{"reasoningText":{"text":"a","signature":"1"}}},
        {"reasoningContent":{"reasoningText":{"text":"","signature":"2"}}},
        {"text":"y"},
    ]);
    assert_eq!(claude["messages"][1]["content"], expected);
    assert_eq!(dropped, ["messages[1].content[1]"]);
    assert_eq!(
        body(&request, LLAMA)["messages"][1]["content"],
        json!([{"text":"y"}])
    );
}

#[test]
fn p13_blank_words_are_not_sent_and_their_mark_is_kept() {
    let mut blank = Part::text(" \n");
    blank.cache = Some(Cache { ttl: None });
    let mut request = says("x");
    request.turns[0].parts.push(blank);
    request
        .turns
        .push(Turn::new(Role::Assistant, vec![Part::text("")]));
    request.turns.push(user(vec![Part::text("y")]));
    let expected = json!([{"role":"user","content":[{"text":"x"},{"cachePoint":{"type":"default"}},{"text":"y"}]}]);
    assert_eq!(body(&request, CLAUDE)["messages"], expected);
}

#[test]
fn p14_names_are_shortened_alike_everywhere() {
    let long = "mcp.server/".repeat(9);
    let mut request = says("x");
    request.tools = vec![tool(&long)];
    request.tool_choice = Some(ToolChoice::Named(long.clone()));
    request.turns.push(Turn::new(
        Role::Assistant,
        vec![call("fc_1|x", &long, "{}")],
    ));
    request.turns.push(user(vec![result("fc_1|x", "1")]));
    let body = body(&request, CLAUDE);
    let short = body["toolConfig"]["tools"][0]["toolSpec"]["name"]
        .as_str()
        .unwrap();
    assert!(
        short.len() <= 64
            && short
                .bytes()
                .all(|it| it.is_ascii_alphanumeric() || b"_-".contains(&it))
    );
    assert_eq!(body["toolConfig"]["toolChoice"]["tool"]["name"], short);
    let called = &body["messages"][1]["content"][0]["toolUse"];
    assert_eq!(called["name"], short);
    assert_eq!(
        called["toolUseId"],
        body["messages"][2]["content"][0]["toolResult"]["toolUseId"]
    );
    assert_ne!(called["toolUseId"], "fc_1|x");
    assert_eq!(names::Originals::of(&request).name(short), long);
}

#[test]
fn p16_a_conversation_with_calls_keeps_tools() {
    let mut request = says("x");
    request
        .turns
        .push(Turn::new(Role::Assistant, vec![call("a", "t", "{}")]));
    request.turns.push(user(vec![result("a", "1")]));
    let stub = body(&request, CLAUDE);
    assert_eq!(stub["toolConfig"]["tools"].as_array().unwrap().len(), 1);
    assert!(stub["toolConfig"].get("toolChoice").is_none());
    // An empty toolConfig that was sent does not stand beside the one that is needed.
    let mut empty = request.clone();
    empty.extra = vec![Extra::new(Family::Converse, "toolConfig", "{}")];
    let written = request::encode(&empty, &Target::new(CLAUDE)).unwrap().body;
    let written = String::from_utf8(written).unwrap();
    assert_eq!(written.matches("toolConfig").count(), 1, "{written}");
    request.tools = vec![tool("t")];
    request.tool_choice = Some(ToolChoice::None);
    let (kept, dropped) = encode(&request, &Target::new(CLAUDE));
    assert_eq!(kept["toolConfig"]["tools"][0]["toolSpec"]["name"], "t");
    assert_eq!(dropped, ["tool_choice"]);
    request.turns.truncate(1);
    let (without, dropped) = encode(&request, &Target::new(CLAUDE));
    assert!(without.get("toolConfig").is_none() && dropped.is_empty());
}

#[test]
fn p19_nobody_limits_the_answer_who_was_not_asked_to() {
    assert!(body(&says("x"), CLAUDE).get("inferenceConfig").is_none());
}

#[test]
fn p20_a_model_gets_no_randomness_that_it_refuses() {
    let mut request = says("x");
    request.sampling.temperature = Some(Json::of("1.5"));
    request.sampling.top_p = Some(Json::of("0.9"));
    let at = |model: &str| {
        let (body, dropped) = encode(&request, &Target::new(model));
        (body["inferenceConfig"].clone(), dropped.join(" "))
    };
    assert_eq!(
        at(LLAMA),
        (
            json!({"temperature":1,"topP":0.9}),
            "temperature".to_owned()
        )
    );
    assert_eq!(
        at(CLAUDE),
        (json!({"temperature":1}), "top_p temperature".to_owned())
    );
    assert_eq!(
        at("anthropic.claude-opus-4-7"),
        (Value::Null, "temperature top_p".to_owned())
    );
}

#[test]
fn p21_a_forced_call_and_thoughts_are_refused_together() {
    let mut request = says("x");
    request.tools = vec![tool("t")];
    request.tool_choice = Some(ToolChoice::Required);
    request.reasoning = Some(Reasoning {
        budget_tokens: Some(2_048),
        ..Reasoning::default()
    });
    assert_eq!(refused(&request, CLAUDE).at, "tool_choice");
    request.tool_choice = Some(ToolChoice::Auto);
    request.sampling.top_k = Some(Json::of("5"));
    request.sampling.temperature = Some(Json::of("0"));
    let (body, dropped) = encode(&request, &Target::new(CLAUDE));
    assert!(body["additionalModelRequestFields"].get("top_k").is_none());
    assert_eq!(dropped, ["temperature", "top_k"]);
}

#[test]
fn p23_marks_of_the_cache_stand_behind_what_they_mark_where_a_model_takes_them() {
    let marked = |mut part: Part, ttl: Option<&str>| {
        let ttl = ttl.map(str::to_owned);
        part.cache = Some(Cache { ttl });
        part
    };
    let mut request = says("x");
    request.turns.insert(
        0,
        Turn::new(Role::System, vec![marked(Part::text("s"), Some("1h"))]),
    );
    request.turns.push(Turn::new(
        Role::Assistant,
        vec![marked(call("a", "t", "{}"), None)],
    ));
    request
        .turns
        .push(user(vec![marked(result("a", "1"), Some("5m"))]));
    request.tools = vec![tool("t"), tool("u")];
    request.tools[1].cache = Some(Cache { ttl: None });
    let points = |body: &Value| body.to_string().matches("cachePoint").count();
    let (claude, dropped) = encode(&request, &Target::new(CLAUDE));
    assert_eq!(
        claude["system"][1],
        json!({"cachePoint":{"type":"default","ttl":"1h"}})
    );
    assert_eq!(
        claude["messages"][1]["content"][1],
        json!({"cachePoint":{"type":"default"}})
    );
    assert_eq!(
        claude["messages"][2]["content"][1]["cachePoint"]["ttl"],
        "5m"
    );
    assert_eq!(
        claude["toolConfig"]["tools"][2],
        json!({"cachePoint":{"type":"default"}})
    );
    assert_eq!((points(&claude), dropped.len()), (4, 0));
    let (nova, dropped) = encode(&request, &Target::new("amazon.nova-lite-v1:0"));
    assert_eq!(points(&nova), 3);
    assert_eq!(
        dropped,
        [
            "messages[0].content[0].cache_control.ttl",
            "tools[1].cache_control"
        ]
    );
    let (llama, dropped) = encode(&request, &Target::new(LLAMA));
    assert_eq!((points(&llama), dropped.len()), (0, 4));
}

#[test]
fn p24_the_same_request_has_the_same_bytes() {
    let (_, case) = cases::all("request-tools").remove(0);
    let request = request::decode(&case["body"].to_string(), "m", false).unwrap();
    let once = request::encode(&request, &Target::new("m")).unwrap().body;
    assert_eq!(
        request::encode(&request.clone(), &Target::new("m"))
            .unwrap()
            .body,
        once
    );
}

#[test]
fn p27_p29_no_phantom_words_and_no_end_behind_a_call() {
    let stream = |name: &str| {
        let (_, case) = cases::all(name).remove(0);
        cases::decode(&cases::frames(&case["events"]).concat(), &[])
    };
    let opens = |events: &[Event]| {
        events
            .iter()
            .filter(|it| matches!(it, Event::Open { .. }))
            .count()
    };
    assert_eq!(opens(&stream("stream-blank-deltas")), 1);
    let called = stream("stream-end-turn-with-a-call");
    assert!(called.iter().any(|it| matches!(
        it,
        Event::Stop {
            stop: dialect::neutral::Stop::ToolCalls,
            ..
        }
    )));
}

#[test]
fn p38_p39_an_exception_is_an_error_and_repeats_nothing() {
    let (_, case) = cases::all("broken-throttled").remove(0);
    let events = cases::decode(&cases::frames(&case["events"]).concat(), &[]);
    let texts = events.iter().filter(|it| {
        matches!(
            it,
            Event::Delta {
                delta: Delta::Text(_),
                ..
            }
        )
    });
    assert_eq!(texts.count(), 1);
    let Some(Event::Error(error)) = events.last() else {
        panic!("{events:?}")
    };
    assert_eq!(error.code.as_deref(), Some("throttlingException"));
    assert_eq!(error.message, "Too many tokens, please wait.");
    // A page instead of a stream is one, too.
    let page = cases::decode(b"<html><body>Bad Gateway</body></html>", &[]);
    assert!(matches!(&page[..], [Event::Error(_)]), "{page:?}");
}
