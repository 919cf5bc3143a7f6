//! A provider's stream, read into the neutral events.
//!
//! Owns framing: server-sent events, and the chunks of Bedrock's frames. What an event means is known to `reading`.
//! Keeps the event that is open and no more.

mod block;
mod reading;

use payload::object::Object;

use crate::{
    base64,
    events::Assembler,
    messages::{decoder::reading::Reading, error},
    neutral::{Error, Event, Seed},
    sse,
};

/// Reads a stream.
#[derive(Debug)]
pub struct Decoder {
    assembler: Assembler,
    reading: Reading,
}

// === impl Decoder ===

impl Decoder {
    /// A reader of a new stream.
    pub fn new(seed: &Seed) -> Self {
        Self {
            assembler: Assembler::default(),
            reading: Reading::new(seed),
        }
    }

    /// The same for the answer to a request that asked for its form by a tool: see
    /// [`crate::messages::structured::by_tool`].
    pub fn structured(mut self) -> Self {
        self.reading.unwraps = true;
        self
    }

    /// Takes what the provider sent, cut anywhere.
    pub fn push(&mut self, bytes: &[u8], out: &mut Vec<Event>) {
        let Self { assembler, reading } = self;
        if reading.is_done() {
            return;
        }
        if let Err(long) = assembler.push(bytes, |event| take(reading, event, out)) {
            reading.fail(Error::unreadable(long.to_string()), out);
        }
    }

    /// Takes the payload of one `chunk` of Bedrock's frames: an event in base64. One without is an error.
    pub fn push_chunk(&mut self, payload: &[u8], out: &mut Vec<Event>) {
        let event = str::from_utf8(payload)
            .ok()
            .and_then(|payload| Object::parse(payload).ok()?.text("bytes").ok()?)
            .and_then(|wrapped| base64::decode(&wrapped));
        match event {
            Some(event) => self.reading.data(None, &event, out),
            None => self.reading.fail(error::decode(200, payload), out),
        }
    }

    /// The stream failed in a way that its bytes do not tell.
    pub fn fail(&mut self, error: Error, out: &mut Vec<Event>) {
        self.reading.fail(error, out);
    }

    /// Nothing more comes.
    pub fn finish(&mut self, out: &mut Vec<Event>) {
        let Self { assembler, reading } = self;
        assembler.finish(|event| take(reading, event, out));
        reading.finish(out);
    }
}

fn take(reading: &mut Reading, event: &[u8], out: &mut Vec<Event>) {
    let said = sse::read(event);
    let data = said.data.trim_ascii();
    if !data.is_empty() {
        reading.data(said.name, data, out);
    } else if matches!(event.trim_ascii().first(), Some(b'{' | b'[')) {
        // Not an event but a body: a provider that failed before it began to stream.
        reading.fail(error::decode(200, event), out);
    }
}
