//! What models and hosts do not take, and what becomes of it.
//!
//! Knows all but thinking and the choice of words: see `thinking`.

use dialect::{
    messages::{
        count, request, structured,
        target::{Hosting, Lack, Structured, Target},
        version,
    },
    neutral::{
        Cache, Content, Effort, Extra, Family, Format, Json, Media, Part, Request, Role, Source,
        Tool, ToolChoice, Turn,
    },
};
use serde_json::{Value, json};

use super::{
    asked::{ask, effort, refused, schema, tool, write},
    fixture,
};

#[test]
fn a_form_is_asked_for_by_a_tool_where_there_is_no_other_way() {
    let target = Target {
        structured: Structured::Tool,
        ..Target::new("m")
    };
    let mut request = Request {
        format: schema(),
        ..ask("x")
    };
    assert!(structured::by_tool(&request, &target));
    assert!(!structured::by_tool(&request, &Target::new("m")));
    let (body, _) = write(&request, &target);
    assert_eq!(body["tools"][0]["name"], structured::TOOL);
    assert_eq!(
        body["tools"][0]["input_schema"]["properties"]["name"]["type"],
        "string"
    );
    assert_eq!(
        body["tool_choice"],
        json!({"type": "tool", "name": structured::TOOL})
    );
    request.tools = vec![tool("f")];
    assert_eq!(
        write(&request, &target).0["tool_choice"],
        json!({"type": "any"})
    );
    request.tool_choice = Some(ToolChoice::None);
    assert_eq!(
        write(&request, &target).0["tool_choice"]["name"],
        structured::TOOL
    );
    request.tool_choice = None;
    request.reasoning = Some(effort(Effort::High));
    let (body, dropped) = write(&request, &target);
    assert_eq!(body["tool_choice"], json!({"type": "auto"}));
    assert!(
        body["system"][0]["text"]
            .as_str()
            .unwrap()
            .contains(structured::TOOL)
    );
    assert!(dropped.is_empty());
    request.format = Format::JsonObject;
    request.reasoning = None;
    assert!(structured::by_tool(&request, &Target::new("m")));
    request.tools = vec![tool(structured::TOOL)];
    assert_eq!(refused(&request, &target), "tools");
}

#[test]
fn a_schema_that_is_no_object_is_refused_and_none_is_an_empty_one() {
    let mut request = Request {
        tools: vec![tool("f")],
        ..ask("x")
    };
    let empty = json!({"type": "object", "properties": {}});
    assert_eq!(
        write(&request, &Target::new("m")).0["tools"][0]["input_schema"],
        empty
    );
    request.tools[0].parameters = Some(Json::of(r#"{"properties":{"a":{}}}"#));
    let schema = write(&request, &Target::new("m")).0["tools"][0]["input_schema"].clone();
    assert_eq!(schema, json!({"type": "object", "properties": {"a": {}}}));
    request.tools[0].parameters = Some(Json::of(r#"{"type":"string"}"#));
    assert_eq!(refused(&request, &Target::new("m")), "tools[0]");
}

#[test]
fn what_changes_the_meaning_is_refused() {
    let target = Target::new("m");
    let several = Request {
        choices: Some(2),
        ..ask("x")
    };
    assert_eq!(refused(&several, &target), "n");
    let mut likely = ask("x");
    likely.sampling.logprobs = Some(true);
    assert_eq!(refused(&likely, &target), "logprobs");
    let foreign = Request {
        tools: vec![Tool {
            extra: vec![Extra::new(Family::Gemini, "googleSearch", "{}")],
            ..tool("")
        }],
        ..ask("x")
    };
    assert_eq!(refused(&foreign, &target), "tools[0]");
    let forced = Request {
        tool_choice: Some(ToolChoice::Required),
        ..ask("x")
    };
    assert_eq!(refused(&forced, &target), "tool_choice");
    let media = Media {
        source: Source::Base64("AAAA".to_owned()),
        media_type: "audio/wav".to_owned(),
        name: None,
        detail: None,
    };
    let bad = |content| {
        let mut request = ask("x");
        request.turns[0].parts.push(content);
        refused(&request, &target)
    };
    let at = "messages[0].content[1]";
    assert_eq!(bad(Part::new(Content::Audio(media.clone()))), at);
    assert_eq!(bad(Part::new(Content::Image(media.clone()))), at);
    assert_eq!(bad(Part::new(Content::Document(media))), at);
    assert_eq!(bad(Part::other(Extra::new(Family::Chat, "x", "{}"))), at);
    let call = Content::ToolCall {
        id: "a".to_owned(),
        name: "f".to_owned(),
        arguments: "[1".to_owned(),
    };
    assert_eq!(bad(Part::new(call)), at);
}

#[test]
fn what_is_left_out_is_told() {
    let mut request = ask("x");
    request.turns[0].name = Some("ann".to_owned());
    request.sampling.seed = Some(Json::of("7"));
    request.sampling.presence_penalty = Some(Json::of("1"));
    request.sampling.stop = vec!["\n".to_owned(), "END".to_owned()];
    request.end_user = Some("ann@example.com".to_owned());
    request.service_tier = Some("flex".to_owned());
    request.extra = vec![Extra::new(Family::Chat, "logit_bias", "{}")];
    let mut part = Part::text("y");
    part.extra
        .push(Extra::new(Family::Gemini, "thoughtSignature", "\"s\""));
    request.turns[0].parts.push(part);
    let (body, dropped) = write(&request, &Target::new("m"));
    assert_eq!(body["stop_sequences"], json!(["END"]));
    assert_eq!(body["metadata"], Value::Null);
    assert_eq!(
        dropped,
        [
            "messages[0].name",
            "messages[0].content[1].thoughtSignature",
            "seed",
            "presence_penalty",
            "stop",
            "user",
            "service_tier",
            "logit_bias"
        ]
    );
}

#[test]
fn a_picture_is_what_its_bytes_say_and_text_in_base64_is_text() {
    let media = |data: &str, media_type: &str| Media {
        source: Source::Base64(data.to_owned()),
        media_type: media_type.to_owned(),
        name: Some("n".to_owned()),
        detail: Some("high".to_owned()),
    };
    let mut request = ask("x");
    request.turns[0].parts = vec![
        Part::new(Content::Image(media("/9j/AAAA", "image/png"))),
        Part::new(Content::Document(media("SGkh", "text/markdown"))),
    ];
    let (body, dropped) = write(&request, &Target::new("m"));
    let content = &body["messages"][0]["content"];
    assert_eq!(content[0]["source"]["media_type"], "image/jpeg");
    let text = json!({"type": "text", "media_type": "text/plain", "data": "Hi!"});
    assert_eq!(
        content[1],
        json!({"type": "document", "source": text, "title": "n"})
    );
    assert_eq!(dropped, ["messages[0].content[0].image_url.detail"]);
}

#[test]
fn lives_of_a_cache_become_the_nearest_there_is() {
    let life = |ttl: &str| {
        let mut request = ask("x");
        request.turns[0].parts[0].cache = Some(Cache {
            ttl: Some(ttl.to_owned()),
        });
        write(&request, &Target::new("m")).0["messages"][0]["content"][0]["cache_control"]["ttl"]
            .clone()
    };
    assert_eq!(
        [life("5m"), life("1h"), life("12h"), life("30m")],
        [json!("5m"), json!("1h"), json!("1h"), Value::Null]
    );
}

#[test]
fn instructions_in_the_midst_stay_there_or_are_moved_and_told() {
    let mut request = ask("x");
    request
        .turns
        .insert(0, Turn::new(Role::Developer, vec![Part::text("a")]));
    request
        .turns
        .push(Turn::new(Role::System, vec![Part::text("b")]));
    let (body, dropped) = write(&request, &Target::new("m"));
    assert_eq!(body["system"], "a");
    assert_eq!(
        body["messages"][1],
        json!({"role": "system", "content": "b"})
    );
    assert!(dropped.is_empty());
    let target = Target {
        lacks: &[Lack::SystemTurns],
        ..Target::new("m")
    };
    let (body, dropped) = write(&request, &target);
    assert_eq!(body["system"].as_array().unwrap().len(), 2);
    assert_eq!(dropped, ["messages[2].role"]);
}

#[test]
fn a_model_that_does_not_go_on_is_not_asked_to() {
    let target = Target {
        lacks: &[Lack::Prefill],
        ..Target::new("m")
    };
    let mut request = ask("x");
    request
        .turns
        .push(Turn::new(Role::Assistant, vec![Part::text("Well")]));
    assert_eq!(refused(&request, &target), "messages[1]");
}

#[test]
fn some_of_the_tools_are_all_there_are() {
    let mut request = ask("x");
    request.tools = vec![tool("f"), tool("g")];
    request.parallel_tools = Some(false);
    request.tool_choice = Some(ToolChoice::Allowed {
        names: vec!["g".to_owned()],
        required: true,
    });
    let (body, _) = write(&request, &Target::new("m"));
    assert_eq!(body["tools"].as_array().unwrap().len(), 1);
    assert_eq!(
        body["tool_choice"],
        json!({"type": "any", "disable_parallel_tool_use": true})
    );
    request.tool_choice = None;
    let choice = write(&request, &Target::new("m")).0["tool_choice"].clone();
    assert_eq!(
        choice,
        json!({"type": "auto", "disable_parallel_tool_use": true})
    );
}

#[test]
fn bedrock_and_vertex_read_in_the_path_what_is_not_in_the_body() {
    let mut body = fixture::json("request_tools.json");
    body["anthropic_beta"] = json!(["context-1m-2025-08-07"]);
    body["anthropic_version"] = json!("2026-10-21");
    let read = request::decode(&body.to_string()).unwrap();
    let bedrock = Target {
        hosting: Hosting::Bedrock {
            version: version::BEDROCK,
            betas: &["interleaved-thinking-2025-05-14"],
        },
        extras_allowed: Some(&[]),
        ..Target::new("anthropic.claude")
    };
    let (written, dropped) = write(&read, &bedrock);
    assert_eq!(written["anthropic_version"], "bedrock-2023-05-31");
    let betas = json!(["interleaved-thinking-2025-05-14", "context-1m-2025-08-07"]);
    assert_eq!(written["anthropic_beta"], betas);
    assert_eq!(
        (&written["model"], &written["stream"]),
        (&Value::Null, &Value::Null)
    );
    assert_eq!(written["tools"][2]["defer_loading"], Value::Null);
    let told = ["messages[1].content[3].caller", "tools[2].defer_loading"];
    assert_eq!(dropped, told);

    let vertex = Target {
        hosting: Hosting::Vertex {
            version: version::VERTEX,
        },
        ..Target::new("claude")
    };
    let (written, _) = write(&read, &vertex);
    assert_eq!(written["anthropic_version"], "vertex-2023-10-16");
    assert_eq!(
        (&written["model"], &written["stream"]),
        (&Value::Null, &json!(true))
    );
    let encoded = count::encode(&read, &vertex).unwrap();
    let written: Value = serde_json::from_slice(&encoded.body).unwrap();
    assert_eq!(written["model"], "claude");

    let (written, dropped) = write(&read, &Target::new("claude"));
    assert_eq!(written["anthropic_version"], Value::Null);
    assert_eq!(dropped, ["anthropic_beta", "anthropic_version"]);
}

#[test]
fn bedrock_counts_a_request_that_is_wrapped() {
    let target = Target {
        hosting: Hosting::Bedrock {
            version: version::BEDROCK,
            betas: &[],
        },
        ..Target::new("m")
    };
    let request = Request {
        output_tokens_max: None,
        ..ask("x")
    };
    let encoded = count::encode(&request, &target).unwrap();
    let wrapped: Value = serde_json::from_slice(&encoded.body).unwrap();
    let body = wrapped["input"]["invokeModel"]["body"].as_str().unwrap();
    assert!(body.starts_with("eyJhbnRocm9waWNfdmVyc2lvbiI6"), "{body}");
}

#[test]
fn a_host_gets_no_member_that_it_does_not_know_however_deep_it_stands() {
    let read = request::decode(&fixture::text("request_cache.json")).unwrap();
    let target = Target {
        extras_allowed: Some(&[]),
        ..Target::new("m")
    };
    let (body, dropped) = write(&read, &target);
    assert_eq!(
        body["system"][1]["cache_control"],
        json!({"type": "ephemeral"})
    );
    assert_eq!(
        dropped,
        [
            "messages[0].content[1].cache_control.scope",
            "cache_control"
        ]
    );
}
