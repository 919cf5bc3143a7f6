//! What a request cost, in the usage of a chat's answer, for clients that ask with `"usage":{"include":true}`.
//!
//! Knows where it stands; knows no prices. Everything else stays as it came.

use payload::json::{self, Fault};

use crate::{sse, without::without};

/// The longest event that is looked into.
// Full: it goes on as it is.
const EVENT_BYTES_MAX: usize = 1 << 20;

/// Whether the value of a request's `usage` asks for the cost.
pub fn is_asked(raw: &str) -> bool {
    let mut asked = false;
    let read = json::members(raw, |key, value| {
        asked |= key == "\"include\"" && &raw[value] == "true";
        Ok::<_, Fault>(())
    });
    read.is_ok() && asked
}

/// A request's body without the question, which no provider knows. `None` where there is none.
pub fn without_question(body: &str) -> Option<String> {
    without(body, "usage")
}

/// An answer or a chunk with `cost`, which must be a value of JSON, in its usage. `None` where it tells no usage.
pub fn told(object: &str, cost: &str) -> Option<String> {
    let mut usage = None;
    json::members(object, |key, value| {
        if key == "\"usage\"" && object[value.clone()].starts_with('{') {
            usage = Some(value);
        }
        Ok::<_, Fault>(())
    })
    .ok()?;
    let usage = usage?;
    let raw = &object[usage.clone()];
    let (mut stands, mut empty) = (None, true);
    let brace = json::members(raw, |key, value| {
        empty = false;
        if key == "\"cost\"" {
            stands = Some(value);
        }
        Ok::<_, Fault>(())
    })
    .ok()?;
    // What the provider itself calls the cost is none to whoever pays here.
    let (place, comma, key) = match stands {
        Some(place) => (place, "", ""),
        None => (brace..brace, if empty { "" } else { "," }, "\"cost\":"),
    };
    let (from, to) = (usage.start + place.start, usage.start + place.end);
    Some([&object[..from], comma, key, cost, &object[to..]].concat())
}

/// The same of one event of a stream, with its ends of lines.
pub fn told_in_event(event: &[u8], cost: &str) -> Option<Vec<u8>> {
    if event.len() > EVENT_BYTES_MAX || !sse::read(event).data.starts_with(b"{") {
        return None;
    }
    let text = str::from_utf8(event).ok()?;
    let (from, to) = (text.find('{')?, text.rfind('}')? + 1);
    let object = told(text.get(from..to)?, cost)?;
    Some([&text[..from], &object, &text[to..]].concat().into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_question_goes_and_the_rest_stays() {
        for (body, rest) in [
            (
                r#"{"usage":{"include":true},"model":"m"}"#,
                r#"{"model":"m"}"#,
            ),
            (
                r#"{"model":"m", "usage" : {"include":true} }"#,
                r#"{"model":"m" }"#,
            ),
            (
                r#"{"a":"usage","usage":{"include":true},"b":1}"#,
                r#"{"a":"usage","b":1}"#,
            ),
            (r#"{"us\u0061ge":{"include":true}}"#, "{}"),
        ] {
            assert_eq!(without_question(body).as_deref(), Some(rest));
        }
        assert_eq!(without_question(r#"{"model":"usage"}"#), None);
        assert!(is_asked(r#"{"include":true}"#));
        for raw in [
            r#"{"include":false}"#,
            "{}",
            "true",
            r#"{"include":"true"}"#,
        ] {
            assert!(!is_asked(raw), "{raw}");
        }
    }

    #[test]
    fn the_cost_stands_in_the_usage_and_nothing_else_changes() {
        for (object, with) in [
            (
                r#"{"usage":{"prompt_tokens":3},"x":1}"#,
                r#"{"usage":{"prompt_tokens":3,"cost":0.5},"x":1}"#,
            ),
            (r#"{"usage":{}}"#, r#"{"usage":{"cost":0.5}}"#),
            (
                r#"{"usage":{"cost":9,"prompt_tokens":3}}"#,
                r#"{"usage":{"cost":0.5,"prompt_tokens":3}}"#,
            ),
        ] {
            assert_eq!(told(object, "0.5").as_deref(), Some(with));
        }
        for object in [r#"{"usage":null}"#, r#"{"x":{"usage":{}}}"#, "[]", ""] {
            assert_eq!(told(object, "0.5"), None, "{object}");
        }
        let event = b"data: {\"choices\":[],\"usage\":{\"a\":1}}\r\n\r\n";
        let with = b"data: {\"choices\":[],\"usage\":{\"a\":1,\"cost\":null}}\r\n\r\n";
        assert_eq!(told_in_event(event, "null").as_deref(), Some(&with[..]));
        assert_eq!(told_in_event(b"data: [DONE]\n\n", "1"), None);
        assert_eq!(told_in_event(b": {\"usage\":{}}\n\n", "1"), None);
    }
}
