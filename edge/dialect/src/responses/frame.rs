//! The frame of one event of a client's stream.
//!
//! Knows nothing of what an event says. Values that are passed on as they came may stand on several lines, and a line
//! end would cut the event in two: between values it is as good as a space, and within them JSON has none.

use payload::writer::Writer;

/// Puts an event into its frame.
pub(crate) fn put(out: &mut Vec<u8>, kind: &str, data: Writer) {
    let mut data = data.into_bytes();
    for byte in &mut data {
        if matches!(byte, b'\n' | b'\r') {
            *byte = b' ';
        }
    }
    out.extend(b"event: ");
    out.extend(kind.as_bytes());
    out.extend(b"\ndata: ");
    out.extend(data);
    out.extend(b"\n\n");
}
