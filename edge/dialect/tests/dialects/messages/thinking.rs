//! How hard a model thinks and how it chooses words: told as it wants it, or left out and told to the client.
//!
//! Knows the quirks of models by kind, and no model.

use dialect::{
    messages::{
        request,
        target::{Lack, Sampling, Target, Thinking},
    },
    neutral::{Content, Effort, Json, Part, Reasoning, Request, Role, ToolChoice, Turn},
};
use serde_json::{Value, json};

use super::{
    asked::{ask, effort, refused, tool, write},
    fixture,
};

#[test]
fn a_limit_is_said_always_and_never_invented() {
    let request = Request {
        output_tokens_max: None,
        ..ask("x")
    };
    let mut target = Target::new("m");
    assert_eq!(refused(&request, &target), "max_tokens");
    target.output_tokens_default = Some(64_000);
    assert_eq!(write(&request, &target).0["max_tokens"], 64_000);
}

#[test]
fn sampling_is_what_the_model_takes() {
    let mut request = ask("x");
    request.sampling.temperature = Some(Json::of("1.7"));
    request.sampling.top_p = Some(Json::of("0.9"));
    request.sampling.top_k = Some(Json::of("5"));
    let with = |request: &Request, sampling| {
        let target = Target {
            sampling,
            ..Target::new("m")
        };
        let (body, dropped) = write(request, &target);
        let said = ["temperature", "top_p", "top_k"].map(|name| body[name].clone());
        (said, dropped)
    };
    let (said, dropped) = with(&request, Sampling::All);
    assert_eq!(said, [json!(1), json!(0.9), json!(5)]);
    assert!(dropped.is_empty());
    let (said, dropped) = with(&request, Sampling::One);
    assert_eq!(said, [json!(1), Value::Null, json!(5)]);
    assert_eq!(dropped, ["top_p"]);
    let (said, dropped) = with(&request, Sampling::None);
    assert_eq!(said, [Value::Null, Value::Null, Value::Null]);
    assert_eq!(dropped, ["temperature", "top_p", "top_k"]);
    request.reasoning = Some(effort(Effort::High));
    let (said, dropped) = with(&request, Sampling::All);
    assert_eq!(said, [json!(1), Value::Null, Value::Null]);
    assert_eq!(dropped, ["top_p", "top_k"]);
}

#[test]
fn thinking_is_told_as_the_model_wants_it() {
    let with = |reasoning: &Option<Reasoning>, thinking| {
        let request = Request {
            reasoning: reasoning.clone(),
            ..ask("x")
        };
        let target = Target {
            thinking,
            output_tokens_default: Some(64_000),
            ..Target::new("m")
        };
        let (body, dropped) = write(&request, &target);
        let effort = body["output_config"]["effort"].clone();
        (
            body["thinking"].clone(),
            effort,
            body["max_tokens"].clone(),
            dropped,
        )
    };
    let adaptive = json!({"type": "adaptive"});
    let budget = |tokens: u64| json!({"type": "enabled", "budget_tokens": tokens});
    let high = Some(effort(Effort::High));
    assert_eq!(
        with(&high, Thinking::Adaptive),
        (adaptive.clone(), json!("high"), json!(4_000), vec![])
    );
    assert_eq!(
        with(&high, Thinking::Budget),
        (budget(16_384), Value::Null, json!(20_384), vec![])
    );
    let none = (
        Value::Null,
        Value::Null,
        json!(4_000),
        vec!["reasoning_effort".to_owned()],
    );
    assert_eq!(with(&high, Thinking::None), none);
    let minimal = Some(effort(Effort::Minimal));
    assert_eq!(with(&minimal, Thinking::Any).1, "low");
    let tokens = Some(Reasoning {
        budget_tokens: Some(5_000),
        ..Reasoning::default()
    });
    assert_eq!(
        with(&tokens, Thinking::Adaptive),
        (adaptive, json!("medium"), json!(4_000), vec![])
    );
    assert_eq!(with(&tokens, Thinking::Any).0, budget(5_000));
    let few = Some(Reasoning {
        budget_tokens: Some(1_000),
        ..Reasoning::default()
    });
    assert_eq!(with(&few, Thinking::Budget), none);
    let off = Some(effort(Effort::None));
    assert_eq!(with(&off, Thinking::Any).0, json!({"type": "disabled"}));
    assert_eq!(with(&off, Thinking::None).0, Value::Null);
}

#[test]
fn a_budget_stays_below_what_the_model_can_generate() {
    let target = Target {
        thinking: Thinking::Budget,
        output_tokens_default: Some(8_192),
        ..Target::new("m")
    };
    let request = Request {
        reasoning: Some(effort(Effort::Max)),
        ..ask("x")
    };
    let (body, _) = write(&request, &target);
    assert_eq!(body["max_tokens"], 8_192);
    assert_eq!(body["thinking"]["budget_tokens"], 8_191);
}

#[test]
fn a_forced_tool_and_thinking_do_not_meet() {
    let request = Request {
        reasoning: Some(effort(Effort::High)),
        tools: vec![tool("f")],
        tool_choice: Some(ToolChoice::Required),
        ..ask("x")
    };
    let (body, dropped) = write(&request, &Target::new("m"));
    assert_eq!(body["tool_choice"], json!({"type": "any"}));
    assert_eq!(body["thinking"], Value::Null);
    assert_eq!(dropped, ["reasoning_effort"]);
}

#[test]
fn thinking_in_tokens_needs_the_thoughts_before_a_call() {
    let call = Part::new(Content::ToolCall {
        id: "a".to_owned(),
        name: "f".to_owned(),
        arguments: String::new(),
    });
    let unproven = Part::new(Content::Reasoning {
        text: "hm".to_owned(),
        signature: None,
    });
    let mut request = ask("x");
    request.reasoning = Some(effort(Effort::Low));
    request
        .turns
        .push(Turn::new(Role::Assistant, vec![unproven, call]));
    let budget = Target {
        thinking: Thinking::Budget,
        ..Target::new("m")
    };
    let (body, dropped) = write(&request, &budget);
    assert_eq!(body["thinking"], Value::Null);
    assert_eq!(dropped, ["messages[1].content[0]", "reasoning_effort"]);
    assert_eq!(
        write(&request, &Target::new("m")).0["thinking"]["type"],
        "adaptive"
    );
}

#[test]
fn proofs_of_another_provider_are_left_out() {
    let read = request::decode(&fixture::text("request_thinking.json")).unwrap();
    let target = Target {
        lacks: &[Lack::Signatures],
        ..Target::new("m")
    };
    let (body, dropped) = write(&read, &target);
    assert_eq!(body["messages"][1]["content"].as_array().unwrap().len(), 1);
    assert_eq!(body["thinking"], Value::Null);
    assert_eq!(dropped.len(), 3);
}
