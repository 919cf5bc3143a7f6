//! Answers: what a provider says is what the client gets.
//!
//! Knows the neutral form where a fixture is read into it.

use dialect::{
    Tokens,
    chat::{answer, client::Client, usage},
    neutral::{Answer, Choice, Content, Part, Stop},
};
use payload::writer::Writer;
use serde_json::{Value, json};

use super::{
    fixture::{self, seed},
    same,
};

fn decode(name: &str) -> Answer {
    answer::decode(&fixture::read(name), &seed()).unwrap()
}

fn encode(answer: &Answer) -> Value {
    serde_json::from_slice(&answer::encode(answer, &seed())).unwrap()
}

#[test]
fn every_answer_goes_on_as_it_came() {
    for (name, body) in fixture::all("answer-") {
        let read = answer::decode(&body, &seed()).unwrap();
        let original: Value = serde_json::from_str(&body).unwrap();
        let client = Client {
            functions: body.contains("\"function_call\":"),
            ..Client::default()
        };
        let bytes = answer::encode_for(&read, &seed(), client);
        let mut written = same::answer(&serde_json::from_slice(&bytes).unwrap());
        let mut expected = same::answer(&original);
        if name == "answer-mistral.json" {
            // Thoughts leave their place in the content.
            assert_eq!(written["choices"][0]["message"]["reasoning_content"], "Hm.");
            assert_eq!(written["choices"][0]["message"]["content"], "So.");
            expected["choices"][0]["message"] = Value::Null;
            written["choices"][0]["message"] = Value::Null;
        }
        if name == "answer-reasoning-details.json" {
            assert_eq!(
                written["choices"][0]["message"]["reasoning_details"],
                original["choices"][0]["message"]["reasoning_details"]
            );
        }
        assert_eq!(written, expected, "{name}");
    }
}

#[test]
fn what_an_answer_says_is_read() {
    let stop = |name: &str| decode(name).choices[0].stop.clone();
    assert_eq!(stop("answer-plain.json"), Some(Stop::End));
    assert_eq!(stop("answer-tools.json"), Some(Stop::ToolCalls));
    assert_eq!(stop("answer-zero-arguments.json"), Some(Stop::ToolCalls));
    assert_eq!(stop("answer-length.json"), Some(Stop::Length));
    assert_eq!(stop("answer-refusal.json"), Some(Stop::Refused(None)));
    assert_eq!(stop("answer-filtered.json"), Some(Stop::Filtered));
    assert_eq!(stop("answer-mistral.json"), Some(Stop::ContextFull));
    assert_eq!(stop("answer-function-call.json"), Some(Stop::ToolCalls));
    assert_eq!(
        stop("answer-stop-sequence.json"),
        Some(Stop::Sequence(Some("three".into())))
    );
    let Content::ToolCall { arguments, .. } =
        &decode("answer-zero-arguments.json").choices[0].parts[0].content
    else {
        panic!("no call");
    };
    assert_eq!(arguments, "{}");
    let summary = &decode("answer-reasoning-summary.json").choices[0].parts[0].content;
    let expected = Content::Reasoning {
        text: "Multiplying.".into(),
        signature: Some("ZW5j".into()),
    };
    assert_eq!(summary, &expected);
}

#[test]
fn usage_is_disjoint_and_goes_back_to_what_it_was() {
    let expected = Tokens {
        input: 10,
        cached_input: 8,
        audio_input: 2,
        output: 4,
        reasoning: 4,
        audio_output: 1,
        ..Tokens::default()
    };
    assert_eq!(decode("answer-plain.json").tokens, Some(expected));
    let all = Tokens {
        cache_write: 3,
        cache_write_hour: 4,
        ..expected
    };
    let mut writer = Writer::default();
    usage::write(&mut writer, &all);
    let raw = String::from_utf8(writer.into_bytes()).unwrap();
    let said: Value = serde_json::from_str(&raw).unwrap();
    assert_eq!(said["prompt_tokens"], 27);
    assert_eq!(said["completion_tokens"], 9);
    assert_eq!(said["total_tokens"], 36);
    assert_eq!(
        said["prompt_tokens_details"],
        json!({"cached_tokens": 8, "audio_tokens": 2, "cache_write_tokens": 7})
    );
    let kept_as_one = Tokens {
        cache_write: 7,
        cache_write_hour: 0,
        ..all
    };
    assert_eq!(usage::tokens(&raw), Some(kept_as_one));
    // A changed count is told, and not the one that came.
    let mut answer = decode("answer-plain.json");
    answer.tokens = Some(Tokens {
        output: 1,
        ..Tokens::default()
    });
    assert_eq!(encode(&answer)["usage"]["completion_tokens"], 1);
}

#[test]
fn an_answer_of_another_family_has_all_that_strict_clients_read() {
    let reasoning = |text: &str, signature: Option<&str>| {
        Part::new(Content::Reasoning {
            text: text.into(),
            signature: signature.map(Into::into),
        })
    };
    let call = Content::ToolCall {
        id: "toolu_1".into(),
        name: "now".into(),
        arguments: "{}".into(),
    };
    let answer = Answer {
        id: "msg_01".into(),
        model: "claude".into(),
        choices: vec![Choice {
            parts: vec![
                reasoning("a", Some("s")),
                Part::new(Content::RedactedReasoning("d".into())),
                reasoning("", Some("t")),
                Part::new(call),
            ],
            stop: Some(Stop::ToolCalls),
            extra: vec![],
        }],
        tokens: Some(Tokens {
            input: 1,
            output: 2,
            ..Tokens::default()
        }),
        ..Answer::default()
    };
    let said = encode(&answer);
    assert_eq!(
        (&said["id"], &said["object"], &said["created"]),
        (
            &json!("chatcmpl-01"),
            &json!("chat.completion"),
            &json!(1_800_000_000)
        )
    );
    let choice = &said["choices"][0];
    assert_eq!(choice["finish_reason"], "tool_calls");
    let message = &choice["message"];
    assert!(message["content"].is_null() && message.get("refusal").is_some());
    assert_eq!(message["reasoning_content"], "a");
    let details = json!([
        {"type": "reasoning.text", "text": "a", "signature": "s", "index": 0},
        {"type": "reasoning.encrypted", "data": "d", "index": 1},
        {"type": "reasoning.text", "text": "", "signature": "t", "index": 2},
    ]);
    assert_eq!(message["reasoning_details"], details);
    // What a client sends back is what was said.
    let back = json!({"messages": [message]}).to_string();
    let turn = dialect::chat::request::decode(&back)
        .unwrap()
        .turns
        .remove(0);
    assert_eq!(turn.parts, answer.choices[0].parts);
}

#[test]
fn every_end_has_a_word() {
    let word = |stop: Stop, parts: Vec<Part>| {
        let choices = vec![Choice {
            parts,
            stop: Some(stop),
            extra: vec![],
        }];
        let said = encode(&Answer {
            choices,
            ..Answer::default()
        });
        (
            said["choices"][0]["finish_reason"].clone(),
            said["choices"][0]["message"]["refusal"].clone(),
        )
    };
    let text = || vec![Part::text("x")];
    assert_eq!(word(Stop::End, text()).0, "stop");
    assert_eq!(word(Stop::Sequence(None), text()).0, "stop");
    assert_eq!(word(Stop::Length, text()).0, "length");
    assert_eq!(word(Stop::ContextFull, text()).0, "length");
    assert_eq!(word(Stop::Paused, text()).0, "stop");
    assert_eq!(word(Stop::Filtered, text()).0, "content_filter");
    assert_eq!(
        word(Stop::Refused(Some("why".into())), text()),
        (json!("content_filter"), json!("why"))
    );
    let refusal = vec![Part::new(Content::Refusal("no".into()))];
    assert_eq!(
        word(Stop::Refused(None), refusal),
        (json!("stop"), json!("no"))
    );
}

#[test]
fn an_error_in_the_place_of_an_answer_is_no_answer() {
    let body = r#"{"error":{"code":429,"message":"slow down"},"user_id":"u"}"#;
    assert!(answer::decode(body, &seed()).is_err());
    let error = dialect::chat::error::within(body).unwrap();
    assert_eq!(error.class, dialect::neutral::Class::RateLimited);
    assert_eq!(
        dialect::chat::error::within(r#"{"choices":[],"error":null}"#),
        None
    );
}
