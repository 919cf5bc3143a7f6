//! What an answer used, read as it passes.
//!
//! Never changes a byte, save the usage chunk that the client did not ask for.

pub mod kept;
pub mod media;
pub mod passing;
mod counted;
mod passed;

use bytes::Bytes;
use dialect::{
    Finish, Tokens,
    crossing::{
        self, Back,
        stream::{Stream, Unframed},
    },
    neutral::{Class, Error, Family},
    openai::{error, stream::Meter},
    request::Endpoint,
};
use http::{HeaderMap, header};
use policy::provider::Speaks;

use crate::{
    record::{Carried, Tally},
    translate::Way,
};

pub use self::passed::{Passed, Unmodelled};

use self::{
    counted::{ended_at, give, watched},
    kept::{Kept, output_tokens_of},
    passing::{Framing, Passing, onlooker, reread},
};

/// The kind of every error that a provider caused.
const FAULT: &str = "api_error";

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
    /// The answer to what is passed through, as far as it can be read.
    Passed(Box<Passed>),
}

// === impl Gauge ===

impl Gauge {
    /// How to read an answer that is a success. Where somebody asks why it ended, a stream's calls of tools are checked as they pass.
    pub fn of(headers: &HeaderMap, way: &Way, tells_finish: bool) -> Self {
        let mut gauge = Self::by_way(headers, way);
        if tells_finish {
            match &mut gauge {
                Self::Stream(meter) => meter.check_calls(),
                Self::Aside(passing) => passing.aside.check_calls(),
                Self::Unframed(stream) => stream.check_calls(),
                Self::Across(stream) => stream.check_calls(),
                // What is in one piece is read when it is here.
                Self::Known(_) | Self::Whole(_) | Self::Unread(..) | Self::Passed(_) => {}
            }
        }
        gauge
    }

    /// By what becomes of it, then by the type of its content, never by what the client asked for.
    fn by_way(headers: &HeaderMap, way: &Way) -> Self {
        let (endpoint, usage_added) = match way {
            Way::Across { back, .. } => return Self::across(back),
            Way::Hosted { framed: true, .. } => return Self::unframed(),
            Way::Hosted { endpoint, .. } => (*endpoint, false),
            // What no program reads: whatever it is, its length is what is known of it.
            Way::Mapped(_) => return Self::unread(Endpoint::Invoke),
            Way::Same {
                endpoint,
                usage_added,
            } => (*endpoint, *usage_added),
        };
        if endpoint.counts() {
            return Self::Known(Tally {
                tokens: Some(Tokens::default()),
                ..Tally::default()
            });
        }
        // Tensors have no tokens: the rows that went in are counted, which the entry knows.
        if endpoint == Endpoint::Infer {
            return Self::Known(Tally::default());
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
        Self::Aside(Box::new(Passing::new(family, framing)))
    }

    /// Takes Anthropic's events out of Amazon's frames.
    pub fn unframed() -> Self {
        Self::Unframed(Box::new(Unframed::new(onlooker(Family::Messages))))
    }

    /// Translates a stream.
    pub fn across(back: &Back) -> Self {
        Self::Across(Box::new(back.stream()))
    }

    /// Reads the answer to what was passed through; `good` says whether its status is that of an answer.
    pub fn passed(request: Unmodelled, headers: &HeaderMap, good: bool) -> Self {
        let aside = |family| (Self::aside(family, Framing::Events), None);
        let blind = (Self::Known(Tally::default()), None);
        let (events, json) = media::kind(headers);
        let (read, beside) = match request.speaks {
            _ if !good || !(events || json) => blind,
            Speaks::OpenAi { .. } if events => (
                Self::stream(false),
                Some(Self::aside(Family::Responses, Framing::Events)),
            ),
            Speaks::OpenAi { .. } => (
                Self::whole(Endpoint::ChatCompletions),
                Some(Self::whole(Endpoint::Responses)),
            ),
            Speaks::Messages if events => aside(Family::Messages),
            Speaks::Messages => (Self::whole(Endpoint::Messages), None),
            Speaks::Gemini if events => aside(Family::Gemini),
            Speaks::Gemini => (Self::whole(Endpoint::Generate), None),
            Speaks::Cohere if events => aside(Family::Cohere),
            // On Vertex the path says whether an answer is Gemini's or Anthropic's, and paths are not read here.
            Speaks::Cohere
            | Speaks::Bedrock
            | Speaks::Vertex
            | Speaks::Inference
            | Speaks::Mapped => blind,
        };
        Self::Passed(Box::new(Passed::new(request, read, beside)))
    }

    /// How much has passed, where that is counted.
    pub fn carried(&self) -> Option<Carried> {
        match self {
            Self::Passed(passed) => Some(passed.carried()),
            _ => None,
        }
    }

    /// Whether the client gets a stream.
    pub const fn is_stream(&self) -> bool {
        match self {
            Self::Passed(passed) => passed.is_stream(),
            _ => matches!(
                self,
                Self::Stream(_) | Self::Aside(..) | Self::Unframed(_) | Self::Across(_)
            ),
        }
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
        Self::Whole(Kept::new(endpoint))
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
            Self::Passed(passed) => passed.push(bytes, out),
        }
    }

    /// The answer is complete: appends to `out` what was held back.
    pub fn finish(&mut self, out: &mut Vec<Bytes>) {
        match self {
            Self::Stream(meter) => meter.finish(out),
            Self::Aside(passing) => passing.aside.finish(),
            Self::Unframed(stream) => give(out, |said| stream.finish(said)),
            Self::Across(stream) => give(out, |said| stream.finish(said)),
            Self::Passed(passed) => passed.finish(),
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
            Self::Passed(passed) => passed.fail(class, code, message, out),
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
            Self::Passed(passed) => passed.tally(Self::tally),
            _ => self.partial_tally(),
        }
    }

    /// What a complete answer used, and, where somebody asks, why it ended.
    pub fn last_tally(&self, tells_finish: bool) -> Tally {
        let finish = match self {
            _ if !tells_finish => Finish::Unseen,
            Self::Stream(meter) => meter.finish_seen(),
            Self::Aside(passing) => passing.aside.watch().finish(),
            Self::Unframed(stream) => stream.watch().finish(),
            Self::Across(stream) => stream.watch().finish(),
            Self::Whole(kept) => kept.finish(),
            Self::Known(tally) => tally.finish,
            Self::Unread(..) | Self::Passed(_) => Finish::Unseen,
        };
        Tally {
            finish,
            ..self.tally()
        }
    }

    /// What an answer that was cut short has used so far.
    pub fn partial_tally(&self) -> Tally {
        match self {
            Self::Stream(meter) => Tally {
                tokens: meter.tokens(),
                output_tokens: meter.output_estimate(),
                ..Tally::default()
            },
            Self::Whole(kept) => Tally {
                tokens: None,
                output_tokens: kept.output_tokens(),
                ..Tally::default()
            },
            Self::Unread(endpoint, passed_bytes) => Tally {
                tokens: None,
                output_tokens: output_tokens_of(*endpoint, *passed_bytes),
                ..Tally::default()
            },
            Self::Aside(passing) => watched(passing.aside.watch()),
            Self::Unframed(stream) => watched(stream.watch()),
            Self::Across(stream) => ended_at(stream).unwrap_or_else(|| watched(stream.watch())),
            Self::Known(tally) => *tally,
            Self::Passed(passed) => passed.tally(Self::partial_tally),
        }
    }

    /// Bytes of text that a stream has brought so far, roughly.
    pub const fn output_bytes(&self) -> u64 {
        match self {
            Self::Stream(meter) => meter.output_bytes(),
            Self::Aside(passing) => passing.aside.watch().output_bytes(),
            Self::Unframed(stream) => stream.watch().output_bytes(),
            Self::Across(stream) => stream.watch().output_bytes(),
            Self::Known(_) | Self::Whole(_) | Self::Unread(..) | Self::Passed(_) => 0,
        }
    }

    /// Whether the stream was ended because it brought more than it may.
    pub fn is_at_ceiling(&self) -> bool {
        matches!(self, Self::Across(stream) if stream.ended_at().is_some())
    }

    /// Whether the provider said that the stream is done.
    pub const fn done_seen(&self) -> bool {
        match self {
            Self::Stream(meter) => meter.done_seen(),
            Self::Aside(passing) => passing.aside.watch().has_ended(),
            Self::Unframed(stream) => stream.has_ended(),
            Self::Across(stream) => stream.watch().has_ended(),
            Self::Passed(passed) => passed.done_seen(),
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
            Self::Passed(passed) => passed.has_begun(),
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
            Self::Passed(passed) => passed.has_failed(),
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
            Self::Passed(passed) => passed.has_failed(),
            _ => false,
        }
    }
}
