//! Answers in one piece: read and written again they are the same.
//!
//! Knows what other families answer only in the neutral form.

use dialect::{
    Tokens,
    messages::answer,
    neutral::{Answer, Choice, Class, Content, Part, Stop},
};
use serde_json::{Value, json};

use super::{fixture, same};

fn write(answer: &Answer) -> Value {
    serde_json::from_slice(&answer::encode(answer, &fixture::seed())).unwrap()
}

fn call(arguments: &str) -> Part {
    Part::new(Content::ToolCall {
        id: "call_1".to_owned(),
        name: "f".to_owned(),
        arguments: arguments.to_owned(),
    })
}

fn answer(parts: Vec<Part>, stop: Stop) -> Answer {
    Answer {
        id: "chatcmpl-Ab12".to_owned(),
        model: "gpt".to_owned(),
        choices: vec![Choice {
            parts,
            stop: Some(stop),
            extra: Vec::new(),
        }],
        ..Answer::default()
    }
}

#[test]
fn an_answer_comes_back_the_same() {
    for name in fixture::names("answer_", ".json") {
        let body = fixture::json(&name);
        let read = answer::decode(&body.to_string(), &fixture::seed()).unwrap();
        assert_eq!(same::answer(&write(&read)), same::answer(&body), "{name}");
    }
}

#[test]
fn an_answer_says_what_others_can_use() {
    let read = |name: &str| answer::decode(&fixture::text(name), &fixture::seed()).unwrap();
    let cache = read("answer_cache.json").tokens.unwrap();
    let expected = Tokens {
        input: 3,
        cached_input: 1000,
        cache_write: 20,
        cache_write_hour: 30,
        output: 4,
        ..Tokens::default()
    };
    assert_eq!(cache, expected);
    let thinking = read("answer_thinking.json").tokens.unwrap();
    assert_eq!((thinking.output, thinking.reasoning), (10, 50));
    let stop = |name: &str| read(name).choices[0].stop.clone().unwrap();
    assert_eq!(stop("answer_plain.json"), Stop::End);
    assert_eq!(stop("answer_length.json"), Stop::Length);
    assert_eq!(stop("answer_tools.json"), Stop::ToolCalls);
    assert_eq!(
        stop("answer_sequence.json"),
        Stop::Sequence(Some("three".to_owned()))
    );
    let why = Some("This was declined.".to_owned());
    assert_eq!(stop("answer_refusal.json"), Stop::Refused(why));
    assert_eq!(stop("answer_pause.json"), Stop::Paused);
    assert_eq!(stop("answer_context_full.json"), Stop::ContextFull);
    assert_eq!(stop("answer_unknown_stop.json"), Stop::End);
}

#[test]
fn an_unknown_end_of_nothing_is_a_failure() {
    let body = json!({"type": "message", "content": [], "stop_reason": "whatever"});
    let read = answer::decode(&body.to_string(), &fixture::seed()).unwrap();
    assert_eq!(
        read.choices[0].stop,
        Some(Stop::Failed("whatever".to_owned()))
    );
    assert_eq!(answer::check(&read).unwrap_err().class, Class::Provider);
}

#[test]
fn only_our_own_tool_is_unwrapped() {
    let body = fixture::json("answer_structured.json");
    let read = answer::decode_structured(&body.to_string(), &fixture::seed()).unwrap();
    let choice = &read.choices[0];
    assert_eq!(choice.parts, [Part::text(r#"{"name":"Ada"}"#)]);
    assert_eq!(choice.stop, Some(Stop::End));
    let mut both = body.clone();
    let other = json!({"type": "tool_use", "id": "toolu_2", "name": "f", "input": {}});
    both["content"].as_array_mut().unwrap().push(other);
    let read = answer::decode_structured(&both.to_string(), &fixture::seed()).unwrap();
    let choice = &read.choices[0];
    assert!(matches!(choice.parts[1].content, Content::ToolCall { .. }));
    assert_eq!(choice.stop, Some(Stop::ToolCalls));
}

#[test]
fn an_answer_of_another_family_is_a_message() {
    let parts = vec![Part::text(""), Part::text("Hi"), call("")];
    let mut said = answer(parts, Stop::End);
    said.tokens = Some(Tokens {
        input: 10,
        cached_input: 5,
        output: 3,
        reasoning: 4,
        ..Tokens::default()
    });
    let written = write(&said);
    assert_eq!(written["id"], "msg_Ab12");
    assert_eq!(written["type"], "message");
    assert_eq!(written["role"], "assistant");
    // A provider that calls it a plain end although a tool is called.
    assert_eq!(written["stop_reason"], "tool_use");
    assert_eq!(written["stop_sequence"], Value::Null);
    assert_eq!(written["content"].as_array().unwrap().len(), 2);
    assert_eq!(written["content"][1]["input"], json!({}));
    assert_eq!(written["usage"]["input_tokens"], 10);
    assert_eq!(written["usage"]["cache_read_input_tokens"], 5);
    assert_eq!(written["usage"]["output_tokens"], 7);
    let declined = answer(vec![], Stop::Refused(Some("no".to_owned())));
    let written = write(&declined);
    assert_eq!(written["stop_reason"], "refusal");
    assert_eq!(written["stop_details"]["explanation"], "no");
    let filtered = write(&answer(vec![], Stop::Filtered));
    assert_eq!(filtered["stop_reason"], "refusal");
    let cut = write(&answer(vec![call("{\"a")], Stop::Length));
    assert_eq!(cut["stop_reason"], "max_tokens");
}

#[test]
fn an_answer_that_cannot_be_told_is_an_error() {
    assert!(answer::check(&answer(vec![call("{}")], Stop::ToolCalls)).is_ok());
    assert!(answer::check(&answer(vec![call("{\"a")], Stop::Length)).is_ok());
    assert!(answer::check(&answer(vec![call("{\"a")], Stop::ToolCalls)).is_err());
    assert!(answer::check(&answer(vec![], Stop::Failed("x".to_owned()))).is_err());
    assert!(answer::check(&Answer::default()).is_err());
}

#[test]
fn a_call_without_an_id_gets_one() {
    let body = json!({"content": [{"type": "tool_use", "name": "f", "input": {}}]});
    let read = answer::decode(&body.to_string(), &fixture::seed()).unwrap();
    let Content::ToolCall { id, .. } = &read.choices[0].parts[0].content else {
        panic!("{read:?}");
    };
    assert_eq!(id, "call_req47110");
}

#[test]
fn an_error_is_no_answer() {
    let body = json!({"type": "error", "error": {"type": "api_error", "message": "x"}});
    assert!(answer::decode(&body.to_string(), &fixture::seed()).is_err());
}
