//! Metering as a property: however a stream is split, the same bytes go on and the same things are seen.

use bytes::Bytes;
use dialect::{Tokens, openai::stream::Meter};
use fastrand::Rng;

use crate::generated;

#[test]
fn how_a_stream_is_split_makes_no_difference() {
    for seed in 0..generated::ROUNDS {
        let mut rng = Rng::with_seed(seed);
        let stream = stream(&mut rng);
        for strip in [false, true] {
            let (whole, seen) = meter(&stream.all, strip, &[]);
            let expected = if strip { &stream.stripped } else { &stream.all };
            assert_eq!(text(&whole), text(expected), "seed {seed}, strip {strip}");
            let cuts: Vec<_> = (0..rng.usize(1..40))
                .map(|_| rng.usize(..=stream.all.len()))
                .collect();
            assert_eq!(
                (whole, seen),
                meter(&stream.all, strip, &cuts),
                "seed {seed}, cuts {cuts:?}"
            );
        }
    }
}

struct Stream {
    all: Vec<u8>,
    stripped: Vec<u8>,
}

type Seen = (Option<Tokens>, u64, [bool; 3]);

fn meter(stream: &[u8], strip: bool, cuts: &[usize]) -> (Vec<u8>, Seen) {
    let mut cuts = cuts.to_vec();
    cuts.push(stream.len());
    cuts.sort_unstable();
    let mut meter = Meter::new(strip);
    let (mut out, mut from) = (Vec::new(), 0);
    for to in cuts {
        meter.push(Bytes::copy_from_slice(&stream[from..to]), &mut out);
        from = to;
    }
    meter.finish(&mut out);
    let flags = [
        meter.first_delta_seen(),
        meter.done_seen(),
        meter.error_seen(),
    ];
    (out.concat(), (meter.tokens(), meter.output_bytes(), flags))
}

/// A random stream, and what is left of it without the chunks that hold nothing but usage.
fn stream(rng: &mut Rng) -> Stream {
    let end = ["\n", "\r\n", "\r"][rng.usize(..3)];
    let mut stream = Stream {
        all: Vec::new(),
        stripped: Vec::new(),
    };
    for _ in 0..rng.usize(..12) {
        let usage_only = rng.u8(..5) == 0;
        let event = if usage_only {
            usage(rng, end)
        } else {
            other(rng, end)
        };
        stream.all.extend(event.as_bytes());
        if !usage_only {
            stream.stripped.extend(event.as_bytes());
        }
    }
    stream
}

fn usage(rng: &mut Rng, end: &str) -> String {
    let space = |rng: &mut Rng| ["", " "][rng.usize(..2)];
    let (a, b, c) = (space(rng), space(rng), space(rng));
    let (input, output) = (rng.u8(..), rng.u8(..));
    let (before, behind) = [("", ""), ("id: 7", end), ("event: chunk", end)][rng.usize(..3)];
    format!(
        "{before}{behind}data:{a}{{\"choices\":{b}[{c}],\"usage\"{c}:{b}{{\"prompt_tokens\":{input},\"completion_tokens\":{output}}}}}{end}{end}"
    )
}

fn other(rng: &mut Rng, end: &str) -> String {
    let text = generated::text(rng);
    let text = generated::string(rng, &text);
    match rng.u8(..8) {
        0 => format!(": {}{end}", ["working", ""][rng.usize(..2)]),
        1 => end.to_owned(),
        2 => format!("data: [DONE]{end}{end}"),
        3 => format!(
            "data: {{\"choices\":[{{\"delta\":{{\"content\":{text}}}}}],\"usage\":{{\"prompt_tokens\":{}}}}}{end}{end}",
            rng.u8(..)
        ),
        4 => format!("event: error{end}data: {{\"error\":{{\"message\":{text}}}}}{end}{end}"),
        5 => format!("data: {{\"choices\":[],\"usage\":null,\"note\":{text}}}{end}{end}"),
        _ => format!(
            "data: {{\"choices\":[{{\"delta\":{{\"content\":{text}}}}}],\"usage\":null}}{end}{end}"
        ),
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
