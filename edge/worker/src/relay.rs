//! Carries an answer to the client, at the client's pace: an [`Answer`] and its [`Entry`] become a [`Relay`].
//!
//! Knows bytes and their meter; knows nothing of policy. What the provider sent is what the client gets, save
//! a usage chunk that it did not ask for. However it ends, the entry is closed once, and the upstream connection
//! closes with the last byte or with the client.

pub mod headers;
pub mod gauge;
pub mod patience;

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use dialect::{
    Tokens,
    neutral::{Class, Dropped, Family},
};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use http_body::{Body, Frame, SizeHint};
use tokio::time::Instant;

use crate::{
    call::{Answer, Content, client, line::Broken},
    record::{Entry, Outcome, Tally},
    request::Arrival,
    translate::Way,
};

use self::{
    gauge::Gauge,
    headers::kept,
    patience::{Patience, Timer},
};

/// The code of the event that ends a stream whose provider broke off.
pub const BROKEN: &str = "upstream_broken";
/// The code of the event that ends a stream whose provider fell silent, or that took too long.
pub const SILENT: &str = "upstream_timeout";

/// The head of what the client gets.
pub struct Head {
    /// The provider's status.
    pub status: StatusCode,
    /// The provider's headers that go on.
    pub headers: HeaderMap,
}

/// What of the request was left out on its way to the provider.
const DROPPED: HeaderName = HeaderName::from_static("x-sluice-dropped");

/// The longest list of what was left out, in bytes.
// Full: the rest is not named.
const DROPPED_BYTES_MAX: usize = 1_024;

/// Where bytes come from.
enum Upstream {
    /// A provider that still sends.
    Coming(client::Body),
    /// An answer that was read before, until it is taken.
    Whole(Option<Bytes>),
}

/// The body of what the client gets.
pub struct Relay {
    upstream: Upstream,
    gauge: Gauge,
    // What may go on and has not been taken; bounded by what one read gives, because nothing is read before it
    // is empty.
    ready: Vec<Bytes>,
    taken: usize,
    entry: Option<Entry>,
    timer: Timer,
    state: State,
    good: bool,
    exact: bool,
}

/// The answer was cut; the client must not take it for whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Aborted;

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Waiting,
    Moving,
    Ended,
    Aborted,
}

/// What the client gets of an answer.
pub fn relay(
    answer: Answer,
    arrival: &Arrival,
    mut entry: Entry,
    patience: &Patience,
) -> (Head, Relay) {
    let Answer {
        status,
        headers,
        content,
        dropped,
    } = answer;
    entry.answered(status.as_u16());
    let (upstream, gauge) = match content {
        Content::Coming(body, way) => (Upstream::Coming(body), gauge(status, &headers, &way)),
        Content::Whole(body, tally) => (Upstream::Whole(Some(body)), Gauge::Known(tally)),
    };
    let end = Instant::from_std(arrival.started) + patience.total_max;
    let mut relay = Relay {
        exact: !gauge.is_stream(),
        upstream,
        gauge,
        ready: Vec::new(),
        taken: 0,
        entry: Some(entry),
        timer: Timer::new(patience.idle_max, end),
        state: State::Waiting,
        good: status.is_success(),
    };
    // An empty body is dropped unread, and nobody would hear of its end.
    if relay.upstream.is_finished() {
        relay.complete();
    }
    let mut headers = kept(headers);
    if let Some(dropped) = dropped.and_then(|dropped| named(&dropped)) {
        headers.insert(DROPPED, dropped);
    }
    (Head { status, headers }, relay)
}

/// How to read an answer: the status decides first, then what becomes of it, then the type of its content, never what
/// the client asked for.
fn gauge(status: StatusCode, headers: &HeaderMap, way: &Way) -> Gauge {
    let (endpoint, usage_added) = match way {
        _ if !status.is_success() => return Gauge::Blind,
        Way::Across { back, .. } => return Gauge::across(back),
        Way::Hosted { framed: true, .. } => return Gauge::unframed(),
        Way::Hosted { endpoint, .. } => (*endpoint, false),
        Way::Same {
            endpoint,
            usage_added,
        } => (*endpoint, *usage_added),
    };
    if endpoint.counts() {
        return Gauge::Known(Tally {
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
        _ if encoded => Gauge::unread(endpoint),
        Some(family) if family != Family::Chat && (events || endpoint.streams()) => {
            Gauge::aside(family)
        }
        _ if events => Gauge::stream(usage_added),
        _ => Gauge::whole(endpoint),
    }
}

/// What was left out, for people: as many names as a header may hold.
fn named(dropped: &Dropped) -> Option<HeaderValue> {
    let mut names = String::new();
    for path in dropped.paths() {
        let plain = path.bytes().all(|byte| byte.is_ascii_graphic());
        if plain && names.len() + path.len() + 2 <= DROPPED_BYTES_MAX {
            if !names.is_empty() {
                names.push_str(", ");
            }
            names.push_str(path);
        }
    }
    (!names.is_empty()).then_some(HeaderValue::try_from(names).ok()?)
}

// === impl Relay ===

impl Relay {
    fn take_ready(&mut self) -> Option<Bytes> {
        let bytes = std::mem::take(self.ready.get_mut(self.taken)?);
        self.taken += 1;
        if self.taken == self.ready.len() {
            self.ready.clear();
            self.taken = 0;
        }
        Some(bytes)
    }

    fn came(&mut self, bytes: Bytes) {
        self.timer.moved();
        if self.state == State::Waiting {
            self.state = State::Moving;
            if let Some(entry) = &mut self.entry {
                entry.first_byte();
            }
        }
        self.gauge.push(bytes, &mut self.ready);
        // A body of known length is dropped with its last byte, and nobody asks whether there is more.
        if self.upstream.is_finished() {
            self.complete();
        }
    }

    fn complete(&mut self) {
        self.gauge.finish(&mut self.ready);
        self.state = State::Ended;
        if let Some(entry) = self.entry.take() {
            let failed = !self.good || self.gauge.error_seen();
            let outcome = if failed {
                Outcome::ProviderFailed
            } else {
                Outcome::Completed
            };
            entry.close(outcome, self.gauge.tally());
        }
    }

    /// Ends an answer whose rest will not come. A stream gets a last event that says so; anything else is cut
    /// off, so that nobody takes it for whole. A stream that said it was done lacks nothing.
    fn fail(&mut self, outcome: Outcome) {
        if self.gauge.done_seen() {
            return self.complete();
        }
        let streamed = self.gauge.is_stream();
        if streamed {
            let (class, code, message) = match outcome {
                Outcome::Cut => (
                    Class::Timeout,
                    SILENT,
                    "The provider took too long; this answer is not complete.",
                ),
                _ => (
                    Class::Provider,
                    BROKEN,
                    "The provider broke off; this answer is not complete.",
                ),
            };
            let mut said = Vec::new();
            self.gauge.fail(class, code, message, &mut said);
            let event = said.concat();
            // What has passed of the last event, whole lines or not, must not become part of this one.
            let torn = self.state == State::Moving && !self.gauge.passes_whole_events();
            let gap: &[u8] = if torn { b"\n\n" } else { b"" };
            self.ready.push([gap, &event].concat().into());
        }
        self.state = if streamed {
            State::Ended
        } else {
            State::Aborted
        };
        if let Some(entry) = self.entry.take() {
            entry.close(outcome, self.gauge.partial_tally());
        }
    }
}

impl Body for Relay {
    type Data = Bytes;
    type Error = Aborted;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Aborted>>> {
        let this = self.get_mut();
        loop {
            if let Some(bytes) = this.take_ready() {
                return Poll::Ready(Some(Ok(Frame::data(bytes))));
            }
            match this.state {
                State::Ended => return Poll::Ready(None),
                State::Aborted => return Poll::Ready(Some(Err(Aborted))),
                State::Waiting | State::Moving => {}
            }
            match this.upstream.poll_data(cx) {
                Poll::Ready(Some(Ok(bytes))) => this.came(bytes),
                Poll::Ready(Some(Err(Broken))) => this.fail(Outcome::ProviderFailed),
                Poll::Ready(None) => this.complete(),
                Poll::Pending if this.timer.poll_exhausted(cx).is_pending() => {
                    return Poll::Pending;
                }
                Poll::Pending => this.fail(Outcome::Cut),
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.state == State::Ended && self.ready.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        if self.exact {
            self.upstream.size_hint()
        } else {
            SizeHint::default()
        }
    }
}

// === impl Upstream ===

impl Upstream {
    fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Broken>>> {
        match self {
            Self::Coming(body) => body.poll_data(cx),
            Self::Whole(body) => Poll::Ready(body.take().map(Ok)),
        }
    }

    fn is_finished(&self) -> bool {
        match self {
            Self::Coming(body) => body.is_finished(),
            Self::Whole(body) => body.is_none(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Coming(body) => body.size_hint(),
            Self::Whole(body) => {
                SizeHint::with_exact(body.as_ref().map_or(0, |body| body.len() as u64))
            }
        }
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        // Clients leave at `[DONE]`, and do not wait for the end of the stream behind it.
        if self.gauge.done_seen() && self.ready.is_empty() {
            self.complete();
        }
        if let Some(entry) = self.entry.take() {
            entry.abandon(self.gauge.partial_tally());
        }
    }
}

// === impl Aborted ===

impl fmt::Display for Aborted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the provider's answer was cut")
    }
}

impl std::error::Error for Aborted {}
