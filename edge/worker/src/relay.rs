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
use dialect::openai::{error, request::Endpoint};
use http::{HeaderMap, StatusCode, header};
use http_body::{Body, Frame, SizeHint};
use tokio::time::Instant;

use crate::{
    call::{Answer, client, line::Broken},
    record::{Entry, Outcome},
    request::{Arrival, Request},
};

use self::{
    gauge::Gauge,
    headers::kept,
    patience::{Patience, Timer},
};

/// The kind of every error that a provider caused.
pub const FAULT: &str = "api_error";
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

/// The body of what the client gets.
pub struct Relay {
    upstream: client::Body,
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
    request: &Request,
    arrival: &Arrival,
    mut entry: Entry,
    patience: &Patience,
) -> (Head, Relay) {
    let Answer {
        status,
        headers,
        body,
        usage_added,
    } = answer;
    entry.answered(status.as_u16());
    let gauge = gauge(status, &headers, request.endpoint(), usage_added);
    let end = Instant::from_std(arrival.started) + patience.total_max;
    let mut relay = Relay {
        exact: !matches!(gauge, Gauge::Stream(_)),
        upstream: body,
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
    (
        Head {
            status,
            headers: kept(headers),
        },
        relay,
    )
}

/// How to read an answer: the status decides first, then the type of its content, never what the client asked for.
fn gauge(status: StatusCode, headers: &HeaderMap, endpoint: Endpoint, usage_added: bool) -> Gauge {
    let encoded = headers
        .get(header::CONTENT_ENCODING)
        .is_some_and(|value| !value.as_bytes().eq_ignore_ascii_case(b"identity"));
    let events = headers.get(header::CONTENT_TYPE).is_some_and(|value| {
        let kind = value.as_bytes().get(.."text/event-stream".len());
        kind.is_some_and(|kind| kind.eq_ignore_ascii_case(b"text/event-stream"))
    });
    if !status.is_success() {
        Gauge::Blind
    } else if encoded {
        Gauge::unread(endpoint)
    } else if events {
        Gauge::stream(usage_added)
    } else {
        Gauge::whole(endpoint)
    }
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
        let streamed = matches!(self.gauge, Gauge::Stream(_));
        if streamed {
            let (code, message) = match outcome {
                Outcome::Cut => (
                    SILENT,
                    "The provider took too long; this answer is not complete.",
                ),
                _ => (
                    BROKEN,
                    "The provider broke off; this answer is not complete.",
                ),
            };
            let event = error::event(FAULT, code, message, None);
            self.ready.push(match self.state {
                // What has passed of the last event, whole lines or not, must not become part of this one.
                State::Moving => [b"\n\n", event.as_slice()].concat().into(),
                _ => event.into(),
            });
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
