//! The frame of one event of a client's stream.
//!
//! Knows nothing of what an event says. Values that are passed on as they came may stand on several lines, and a line
//! end would cut the event in two: between values it is as good as a space, and within them JSON has none.

use payload::writer::Writer;

/// Puts an event into its frame, straight behind what `out` holds. `write` writes its data, one value.
pub(crate) fn put(out: &mut Vec<u8>, kind: &str, write: impl FnOnce(&mut Writer)) {
    out.extend_from_slice(b"event: ");
    out.extend_from_slice(kind.as_bytes());
    out.extend_from_slice(b"\ndata: ");
    let start = out.len();
    let mut writer = Writer::behind(std::mem::take(out));
    write(&mut writer);
    *out = writer.into_bytes();
    for byte in out.get_mut(start..).unwrap_or_default() {
        if matches!(byte, b'\n' | b'\r') {
            *byte = b' ';
        }
    }
    out.extend_from_slice(b"\n\n");
}
