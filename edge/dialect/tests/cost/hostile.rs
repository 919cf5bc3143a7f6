//! Streams that never end, of every family and in every way that we know to be bad: what is held of one is bounded.
//!
//! What is counted is the most that was held at once. Bytes that cannot be read come 64 MiB long; events that must be
//! read one by one, which takes longer, come as many as fill every bound several times.

use bytes::Bytes;
use dialect::{
    aws::event_stream::{self, Value},
    crossing::{Decoder, stream::Aside},
    neutral::Family,
    openai::stream::Meter,
};

use crate::material::{self, CLIENTS};

/// How much comes of what cannot be read.
const STREAM_BYTES: usize = 64 << 20;
/// How much comes in events that are read, if nobody asks for more.
const EVENTS_BYTES: usize = 5 << 20;
/// How much comes at once.
const PIECE_BYTES: usize = 32 << 10;
/// The most that may be held of a stream that is looked at: an event (of Bedrock, up to 16 MiB) that is open, twice while it grows, and what a family
/// keeps until it knows more.
const LOOKED_AT_BYTES_MAX: u64 = 28 << 20;
/// The most that may be held of a stream that is translated.
const TRANSLATED_BYTES_MAX: u64 = 40 << 20;
/// A client of Responses is told all of its answer again at the end, so that all of it is kept.
const RESPONSES_BYTES_MAX: u64 = 200 << 20;

/// A way to be bad: what comes first, and then what comes again and again, each time with another number.
struct Flood {
    name: &'static str,
    bytes: usize,
    first: Vec<u8>,
    again: Again,
}

fn flood(name: &'static str, first: Vec<u8>, again: impl Fn(usize) -> Vec<u8> + 'static) -> Flood {
    // `just prove floods` lets everything come whole.
    let whole = std::env::var_os("SLUICE_TEST_WHOLE").is_some();
    let read = !name.starts_with("an event");
    Flood {
        name,
        bytes: if read && !whole {
            EVENTS_BYTES
        } else {
            STREAM_BYTES
        },
        first,
        again: Box::new(again),
    }
}

fn data(name: &str, data: &str) -> Vec<u8> {
    format!("event: {name}\ndata: {data}\n\n").into_bytes()
}

fn frame(name: &str, payload: &str) -> Vec<u8> {
    let headers = [
        (":event-type", Value::Text(name)),
        (":message-type", Value::Text("event")),
    ];
    let mut frame = Vec::new();
    event_stream::write(&mut frame, &headers, payload.as_bytes()).unwrap();
    frame
}

/// What every family is flooded with.
fn floods(family: Family) -> Vec<Flood> {
    let opened = match family {
        Family::Converse => {
            // A frame may be as long as 16 MiB, and claims to be.
            let mut prelude = (16_u32 << 20).to_be_bytes().to_vec();
            prelude.extend([0; 4]);
            prelude.extend(crc(&prelude).to_be_bytes());
            prelude
        }
        _ => b"data: {\"a\":\"".to_vec(),
    };
    let mut floods = vec![
        flood("an event without end", opened, |_| {
            b"xxxxxxxxxxxxxxxx".to_vec()
        }),
        flood(
            "words without end",
            material::beginning(family),
            move |at| material::word(family, at),
        ),
    ];
    if family != Family::Converse {
        floods.push(flood("line ends", Vec::new(), |_| b"data:\n".to_vec()));
        floods.push(flood("comments", Vec::new(), |_| b": x\n\n".to_vec()));
    }
    let (calls, arguments) = tools(family);
    let begin = || material::beginning(family);
    floods.push(flood("calls without end", begin(), calls));
    floods.push(flood("arguments without end", begin(), arguments));
    floods
}

/// What comes again and again, with its number.
type Again = Box<dyn Fn(usize) -> Vec<u8>>;

/// Calls without end, and arguments of a call or two without end.
fn tools(family: Family) -> (Again, Again) {
    match family {
        Family::Chat => chat_tools(),
        Family::Responses => responses_tools(),
        Family::Messages => messages_tools(),
        Family::Gemini => gemini_tools(),
        Family::Converse => converse_tools(),
        Family::Cohere => cohere_tools(),
    }
}

fn long() -> String {
    "x".repeat(200)
}

/// Calls begun by `start`, of which the first `open` get arguments by `more` in turns.
fn begun(
    open: usize,
    start: fn(usize) -> Vec<u8>,
    more: impl Fn(usize, &str) -> Vec<u8> + 'static,
) -> (Again, Again) {
    let long = long();
    let arguments = move |at: usize| {
        let first = if at < open { start(at) } else { Vec::new() };
        [first, more(at % open, &long)].concat()
    };
    (Box::new(start), Box::new(arguments))
}

fn chat_tools() -> (Again, Again) {
    let call = |index: usize| {
        let text = long();
        let chunk = format!(
            r#"{{"choices":[{{"index":0,"delta":{{"tool_calls":[{{"index":{index},"id":"c{index}","function":{{"name":"n","arguments":"{text}"}}}}]}}}}]}}"#
        );
        data("m", &chunk)
    };
    (Box::new(call), Box::new(move |at| call(at % 2)))
}

fn responses_tools() -> (Again, Again) {
    let added = |at: usize| {
        let item = format!(
            r#"{{"type":"response.output_item.added","output_index":{at},"item":{{"type":"function_call","id":"f{at}","call_id":"c{at}","name":"n","arguments":""}}}}"#
        );
        data("response.output_item.added", &item)
    };
    begun(2, added, |index, long| {
        let more = format!(
            r#"{{"type":"response.function_call_arguments.delta","output_index":{index},"delta":"{long}"}}"#
        );
        data("response.function_call_arguments.delta", &more)
    })
}

fn messages_tools() -> (Again, Again) {
    let start = |at: usize| {
        let block = format!(
            r#"{{"type":"content_block_start","index":{at},"content_block":{{"type":"tool_use","id":"t{at}","name":"n","input":{{}}}}}}"#
        );
        data("content_block_start", &block)
    };
    // One, because blocks do not interleave.
    begun(1, start, |index, long| {
        let more = format!(
            r#"{{"type":"content_block_delta","index":{index},"delta":{{"type":"input_json_delta","partial_json":"{long}"}}}}"#
        );
        data("content_block_delta", &more)
    })
}

fn gemini_tools() -> (Again, Again) {
    let long = long();
    let candidates = |at: usize| {
        let chunk = format!(
            r#"{{"candidates":[{{"index":{at},"content":{{"parts":[{{"text":"x"}}]}}}}]}}"#
        );
        data("m", &chunk)
    };
    let calls = move |at: usize| {
        let chunk = format!(
            r#"{{"candidates":[{{"index":0,"x{at}":"{long}","content":{{"parts":[{{"functionCall":{{"name":"n","args":{{"a":"{long}"}}}}}}]}}}}],"y{at}":1}}"#
        );
        data("m", &chunk)
    };
    (Box::new(candidates), Box::new(calls))
}

fn converse_tools() -> (Again, Again) {
    let start = |at: usize| {
        let payload = format!(
            r#"{{"contentBlockIndex":{at},"start":{{"toolUse":{{"toolUseId":"t{at}","name":"n"}}}}}}"#
        );
        frame("contentBlockStart", &payload)
    };
    begun(2, start, |index, long| {
        let payload = format!(
            r#"{{"contentBlockIndex":{index},"delta":{{"toolUse":{{"input":"{long}"}}}}}}"#
        );
        frame("contentBlockDelta", &payload)
    })
}

fn cohere_tools() -> (Again, Again) {
    let start = |at: usize| {
        let call = format!(
            r#"{{"type":"tool-call-start","index":{at},"delta":{{"message":{{"tool_calls":{{"id":"t{at}","type":"function","function":{{"name":"n","arguments":""}}}}}}}}}}"#
        );
        data("tool-call-start", &call)
    };
    begun(1, start, |index, long| {
        let more = format!(
            r#"{{"type":"tool-call-delta","index":{index},"delta":{{"message":{{"tool_calls":{{"function":{{"arguments":"{long}"}}}}}}}}}}"#
        );
        data("tool-call-delta", &more)
    })
}

fn crc(bytes: &[u8]) -> u32 {
    // Bit by bit: the tests have no library for it, and eight bytes need none.
    let mut crc = u32::MAX;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 {
                (crc >> 1) ^ 0xedb8_8320
            } else {
                crc >> 1
            };
        }
    }
    !crc
}

// === impl Flood ===

impl Flood {
    /// Pours it into `reader`, piece by piece. The most that `reader` held at once, beyond the pieces.
    fn pour(&self, mut reader: impl FnMut(&[u8])) -> u64 {
        let mut pieces: Vec<Vec<u8>> = vec![self.first.clone()];
        // A few hundred different pieces, poured round and round where numbers do not matter and anew where they do.
        let (mut poured, mut at, mut most) = (0, 0, 0_i64);
        let mut held = 0_i64;
        while poured < self.bytes {
            let piece = pieces.pop().unwrap_or_else(|| {
                let mut piece = Vec::with_capacity(PIECE_BYTES + 1_024);
                while piece.len() < PIECE_BYTES {
                    piece.extend((self.again)(at));
                    at += 1;
                }
                piece
            });
            poured += piece.len().max(1);
            let counted = allocation_counter::measure(|| reader(&piece));
            most = most.max(held + i64::try_from(counted.bytes_max).unwrap());
            held += counted.bytes_current;
        }
        u64::try_from(most).unwrap()
    }
}

/// Fails where a family is flooded over its bound; prints what was held.
fn check(family: Family) {
    let mut over = Vec::new();
    let mut told = |what: &str, flood: &str, held: u64, most: u64| {
        println!("{family}, {what}, {flood}: {} KiB", held >> 10);
        if held > most {
            over.push(format!("{family}, {what}, {flood}: {held} bytes were held"));
        }
    };
    let clients: Vec<Family> = CLIENTS.into_iter().filter(|it| *it != family).collect();
    let mut turns = clients.iter().copied().cycle();
    for flood in floods(family) {
        let mut aside = Aside::new(Decoder::new(family, &material::seed(), false));
        let held = flood.pour(|piece| aside.push(piece));
        told("looked at", flood.name, held, LOOKED_AT_BYTES_MAX);
        if family == Family::Chat {
            let (mut meter, mut out) = (Meter::new(true), Vec::new());
            let held = flood.pour(|piece| {
                meter.push(Bytes::copy_from_slice(piece), &mut out);
                out.clear();
            });
            told("metered", flood.name, held, LOOKED_AT_BYTES_MAX);
        }
        // Each way goes to another client, and the worst of them to all.
        let all = flood.name == "arguments without end";
        for client in turns.by_ref().take(if all { clients.len() } else { 1 }) {
            let (mut stream, mut out) = (material::back(client, family).stream(), Vec::new());
            let held = flood.pour(|piece| {
                stream.push(piece, &mut out);
                out.clear();
            });
            let most = match client {
                Family::Responses => RESPONSES_BYTES_MAX,
                _ => TRANSLATED_BYTES_MAX,
            };
            told(&format!("to {client}"), flood.name, held, most);
        }
    }
    assert!(over.is_empty(), "\n{}\n", over.join("\n"));
}

#[test]
fn a_hostile_chat_stream_is_held_within_bounds() {
    check(Family::Chat);
}

#[test]
fn a_hostile_responses_stream_is_held_within_bounds() {
    check(Family::Responses);
}

#[test]
fn a_hostile_messages_stream_is_held_within_bounds() {
    check(Family::Messages);
}

#[test]
fn a_hostile_gemini_stream_is_held_within_bounds() {
    check(Family::Gemini);
}

#[test]
fn a_hostile_converse_stream_is_held_within_bounds() {
    check(Family::Converse);
}

#[test]
fn a_hostile_cohere_stream_is_held_within_bounds() {
    check(Family::Cohere);
}
