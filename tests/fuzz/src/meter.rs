//! The meter of streams that pass: what goes on is what came, and what is seen does not depend on how it was cut.

use bytes::Bytes;
use dialect::openai::stream::Meter;

use crate::cuts;

/// Chat's streams on their way through. The first byte says where to cut.
pub fn passing(input: &[u8]) {
    let (seed, bytes) = cuts::first(input);
    for strip in [false, true] {
        let whole = metered(&[bytes], strip);
        assert_eq!(metered(&cuts::cut(bytes, seed), strip), whole);
        let (out, _) = whole;
        assert!(out.len() <= bytes.len());
        if !strip {
            assert_eq!(out, bytes);
        }
    }
}

fn metered(pieces: &[&[u8]], strip: bool) -> (Vec<u8>, String) {
    let (mut meter, mut out) = (Meter::new(strip), Vec::new());
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
    );
    (out.concat(), format!("{seen:?}"))
}
