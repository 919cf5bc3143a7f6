//! Rewriting as a property: over random bodies, nothing changes but what was asked for.
//!
//! Judged by another JSON reader, which knows nothing of how ours splices.

use bytes::Bytes;
use dialect::request::{self, Endpoint, Rewrite};
use fastrand::Rng;
use serde_json::{Value, json};

use crate::generated;

#[test]
fn a_rewritten_body_differs_in_the_fields_that_were_asked_for_and_in_nothing_else() {
    for seed in 0..generated::ROUNDS {
        let mut rng = Rng::with_seed(seed);
        let (body, model) = body(&mut rng);
        let scanned = request::scan(Endpoint::ChatCompletions, &body)
            .unwrap_or_else(|refused| panic!("seed {seed}: {refused}: {body:?}"));
        let before: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(scanned.model, model, "seed {seed}");
        assert_eq!(scanned.stream, before["stream"] == true, "seed {seed}");
        assert_eq!(
            scanned.usage_asked,
            before["stream_options"]["include_usage"] == true
        );

        let to = if rng.bool() {
            model.clone()
        } else {
            generated::text(&mut rng)
        };
        let ask_usage = rng.bool();
        let rewritten = request::rewrite(
            &body,
            &scanned,
            &Rewrite {
                model: &to,
                ask_usage,
            },
        );
        let after: Value = serde_json::from_slice(&rewritten)
            .unwrap_or_else(|error| panic!("seed {seed}: {error}: {rewritten:?}"));
        assert_eq!(after, expected(before, &to, ask_usage), "seed {seed}");
        if to == model && !ask_usage {
            assert_eq!(rewritten, body, "seed {seed}");
        }
        let again = request::scan(Endpoint::ChatCompletions, &rewritten).unwrap();
        let same = request::rewrite(
            &rewritten,
            &again,
            &Rewrite {
                model: &to,
                ask_usage,
            },
        );
        assert_eq!(
            same, rewritten,
            "seed {seed}: a second rewrite changes nothing"
        );
    }
}

#[test]
fn the_bytes_around_a_splice_are_those_of_the_client() {
    for seed in 0..generated::ROUNDS {
        let mut rng = Rng::with_seed(seed);
        let (body, _) = body(&mut rng);
        let scanned = request::scan(Endpoint::ChatCompletions, &body).unwrap();
        // Two names of one length: where one is spliced in, every other byte must stand where it stood.
        let [one, other] = ["\u{1}one", "\u{1}two"].map(|model| {
            request::rewrite(
                &body,
                &scanned,
                &Rewrite {
                    model,
                    ask_usage: false,
                },
            )
        });
        let differing = one
            .iter()
            .zip(&other)
            .filter(|(one, other)| one != other)
            .count();
        assert_eq!((one.len(), differing), (other.len(), 3), "seed {seed}");
        let at = one
            .windows(11)
            .position(|bytes| bytes == b"\"\\u0001one\"")
            .unwrap();
        let behind = one.len() - at - 11;
        assert_eq!(one[..at], body[..at], "seed {seed}");
        assert_eq!(one[at + 11..], body[body.len() - behind..], "seed {seed}");
    }
}

fn expected(mut before: Value, model: &str, ask_usage: bool) -> Value {
    before["model"] = json!(model);
    if ask_usage && before["stream"] == true {
        let options = before.get("stream_options").cloned().unwrap_or(Value::Null);
        match options {
            Value::Null => before["stream_options"] = json!({"include_usage": true}),
            Value::Object(_) => before["stream_options"]["include_usage"] = json!(true),
            _ => {}
        }
    }
    before
}

/// A random body and its model.
fn body(rng: &mut Rng) -> (Bytes, String) {
    let model = generated::text(rng);
    let mut members = vec![(
        generated::string(rng, "model"),
        generated::string(rng, &model),
    )];
    for at in 0..rng.usize(..5) {
        members.push((format!("\"other{at}\""), generated::value(rng, 4)));
    }
    if rng.u8(..4) > 0 {
        let stream = ["true", "true", "true", "false", "\"yes\"", "1"][rng.usize(..6)];
        members.push((generated::string(rng, "stream"), stream.to_owned()));
    }
    if rng.bool() {
        members.push((generated::string(rng, "stream_options"), options(rng)));
    }
    rng.shuffle(&mut members);
    let object = generated::object(rng, &members);
    let body = format!("{}{object}{}", generated::space(rng), generated::space(rng));
    (Bytes::from(body), model)
}

fn options(rng: &mut Rng) -> String {
    if rng.u8(..4) == 0 {
        return ["null", "[]", "7", "\"{\""][rng.usize(..4)].to_owned();
    }
    let mut members = Vec::new();
    for at in 0..rng.usize(..3) {
        members.push((format!("\"option{at}\""), generated::value(rng, 2)));
    }
    if rng.bool() {
        let usage = ["true", "false", "null", "{}"][rng.usize(..4)];
        members.push((generated::string(rng, "include_usage"), usage.to_owned()));
    }
    rng.shuffle(&mut members);
    generated::object(rng, &members)
}
