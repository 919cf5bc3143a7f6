//! What providers do not take: it is said in another way, left out and told, or refused.
//!
//! Knows the quirks of targets, one by one.

use dialect::{
    chat::{
        request,
        target::{Asking, CacheMarks, Target, Thoughts, ToolIds},
    },
    neutral::{
        Cache, Content, Effort, Extra, Family, Media, Part, Reasoning, Request, Role, Source, Tool,
        Turn,
    },
};
use serde_json::{Value, json};

use super::fixture;

fn written(request: &Request, target: &Target<'_>) -> (Value, Vec<String>) {
    let encoded = request::encode(request, target).unwrap();
    let dropped = encoded.dropped.paths().to_vec();
    (serde_json::from_slice(&encoded.body).unwrap(), dropped)
}

fn asked(parts: Vec<Part>) -> Request {
    Request {
        turns: vec![Turn::new(Role::User, parts)],
        ..Request::default()
    }
}

fn decode(name: &str) -> Request {
    request::decode(&fixture::read(name)).unwrap()
}

#[test]
fn thoughts_go_back_as_the_provider_wants_them() {
    let request = decode("request-reasoning-details.json");
    let with = |thoughts| {
        let target = Target {
            thoughts,
            asking: Asking::Object,
            ..Target::new("m")
        };
        let (body, dropped) = written(&request, &target);
        (body["messages"][1].clone(), dropped)
    };
    let (message, dropped) = with(Thoughts::Dropped);
    assert!(message.get("reasoning_content").is_none());
    assert_eq!(
        dropped,
        [
            "messages[1].reasoning_content",
            "messages[1].reasoning_details"
        ]
    );
    let (message, dropped) = with(Thoughts::Content);
    assert_eq!(message["reasoning_content"], "First thoughtSecond thought");
    assert_eq!(dropped, ["messages[1].reasoning_details"]);
    assert_eq!(
        with(Thoughts::Plain).0["reasoning"],
        "First thoughtSecond thought"
    );
    let (message, dropped) = with(Thoughts::Details);
    assert_eq!(message["reasoning_details"].as_array().unwrap().len(), 3);
    assert_eq!(dropped, [""; 0]);
    let (message, _) = with(Thoughts::Chunks);
    let chunk =
        json!({"type": "thinking", "thinking": [{"type": "text", "text": "First thought"}]});
    let text = "Let me look.";
    assert_eq!(message["content"][0]["thinking"], chunk["thinking"]);
    assert_eq!(message["content"][2]["text"], text);
    let (message, _) = with(Thoughts::Google);
    let google = &message["tool_calls"][0]["extra_content"]["google"];
    assert_eq!(google["thought_signature"], "c2lnLTI=");
}

#[test]
fn effort_is_said_in_the_words_that_the_model_knows() {
    let with = |reasoning: Reasoning, asking, efforts: &[Effort]| {
        let request = Request {
            reasoning: Some(reasoning),
            ..asked(vec![Part::text("x")])
        };
        written(
            &request,
            &Target {
                asking,
                efforts,
                ..Target::new("m")
            },
        )
    };
    let effort = |effort| Reasoning {
        effort: Some(effort),
        ..Reasoning::default()
    };
    let budget = |tokens| Reasoning {
        budget_tokens: Some(tokens),
        ..Reasoning::default()
    };
    let three = [Effort::Low, Effort::Medium, Effort::High];
    for (effort_asked, word) in [
        (Effort::Minimal, "low"),
        (Effort::Max, "high"),
        (Effort::Medium, "medium"),
    ] {
        assert_eq!(
            with(effort(effort_asked), Asking::Word, &three).0["reasoning_effort"],
            word
        );
    }
    for (tokens, word) in [
        (0, "none"),
        (1_024, "low"),
        (8_000, "medium"),
        (20_000, "high"),
    ] {
        assert_eq!(
            with(budget(tokens), Asking::Word, &Effort::ALL).0["reasoning_effort"],
            word
        );
    }
    let (body, dropped) = with(effort(Effort::High), Asking::Word, &[]);
    assert!(body.get("reasoning_effort").is_none());
    assert_eq!(dropped, ["reasoning_effort"]);
    assert_eq!(
        with(effort(Effort::High), Asking::Nothing, &three).1,
        ["reasoning_effort"]
    );
    assert_eq!(
        with(budget(9), Asking::Object, &three).0["reasoning"],
        json!({"max_tokens": 9})
    );
    let (body, _) = with(effort(Effort::None), Asking::Thinking, &three);
    assert_eq!(body["thinking"], json!({"type": "disabled"}));
    assert!(body.get("reasoning_effort").is_none());
    let (body, _) = with(effort(Effort::High), Asking::Thinking, &three);
    assert_eq!(
        (&body["thinking"]["type"], &body["reasoning_effort"]),
        (&json!("enabled"), &json!("high"))
    );
}

#[test]
fn what_mistral_does_not_take_is_said_as_it_does() {
    let mut request = decode("request-tools.json");
    request.output_tokens_max = Some(9);
    request.stream = true;
    request.stream_usage = true;
    request.sampling.seed = Some(dialect::neutral::Json::of("7"));
    let (body, _) = written(&request, &Target::mistral("m"));
    assert_eq!(body["tool_choice"], "any");
    assert_eq!(
        (&body["max_tokens"], &body["random_seed"]),
        (&json!(9), &json!(7))
    );
    assert!(body.get("stream_options").is_none() && body.get("seed").is_none());
    let id = body["messages"][1]["tool_calls"][0]["id"].as_str().unwrap();
    assert!(
        id.len() == 9 && id.bytes().all(|byte| byte.is_ascii_alphanumeric()),
        "{id}"
    );
    assert_eq!(body["messages"][2]["tool_call_id"], id);
    assert_ne!(body["messages"][3]["tool_call_id"], id);
}

#[test]
fn ids_that_are_too_long_or_strange_are_fitted_the_same_by_the_same() {
    let long = "toolu|".repeat(20);
    let call = Content::ToolCall {
        id: long.clone(),
        name: "now".into(),
        arguments: "{}".into(),
    };
    let result = Content::ToolResult {
        id: long,
        name: None,
        parts: vec![],
        failed: false,
    };
    let turns = vec![
        Turn::new(Role::Assistant, vec![Part::new(call)]),
        Turn::new(Role::User, vec![Part::new(result)]),
    ];
    let request = Request {
        turns,
        ..Request::default()
    };
    let target = Target {
        tool_ids: ToolIds::Fitted,
        ..Target::new("m")
    };
    let (body, _) = written(&request, &target);
    let id = body["messages"][0]["tool_calls"][0]["id"].as_str().unwrap();
    assert!(id.len() <= 40 && !id.contains('|'), "{id}");
    assert_eq!(body["messages"][1]["tool_call_id"], id);
}

#[test]
fn a_developer_is_the_system_and_strict_is_told_where_they_are_not_known() {
    let (body, _) = written(&decode("request-stream.json"), &Target::compatible("m"));
    assert_eq!(body["messages"][0]["role"], "system");
    let target = Target {
        strict: false,
        parallel_tools: false,
        ..Target::new("m")
    };
    let (body, dropped) = written(&decode("request-tools.json"), &target);
    assert!(body["tools"][0]["function"].get("strict").is_none());
    assert_eq!(dropped, ["tools[0].function.strict", "parallel_tool_calls"]);
}

#[test]
fn a_model_that_reads_text_alone_gets_it_joined_and_no_picture() {
    let target = Target {
        parts: false,
        ..Target::new("m")
    };
    let (body, _) = written(&decode("request-stream.json"), &target);
    assert_eq!(body["messages"][1]["content"], "Hello\nthere");
    let refused = request::encode(&decode("request-media.json"), &target).unwrap_err();
    assert_eq!(refused.at, "messages[0].content[1]");
}

#[test]
fn a_picture_by_its_address_is_refused_where_addresses_are_not_read() {
    let target = Target {
        image_urls: false,
        ..Target::new("m")
    };
    let refused = request::encode(&decode("request-media.json"), &target).unwrap_err();
    assert_eq!(refused.at, "messages[0].content[2]");
}

#[test]
fn marks_of_a_cache_last_as_long_as_they_can() {
    let with = |ttl: Option<&str>, cache| {
        let mut part = Part::text("x");
        part.cache = Some(Cache {
            ttl: ttl.map(Into::into),
        });
        let target = Target {
            cache,
            ..Target::new("m")
        };
        let (body, dropped) = written(&asked(vec![part]), &target);
        (body["messages"][0]["content"][0].clone(), dropped)
    };
    let mark = |ttl, cache, name: &str| with(ttl, cache).0[name]["ttl"].clone();
    assert_eq!(
        mark(Some("12h"), CacheMarks::Control, "cache_control"),
        "1h"
    );
    assert_eq!(
        mark(Some("30m"), CacheMarks::Control, "cache_control"),
        Value::Null
    );
    assert_eq!(
        mark(
            Some("1h"),
            CacheMarks::Breakpoint,
            "prompt_cache_breakpoint"
        ),
        "12h"
    );
    assert_eq!(
        with(None, CacheMarks::None).1,
        ["messages[0].content[0].cache_control"]
    );
}

#[test]
fn extras_of_other_families_are_told_and_what_changes_the_meaning_is_refused() {
    let extra = |name: &str| Extra::new(Family::Messages, name, "1");
    let mut request = asked(vec![Part::text("x")]);
    request.extra.push(extra("container"));
    request.turns[0].parts[0].extra.push(extra("citations"));
    let (body, dropped) = written(&request, &Target::new("m"));
    assert_eq!(dropped, ["container", "messages[0].content[0].citations"]);
    assert!(body.get("container").is_none());

    let other = asked(vec![Part::other(extra("search_result"))]);
    assert_eq!(
        request::encode(&other, &Target::new("m")).unwrap_err().at,
        "messages[0].content[0]"
    );
    let tool = Tool {
        name: String::new(),
        description: None,
        parameters: None,
        strict: None,
        cache: None,
        extra: vec![extra("web_search")],
    };
    let tools = Request {
        tools: vec![tool],
        ..Request::default()
    };
    assert_eq!(
        request::encode(&tools, &Target::new("m")).unwrap_err().at,
        "tools[0]"
    );
}

#[test]
fn results_that_show_something_come_first_and_what_they_show_after_all_of_them() {
    let image = Media {
        source: Source::Base64("AA==".into()),
        media_type: "image/png".into(),
        name: None,
        detail: None,
    };
    let result = |id: &str, parts, failed| {
        Part::new(Content::ToolResult {
            id: id.into(),
            name: None,
            parts,
            failed,
        })
    };
    let shown = vec![Part::text("see"), Part::new(Content::Image(image))];
    let turns = vec![
        Turn::new(Role::User, vec![result("a", shown, false)]),
        Turn::new(
            Role::User,
            vec![result("b", vec![Part::text("no")], true), Part::text("So?")],
        ),
    ];
    let (body, _) = written(
        &Request {
            turns,
            ..Request::default()
        },
        &Target::new("m"),
    );
    let roles: Vec<&str> = body["messages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|message| message["role"].as_str().unwrap())
        .collect();
    assert_eq!(roles, ["tool", "tool", "user", "user"]);
    assert_eq!(body["messages"][1]["content"], "Error: no");
    assert_eq!(body["messages"][2]["content"][0]["type"], "image_url");
    assert_eq!(body["messages"][3]["content"], "So?");
}

#[test]
fn top_k_and_the_end_user_are_told_where_they_are_not_known() {
    let (_, dropped) = written(&decode("request-grammar-form.json"), &Target::new("m"));
    assert_eq!(dropped, ["top_k"]);
}
