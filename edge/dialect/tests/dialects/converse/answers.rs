//! Answers and errors, there and back.

use dialect::{
    converse::{answer, error, names},
    neutral::{Answer, Choice, Class, Content, Error, Extra, Family, Media, Part, Source, Stop},
};
use serde_json::{Value, json};

use crate::converse::cases;

#[test]
fn every_answer_goes_back_as_it_came() {
    let streamed = cases::all("stream-");
    let streamed = streamed
        .into_iter()
        .map(|(name, case)| (name, case["answer"].clone()));
    let mut seen = 0;
    for (name, body) in cases::all("answer-").into_iter().chain(streamed) {
        if body.is_null() {
            continue;
        }
        let answer = answer::decode(&body.to_string(), &cases::seed()).unwrap();
        let again: Value =
            serde_json::from_slice(&answer::encode(&answer, &cases::seed())).unwrap();
        assert_eq!(again, body, "{name}");
        seen += 1;
    }
    assert!(seen >= 15, "only {seen}");
}

#[test]
fn an_answer_of_another_family_is_written_as_far_as_it_can_be() {
    let image = |source| {
        Part::new(Content::Image(Media {
            source,
            media_type: "image/png".to_owned(),
            name: None,
            detail: None,
        }))
    };
    let mut parts = vec![
        Part::new(Content::Refusal("no".to_owned())),
        image(Source::Url("https://x/y.png".to_owned())),
        Part::other(Extra::new(Family::Gemini, "executableCode", "{}")),
        image(Source::Base64("AA==".to_owned())),
    ];
    parts[0].extra.push(Extra::new(Family::Chat, "x", "1"));
    let answer = Answer {
        choices: vec![Choice {
            parts,
            stop: Some(Stop::Sequence(Some("END".to_owned()))),
            extra: Vec::new(),
        }],
        ..Answer::default()
    };
    let body: Value = serde_json::from_slice(&answer::encode(&answer, &cases::seed())).unwrap();
    let content = json!([{"text":"no"},{"image":{"format":"png","source":{"bytes":"AA=="}}}]);
    let expected = json!({
        "output": {"message": {"role": "assistant", "content": content}},
        "stopReason": "stop_sequence",
        "additionalModelResponseFields": {"stop_sequence": "END"},
    });
    assert_eq!(body, expected);
}

#[test]
fn a_shortened_name_is_undone_in_an_answer() {
    let long = "mcp/".repeat(30);
    let body = json!({"messages":[],"toolConfig":{"tools":[{"toolSpec":{"name":long,"inputSchema":{"json":{}}}}]}});
    let request = dialect::converse::request::decode(&body.to_string(), "m", false).unwrap();
    let call = json!({"toolUse":{"toolUseId":"a","name":names::tool(&long),"input":{}}});
    let body =
        json!({"output":{"message":{"role":"assistant","content":[call]}},"stopReason":"tool_use"});
    let mut answer = answer::decode(&body.to_string(), &cases::seed()).unwrap();
    names::Originals::of(&request).undo_answer(&mut answer);
    assert!(
        matches!(&answer.choices[0].parts[0].content, Content::ToolCall { name, .. } if *name == long)
    );
}

/// The class of this name.
pub(crate) fn class(name: &str) -> Class {
    [
        Class::InvalidRequest,
        Class::ContextTooLong,
        Class::TooLarge,
        Class::Authentication,
        Class::Permission,
        Class::NotFound,
        Class::RateLimited,
        Class::QuotaExhausted,
        Class::ContentFiltered,
        Class::Overloaded,
        Class::Timeout,
        Class::Provider,
    ]
    .into_iter()
    .find(|class| format!("{class:?}") == name)
    .unwrap()
}

#[test]
fn every_error_is_of_its_class_and_goes_back() {
    let (_, cases) = cases::all("errors").remove(0);
    for case in cases.as_array().unwrap() {
        let status = u16::try_from(case["status"].as_u64().unwrap()).unwrap();
        let body = match &case["body"] {
            Value::String(text) => text.clone(),
            body => body.to_string(),
        };
        let read = match case["name"].as_str() {
            Some(name) => error::decode_named(name, status, body.as_bytes()),
            None => error::decode(status, body.as_bytes()),
        };
        assert_eq!(read.class, class(case["class"].as_str().unwrap()), "{case}");
        assert!(
            !read.message.is_empty() && !read.message.contains('<'),
            "{case}"
        );
        let again: Value = serde_json::from_slice(&error::encode(&read)).unwrap();
        assert_eq!(again["message"], read.message, "{case}");
        let mut expected = case["body"].clone();
        if expected.is_object() && expected.get("__type").is_none() {
            expected["__type"] = again["__type"].clone();
            assert_eq!(again, expected);
        }
    }
}

#[test]
fn every_class_has_a_name_and_most_come_back_by_it() {
    for name in [
        "InvalidRequest",
        "Authentication",
        "Permission",
        "NotFound",
        "RateLimited",
        "QuotaExhausted",
        "Overloaded",
        "Timeout",
        "Provider",
    ] {
        let error = Error::new(class(name), "x");
        let read = error::decode(418, &error::encode(&error));
        assert_eq!(read.class, error.class);
        let events = cases::decode(&error::event(&error), &[]);
        assert!(
            matches!(&events[..], [dialect::neutral::Event::Error(it)] if it.class == error.class)
        );
    }
}
