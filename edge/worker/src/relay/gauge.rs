//! What an answer used, read as it passes.
//!
//! Never changes a byte, save the usage chunk that the client did not ask for.

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};
use dialect::{
    Tokens,
    crossing::{
        self, Back, Decoder,
        stream::{Aside, Stream, Unframed},
        watch::{self, Watch},
    },
    estimate,
    neutral::{Class, Error, Family, Seed},
    openai::{answer, error, stream::Meter},
    request::Endpoint,
};
use memchr::memmem;

use crate::record::Tally;

/// The kind of every error that a provider caused.
const FAULT: &str = "api_error";

/// How much of an answer that is not a stream is kept to be read for its usage.
// Full: only the end is kept, and usage is looked for there, where most providers say it.
const KEPT_BYTES_MAX: usize = 1 << 20;

/// Reads one answer.
pub enum Gauge {
    /// A stream of chat's events.
    Stream(Box<Meter>),
    /// A stream of another family's that passes as it is.
    Aside(Family, Box<Aside>),
    /// A stream of Anthropic's events in Amazon's frames, out of which they are taken.
    Unframed(Box<Unframed>),
    /// A stream that is translated.
    Across(Box<Stream>),
    /// One piece that was read before.
    Known(Tally),
    /// One piece.
    Whole(Kept),
    /// One piece that cannot be read, because it is compressed after all: only its length counts.
    Unread(Endpoint, u64),
    /// An error, which has used nothing.
    Blind,
}

/// The last of an answer, as slices of what passed.
pub struct Kept {
    endpoint: Endpoint,
    /// All there is, as long as it came in one piece, as most answers do.
    only: Bytes,
    parts: VecDeque<Bytes>,
    held_bytes: usize,
    passed_bytes: u64,
}

// === impl Gauge ===

impl Gauge {
    /// Reads a stream; `strip_usage` takes out the chunk of usage alone.
    pub fn stream(strip_usage: bool) -> Self {
        Self::Stream(Box::new(Meter::new(strip_usage)))
    }

    /// Reads a stream of a family that is not chat's, and changes nothing.
    pub fn aside(family: Family) -> Self {
        Self::Aside(family, Box::new(watcher(family)))
    }

    /// Takes Anthropic's events out of Amazon's frames.
    pub fn unframed() -> Self {
        Self::Unframed(Box::new(Unframed::new(watcher(Family::Messages))))
    }

    /// Translates a stream.
    pub fn across(back: &Back) -> Self {
        Self::Across(Box::new(back.stream()))
    }

    /// Whether the client gets a stream.
    pub const fn is_stream(&self) -> bool {
        matches!(
            self,
            Self::Stream(_) | Self::Aside(..) | Self::Unframed(_) | Self::Across(_)
        )
    }

    /// Whether what passes of a stream is always whole events.
    pub const fn passes_whole_events(&self) -> bool {
        matches!(self, Self::Unframed(_) | Self::Across(_))
    }

    /// Reads an answer in one piece.
    pub const fn whole(endpoint: Endpoint) -> Self {
        Self::Whole(Kept {
            endpoint,
            only: Bytes::new(),
            parts: VecDeque::new(),
            held_bytes: 0,
            passed_bytes: 0,
        })
    }

    /// Counts an answer that cannot be read.
    pub const fn unread(endpoint: Endpoint) -> Self {
        Self::Unread(endpoint, 0)
    }

    /// Takes what came and appends to `out` what goes on.
    pub fn push(&mut self, bytes: Bytes, out: &mut Vec<Bytes>) {
        match self {
            Self::Stream(meter) => meter.push(bytes, out),
            Self::Aside(_, aside) => {
                aside.push(&bytes);
                out.push(bytes);
            }
            Self::Unframed(stream) => give(out, |said| stream.push(&bytes, said)),
            Self::Across(stream) => give(out, |said| stream.push(&bytes, said)),
            Self::Whole(kept) => {
                kept.push(bytes.clone());
                out.push(bytes);
            }
            Self::Unread(_, passed_bytes) => {
                *passed_bytes += bytes.len() as u64;
                out.push(bytes);
            }
            Self::Blind | Self::Known(_) => out.push(bytes),
        }
    }

    /// The answer is complete: appends to `out` what was held back.
    pub fn finish(&mut self, out: &mut Vec<Bytes>) {
        match self {
            Self::Stream(meter) => meter.finish(out),
            Self::Aside(_, aside) => aside.finish(),
            Self::Unframed(stream) => give(out, |said| stream.finish(said)),
            Self::Across(stream) => give(out, |said| stream.finish(said)),
            _ => {}
        }
    }

    /// Appends to `out` the event that ends a stream that broke off, in the client's dialect.
    pub fn fail(&mut self, class: Class, code: &str, message: &str, out: &mut Vec<Bytes>) {
        let mut neutral = Error::new(class, message);
        neutral.code = Some(code.to_owned());
        match self {
            Self::Across(stream) => give(out, |said| stream.fail(neutral, said)),
            Self::Aside(family, _) => out.push(crossing::error_event(*family, &neutral).into()),
            Self::Unframed(_) => {
                out.push(crossing::error_event(Family::Messages, &neutral).into());
            }
            // Clients of chat know our own errors by their kind.
            _ => out.push(error::event(FAULT, code, message, None).into()),
        }
    }

    /// What a complete answer used.
    pub fn tally(&self) -> Tally {
        match self {
            Self::Whole(kept) => Tally {
                tokens: kept.tokens(),
                ..self.partial_tally()
            },
            _ => self.partial_tally(),
        }
    }

    /// What an answer that was cut short has used so far.
    pub fn partial_tally(&self) -> Tally {
        match self {
            Self::Stream(meter) => Tally {
                tokens: meter.tokens(),
                output_tokens: meter.output_estimate(),
            },
            Self::Whole(kept) => Tally {
                tokens: None,
                output_tokens: output_tokens_of(kept.endpoint, kept.passed_bytes),
            },
            Self::Unread(endpoint, passed_bytes) => Tally {
                tokens: None,
                output_tokens: output_tokens_of(*endpoint, *passed_bytes),
            },
            Self::Aside(_, aside) => watched(aside.watch()),
            Self::Unframed(stream) => watched(stream.watch()),
            Self::Across(stream) => watched(stream.watch()),
            Self::Known(tally) => *tally,
            Self::Blind => Tally::default(),
        }
    }

    /// Whether the provider said that the stream is done.
    pub const fn done_seen(&self) -> bool {
        match self {
            Self::Stream(meter) => meter.done_seen(),
            Self::Aside(_, aside) => aside.watch().has_ended(),
            Self::Unframed(stream) => stream.has_ended(),
            Self::Across(stream) => stream.watch().has_ended(),
            _ => false,
        }
    }

    /// Whether the provider reported an error within the stream, or broke it off.
    pub const fn error_seen(&self) -> bool {
        match self {
            Self::Stream(meter) => meter.error_seen(),
            Self::Aside(_, aside) => aside.watch().has_failed(),
            Self::Unframed(stream) => stream.has_failed(),
            Self::Across(stream) => stream.watch().has_failed(),
            _ => false,
        }
    }
}

/// A watcher of a stream of this family.
fn watcher(family: Family) -> Aside {
    // Nothing is written, and so nothing is made from the seed.
    let seed = Seed {
        request_id: String::new(),
        now_seconds: 0,
    };
    Aside::new(Decoder::new(family, &seed, false))
}

/// Lets something be written, and gives it on if it is anything.
fn give(out: &mut Vec<Bytes>, write: impl FnOnce(&mut Vec<u8>)) {
    let mut said = Vec::new();
    write(&mut said);
    if !said.is_empty() {
        out.push(said.into());
    }
}

const fn watched(watch: &Watch) -> Tally {
    Tally {
        tokens: watch.tokens(),
        output_tokens: watch.output_estimate(),
    }
}

// === impl Kept ===

impl Kept {
    fn push(&mut self, bytes: Bytes) {
        self.passed_bytes += bytes.len() as u64;
        self.held_bytes += bytes.len();
        if self.held_bytes == bytes.len() && self.held_bytes <= KEPT_BYTES_MAX {
            self.only = bytes;
            return;
        }
        if !self.only.is_empty() {
            self.parts.push_back(std::mem::take(&mut self.only));
        }
        self.parts.push_back(bytes);
        while self.held_bytes > KEPT_BYTES_MAX
            && let Some(oldest) = self.parts.pop_front()
        {
            self.held_bytes -= oldest.len();
        }
    }

    fn tokens(&self) -> Option<Tokens> {
        let whole = self.held_bytes as u64 == self.passed_bytes;
        let read = |text: &[u8]| {
            if let Some(family @ (Family::Messages | Family::Gemini | Family::Responses)) =
                self.endpoint.family()
            {
                // An answer without its beginning is no object, and what it used is guessed.
                watch::tokens_of_answer(family, text)
            } else if whole {
                answer::tokens(self.endpoint, text)
            } else {
                self.tokens_at_end(text)
            }
        };
        if !self.only.is_empty() {
            return read(&self.only);
        }
        let mut text = BytesMut::with_capacity(self.held_bytes);
        self.parts
            .iter()
            .for_each(|part| text.extend_from_slice(part));
        read(&text)
    }

    /// Usage in the end of an answer whose beginning is gone. Quotes within a string are escaped, so the last
    /// `"usage"` with its quotes bare is a member.
    fn tokens_at_end(&self, end: &[u8]) -> Option<Tokens> {
        let usage = &end[memmem::rfind(end, b"\"usage\"")?..];
        let whole = [b"{", usage].concat();
        answer::tokens(self.endpoint, &whole)
    }
}

/// Output tokens in a whole answer of this many bytes that says nothing of usage; embeddings generate none.
fn output_tokens_of(endpoint: Endpoint, body_bytes: u64) -> u64 {
    if endpoint == Endpoint::Embeddings {
        0
    } else {
        estimate::output_tokens(body_bytes)
    }
}
