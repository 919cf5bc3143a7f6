//! The stream of an invoked model: frames, each of which carries one event of the model's own dialect.
//!
//! Owns the wrapping. Must never know what an event says, but for its `type`, which its own framing repeats.

use payload::object::Object;

use crate::{
    aws::{
        event_stream::{Decoder, Frame},
        exception,
    },
    base64,
    neutral::{Class, Error},
};

/// Takes events out of frames, as they come.
#[derive(Debug, Default)]
pub struct Unwrapper {
    frames: Decoder,
    over: bool,
}

/// What came out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Item {
    /// One event of the model's dialect: an object of JSON, as it was written.
    Event(String),
    /// The stream failed. Nothing follows.
    Error(Error),
}

/// An event as a server-sent one, named by its `type`, as the model's own API sends it.
pub fn server_sent(event: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(event.len() + 48);
    let kind = Object::parse(event).and_then(|mut object| object.text("type"));
    // A line break would end the field: such a name is none.
    let kind = kind
        .ok()
        .flatten()
        .filter(|kind| !kind.contains(['\n', '\r']));
    if let Some(kind) = kind {
        out.extend_from_slice(b"event: ");
        out.extend_from_slice(kind.as_bytes());
        out.push(b'\n');
    }
    for line in event.split(['\n', '\r']) {
        out.extend_from_slice(b"data: ");
        out.extend_from_slice(line.as_bytes());
        out.push(b'\n');
    }
    out.push(b'\n');
    out
}

fn item(frame: &Frame<'_>) -> Option<Item> {
    if let Some(error) = exception::of_frame(frame) {
        return Some(Item::Error(error));
    }
    // Other events than chunks are passed over: they are none of the model's.
    if frame.text(":event-type") != Some("chunk") {
        return None;
    }
    let broken = || Item::Error(Error::unreadable("a chunk of the stream is malformed"));
    Some(event(frame.payload).map_or_else(broken, Item::Event))
}

fn event(payload: &[u8]) -> Option<String> {
    let mut object = Object::parse(str::from_utf8(payload).ok()?).ok()?;
    let bytes = base64::decode(&object.text("bytes").ok()??)?;
    let event = String::from_utf8(bytes).ok()?;
    Object::parse(&event).is_ok().then_some(event)
}

// === impl Unwrapper ===

impl Unwrapper {
    /// Takes what came, and gives each event that is now whole. Nothing comes behind an error.
    pub fn push(&mut self, bytes: &[u8], mut each: impl FnMut(Item)) {
        if self.over {
            return;
        }
        let over = &mut self.over;
        let pushed = self.frames.push(bytes, |frame| {
            if *over {
                return;
            }
            if let Some(item) = item(frame) {
                *over = matches!(item, Item::Error(_));
                each(item);
            }
        });
        if let (Err(fault), false) = (pushed, self.over) {
            self.over = true;
            each(Item::Error(Error::unreadable(fault.to_string())));
        }
    }

    /// No more comes. Whether the last event was the model's last is for its own dialect to say.
    pub fn finish(&mut self, mut each: impl FnMut(Item)) {
        if let (Err(fault), false) = (self.frames.finish(), self.over) {
            self.over = true;
            each(Item::Error(Error::new(Class::Provider, fault.to_string())));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::event_stream::{Value, write};

    fn chunk(out: &mut Vec<u8>, kind: &str, event: &str) {
        let headers = [
            (":event-type", Value::Text(kind)),
            (":message-type", Value::Text("event")),
        ];
        let payload = format!(
            r#"{{"bytes":"{}","p":"abc"}}"#,
            base64::encode(event.as_bytes())
        );
        write(out, &headers, payload.as_bytes()).unwrap();
    }

    fn read(bytes: &[u8], size: usize) -> Vec<Item> {
        let (mut unwrapper, mut items) = (Unwrapper::default(), Vec::new());
        for piece in bytes.chunks(size) {
            unwrapper.push(piece, |item| items.push(item));
        }
        unwrapper.finish(|item| items.push(item));
        items
    }

    #[test]
    fn events_come_out_as_they_were_written_however_they_are_cut() {
        let events = [
            r#"{"type":"ping"}"#,
            "{\"type\":\"message_stop\",\n\"x\":\"é\"}",
        ];
        let mut bytes = Vec::new();
        chunk(&mut bytes, "chunk", events[0]);
        chunk(&mut bytes, "initial-response", events[0]);
        chunk(&mut bytes, "chunk", events[1]);
        let expected = events.map(|event| Item::Event(event.to_owned()));
        for size in 1..=bytes.len() {
            assert_eq!(read(&bytes, size), expected, "pieces of {size}");
        }
        let sent = String::from_utf8(server_sent(events[1])).unwrap();
        let lines =
            "event: message_stop\ndata: {\"type\":\"message_stop\",\ndata: \"x\":\"é\"}\n\n";
        assert_eq!(sent, lines);
    }

    #[test]
    fn an_exception_ends_the_stream_and_is_no_event() {
        let mut bytes = Vec::new();
        chunk(&mut bytes, "chunk", "{}");
        bytes.extend(exception::frame(&Error::new(
            Class::RateLimited,
            "slow down",
        )));
        chunk(&mut bytes, "chunk", "{}");
        let items = read(&bytes, 7);
        let [Item::Event(_), Item::Error(error)] = &items[..] else {
            panic!("{items:?}")
        };
        assert_eq!(
            (error.class, error.message.as_str()),
            (Class::RateLimited, "slow down")
        );
    }

    #[test]
    fn a_cut_or_broken_stream_ends_in_one_error() {
        let mut bytes = Vec::new();
        chunk(&mut bytes, "chunk", "{}");
        let cut = read(&bytes[..bytes.len() - 2], 5);
        assert!(matches!(&cut[..], [Item::Error(_)]), "{cut:?}");
        let mut bytes = Vec::new();
        chunk(&mut bytes, "chunk", "not JSON");
        assert!(matches!(&read(&bytes, 9)[..], [Item::Error(_)]));
        assert!(matches!(&read(b"<html></html>", 9)[..], [Item::Error(_)]));
    }
}
