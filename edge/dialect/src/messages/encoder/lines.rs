//! Events as lines: a name that clients insist on, and an object.
//!
//! Knows nothing of what is said.

use payload::{object::Object, writer::Writer};

use crate::{
    messages::extras,
    neutral::{Delta, Event, Extra, Kind},
};

/// Writes one event. `members` writes what stands behind its type.
pub(crate) fn write(kind: &str, out: &mut Vec<u8>, members: impl FnOnce(&mut Writer)) {
    let mut writer = Writer::default();
    writer.open().key("type").text(kind);
    members(&mut writer);
    writer.close();
    line(kind, &writer.into_bytes(), out);
}

/// Writes an event as it came. One without a type of plain letters is left out.
pub(crate) fn raw(raw: &str, out: &mut Vec<u8>) {
    let kind = Object::parse(raw)
        .ok()
        .and_then(|mut event| event.text("type").ok()?.map(std::borrow::Cow::into_owned));
    let plain = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '-' | '.');
    if let Some(kind) = kind.filter(|kind| kind.chars().all(plain)) {
        line(&kind, raw.as_bytes(), out);
    }
}

/// How much an event takes while it waits, roughly.
pub(crate) fn bytes(event: &Event) -> usize {
    const LEAST: usize = 64;
    LEAST
        + match event {
            Event::Open {
                kind: Kind::ToolCall { id, name },
                ..
            } => id.len() + name.len(),
            Event::Delta { delta, .. } => match delta {
                Delta::Text(piece)
                | Delta::Arguments(piece)
                | Delta::Signature(piece)
                | Delta::Redacted(piece) => piece.len(),
            },
            _ => 0,
        }
}

/// Members under `prefix`, without it.
pub(crate) fn under(kept: &[Extra], prefix: &str) -> Vec<Extra> {
    extras::under(kept, prefix)
        .map(|(name, raw)| extras::extra(name, raw))
        .collect()
}

fn line(kind: &str, data: &[u8], out: &mut Vec<u8>) {
    out.extend(b"event: ");
    out.extend(kind.as_bytes());
    out.extend(b"\ndata: ");
    // A line break between members, where alone one can be, would be one between lines.
    out.extend(data.iter().map(|byte| match byte {
        b'\r' | b'\n' => b' ',
        byte => *byte,
    }));
    out.extend(b"\n\n");
}
