//! Whole answers, and what they used.

use dialect::{
    Tokens,
    cohere::{answer, usage},
    neutral::{Answer, Choice, Content, Media, Part, Source, Stop},
};
use payload::writer::Writer;
use serde_json::{Value, json};

use super::fixture::{self, normal};

/// Reads an answer and writes it.
pub(crate) fn again(body: &str) -> Value {
    let answer = answer::decode(body, &fixture::seed()).unwrap();
    fixture::json(&answer::encode(&answer, &fixture::seed()))
}

#[test]
fn every_answer_is_written_as_it_came() {
    for name in fixture::names("answer-") {
        let body = fixture::read(&name);
        let expected = normal(fixture::json(body.as_bytes()));
        assert_eq!(normal(again(&body)), expected, "{name}");
    }
}

#[test]
fn answers_end_for_the_reasons_they_give() {
    let stop = |name: &str| {
        let answer = answer::decode(&fixture::read(name), &fixture::seed()).unwrap();
        answer.choices[0].stop.clone().unwrap()
    };
    assert_eq!(stop("answer-plain.json"), Stop::End);
    assert_eq!(stop("answer-tools.json"), Stop::ToolCalls);
    assert_eq!(stop("answer-length.json"), Stop::Length);
    assert_eq!(stop("answer-stop.json"), Stop::Sequence(None));
    assert_eq!(stop("answer-odd.json"), Stop::End);
    assert_eq!(stop("answer-failed.json"), Stop::Failed("ERROR".to_owned()));
}

#[test]
fn an_unknown_word_is_no_end_when_nothing_was_said_and_calls_are_calls_whatever_the_word() {
    let stop = |message: Value, word: &str| {
        let body = json!({"message": message, "finish_reason": word}).to_string();
        let answer = answer::decode(&body, &fixture::seed()).unwrap();
        assert_eq!(again(&body)["finish_reason"], word);
        answer.choices[0].stop.clone().unwrap()
    };
    let call = json!({"tool_calls": [{"function": {"name": "now", "arguments": null}}]});
    assert_eq!(stop(json!({}), "MELTED"), Stop::Failed("MELTED".to_owned()));
    assert_eq!(stop(call.clone(), "COMPLETE"), Stop::ToolCalls);
    assert_eq!(stop(call, "MAX_TOKENS"), Stop::Length);
}

#[test]
fn a_word_that_no_longer_means_the_same_is_not_written_again() {
    let mut answer = answer::decode(&fixture::read("answer-odd.json"), &fixture::seed()).unwrap();
    answer.choices[0].stop = Some(Stop::Filtered);
    let body = fixture::json(&answer::encode(&answer, &fixture::seed()));
    assert_eq!(body["finish_reason"], "ERROR");
}

#[test]
fn calls_without_ids_or_arguments_are_completed() {
    let body = r#"{"message":{"tool_calls":[{"function":{"name":"a","arguments":null}},{"function":{"name":"b"}}]}}"#;
    let answer = answer::decode(body, &fixture::seed()).unwrap();
    let calls: Vec<(&str, &str)> = answer.choices[0]
        .parts
        .iter()
        .map(|part| match &part.content {
            Content::ToolCall { id, arguments, .. } => (id.as_str(), arguments.as_str()),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(calls, [("call_0190ab0", "{}"), ("call_0190ab1", "{}")]);
}

#[test]
fn answers_of_others_get_an_id_and_the_nearest_word() {
    for (stop, word) in [
        (Stop::End, "COMPLETE"),
        (Stop::Paused, "COMPLETE"),
        (Stop::Sequence(Some("x".to_owned())), "STOP_SEQUENCE"),
        (Stop::Length, "MAX_TOKENS"),
        (Stop::ContextFull, "MAX_TOKENS"),
        (Stop::ToolCalls, "TOOL_CALL"),
        (Stop::Filtered, "ERROR"),
        (Stop::Failed("x".to_owned()), "ERROR"),
    ] {
        let choice = Choice {
            parts: vec![
                Part::text("hi"),
                Part::new(Content::Image(Media {
                    source: Source::File("f".to_owned()),
                    media_type: String::new(),
                    name: None,
                    detail: None,
                })),
            ],
            stop: Some(stop),
            ..Choice::default()
        };
        let answer = Answer {
            choices: vec![choice],
            ..Answer::default()
        };
        let body = fixture::json(&answer::encode(&answer, &fixture::seed()));
        assert_eq!(
            body,
            json!({
                "id": "0190-ab",
                "message": {"role": "assistant", "content": "hi"},
                "finish_reason": word
            })
        );
    }
}

#[test]
fn a_refusal_is_said_in_words() {
    let refused = |parts| Answer {
        choices: vec![Choice {
            parts,
            stop: Some(Stop::Refused(Some("It is unsafe.".to_owned()))),
            ..Choice::default()
        }],
        ..Answer::default()
    };
    let said = |answer: &Answer| {
        let body = fixture::json(&answer::encode(answer, &fixture::seed()));
        body["message"]["content"].clone()
    };
    assert_eq!(said(&refused(Vec::new())), "It is unsafe.");
    let refusal = Part::new(Content::Refusal("No.".to_owned()));
    assert_eq!(said(&refused(vec![refusal])), "No.");
}

#[test]
fn usage_is_disjoint() {
    let read = |raw: &str| {
        usage::tokens(raw).map(|tokens| {
            let Tokens {
                input,
                cached_input,
                output,
                reasoning,
                ..
            } = tokens;
            [input, cached_input, output, reasoning]
        })
    };
    for (raw, expected) in [
        (
            r#"{"tokens":{"input_tokens":1445,"output_tokens":43},"cached_tokens":704}"#,
            Some([741, 704, 43, 0]),
        ),
        (
            r#"{"tokens":{"input_tokens":1501.0,"output_tokens":346,"reasoning_tokens":304},"cached_tokens":1008}"#,
            Some([493, 1008, 42, 304]),
        ),
        // Pictures stand beside the words, and are input.
        (
            r#"{"billed_units":{"input_tokens":267,"output_tokens":66},"tokens":{"input_tokens":34,"output_tokens":70,"image_tokens":259}}"#,
            Some([293, 0, 70, 0]),
        ),
        (
            r#"{"billed_units":{"input_tokens":5,"output_tokens":3},"tokens":{}}"#,
            Some([5, 0, 3, 0]),
        ),
        (
            r#"{"billed_units":{"image_tokens":9,"text_tokens":2}}"#,
            Some([11, 0, 0, 0]),
        ),
        (
            r#"{"billed_units":{"input_tokens":11,"image_tokens":9}}"#,
            Some([11, 0, 0, 0]),
        ),
        (
            r#"{"tokens":{"input_tokens":3},"cached_tokens":9}"#,
            Some([0, 3, 0, 0]),
        ),
        ("{}", None),
        (r#"{"cached_tokens":9}"#, None),
        (r#"{"billed_units":{"search_units":1}}"#, None),
        (r#"{"tokens":{"input_tokens":-1}}"#, None),
        ("null", None),
    ] {
        assert_eq!(read(raw), expected, "{raw}");
    }
}

#[test]
fn usage_is_written_so_that_it_reads_the_same() {
    let tokens = Tokens {
        input: 10,
        cached_input: 5,
        output: 7,
        reasoning: 3,
        ..Tokens::default()
    };
    let mut writer = Writer::default();
    usage::write(&mut writer, &tokens);
    let text = String::from_utf8(writer.into_bytes()).unwrap();
    assert_eq!(usage::tokens(&text), Some(tokens));
    let said: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(
        said["billed_units"],
        json!({"input_tokens": 15, "output_tokens": 10})
    );
}

#[test]
fn a_usage_that_was_changed_is_written_anew() {
    let mut answer = answer::decode(&fixture::read("answer-plain.json"), &fixture::seed()).unwrap();
    answer.tokens = Some(Tokens {
        input: 1,
        ..Tokens::default()
    });
    let body = fixture::json(&answer::encode(&answer, &fixture::seed()));
    assert_eq!(
        body["usage"]["tokens"],
        json!({"input_tokens": 1, "output_tokens": 0})
    );
}
