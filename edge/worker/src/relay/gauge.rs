//! What an answer used, read as it passes.
//!
//! Never changes a byte, save the usage chunk that the client did not ask for.

use std::{collections::VecDeque, rc::Rc};

use bytes::{Bytes, BytesMut};
use dialect::{
    Tokens,
    crossing::{
        self, Back, Decoder,
        stream::{Aside, Stream},
        watch::{self, Watch},
    },
    estimate,
    neutral::{Class, Error, Family, Seed},
    openai::{answer, error, stream::Meter},
    request::Endpoint,
};
use memchr::memmem;

use policy::provider::Speaks;

use crate::{
    call::{Passed, upload::Pulse},
    record::{Carried, Tally},
};

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
    /// What is passed through, as far as it can be read.
    Passed(Box<Passing>),
}

/// The reading of an answer to what is passed through.
pub struct Passing {
    read: Gauge,
    /// The same answer, read as another API's that stands at the same provider.
    beside: Gauge,
    pulse: Rc<Pulse>,
    is_text: bool,
    output_tokens: u64,
    answer_bytes: u64,
    good: bool,
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
        // Nothing is written, and so nothing is made from the seed.
        let seed = Seed {
            request_id: String::new(),
            now_seconds: 0,
        };
        let decoder = Decoder::new(family, &seed, false);
        Self::Aside(family, Box::new(Aside::new(decoder)))
    }

    /// Translates a stream.
    pub fn across(back: &Back) -> Self {
        Self::Across(Box::new(back.stream()))
    }

    /// Whether the client gets a stream.
    pub const fn is_stream(&self) -> bool {
        match self {
            Self::Passed(passing) => passing.read.is_stream(),
            _ => matches!(self, Self::Stream(_) | Self::Aside(..) | Self::Across(_)),
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

    /// Reads the answer to what was passed through. `events` and `json` are what its type says.
    pub fn passed(passed: &Passed, good: bool, (events, json): (bool, bool)) -> Self {
        let aside = |family| (Self::aside(family), Self::Blind);
        let (read, beside) = match passed.speaks {
            _ if !good || !(events || json) => (Self::Blind, Self::Blind),
            Speaks::OpenAi { .. } if events => {
                (Self::stream(false), Self::aside(Family::Responses))
            }
            Speaks::OpenAi { .. } => (
                Self::whole(Endpoint::ChatCompletions),
                Self::whole(Endpoint::Responses),
            ),
            Speaks::Messages if events => aside(Family::Messages),
            Speaks::Messages => (Self::whole(Endpoint::Messages), Self::Blind),
            Speaks::Gemini if events => aside(Family::Gemini),
            Speaks::Gemini => (Self::whole(Endpoint::Generate), Self::Blind),
            Speaks::Cohere if events => aside(Family::Cohere),
            Speaks::Cohere | Speaks::Converse => (Self::Blind, Self::Blind),
        };
        Self::Passed(Box::new(Passing {
            read,
            beside,
            pulse: Rc::clone(&passed.pulse),
            is_text: passed.is_text,
            output_tokens: passed.output_tokens,
            answer_bytes: 0,
            good,
        }))
    }

    /// How much has passed, where that is counted.
    pub fn carried(&self) -> Option<Carried> {
        match self {
            Self::Passed(passing) => Some(passing.carried()),
            _ => None,
        }
    }

    /// Takes what came and appends to `out` what goes on.
    pub fn push(&mut self, bytes: Bytes, out: &mut Vec<Bytes>) {
        match self {
            Self::Stream(meter) => meter.push(bytes, out),
            Self::Aside(_, aside) => {
                aside.push(&bytes);
                out.push(bytes);
            }
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
            Self::Passed(passing) => passing.push(bytes, out),
        }
    }

    /// The answer is complete: appends to `out` what was held back.
    pub fn finish(&mut self, out: &mut Vec<Bytes>) {
        match self {
            Self::Stream(meter) => meter.finish(out),
            Self::Aside(_, aside) => aside.finish(),
            Self::Across(stream) => give(out, |said| stream.finish(said)),
            Self::Passed(passing) => {
                passing.read.finish(out);
                passing.beside.finish(&mut Vec::new());
            }
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
            Self::Passed(passing) => passing.read.fail(class, code, message, out),
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
            Self::Passed(passing) => passing.tally(Self::tally),
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
            Self::Across(stream) => watched(stream.watch()),
            Self::Known(tally) => *tally,
            Self::Passed(passing) => passing.tally(Self::partial_tally),
            Self::Blind => Tally::default(),
        }
    }

    /// Whether the provider said that the stream is done.
    pub const fn done_seen(&self) -> bool {
        match self {
            Self::Stream(meter) => meter.done_seen(),
            Self::Aside(_, aside) => aside.watch().has_ended(),
            Self::Across(stream) => stream.watch().has_ended(),
            Self::Passed(passing) => passing.read.done_seen(),
            _ => false,
        }
    }

    /// Whether the provider reported an error within the stream, or broke it off.
    pub const fn error_seen(&self) -> bool {
        match self {
            Self::Stream(meter) => meter.error_seen(),
            Self::Aside(_, aside) => aside.watch().has_failed(),
            Self::Across(stream) => stream.watch().has_failed(),
            Self::Passed(passing) => passing.read.error_seen(),
            _ => false,
        }
    }
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

// === impl Passing ===

impl Passing {
    fn push(&mut self, bytes: Bytes, out: &mut Vec<Bytes>) {
        self.answer_bytes += bytes.len() as u64;
        if !matches!(self.beside, Gauge::Blind) {
            self.beside.push(bytes.clone(), &mut Vec::new());
        }
        self.read.push(bytes, out);
    }

    /// What the provider says, by the reading that understands more of it: one that finds a total alone takes all of
    /// it for input. Where it says nothing, what was reserved.
    fn tally(&self, of: fn(&Gauge) -> Tally) -> Tally {
        let readings = [of(&self.read).tokens, of(&self.beside).tokens];
        let tokens = readings.into_iter().flatten();
        Tally {
            tokens: tokens.max_by_key(Tokens::output_total),
            output_tokens: if self.good { self.output_tokens } else { 0 },
        }
    }

    fn carried(&self) -> Carried {
        let request_bytes = self.pulse.bytes();
        let bytes = usize::try_from(request_bytes).unwrap_or(usize::MAX);
        Carried {
            request_bytes,
            answer_bytes: self.answer_bytes,
            input_tokens: self.is_text.then(|| estimate::input_tokens(bytes)),
        }
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
