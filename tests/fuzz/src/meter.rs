//! The meter of streams that pass: what goes on is what came, and what is seen does not depend on how it was cut.

use bytes::Bytes;
use dialect::{Tokens, openai::stream::Meter};

use crate::cuts;

/// Chat's streams on their way through. The first byte says where to cut.
pub fn passing(input: &[u8]) {
    let (seed, bytes) = cuts::first(input);
    for strip in [false, true] {
        let (whole, seen) = metered(&[bytes], strip);
        let (cut, seen_cut) = metered(&cuts::cut(bytes, seed), strip);
        assert_eq!(seen_cut, seen);
        assert!(strip || bytes.starts_with(&whole));
        if strip || !seen.unreadable {
            assert_eq!(cut, whole);
        } else {
            // What cannot be read has gone on as far as it came before its end.
            assert!(bytes.starts_with(&cut) && cut.starts_with(&whole));
        }
        assert!(whole.len() <= bytes.len());
        assert!(strip || seen.unreadable || whole == bytes);
    }
}

#[derive(Debug, PartialEq, Eq)]
struct Seen {
    tokens: Option<Tokens>,
    output_bytes: u64,
    begun: bool,
    done: bool,
    failed: bool,
    unreadable: bool,
}

fn metered(pieces: &[&[u8]], strip: bool) -> (Vec<u8>, Seen) {
    let (mut meter, mut out) = (Meter::new(strip), Vec::new());
    for piece in pieces {
        meter.push(Bytes::copy_from_slice(piece), &mut out);
    }
    meter.finish(&mut out);
    let seen = Seen {
        tokens: meter.tokens(),
        output_bytes: meter.output_bytes(),
        begun: meter.first_delta_seen(),
        done: meter.done_seen(),
        failed: meter.error_seen(),
        unreadable: meter.is_unreadable(),
    };
    (out.concat(), seen)
}
