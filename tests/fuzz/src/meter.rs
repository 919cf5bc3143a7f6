//! The meter of streams that pass: what goes on is what came, and what is seen does not depend on how it was cut.

use bytes::Bytes;
use dialect::openai::stream::Meter;

use crate::cuts;

/// Chat's streams on their way through. The first byte says where to cut.
pub fn passing(input: &[u8]) {
    let (how, bytes) = cuts::first(input);
    for strip in [false, true] {
        let (whole, facts) = metered(&[bytes], strip);
        let (cut, facts_of_cut) = metered(&cuts::cut(bytes, how), strip);
        assert_eq!(facts_of_cut, facts);
        assert!(whole.len() <= bytes.len());
        if facts.unreadable && !strip {
            // What cannot be read has gone on as far as it came before its end.
            assert!(bytes.starts_with(&cut) && cut.starts_with(&whole));
        } else {
            assert_eq!(cut, whole);
            assert!(strip || whole == bytes);
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
struct Facts {
    unreadable: bool,
    others: String,
}

fn metered(pieces: &[&[u8]], strip: bool) -> (Vec<u8>, Facts) {
    let (mut meter, mut out) = (Meter::new(strip), Vec::new());
    meter.check_calls();
    for piece in pieces {
        meter.push(Bytes::copy_from_slice(piece), &mut out);
    }
    meter.finish(&mut out);
    let seen = (
        meter.tokens(),
        meter.output_bytes(),
        meter.first_delta_seen(),
        meter.done_seen(),
        meter.error_seen(),
        meter.finish_seen(),
    );
    let facts = Facts {
        unreadable: meter.is_unreadable(),
        others: format!("{seen:?}"),
    };
    (out.concat(), facts)
}
