//! Gemini's stream, cut anywhere, into neutral events.
//!
//! Takes both framings, and finds out which one comes. Keeps the grammar of events whatever the provider does: a stream
//! has no last word, so that it is whole when every candidate said why it ended.

use crate::{
    gemini::{incoming::Incoming, progress::Progress},
    neutral::{Error, Event, Seed},
};

/// Reads a stream.
#[derive(Debug)]
pub struct Decoder {
    incoming: Incoming,
    progress: Progress,
}

// === impl Decoder ===

impl Decoder {
    /// A stream of which nothing has come.
    pub fn new(seed: &Seed) -> Self {
        Self {
            incoming: Incoming::default(),
            progress: Progress::new(seed),
        }
    }

    /// Takes what came.
    pub fn push(&mut self, bytes: &[u8], out: &mut Vec<Event>) {
        let progress = &mut self.progress;
        if let Err(long) = self
            .incoming
            .push(bytes, |datum| progress.chunk(datum, out))
        {
            self.progress.fail(Error::unreadable(long.to_string()), out);
            self.incoming = Incoming::default();
        }
    }

    /// No more comes.
    pub fn finish(&mut self, out: &mut Vec<Event>) {
        let progress = &mut self.progress;
        self.incoming.finish(|datum| progress.last(datum, out));
        self.progress.finish(out);
    }
}
