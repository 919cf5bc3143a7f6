//! Bytes that no provider and no client should send.
//!
//! Nothing panics, the grammar of events holds, and what is kept is bounded.

use dialect::{
    chat::{answer, client::Client, decoder::Decoder, request, target::Target},
    neutral::Event,
};
use fastrand::Rng;
use payload::object::Object;

use super::{
    fixture::{self, seed},
    told, written,
};

const INSERTS: [&str; 14] = [
    "null",
    "{}",
    "[]",
    "\"\"",
    "0",
    "-1",
    "1e99",
    "\"index\":7,",
    "\\ud800",
    "\n\n",
    "data: ",
    "[DONE]",
    "}",
    "{\"a\":",
];

fn mutated(text: &str, rng: &mut Rng) -> Vec<u8> {
    let mut bytes = text.as_bytes().to_vec();
    for _ in 0..rng.usize(1..6) {
        let at = rng.usize(..bytes.len().max(1));
        match rng.u8(..5) {
            0 => bytes.truncate(at),
            1 => bytes.insert(at.min(bytes.len()), rng.u8(..)),
            2 if at < bytes.len() => {
                bytes.remove(at);
            }
            3 if at < bytes.len() => bytes[at] = rng.u8(..),
            _ => {
                let insert = INSERTS[rng.usize(..INSERTS.len())].bytes();
                bytes.splice(at.min(bytes.len())..at.min(bytes.len()), insert);
            }
        }
    }
    bytes
}

/// Whether it is JSON: half a surrogate pair, which some readers refuse, stays what it was.
fn is_object(bytes: &[u8]) {
    Object::parse(std::str::from_utf8(bytes).unwrap()).unwrap();
}

#[test]
fn broken_streams_keep_the_grammar_and_are_written_in_theirs() {
    let mut rng = Rng::with_seed(5);
    let client = Client {
        include_usage: true,
        ..Client::default()
    };
    for (_, stream) in fixture::all("stream-") {
        for _ in 0..150 {
            let bytes = mutated(&stream, &mut rng);
            let events = told::decode([&bytes[..]]);
            let size = rng.usize(1..60);
            assert_eq!(told::decode(bytes.chunks(size)), events);
            written::check(&written::encode(&events, client), client);
        }
    }
}

#[test]
fn broken_requests_and_answers_do_not_panic() {
    let mut rng = Rng::with_seed(6);
    for (_, body) in fixture::all("request-") {
        for _ in 0..200 {
            let bytes = mutated(&body, &mut rng);
            let text = String::from_utf8_lossy(&bytes);
            if let Ok(request) = request::decode(&text)
                && let Ok(encoded) = request::encode(&request, &Target::mistral("m"))
            {
                is_object(&encoded.body);
            }
        }
    }
    for (_, body) in fixture::all("answer-") {
        for _ in 0..200 {
            let bytes = mutated(&body, &mut rng);
            let text = String::from_utf8_lossy(&bytes);
            if let Ok(answer) = answer::decode(&text, &seed()) {
                let written = answer::encode(&answer, &seed());
                is_object(&written);
            }
        }
    }
}

#[test]
fn a_stream_that_mixes_calls_without_end_is_given_up() {
    let mut decoder = Decoder::new(&seed());
    let mut events = Vec::new();
    let chunk = |index: u32, arguments: &str| {
        let call = format!(
            r#"{{"index":{index},"id":"c{index}","function":{{"name":"n","arguments":"{arguments}"}}}}"#
        );
        format!("data: {{\"choices\":[{{\"index\":0,\"delta\":{{\"tool_calls\":[{call}]}}}}]}}\n\n")
    };
    decoder.push(chunk(0, "{").as_bytes(), &mut events);
    let long = "x".repeat(100_000);
    for _ in 0..60 {
        decoder.push(chunk(1, &long).as_bytes(), &mut events);
    }
    // It is given up while it comes, and not only because it has no end.
    told::check(&events);
    assert!(matches!(events.last(), Some(Event::Error(_))));
    decoder.push(chunk(1, "x").as_bytes(), &mut events);
    decoder.finish(&mut events);
    told::check(&events);

    let many: String = (0..400).map(|index| chunk(index, "{")).collect();
    let (mut decoder, mut events) = (Decoder::new(&seed()), Vec::new());
    decoder.push(many.as_bytes(), &mut events);
    told::check(&events);
    assert!(matches!(events.last(), Some(Event::Error(_))));
}
