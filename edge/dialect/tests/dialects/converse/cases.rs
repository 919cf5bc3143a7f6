//! The fixtures, and frames made of them.

use std::{fs, path::Path};

use dialect::{
    aws::event_stream::{self, Frame, Value as Header},
    converse::{decoder::Decoder, encoder::Encoder},
    neutral::{Event, Seed},
};
use serde_json::{Value, json};

/// Every fixture whose name begins so, with its name.
pub(crate) fn all(prefix: &str) -> Vec<(String, Value)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/converse");
    let mut cases = Vec::new();
    for file in fs::read_dir(folder).unwrap() {
        let file = file.unwrap().path();
        let name = file.file_stem().unwrap().to_string_lossy().into_owned();
        if name.starts_with(prefix) {
            let case = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
            cases.push((name, case));
        }
    }
    assert!(!cases.is_empty(), "no fixture begins with {prefix}");
    cases.sort_by(|one, other| one.0.cmp(&other.0));
    cases
}

pub(crate) fn seed() -> Seed {
    Seed {
        request_id: "0198-a".to_owned(),
        now_seconds: 1_795_348_800,
    }
}

/// The frames of a list of events, one by one.
pub(crate) fn frames(events: &Value) -> Vec<Vec<u8>> {
    let events = events.as_array().unwrap().iter();
    events
        .map(|event| {
            let text = |name: &str| event[name].as_str();
            let payload = match &event["payload"] {
                Value::Null => String::new(),
                payload => payload.to_string(),
            };
            let headers = match (text("event"), text("exception")) {
                (Some(kind), _) => vec![(":event-type", kind), (":message-type", "event")],
                (_, Some(kind)) => vec![(":exception-type", kind), (":message-type", "exception")],
                _ => vec![
                    (":message-type", "error"),
                    (":error-code", text("error").unwrap()),
                    (":error-message", text("message").unwrap()),
                ],
            };
            let headers: Vec<_> = headers
                .into_iter()
                .map(|(name, value)| (name, Header::Text(value)))
                .collect();
            let mut frame = Vec::new();
            event_stream::write(&mut frame, &headers, payload.as_bytes()).unwrap();
            frame
        })
        .collect()
}

/// Decodes bytes cut at these places.
pub(crate) fn decode(bytes: &[u8], cuts: &[usize]) -> Vec<Event> {
    let mut decoder = Decoder::new(&seed());
    let (mut events, mut from) = (Vec::new(), 0);
    for to in cuts.iter().copied().chain([bytes.len()]) {
        decoder.push(&bytes[from..to], &mut events);
        from = to;
    }
    decoder.finish(&mut events);
    events
}

pub(crate) fn encode(events: &[Event]) -> Vec<u8> {
    let mut encoder = Encoder::new(&seed());
    let mut out = Vec::new();
    for event in events {
        encoder.push(event, &mut out);
    }
    out
}

/// Frames as a list of events again.
pub(crate) fn events(bytes: &[u8]) -> Vec<Value> {
    let mut decoder = event_stream::Decoder::default();
    let mut events = Vec::new();
    let each = |frame: &Frame<'_>| {
        let kind = frame.text(":event-type").or(frame.text(":exception-type"));
        let payload: Value = serde_json::from_slice(frame.payload).unwrap();
        events.push(json!({"event": kind, "payload": payload}));
    };
    decoder.push(bytes, each).unwrap();
    decoder.finish().unwrap();
    events
}

/// A stream as everyone reads it: without padding, pieces of one kind joined, what says nothing left out.
pub(crate) fn plain(events: &[Value]) -> Vec<Value> {
    let mut plain: Vec<Value> = Vec::new();
    for event in events {
        let mut event = json!({"event": event["event"], "payload": event["payload"]});
        event["payload"].as_object_mut().unwrap().remove("p");
        let joined = plain.last_mut().is_some_and(|last| join(last, &event));
        if !joined {
            plain.push(event);
        }
    }
    let begun: Vec<Value> = plain
        .iter()
        .filter(|event| event["event"] != "contentBlockStop" && !is_blank(event))
        .map(|event| event["payload"]["contentBlockIndex"].clone())
        .collect();
    plain.retain(|event| {
        !is_blank(event)
            && (event["event"] != "contentBlockStop"
                || begun.contains(&event["payload"]["contentBlockIndex"]))
    });
    // A call without arguments has empty ones.
    let mut at = 1;
    while at < plain.len() {
        if plain[at]["event"] == "contentBlockStop" && plain[at - 1]["event"] == "contentBlockStart"
        {
            let index = plain[at]["payload"]["contentBlockIndex"].clone();
            let payload =
                json!({"contentBlockIndex": index, "delta": {"toolUse": {"input": "{}"}}});
            plain.insert(
                at,
                json!({"event": "contentBlockDelta", "payload": payload}),
            );
        }
        at += 1;
    }
    plain
}

const GROWING: [&str; 3] = [
    "/payload/delta/text",
    "/payload/delta/toolUse/input",
    "/payload/delta/reasoningContent/signature",
];

fn is_blank(event: &Value) -> bool {
    GROWING
        .iter()
        .any(|at| event.pointer(at).is_some_and(|it| it == ""))
}

fn join(last: &mut Value, event: &Value) -> bool {
    let index = "/payload/contentBlockIndex";
    if last.pointer(index) != event.pointer(index) {
        return false;
    }
    for at in GROWING {
        if let (Some(Value::String(known)), Some(Value::String(more))) =
            (last.pointer_mut(at), event.pointer(at))
        {
            known.push_str(more);
            return true;
        }
    }
    false
}
