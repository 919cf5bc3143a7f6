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
    estimate, events,
    neutral::{Class, Error, Family, Seed},
    openai::{answer, error, stream::Meter},
    request::Endpoint,
};
use http::{HeaderMap, header};
use memchr::memmem;

use crate::{record::Tally, translate::Way};

/// The kind of every error that a provider caused.
const FAULT: &str = "api_error";

/// How much of an answer that is not a stream is kept to be read for its usage.
// Full: only the end is kept, and usage is looked for there, where most providers say it.
const KEPT_BYTES_MAX: usize = 1 << 20;

/// Reads one answer.
pub enum Gauge {
    /// A stream of chat's events.
    Stream(Box<Meter>),
    /// A stream of another family's that passes as it is, framed so.
    Aside(Box<Passing>),
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
}

/// A stream that passes as it is, and is watched.
pub struct Passing {
    family: Family,
    framing: Framing,
    aside: Aside,
    /// Something that cannot be read did not go on.
    cut: bool,
}

/// How a stream is framed that passes as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// Server-sent events.
    Events,
    /// One array that grows. It has no place for an event of ours.
    Array,
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
    /// How to read an answer that is a success: by what becomes of it, then by the type of its content, never by what
    /// the client asked for.
    pub fn of(headers: &HeaderMap, way: &Way) -> Self {
        let (endpoint, usage_added) = match way {
            Way::Across { back, .. } => return Self::across(back),
            Way::Hosted { framed: true, .. } => return Self::unframed(),
            Way::Hosted { endpoint, .. } => (*endpoint, false),
            Way::Same {
                endpoint,
                usage_added,
            } => (*endpoint, *usage_added),
        };
        if endpoint.counts() {
            return Self::Known(Tally {
                tokens: Some(Tokens::default()),
                output_tokens: 0,
            });
        }
        let encoded = headers
            .get(header::CONTENT_ENCODING)
            .is_some_and(|value| !value.as_bytes().eq_ignore_ascii_case(b"identity"));
        let events = headers.get(header::CONTENT_TYPE).is_some_and(|value| {
            let kind = value.as_bytes().get(.."text/event-stream".len());
            kind.is_some_and(|kind| kind.eq_ignore_ascii_case(b"text/event-stream"))
        });
        match endpoint.family() {
            _ if encoded => Self::unread(endpoint),
            Some(family) if family != Family::Chat && events => {
                Self::aside(family, Framing::Events)
            }
            Some(family) if family != Family::Chat && endpoint.streams() => {
                Self::aside(family, Framing::Array)
            }
            _ if events => Self::stream(usage_added),
            _ => Self::whole(endpoint),
        }
    }

    /// Reads a stream; `strip_usage` takes out the chunk of usage alone.
    pub fn stream(strip_usage: bool) -> Self {
        Self::Stream(Box::new(Meter::new(strip_usage)))
    }

    /// Reads a stream of a family that is not chat's, and changes nothing.
    pub fn aside(family: Family, framing: Framing) -> Self {
        Self::Aside(Box::new(Passing {
            family,
            framing,
            aside: onlooker(family),
            cut: false,
        }))
    }

    /// Takes Anthropic's events out of Amazon's frames.
    pub fn unframed() -> Self {
        Self::Unframed(Box::new(Unframed::new(onlooker(Family::Messages))))
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

    /// Whether what passes of a stream is always whole events, with one that tells of its failure among them.
    pub const fn passes_whole_events(&self) -> bool {
        matches!(self, Self::Unframed(_) | Self::Across(_))
    }

    /// Whether a stream that fails may end with an event that says so.
    pub const fn can_say_failure(&self) -> bool {
        match self {
            Self::Aside(passing) => matches!(passing.framing, Framing::Events),
            _ => self.is_stream(),
        }
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
            Self::Aside(passing) => passing.push(bytes, out),
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
            Self::Known(_) => out.push(bytes),
        }
    }

    /// The answer is complete: appends to `out` what was held back.
    pub fn finish(&mut self, out: &mut Vec<Bytes>) {
        match self {
            Self::Stream(meter) => meter.finish(out),
            Self::Aside(passing) => passing.aside.finish(),
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
            Self::Unframed(stream) => give(out, |said| stream.fail(neutral, said)),
            Self::Aside(passing) => {
                out.push(crossing::error_event(passing.family, &neutral).into());
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
            Self::Aside(passing) => watched(passing.aside.watch()),
            Self::Unframed(stream) => watched(stream.watch()),
            Self::Across(stream) => watched(stream.watch()),
            Self::Known(tally) => *tally,
        }
    }

    /// Whether the provider said that the stream is done.
    pub const fn done_seen(&self) -> bool {
        match self {
            Self::Stream(meter) => meter.done_seen(),
            Self::Aside(passing) => passing.aside.watch().has_ended(),
            Self::Unframed(stream) => stream.has_ended(),
            Self::Across(stream) => stream.watch().has_ended(),
            _ => false,
        }
    }

    /// Whether anything of the answer has passed: words, thoughts, a call. From here on the client is committed to this
    /// provider. An answer in one piece begins with its first byte.
    pub const fn has_begun(&self) -> bool {
        match self {
            Self::Stream(meter) => meter.first_delta_seen(),
            Self::Aside(passing) => passing.aside.watch().has_begun(),
            Self::Unframed(stream) => stream.watch().has_begun(),
            Self::Across(stream) => stream.watch().has_begun(),
            _ => true,
        }
    }

    /// Whether something came that is not what the provider's dialect says.
    pub fn is_unreadable(&self) -> bool {
        match self {
            Self::Stream(meter) => meter.is_unreadable(),
            Self::Aside(passing) => passing.aside.watch().is_unreadable(),
            Self::Unframed(stream) => stream.is_unreadable(),
            Self::Across(stream) => stream.watch().is_unreadable(),
            _ => false,
        }
    }

    /// Whether something that cannot be read, and all behind it, did not go on: the client must be told.
    pub const fn is_cut(&self) -> bool {
        match self {
            Self::Stream(meter) => meter.is_unreadable(),
            Self::Aside(passing) => passing.cut,
            _ => false,
        }
    }

    /// Whether the client has been told that the stream failed, by the provider or by us.
    pub fn has_told_failure(&self) -> bool {
        match self {
            Self::Across(stream) => stream.watch().has_failed(),
            Self::Unframed(stream) => stream.has_failed(),
            _ => self.error_seen() && !self.is_unreadable(),
        }
    }

    /// What the provider said went wrong in a stream of which this is all that has passed.
    pub fn error(&self, passed: &[Bytes]) -> Option<Error> {
        match self {
            Self::Stream(_) => reread(passed).error().cloned(),
            Self::Aside(passing) => passing.aside.error().cloned(),
            Self::Unframed(stream) => stream.error().cloned(),
            Self::Across(stream) => stream.error().cloned(),
            _ => None,
        }
    }

    /// Whether a stream that is over, and of which this is all that has passed, is whole although nothing says so.
    pub fn is_whole(&self, passed: &[Bytes]) -> bool {
        match self {
            Self::Stream(_) => reread(passed).watch().has_ended(),
            _ => self.done_seen(),
        }
    }

    /// Whether the provider reported an error within the stream, or broke it off.
    pub fn error_seen(&self) -> bool {
        match self {
            Self::Stream(meter) => meter.error_seen(),
            Self::Aside(passing) => passing.aside.watch().has_failed(),
            Self::Unframed(stream) => stream.has_failed(),
            Self::Across(stream) => stream.watch().has_failed(),
            _ => false,
        }
    }
}

// === impl Passing ===

impl Passing {
    fn push(&mut self, bytes: Bytes, out: &mut Vec<Bytes>) {
        self.aside.push(&bytes);
        let at = (self.aside.watch().is_unreadable() && self.framing == Framing::Events)
            .then(|| events::unreadable_at(&bytes))
            .flatten();
        self.cut = at.is_some();
        match at {
            Some(0) => {}
            Some(at) => out.push(bytes.slice(..at)),
            None => out.push(bytes),
        }
    }
}

/// Reads a stream and writes nothing, so that nothing is made from its seed.
fn onlooker(family: Family) -> Aside {
    let seed = Seed {
        request_id: String::new(),
        now_seconds: 0,
    };
    Aside::new(Decoder::new(family, &seed, false))
}

/// A chat's stream, read again for all that it says: its meter only counts.
fn reread(passed: &[Bytes]) -> Aside {
    let mut aside = onlooker(Family::Chat);
    for bytes in passed {
        aside.push(bytes);
    }
    aside.finish();
    aside
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
