//! A provider's stream, read into the neutral events.
//!
//! Owns framing. What a chunk means is known to `reading`, and one of its answers to `choice`. Keeps the event that is
//! open and no more.

mod depth;
mod choice;
mod reading;

use crate::{
    chat::{decoder::reading::Reading, error},
    events::Assembler,
    neutral::{Class, Error, Event, Seed},
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

    /// Takes what the provider sent, cut anywhere.
    pub fn push(&mut self, bytes: &[u8], out: &mut Vec<Event>) {
        let Self { assembler, reading } = self;
        if reading.is_done() {
            return;
        }
        if let Err(long) = assembler.push(bytes, |event| take(reading, event, out)) {
            reading.fail(Error::new(Class::Provider, long.to_string()), out);
        }
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
