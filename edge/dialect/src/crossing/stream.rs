//! A stream on its way from one family to another, or looked at while it passes within one.
//!
//! Owns the state between two reads. However the bytes are cut, the events and what is made of them are the same.

use crate::{
    aws::invoke::{self, Item, Unwrapper},
    converse::names::Originals,
    crossing::{
        absent,
        ceiling::Beneath,
        decoder::Decoder,
        encoder::Encoder,
        proof::{self, Maker},
        watch::Watch,
    },
    messages,
    neutral::{Class, Error, Event},
};

/// Translates one stream.
#[derive(Debug)]
pub struct Stream {
    decoder: Decoder,
    originals: Originals,
    /// Whose proofs leave their family here.
    leaves: Option<Maker>,
    encoder: Encoder,
    watch: Watch,
    error: Option<Box<Error>>,
    beneath: Option<Box<Beneath>>,
    // Emptied with every push; as long as what one read gives.
    events: Vec<Event>,
}

/// Watches one stream that passes as it is.
#[derive(Debug)]
pub struct Aside {
    decoder: Decoder,
    watch: Watch,
    error: Option<Box<Error>>,
    events: Vec<Event>,
}

/// Takes a stream of Anthropic's events out of Bedrock's frames, and watches it. An event's own bytes stay as they are.
#[derive(Debug)]
pub struct Unframed {
    frames: Unwrapper,
    aside: Aside,
    error: Option<Box<Error>>,
}

// === impl Stream ===

impl Stream {
    pub(crate) const fn new(
        decoder: Decoder,
        originals: Originals,
        leaves: Option<Maker>,
        encoder: Encoder,
    ) -> Self {
        Self {
            decoder,
            originals,
            leaves,
            encoder,
            watch: Watch::NEW,
            error: None,
            beneath: None,
            events: Vec::new(),
        }
    }

    /// Ends where more than this many tokens are generated.
    pub(crate) fn beneath(mut self, most: Option<u64>) -> Self {
        self.beneath = most.map(|most| Box::new(Beneath::new(most)));
        self
    }

    /// Checks from here on whether calls of tools can be made, as its [watch](Self::watch) tells.
    pub fn check_calls(&mut self) {
        self.watch.check_calls();
    }

    /// How many tokens it may bring, if it was ended because it brought more.
    pub fn ended_at(&self) -> Option<u64> {
        let beneath = self.beneath.as_ref().filter(|it| it.is_reached());
        beneath.map(|it| it.most())
    }

    /// Takes what the provider sent and appends what the client gets.
    pub fn push(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        self.decoder.push(bytes, &mut self.events);
        self.write(out);
    }

    /// The provider's stream is over: whole, or broken off.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        self.decoder.finish(&mut self.events);
        self.write(out);
    }

    /// Ends the client's stream with an error, unless it has ended.
    pub fn fail(&mut self, error: Error, out: &mut Vec<u8>) {
        if !self.watch.has_ended() && !self.watch.has_failed() {
            self.events.push(Event::Error(error));
            self.write(out);
        }
    }

    /// What was seen.
    pub const fn watch(&self) -> &Watch {
        &self.watch
    }

    /// Why it failed, if it did.
    pub fn error(&self) -> Option<&Error> {
        self.error.as_deref()
    }

    fn write(&mut self, out: &mut Vec<u8>) {
        let ended = self.ended_at().is_some();
        if self.beneath.is_some() {
            self.end_at_ceiling(ended);
        }
        for mut event in self.events.drain(..) {
            if absent::is_said_by(&event) {
                continue;
            }
            self.originals.undo_event(&mut event);
            if let Some(maker) = self.leaves {
                proof::leave_in_event(maker, &mut event);
            }
            let over = self.watch.has_failed();
            self.watch.see(&event);
            if !over {
                self.encoder.push(&event, out);
            }
            keep(&mut self.error, event);
        }
    }

    /// Leaves of the events those that may pass, and the end in the place of the others.
    fn end_at_ceiling(&mut self, ended: bool) {
        let Some(beneath) = &mut self.beneath else {
            return;
        };
        self.events.retain(|event| beneath.lets_pass(event));
        if beneath.is_reached() && !ended {
            self.events.extend(beneath.ending());
        }
    }
}

// === impl Aside ===

impl Aside {
    /// Watches what this reads.
    pub const fn new(decoder: Decoder) -> Self {
        Self {
            decoder,
            watch: Watch::NEW,
            error: None,
            events: Vec::new(),
        }
    }

    /// Checks from here on whether calls of tools can be made, as its [watch](Self::watch) tells.
    pub fn check_calls(&mut self) {
        self.watch.check_calls();
    }

    /// Looks at what passes.
    pub fn push(&mut self, bytes: &[u8]) {
        self.decoder.push(bytes, &mut self.events);
        self.see();
    }

    /// Nothing more passes.
    pub fn finish(&mut self) {
        self.decoder.finish(&mut self.events);
        self.see();
    }

    /// What was seen.
    pub const fn watch(&self) -> &Watch {
        &self.watch
    }

    /// Why it failed, if it did.
    pub fn error(&self) -> Option<&Error> {
        self.error.as_deref()
    }

    fn see(&mut self) {
        for event in self.events.drain(..) {
            self.watch.see(&event);
            keep(&mut self.error, event);
        }
    }
}

/// Keeps an error, which is the last event but for what was used.
fn keep(place: &mut Option<Box<Error>>, event: Event) {
    if let Event::Error(error) = event {
        place.get_or_insert_with(|| Box::new(error));
    }
}

// === impl Unframed ===

impl Unframed {
    /// A stream that begins, watched by what `aside` reads.
    pub fn new(aside: Aside) -> Self {
        Self {
            frames: Unwrapper::default(),
            aside,
            error: None,
        }
    }

    /// Takes what the provider sent and appends what the client gets: whole events.
    pub fn push(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        let Self {
            frames,
            aside,
            error,
        } = self;
        frames.push(bytes, |item| said(item, aside, error, out));
    }

    /// No more comes. A stream that has not ended by its own word was broken off, and its client is told so.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        let Self {
            frames,
            aside,
            error,
        } = self;
        frames.finish(|item| said(item, aside, error, out));
        let told = self.has_failed();
        self.aside.finish();
        if !told && !self.has_ended() {
            let cut = Error::new(Class::Provider, "the provider's stream ended too early");
            said(Item::Error(cut), &mut self.aside, &mut self.error, out);
        }
    }

    /// Ends the client's stream with an error, unless it has ended.
    pub fn fail(&mut self, error: Error, out: &mut Vec<u8>) {
        if !self.has_failed() {
            said(Item::Error(error), &mut self.aside, &mut self.error, out);
        }
    }

    /// Checks from here on whether calls of tools can be made, as its [watch](Self::watch) tells.
    pub fn check_calls(&mut self) {
        self.aside.check_calls();
    }

    /// What was seen of its events.
    pub const fn watch(&self) -> &Watch {
        self.aside.watch()
    }

    /// Whether the stream is whole.
    pub const fn has_ended(&self) -> bool {
        self.watch().has_ended()
    }

    /// Whether it failed, be it within an event or within a frame. Its client has been told.
    pub fn has_failed(&self) -> bool {
        self.error().is_some()
    }

    /// Whether it failed because what came cannot be read.
    pub fn is_unreadable(&self) -> bool {
        self.error().is_some_and(Error::is_unreadable)
    }

    /// Why it failed, if it did.
    pub fn error(&self) -> Option<&Error> {
        self.error.as_deref().or_else(|| self.aside.error())
    }
}

fn said(item: Item, aside: &mut Aside, failed: &mut Option<Box<Error>>, out: &mut Vec<u8>) {
    match item {
        // Nothing follows an error.
        Item::Event(_) if failed.is_some() => {}
        Item::Event(event) => {
            let event = invoke::server_sent(&event);
            aside.push(&event);
            match aside.error() {
                // What cannot be read does not go on.
                Some(error) if error.is_unreadable() => {
                    out.extend(messages::error::event(error));
                    *failed = Some(Box::new(error.clone()));
                }
                _ => out.extend(event),
            }
        }
        // What stands behind the end of a whole answer is no part of it.
        Item::Error(_) if aside.watch().has_ended() => {}
        Item::Error(error) => {
            out.extend(messages::error::event(&error));
            failed.get_or_insert_with(|| Box::new(error));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        aws::{
            event_stream::{Value, write},
            exception,
        },
        base64,
        neutral::{Family, Seed},
    };

    const EVENTS: [&str; 4] = [
        r#"{"type":"message_start","message":{"id":"m","type":"message","role":"assistant","model":"c","content":[],"stop_reason":null,"usage":{"input_tokens":3,"output_tokens":1}}}"#,
        r#"{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}"#,
        r#"{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":5}}"#,
        r#"{"type":"message_stop","amazon-bedrock-invocationMetrics":{"inputTokenCount":3}}"#,
    ];

    fn framed(events: &[&str]) -> Vec<u8> {
        let mut out = Vec::new();
        for event in events {
            let headers = [
                (":event-type", Value::Text("chunk")),
                (":message-type", Value::Text("event")),
            ];
            let payload = format!(r#"{{"bytes":"{}"}}"#, base64::encode(event.as_bytes()));
            write(&mut out, &headers, payload.as_bytes()).unwrap();
        }
        out
    }

    fn read(bytes: &[u8], size: usize) -> (String, Unframed) {
        let seed = Seed {
            request_id: String::new(),
            now_seconds: 0,
        };
        let aside = Aside::new(Decoder::new(Family::Messages, &seed, false));
        let (mut stream, mut out) = (Unframed::new(aside), Vec::new());
        for piece in bytes.chunks(size) {
            stream.push(piece, &mut out);
        }
        stream.finish(&mut out);
        (String::from_utf8(out).unwrap(), stream)
    }

    #[test]
    fn events_leave_their_frames_to_the_byte_and_are_counted() {
        let bytes = framed(&EVENTS);
        let expected: Vec<u8> = EVENTS
            .iter()
            .flat_map(|it| invoke::server_sent(it))
            .collect();
        for size in [1, 7, bytes.len()] {
            let (said, stream) = read(&bytes, size);
            assert_eq!(said.as_bytes(), expected, "pieces of {size}");
            assert!(stream.has_ended() && !stream.has_failed());
            let tokens = stream.watch().tokens().unwrap();
            assert_eq!((tokens.input, tokens.output), (3, 5));
        }
    }

    #[test]
    fn a_stream_that_fails_or_is_cut_ends_in_one_error_event() {
        let mut bytes = framed(&EVENTS[..2]);
        let whole = bytes.len();
        bytes.extend(exception::frame(&Error::new(
            Class::RateLimited,
            "slow down",
        )));
        for (bytes, word) in [
            (&bytes[..], "rate_limit_error"),
            (&bytes[..whole], "api_error"),
        ] {
            let (said, stream) = read(bytes, 5);
            assert_eq!(said.matches("event: error\n").count(), 1, "{said}");
            assert!(said.contains(word) && stream.has_failed() && !stream.has_ended());
            assert!(!stream.is_unreadable());
        }
    }

    #[test]
    fn what_cannot_be_read_does_not_go_on_and_is_told_once() {
        let mut bytes = framed(&EVENTS[..2]);
        let whole = bytes.len();
        bytes.extend(framed(&[r#"{"type":"content_block_delta","index":"odd"}"#]));
        bytes.extend(framed(&EVENTS[2..]));
        let torn = [&bytes[..whole], b"<html></html> <html></html>"].concat();
        for bytes in [bytes, torn] {
            for size in [1, bytes.len()] {
                let (said, stream) = read(&bytes, size);
                assert_eq!(said.matches("event: error\n").count(), 1, "{said}");
                assert!(!said.contains("odd") && !said.contains("message_delta"));
                assert!(stream.is_unreadable() && !stream.has_ended());
            }
        }
    }
}
