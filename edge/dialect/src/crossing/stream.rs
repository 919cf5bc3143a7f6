//! A stream on its way from one family to another, or looked at while it passes within one.
//!
//! Owns the state between two reads. However the bytes are cut, the events and what is made of them are the same.

use crate::{
    converse::names::Originals,
    crossing::{
        absent,
        decoder::Decoder,
        encoder::Encoder,
        proof::{self, Maker},
        watch::Watch,
    },
    neutral::{Error, Event},
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
            events: Vec::new(),
        }
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
