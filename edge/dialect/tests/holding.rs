//! What a meter holds back, copies and gives up: the promises about delay and memory.
//!
//! Knows only what goes into a meter and what comes out after each push.

#![cfg(test)]

use bytes::Bytes;
use dialect::openai::stream::{EVENT_BYTES_MAX, Meter};

const DELTA: &str = "data: {\"choices\":[{\"delta\":{\"content\":\"x\"}}]}\n\n";
const USAGE: &str =
    "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":1}}\n\n";

fn push(meter: &mut Meter, text: &str) -> Vec<Bytes> {
    let mut out = Vec::new();
    meter.push(Bytes::copy_from_slice(text.as_bytes()), &mut out);
    out
}

#[test]
fn a_meter_that_strips_nothing_passes_on_every_byte_at_once_and_copies_none() {
    let mut meter = Meter::new(false);
    for piece in [&DELTA[..20], &DELTA[20..], USAGE, ": keep", "\r"] {
        let bytes = Bytes::copy_from_slice(piece.as_bytes());
        let mut out = Vec::new();
        meter.push(bytes.clone(), &mut out);
        assert_eq!(out.len(), 1);
        assert_eq!(
            (out[0].as_ptr(), out[0].len()),
            (bytes.as_ptr(), bytes.len())
        );
    }
    let mut out = Vec::new();
    meter.finish(&mut out);
    assert!(out.is_empty());
}

#[test]
fn a_meter_that_strips_passes_on_whole_events_at_once_and_copies_none_of_them() {
    let mut meter = Meter::new(true);
    let bytes = Bytes::from([DELTA, DELTA, USAGE, DELTA, ": keep", "\n\ndata: {\"ch"].concat());
    let mut out = Vec::new();
    meter.push(bytes.clone(), &mut out);
    // The comment begins a line and so ends the run of events; what is open behind it waits.
    assert_eq!(
        out.concat(),
        [DELTA, DELTA, DELTA, ": keep\n\n"].concat().into_bytes()
    );
    assert_eq!(out.len(), 2);
    assert_eq!(out[0].as_ptr(), bytes.as_ptr());
    assert_eq!(
        out[1].as_ptr(),
        bytes[2 * DELTA.len() + USAGE.len()..].as_ptr()
    );
}

#[test]
fn a_meter_that_strips_holds_the_open_event_and_no_comment() {
    let mut meter = Meter::new(true);
    assert_eq!(push(&mut meter, ": wor").concat(), b": wor");
    assert_eq!(push(&mut meter, "king\n").concat(), b"king\n");
    assert!(push(&mut meter, &DELTA[..20]).is_empty());
    assert!(push(&mut meter, &DELTA[20..DELTA.len() - 1]).is_empty());
    assert_eq!(push(&mut meter, "\n").concat(), DELTA.as_bytes());
    assert!(push(&mut meter, &USAGE[..30]).is_empty());
    assert_eq!(
        push(&mut meter, &[&USAGE[30..], DELTA].concat()).concat(),
        DELTA.as_bytes()
    );
    assert_eq!(meter.tokens().map(|tokens| tokens.total()), Some(2));
}

#[test]
fn both_bytes_of_a_torn_line_end_go_with_the_event_that_they_end() {
    let mut meter = Meter::new(true);
    let usage = USAGE.replace('\n', "\r\n");
    assert!(push(&mut meter, &usage[..usage.len() - 1]).is_empty());
    assert_eq!(
        push(&mut meter, &["\n", DELTA].concat()).concat(),
        DELTA.as_bytes()
    );
    let delta = DELTA.replace('\n', "\r\n");
    assert_eq!(
        push(&mut meter, &delta[..delta.len() - 1]).concat(),
        &delta.as_bytes()[..delta.len() - 1]
    );
    assert_eq!(push(&mut meter, "\n").concat(), b"\n");
}

#[test]
fn an_event_that_is_too_long_passes_unread_and_the_next_one_is_read() {
    let long = format!(
        "data: {{\"choices\":[],\"x\":\"{}\",\"usage\":{{\"prompt_tokens\":9}}}}\n\n",
        "y".repeat(EVENT_BYTES_MAX)
    );
    for piece_bytes in [1 << 12, EVENT_BYTES_MAX / 2 + 1, long.len()] {
        for strip in [false, true] {
            let mut meter = Meter::new(strip);
            let mut out = Vec::new();
            let mut held = 0;
            for piece in long.as_bytes().chunks(piece_bytes) {
                meter.push(Bytes::copy_from_slice(piece), &mut out);
                held += piece.len();
                let waiting = held - out.iter().map(Bytes::len).sum::<usize>();
                assert!(waiting <= EVENT_BYTES_MAX);
            }
            assert_eq!(out.concat(), long.as_bytes());
            assert_eq!(meter.tokens(), None);
            assert!(meter.first_delta_seen(), "an answer this long has begun");
            let after = push(&mut meter, USAGE).concat();
            assert_eq!(after.is_empty(), strip);
            assert_eq!(meter.tokens().map(|tokens| tokens.total()), Some(2));
        }
    }
}

#[test]
fn an_event_that_the_provider_did_not_finish_goes_on_only_if_it_can_be_read() {
    for cut in 1..DELTA.len() {
        let mut meter = Meter::new(true);
        let mut out = push(&mut meter, &DELTA[..cut]);
        meter.finish(&mut out);
        let expected = if meter.is_unreadable() {
            &b""[..]
        } else {
            &DELTA.as_bytes()[..cut]
        };
        assert_eq!(out.concat(), expected);
        let read = meter.is_unreadable() || meter.first_delta_seen();
        assert!(read || cut < "data: {".len(), "{:?}", &DELTA[..cut]);
    }
}
