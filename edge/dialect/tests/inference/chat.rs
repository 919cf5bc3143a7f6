//! Custom providers as chat models: what their programs get, and what clients of each family get of their answers.

use dialect::{
    Tokens,
    crossing::{Asked, Crossed, cross_whole},
    neutral::{Family, Seed},
};
use serde_json::{Value, json};

const ANSWER: &str = r#"{"choices":[{"message":{"role":"assistant","content":"Hi","tool_calls":[
    {"id":"c1","type":"function","function":{"name":"f","arguments":"{\"a\":1}"}}]}}]}"#;

fn crossed(family: Family, body: &str, stream: bool) -> Crossed {
    let asked = Asked {
        family,
        model: "mine",
        stream,
        events: true,
        input_tokens_estimate: 3,
        ceiling: None,
    };
    let seed = Seed {
        request_id: "00000000-0000-7000-8000-000000000000".to_owned(),
        now_seconds: 1_700_000_000,
    };
    cross_whole(&asked, body, "theirs", seed).unwrap()
}

fn bodies(stream: bool) -> [(Family, String); 4] {
    [
        (
            Family::Chat,
            format!(
                r#"{{"own":[1.0], "model":"mine","stream":{stream},"messages":[{{"role":"user","content":"Hello"}}]}}"#
            ),
        ),
        (
            Family::Messages,
            format!(
                r#"{{"model":"mine","max_tokens":9,"stream":{stream},"messages":[{{"role":"user","content":"Hello"}}]}}"#
            ),
        ),
        (
            Family::Responses,
            format!(r#"{{"model":"mine","stream":{stream},"input":"Hello"}}"#),
        ),
        (
            Family::Gemini,
            r#"{"contents":[{"role":"user","parts":[{"text":"Hello"}]}]}"#.to_owned(),
        ),
    ]
}

#[test]
fn the_program_gets_a_chat_completion_that_asks_for_no_stream() {
    for stream in [false, true] {
        for (family, body) in bodies(stream) {
            let crossed = crossed(family, &body, stream);
            let sent: Value = serde_json::from_slice(&crossed.body).unwrap();
            assert_eq!(crossed.stream, stream, "{family:?}");
            assert_eq!(sent["model"], "theirs", "{family:?}");
            assert_eq!(sent["messages"][0]["content"], "Hello", "{family:?}");
            assert!(sent.get("stream").is_none_or(|it| it == false), "{sent}");
            assert_eq!(sent.get("stream_options"), None);
        }
    }
    let own = crossed(Family::Chat, &bodies(true)[0].1, true);
    let own = String::from_utf8(own.body).unwrap();
    assert!(
        own.starts_with(r#"{"own":[1.0],"model":"theirs","#),
        "{own}"
    );
}

#[test]
fn every_client_gets_a_whole_answer_in_its_own_words() {
    let tokens = Some(Tokens {
        input: 7,
        output: 2,
        ..Tokens::default()
    });
    for (family, body) in bodies(false) {
        let crossed = crossed(family, &body, false);
        let told = crossed
            .back
            .told(ANSWER.as_bytes(), (false, false), tokens)
            .unwrap();
        assert_eq!(told.tokens, tokens);
        let said: Value = serde_json::from_slice(&told.body).unwrap();
        let text = match family {
            Family::Chat => &said["choices"][0]["message"]["content"],
            Family::Messages => &said["content"][0]["text"],
            Family::Responses => &said["output"][0]["content"][0]["text"],
            _ => &said["candidates"][0]["content"]["parts"][0]["text"],
        };
        assert_eq!(text, &json!("Hi"), "{said}");
        assert!(
            said.to_string().contains("mine"),
            "the model is named: {said}"
        );
    }
}

#[test]
fn every_client_that_wants_a_stream_gets_one_that_says_the_same_and_ends() {
    let tokens = Some(Tokens {
        input: 7,
        output: 2,
        ..Tokens::default()
    });
    for (family, body) in bodies(true) {
        let crossed = crossed(family, &body, true);
        let told = crossed
            .back
            .told(ANSWER.as_bytes(), (true, false), tokens)
            .unwrap();
        let said = String::from_utf8(told.body).unwrap();
        let end = match family {
            Family::Chat => "data: [DONE]\n\n",
            Family::Messages => "event: message_stop",
            Family::Responses => "event: response.completed",
            _ => "\"finishReason\"",
        };
        assert!(said.contains(end), "{family:?}: {said}");
        assert!(said.contains("\"Hi\""), "{family:?}: {said}");
        assert!(
            said.contains("c1") || family == Family::Gemini,
            "{family:?}: {said}"
        );
    }
}

#[test]
fn what_is_no_chat_completion_is_an_error() {
    let crossed = crossed(Family::Chat, &bodies(false)[0].1, false);
    for wrong in ["{}", "[]", "x", "{\"choices\":1}", "{\"choices\":[1]}"] {
        let told = crossed.back.told(wrong.as_bytes(), (true, false), None);
        assert!(told.is_err(), "{wrong}: {told:?}");
    }
}
