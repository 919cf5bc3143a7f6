//! Streams that never end, of every family and in every way that we know to be bad: what is held of one is bounded.
//!
//! What is counted is the most that was held at once, the end of the stream included. Bytes that cannot be read come
//! 64 MiB long; events that must be read one by one, which takes longer, come as many as fill every bound several times:
//! of arguments more than of others, because most is kept of them, and in longer pieces, because that is quicker.

use bytes::Bytes;
use dialect::{
    aws::event_stream::{self, Value},
    crossing::{Decoder, stream::Aside},
    neutral::{Delta, Event, Family, Kind, Stop},
    openai::stream::Meter,
};

use crate::material::{self, CLIENTS};

/// How much comes of what cannot be read.
const STREAM_BYTES: usize = 64 << 20;
/// How much comes in events that are read, if nobody asks for more.
const EVENTS_BYTES: usize = 5 << 20;
/// How much of arguments in long pieces comes to clients of Responses, if nobody asks for more: above what is kept of an answer
/// for them.
const ARGUMENTS_BYTES: usize = 24 << 20;
/// How long a piece of arguments is, and how long a long one.
const PIECES_BYTES: [usize; 2] = [200, 16 << 10];
/// How much comes at once.
const PIECE_BYTES: usize = 32 << 10;
/// The most that may be held of a stream that is looked at: an event (of Bedrock, up to 16 MiB) that is open, twice while it grows, and what a family
/// keeps until it knows more.
const LOOKED_AT_BYTES_MAX: u64 = 28 << 20;
/// The most that may be held of a stream that is translated.
const TRANSLATED_BYTES_MAX: u64 = 40 << 20;
/// A client of Responses is told all of its answer again at the end, so that all of it is kept.
const RESPONSES_BYTES_MAX: u64 = 200 << 20;

/// The worst ways, which are tried with every client.
const ARGUMENTS: [&str; 2] = ["arguments without end", "long arguments without end"];

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
    Flood {
        name,
        bytes: match name {
            "an event without end" => STREAM_BYTES,
            _ if whole => STREAM_BYTES,
            _ => EVENTS_BYTES,
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
    let begin = || material::beginning(family);
    for (name, bytes) in ARGUMENTS.into_iter().zip(PIECES_BYTES) {
        let (calls, arguments) = tools(family, "x".repeat(bytes));
        floods.push(flood(name, begin(), arguments));
        if bytes == PIECES_BYTES[0] {
            floods.push(flood("calls without end", begin(), calls));
        }
    }
    floods
}

/// What comes again and again, with its number.
type Again = Box<dyn Fn(usize) -> Vec<u8>>;

/// Calls without end, and arguments of a call or two without end, in such pieces.
fn tools(family: Family, piece: String) -> (Again, Again) {
    match family {
        Family::Chat => chat_tools(piece),
        Family::Responses => responses_tools(piece),
        Family::Messages => messages_tools(piece),
        Family::Gemini => gemini_tools(piece),
        Family::Converse => converse_tools(piece),
        Family::Cohere => cohere_tools(piece),
    }
}

/// Calls begun by `start`, of which the first `open` get arguments by `more` in turns.
fn begun(
    open: usize,
    piece: String,
    start: fn(usize) -> Vec<u8>,
    more: impl Fn(usize, &str) -> Vec<u8> + 'static,
) -> (Again, Again) {
    let arguments = move |at: usize| {
        let first = if at < open { start(at) } else { Vec::new() };
        [first, more(at % open, &piece)].concat()
    };
    (Box::new(start), Box::new(arguments))
}

fn chat_tools(piece: String) -> (Again, Again) {
    let same = piece.clone();
    (
        Box::new(move |index| chat_call(index, &same)),
        Box::new(move |at| chat_call(at % 2, &piece)),
    )
}

fn chat_call(index: usize, arguments: &str) -> Vec<u8> {
    let chunk = format!(
        r#"{{"choices":[{{"index":0,"delta":{{"tool_calls":[{{"index":{index},"id":"c{index}","function":{{"name":"n","arguments":"{arguments}"}}}}]}}}}]}}"#
    );
    data("m", &chunk)
}

fn responses_tools(piece: String) -> (Again, Again) {
    let added = |at: usize| {
        let item = format!(
            r#"{{"type":"response.output_item.added","output_index":{at},"item":{{"type":"function_call","id":"f{at}","call_id":"c{at}","name":"n","arguments":""}}}}"#
        );
        data("response.output_item.added", &item)
    };
    begun(2, piece, added, |index, piece| {
        let more = format!(
            r#"{{"type":"response.function_call_arguments.delta","output_index":{index},"delta":"{piece}"}}"#
        );
        data("response.function_call_arguments.delta", &more)
    })
}

fn messages_tools(piece: String) -> (Again, Again) {
    let start = |at: usize| {
        let block = format!(
            r#"{{"type":"content_block_start","index":{at},"content_block":{{"type":"tool_use","id":"t{at}","name":"n","input":{{}}}}}}"#
        );
        data("content_block_start", &block)
    };
    // One, because blocks do not interleave.
    begun(1, piece, start, |index, piece| {
        let more = format!(
            r#"{{"type":"content_block_delta","index":{index},"delta":{{"type":"input_json_delta","partial_json":"{piece}"}}}}"#
        );
        data("content_block_delta", &more)
    })
}

fn gemini_tools(piece: String) -> (Again, Again) {
    let note = "x".repeat(PIECES_BYTES[0]);
    let candidates = |at: usize| {
        let chunk = format!(
            r#"{{"candidates":[{{"index":{at},"content":{{"parts":[{{"text":"x"}}]}}}}]}}"#
        );
        data("m", &chunk)
    };
    let calls = move |at: usize| {
        let chunk = format!(
            r#"{{"candidates":[{{"index":0,"x{at}":"{note}","content":{{"parts":[{{"functionCall":{{"name":"n","args":{{"a":"{piece}"}}}}}}]}}}}],"y{at}":1}}"#
        );
        data("m", &chunk)
    };
    (Box::new(candidates), Box::new(calls))
}

fn converse_tools(piece: String) -> (Again, Again) {
    let start = |at: usize| {
        let payload = format!(
            r#"{{"contentBlockIndex":{at},"start":{{"toolUse":{{"toolUseId":"t{at}","name":"n"}}}}}}"#
        );
        frame("contentBlockStart", &payload)
    };
    begun(2, piece, start, |index, piece| {
        let payload = format!(
            r#"{{"contentBlockIndex":{index},"delta":{{"toolUse":{{"input":"{piece}"}}}}}}"#
        );
        frame("contentBlockDelta", &payload)
    })
}

fn cohere_tools(piece: String) -> (Again, Again) {
    let start = |at: usize| {
        let call = format!(
            r#"{{"type":"tool-call-start","index":{at},"delta":{{"message":{{"tool_calls":{{"id":"t{at}","type":"function","function":{{"name":"n","arguments":""}}}}}}}}}}"#
        );
        data("tool-call-start", &call)
    };
    begun(1, piece, start, |index, piece| {
        let more = format!(
            r#"{{"type":"tool-call-delta","index":{index},"delta":{{"message":{{"tool_calls":{{"function":{{"arguments":"{piece}"}}}}}}}}}}"#
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
    /// How much of it comes to a client.
    fn bytes_for(&self, client: Family) -> usize {
        if client == Family::Responses && self.name == ARGUMENTS[1] {
            self.bytes.max(ARGUMENTS_BYTES)
        } else {
            self.bytes
        }
    }

    /// Pours so many bytes of it into `reader`, piece by piece, and then says that it is over. The most that `reader` held at once, beyond the
    /// pieces.
    fn pour(&self, bytes: usize, mut reader: impl FnMut(Option<&[u8]>)) -> u64 {
        let mut pieces: Vec<Vec<u8>> = vec![self.first.clone()];
        // A few hundred different pieces, poured round and round where numbers do not matter and anew where they do.
        let (mut poured, mut at, mut most) = (0, 0, 0_i64);
        let mut held = 0_i64;
        while poured < bytes {
            let piece = pieces.pop().unwrap_or_else(|| {
                let mut piece = Vec::with_capacity(PIECE_BYTES + 1_024);
                while piece.len() < PIECE_BYTES {
                    piece.extend((self.again)(at));
                    at += 1;
                }
                piece
            });
            poured += piece.len().max(1);
            let counted = allocation_counter::measure(|| reader(Some(&piece)));
            most = most.max(held + i64::try_from(counted.bytes_max).unwrap());
            held += counted.bytes_current;
        }
        let counted = allocation_counter::measure(|| reader(None));
        most = most.max(held + i64::try_from(counted.bytes_max).unwrap());
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
        aside.check_calls();
        let held = flood.pour(flood.bytes, |piece| match piece {
            Some(piece) => aside.push(piece),
            None => aside.finish(),
        });
        told("looked at", flood.name, held, LOOKED_AT_BYTES_MAX);
        if family == Family::Chat {
            let (mut meter, mut out) = (Meter::new(true), Vec::new());
            meter.check_calls();
            let held = flood.pour(flood.bytes, |piece| {
                match piece {
                    Some(piece) => meter.push(Bytes::copy_from_slice(piece), &mut out),
                    None => meter.finish(&mut out),
                }
                out.clear();
            });
            told("metered", flood.name, held, LOOKED_AT_BYTES_MAX);
        }
        // Each way goes to another client, and the worst of them to all.
        let all = ARGUMENTS.contains(&flood.name);
        for client in turns.by_ref().take(if all { clients.len() } else { 1 }) {
            let (mut stream, mut out) = (material::back(client, family).stream(), Vec::new());
            stream.check_calls();
            let held = flood.pour(flood.bytes_for(client), |piece| {
                match piece {
                    Some(piece) => stream.push(piece, &mut out),
                    None => stream.finish(&mut out),
                }
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

/// One text that is nearly all that is kept of an answer, and its whole end at once: each of its last four events tells it
/// again.
#[test]
fn the_longest_answer_of_a_responses_client_is_held_within_bounds() {
    let delta = |delta| Event::Delta {
        choice: 0,
        part: 0,
        delta,
    };
    let piece = delta(Delta::Text("x".repeat(64 << 10)));
    let kind = Kind::Text;
    let (choice, part, stop) = (0, 0, Stop::End);
    let open = Event::Open { choice, part, kind };
    let end = [
        Event::Close { choice, part },
        Event::Stop { choice, stop },
        Event::End,
    ];
    let mut out = Vec::new();
    let counted = allocation_counter::measure(|| {
        let mut write = material::writer(Family::Responses);
        write(&open, &mut out);
        for _ in 0..250 {
            out.clear();
            write(&piece, &mut out);
        }
        out.clear();
        for event in &end {
            write(event, &mut out);
        }
    });
    let told = String::from_utf8(out).unwrap();
    assert!(told.contains("event: response.completed") && told.len() > 60 << 20);
    let held = counted.bytes_max;
    println!("the longest answer: {} KiB", held >> 10);
    assert!(held <= RESPONSES_BYTES_MAX, "{held} bytes were held");
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
