//! What comes from other families, for Gemini: what is given, what is dropped and said, what is refused.

use dialect::{
    gemini::{Target, answer, encoder::Framing, request},
    neutral::{
        Answer, Cache, Choice, Content, Delta, Effort, Event, Extra, Family, Format, Json, Kind,
        Media, Part, Reasoning, Request, Role, Source, Stop, Tool, ToolChoice, Turn,
    },
};
use serde_json::{Value, json};

use super::{seed, streams::written};

fn asked(parts: Vec<Part>) -> Request {
    Request {
        turns: vec![Turn::new(Role::User, parts)],
        ..Request::default()
    }
}

fn hello() -> Request {
    asked(vec![Part::text("hello")])
}

fn sent(request: &Request, model: &str) -> (Value, Vec<String>) {
    let encoded = request::encode(request, &Target::new(model)).unwrap();
    (super::json(&encoded.body), encoded.dropped.paths().to_vec())
}

fn refused(request: &Request, target: &Target<'_>) -> String {
    request::encode(request, target).unwrap_err().at
}

fn image(source: Source, media_type: &str) -> Part {
    Part::new(Content::Image(Media {
        source,
        media_type: media_type.to_owned(),
        name: Some("a.png".to_owned()),
        detail: Some("high".to_owned()),
    }))
}

#[test]
fn instructions_stand_first_and_later_ones_are_marked() {
    let text = |role, text| Turn::new(role, vec![Part::text(text)]);
    let mut request = Request {
        turns: vec![
            text(Role::System, "a"),
            text(Role::Developer, "b"),
            text(Role::User, "c"),
            text(Role::System, "d"),
        ],
        ..Request::default()
    };
    let (body, _) = sent(&request, "m");
    assert_eq!(
        body,
        json!({
            "systemInstruction": {"parts": [{"text": "a"}, {"text": "b"}]},
            "contents": [{"role": "user", "parts": [{"text": "c"}, {"text": "<system>\nd\n</system>"}]}],
        })
    );
    request.turns.truncate(1);
    let (body, _) = sent(&request, "m");
    assert_eq!(body["contents"][0]["role"], "user");
}

#[test]
fn what_has_no_place_is_dropped_and_said() {
    let mut request = hello();
    request.turns[0].name = Some("ann".to_owned());
    request.turns[0].parts[0].cache = Some(Cache { ttl: None });
    request.turns[0]
        .parts
        .push(Part::new(Content::Refusal("no".to_owned())));
    request.turns.push(Turn::new(
        Role::Assistant,
        vec![Part::new(Content::RedactedReasoning("x".to_owned()))],
    ));
    request.tools = vec![Tool {
        name: "f".to_owned(),
        description: None,
        parameters: None,
        strict: Some(true),
        cache: Some(Cache { ttl: None }),
        extra: vec![Extra::new(Family::Messages, "defer_loading", "true")],
    }];
    request.parallel_tools = Some(false);
    request.end_user = Some("u".to_owned());
    request.service_tier = Some("auto".to_owned());
    request.sampling.top_logprobs = Some(0);
    request.extra = vec![Extra::new(Family::Chat, "logit_bias", "{}")];
    let (_, dropped) = sent(&request, "m");
    assert_eq!(
        dropped,
        [
            "messages[0].name",
            "messages[0].content[0].cache_control",
            "messages[1].content[0]",
            "tools[0].defer_loading",
            "tools[0].function.strict",
            "tools[0].cache_control",
            "parallel_tool_calls",
            "top_logprobs",
            "user",
            "service_tier",
            "logit_bias",
        ]
    );
}

#[test]
fn what_changes_the_meaning_is_refused() {
    let target = Target::new("m");
    let mut request = hello();
    request.sampling.logprobs = Some(true);
    assert_eq!(refused(&request, &target), "logprobs");
    let mut request = hello();
    request.sampling.stop = vec!["x".to_owned(); 6];
    assert_eq!(refused(&request, &target), "stop");
    let mut request = hello();
    request.extra = vec![Extra::new(
        Family::Chat,
        "modalities",
        r#"["text","audio"]"#,
    )];
    assert_eq!(refused(&request, &target), "modalities");
    let mut request = hello();
    request.tools = vec![Tool {
        name: String::new(),
        description: None,
        parameters: None,
        strict: None,
        cache: None,
        extra: vec![Extra::new(Family::Messages, "web_search", "{}")],
    }];
    assert_eq!(refused(&request, &target), "tools[0]");
    let video = Part::other(Extra::new(Family::Converse, "video", "{}"));
    assert_eq!(
        refused(&asked(vec![video]), &target),
        "messages[0].content[0]"
    );
    let file = image(Source::File("file-1".to_owned()), "image/png");
    assert_eq!(
        refused(&asked(vec![file]), &target),
        "messages[0].content[0]"
    );
    let untyped = image(Source::Url("https://x/y".to_owned()), "");
    assert_eq!(
        refused(&asked(vec![untyped.clone()]), &target.on_vertex()),
        "messages[0].content[0]"
    );
    assert!(request::encode(&asked(vec![untyped]), &target).is_ok());
    let unasked = Part::new(Content::ToolResult {
        id: "nobody".to_owned(),
        name: None,
        parts: Vec::new(),
        failed: true,
    });
    assert_eq!(
        refused(&asked(vec![unasked]), &target),
        "messages[0].content[0]"
    );
}

#[test]
fn media_are_given_by_data_or_address() {
    let request = asked(vec![
        image(Source::Base64("AAAA".to_owned()), "image/png"),
        image(Source::Url("https://x/y.JPG?z".to_owned()), ""),
        image(Source::Text("plain".to_owned()), "text/plain"),
    ]);
    let (body, dropped) = sent(&request, "m");
    assert_eq!(
        body["contents"][0]["parts"],
        json!([
            {"inlineData": {"mimeType": "image/png", "data": "AAAA"}},
            {"fileData": {"mimeType": "image/jpeg", "fileUri": "https://x/y.JPG?z"}},
            {"text": "plain"},
        ])
    );
    assert_eq!(
        dropped[..2],
        [
            "messages[0].content[0].detail",
            "messages[0].content[0].filename"
        ]
    );
}

#[test]
fn pictures_in_results_stand_in_them_or_behind_them() {
    let call = Part::new(Content::ToolCall {
        id: "a".to_owned(),
        name: "shoot".to_owned(),
        arguments: "{}".to_owned(),
    });
    let result = Part::new(Content::ToolResult {
        id: "a".to_owned(),
        name: None,
        parts: vec![
            Part::text("done"),
            image(Source::Base64("AAAA".to_owned()), "image/png"),
        ],
        failed: false,
    });
    let request = Request {
        turns: vec![
            Turn::new(Role::Assistant, vec![call]),
            Turn::new(Role::User, vec![result]),
        ],
        ..Request::default()
    };
    let (third, _) = sent(&request, "gemini-3-pro");
    let media = &third["contents"][1]["parts"][0]["functionResponse"]["parts"];
    assert_eq!(media[0]["inlineData"]["data"], "AAAA");
    let (second, _) = sent(&request, "gemini-2.5-pro");
    assert_eq!(
        second["contents"][1]["parts"][1]["inlineData"]["data"],
        "AAAA"
    );
}

#[test]
fn tool_choices_have_their_modes_both_ways() {
    let names = |names: &[&str]| names.iter().map(ToString::to_string).collect();
    for (choice, expected) in [
        (ToolChoice::None, json!({"mode": "NONE"})),
        (ToolChoice::Auto, json!({"mode": "AUTO"})),
        (ToolChoice::Required, json!({"mode": "ANY"})),
        (
            ToolChoice::Named("f".to_owned()),
            json!({"mode": "ANY", "allowedFunctionNames": ["f"]}),
        ),
        (
            ToolChoice::Allowed {
                names: names(&["f", "g"]),
                required: true,
            },
            json!({"mode": "ANY", "allowedFunctionNames": ["f", "g"]}),
        ),
        (
            ToolChoice::Allowed {
                names: names(&["f"]),
                required: false,
            },
            json!({"mode": "VALIDATED", "allowedFunctionNames": ["f"]}),
        ),
    ] {
        let mut request = hello();
        request.tool_choice = Some(choice.clone());
        let (body, _) = sent(&request, "m");
        assert_eq!(body["toolConfig"]["functionCallingConfig"], expected);
        let read = request::decode(&body.to_string(), "m", false).unwrap();
        assert_eq!(read.tool_choice, Some(choice));
    }
}

#[test]
fn effort_is_a_word_or_a_budget_by_the_model() {
    for (model, effort, expected) in [
        (
            "gemini-3-pro",
            Effort::None,
            json!({"thinkingLevel": "MINIMAL"}),
        ),
        (
            "gemini-3-pro",
            Effort::Medium,
            json!({"thinkingLevel": "MEDIUM"}),
        ),
        (
            "gemini-3-pro",
            Effort::Max,
            json!({"thinkingLevel": "HIGH"}),
        ),
        (
            "gemini-2.5-flash",
            Effort::None,
            json!({"thinkingBudget": 0}),
        ),
        (
            "gemini-2.5-pro",
            Effort::None,
            json!({"thinkingBudget": 128}),
        ),
        (
            "gemini-2.5-flash",
            Effort::Minimal,
            json!({"thinkingBudget": 512}),
        ),
        (
            "gemini-2.5-flash",
            Effort::XHigh,
            json!({"thinkingBudget": 24_576}),
        ),
        ("gemini-2.0-flash", Effort::High, Value::Null),
    ] {
        let mut request = hello();
        request.reasoning = Some(Reasoning {
            effort: Some(effort),
            ..Reasoning::default()
        });
        let (body, dropped) = sent(&request, model);
        assert_eq!(
            body["generationConfig"]["thinkingConfig"], expected,
            "{model} {effort:?}"
        );
        assert_eq!(dropped.is_empty(), !expected.is_null());
    }
}

#[test]
fn formats_are_json_schema() {
    let mut request = hello();
    request.format = Format::JsonSchema {
        name: Some("city".to_owned()),
        description: None,
        schema: Json::of(r#"{"type":"object"}"#),
        strict: Some(true),
    };
    let (body, dropped) = sent(&request, "m");
    assert_eq!(
        body["generationConfig"],
        json!({"responseMimeType": "application/json", "responseJsonSchema": {"type": "object"}})
    );
    assert_eq!(
        dropped,
        [
            "response_format.json_schema.name",
            "response_format.json_schema.strict"
        ]
    );
    let subset = super::fixture("request-structured-subset.json");
    let read = request::decode(&subset, "m", false).unwrap();
    let Format::JsonSchema { schema, .. } = read.format else {
        panic!("{:?}", read.format);
    };
    assert_eq!(
        schema.as_str(),
        r#"{"type":"object","properties":{"city":{"type":"string"}}}"#
    );
}

#[test]
fn a_request_of_google_s_client_is_understood_by_others() {
    let request = request::decode(&super::fixture("request-tools.json"), "m", false).unwrap();
    let results: Vec<_> = request.turns[2]
        .parts
        .iter()
        .map(|part| match &part.content {
            Content::ToolResult {
                id,
                name,
                parts,
                failed,
            } => (
                id.as_str(),
                name.as_deref(),
                parts[0].content.clone(),
                *failed,
            ),
            other => panic!("{other:?}"),
        })
        .collect();
    let text = |text: &str| Content::Text(text.to_owned());
    assert_eq!(
        results,
        [
            ("call_g0", Some("temperature"), text("-3"), false),
            (
                "call_g1",
                Some("temperature"),
                text(r#"{"celsius":18.0,"sky":"clear"}"#),
                false
            ),
            ("call_g2", Some("today"), text("the clock is broken"), true),
        ]
    );
    let calls: Vec<_> = request.turns[1]
        .parts
        .iter()
        .filter_map(|part| match &part.content {
            Content::ToolCall { id, .. } => Some(id.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(calls, ["call_g0", "call_g1", "call_g2"]);
    let broken = r#"{"contents":[{"role":"system","parts":[]}]}"#;
    let misfit = request::decode(broken, "m", false).unwrap_err();
    assert_eq!(misfit.to_string(), "contents[0].role must be user or model");
}

#[test]
fn an_answer_of_another_family_is_understood_by_google_s_clients() {
    let thought = Part::new(Content::Reasoning {
        text: "hm".to_owned(),
        signature: Some("proof".to_owned()),
    });
    let call = Part::new(Content::ToolCall {
        id: "toolu_1".to_owned(),
        name: "f".to_owned(),
        arguments: String::new(),
    });
    let given = Answer {
        id: "msg_1".to_owned(),
        model: "claude".to_owned(),
        choices: vec![Choice {
            parts: vec![thought, Part::text("so"), call],
            stop: Some(Stop::ToolCalls),
            extra: vec![Extra::new(Family::Messages, "container", "{}")],
        }],
        ..Answer::default()
    };
    let body = super::json(&answer::encode(&given, &seed()));
    assert_eq!(
        body,
        json!({"candidates": [{"content": {"role": "model", "parts": [
            {"text": "hm", "thought": true},
            {"text": "so", "thoughtSignature": "proof"},
            {"functionCall": {"id": "toolu_1", "name": "f", "args": {}}},
        ]}, "finishReason": "STOP", "index": 0}], "modelVersion": "claude", "responseId": "msg_1"})
    );
    // The client sends it back, and the proof is on the thought again.
    let asked = json!({"contents": [body["candidates"][0]["content"]]});
    let read = request::decode(&asked.to_string(), "m", false).unwrap();
    let thought = &read.turns[0].parts[0].content;
    let expected = Content::Reasoning {
        text: "hm".to_owned(),
        signature: Some("proof".to_owned()),
    };
    assert_eq!(*thought, expected);
}

#[test]
fn refusals_are_filtered_with_their_words() {
    let (choice, part, kind) = (0, 0, Kind::Refusal);
    let delta = Delta::Text("I cannot.".to_owned());
    let stop = Stop::Refused(Some("policy".to_owned()));
    let events = [
        Event::Open { choice, part, kind },
        Event::Delta {
            choice,
            part,
            delta,
        },
        Event::Close { choice, part },
        Event::Stop {
            choice,
            stop: stop.clone(),
        },
        Event::End,
    ];
    let array = super::json(&written(&events, Framing::Array));
    assert_eq!(
        array[0]["candidates"][0]["content"]["parts"][0]["text"],
        "I cannot."
    );
    assert_eq!(array[1]["candidates"][0]["finishReason"], "SAFETY");
    assert_eq!(array[1]["candidates"][0]["finishMessage"], "policy");
    for (stop, reason) in [
        (stop, "SAFETY"),
        (Stop::Sequence(Some("x".to_owned())), "STOP"),
        (Stop::ContextFull, "MAX_TOKENS"),
        (Stop::Failed("it broke".to_owned()), "OTHER"),
        (Stop::Paused, "CONTINUATION"),
    ] {
        let given = Answer {
            choices: vec![Choice {
                stop: Some(stop),
                ..Choice::default()
            }],
            ..Answer::default()
        };
        let body = super::json(&answer::encode(&given, &seed()));
        assert_eq!(body["candidates"][0]["finishReason"], reason);
    }
}

#[test]
fn data_in_the_alphabet_for_addresses_is_given_to_others_in_the_usual_one() {
    let body =
        r#"{"contents":[{"parts":[{"inline_data":{"mime_type":"image/png","data":"_9j-AA"}}]}]}"#;
    let request = request::decode(body, "m", false).unwrap();
    let Content::Image(media) = &request.turns[0].parts[0].content else {
        panic!("{request:?}");
    };
    assert_eq!(media.source, Source::Base64("/9j+AA==".to_owned()));
}
