//! Carries an answer to the client, at the client's pace: an [`Answer`] and its [`Entry`] become a [`Relay`].
//!
//! Knows bytes and their meter; knows nothing of policy. What the provider sent is what the client gets, save
//! a usage chunk that it did not ask for. However it ends, the entry is closed once, and the upstream connection
//! closes with the last byte or with the client.

pub mod headers;

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use dialect::{
    estimate,
    neutral::{Class, UNREADABLE},
};
use http::{HeaderMap, StatusCode};
use http_body::{Body, Frame, SizeHint};
use policy::cost::Cost;
use tokio::time::Instant;

use crate::{
    call::{
        answer::{self, Answer, Content},
        client,
        gauge::Gauge,
        line::Broken,
        patience::{Patience, Timer},
        telling::Telling,
        upload::Upload,
    },
    cuts::Heard,
    record::{Entry, Outcome},
    request::Arrival,
};

use self::headers::kept;

/// What a client is told in the event that ends its stream.
struct Why {
    class: Class,
    code: &'static str,
    message: &'static str,
}

/// The provider broke off.
const BROKEN_OFF: Why = Why {
    class: Class::Provider,
    code: "upstream_broken",
    message: "The provider broke off; this answer is not complete.",
};
/// The key was revoked, and what was under way with it.
const KEY_REVOKED: Why = Why {
    class: Class::Permission,
    code: "api_key_revoked",
    message: "The key was revoked; this answer is not complete.",
};
/// It fell silent, or took too long.
const TOO_SLOW: Why = Why {
    class: Class::Timeout,
    code: "upstream_timeout",
    message: "The provider took too long; this answer is not complete.",
};
/// It sent something that is not what its dialect says.
const NOT_READ: Why = Why {
    class: Class::Provider,
    code: UNREADABLE,
    message: "The provider's answer cannot be read; this answer is not complete.",
};

/// The head of what the client gets.
pub struct Head {
    /// The provider's status.
    pub status: StatusCode,
    /// The provider's headers that go on.
    pub headers: HeaderMap,
}

/// Where bytes come from.
enum Upstream {
    /// A provider that still sends.
    Coming(client::Body),
    /// The same, of what is passed through.
    Passed(client::Body<Upload>),
    /// An answer that was read before, until it is taken.
    Whole(Option<Bytes>),
}

/// The body of what the client gets.
pub struct Relay {
    upstream: Upstream,
    gauge: Gauge,
    // What may go on and has not been taken; bounded by what was held at the beginning and by what one read gives,
    // because nothing is read before it is empty.
    ready: Vec<Bytes>,
    taken: usize,
    entry: Option<Entry>,
    heard: Heard,
    timer: Timer,
    state: State,
    exact: bool,
    /// The status is that of an answer.
    good: bool,
    /// Beyond how many bytes of text limits are to be charged more than was reserved.
    charged_bytes: u64,
    /// Tells the client what a stream cost, if it asked.
    telling: Option<Box<Telling>>,
}

/// The answer was cut; the client must not take it for whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Aborted;

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// Nothing was generated yet.
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
    let end = Instant::from_std(arrival.started) + patience.total_max;
    let timer = || Timer::new(patience.idle_max, end);
    let (upstream, gauge, ready, timer) = match content {
        Content::Coming(body, gauge) => (Upstream::Coming(body), gauge, Vec::new(), timer()),
        Content::Whole(body, tally) => {
            let gauge = Gauge::Known(tally);
            (Upstream::Whole(Some(body)), gauge, Vec::new(), timer())
        }
        Content::Passed(body, gauge) => (Upstream::Passed(body), gauge, Vec::new(), timer()),
        Content::Begun(opening) => {
            let mut opening = *opening;
            opening.timer.until(end);
            let upstream = Upstream::Coming(opening.body);
            (upstream, opening.gauge, opening.ready, opening.timer)
        }
    };
    let charged_bytes = estimate::output_bytes_most(entry.reserved_output());
    let mut relay = Relay {
        charged_bytes,
        exact: !gauge.is_stream(),
        good: answer::is_good(status),
        upstream,
        gauge,
        ready,
        taken: 0,
        entry: Some(entry),
        heard: Heard::default(),
        timer,
        state: State::Waiting,
        telling: None,
    };
    if !relay.exact {
        relay.note_beginning();
    }
    // An empty body is dropped unread, and nobody would hear of its end.
    if relay.upstream.is_finished() || relay.gauge.is_at_ceiling() {
        relay.complete();
    }
    let mut headers = kept(headers);
    headers::name_dropped(&mut headers, &dropped);
    (Head { status, headers }, relay)
}

// === impl Relay ===

impl Relay {
    fn take_ready(&mut self) -> Option<Bytes> {
        let bytes = std::mem::take(self.ready.get_mut(self.taken)?);
        self.taken += 1;
        if let Some(entry) = &mut self.entry {
            entry.passes(&bytes);
        }
        if self.taken == self.ready.len() {
            self.ready.clear();
            self.taken = 0;
        }
        Some(bytes)
    }

    /// Whether it comes event by event.
    pub const fn is_stream(&self) -> bool {
        !self.exact
    }

    /// From here on, and in what is ready, the client is told what a stream cost.
    pub fn tell_cost(&mut self) {
        if self.gauge.is_stream() {
            self.telling = Some(Box::default());
            self.tell();
            if self.state == State::Ended {
                self.tell_rest();
            }
        }
    }

    fn tell(&mut self) {
        if let Some(telling) = &mut self.telling {
            let (gauge, entry) = (&self.gauge, self.entry.as_ref());
            let cost = || entry.map_or(Cost::Unknown, |it| it.cost_with(gauge.partial_tally()));
            telling.pass(&mut self.ready, cost);
        }
    }

    fn tell_rest(&mut self) {
        if let Some(telling) = &mut self.telling {
            telling.rest(&mut self.ready);
        }
    }

    /// What the account of the answer is closed with; it hears how much has passed.
    fn take_entry(&mut self) -> Option<Entry> {
        let mut entry = self.entry.take()?;
        // Whatever is taken from here on is taken without an account.
        for bytes in self.ready.iter().skip(self.taken) {
            entry.passes(bytes);
        }
        if let Some(carried) = self.gauge.carried() {
            entry.carried(carried);
        }
        Some(entry)
    }

    /// Tells when the first of the answer came.
    fn note_beginning(&mut self) {
        if self.gauge.has_begun() {
            self.state = State::Moving;
            if let Some(entry) = &mut self.entry {
                entry.first_byte();
            }
        }
    }

    fn came(&mut self, bytes: Bytes) {
        self.timer.moved();
        self.gauge.push(bytes, &mut self.ready);
        self.tell();
        if self.state == State::Waiting {
            self.note_beginning();
        }
        if self.gauge.is_cut() {
            return self.fail(Outcome::ProviderFailed, &NOT_READ);
        }
        // A body of known length is dropped with its last byte, and nobody asks whether there is more. Nor does anything
        // follow an error that is told in an event of its own.
        let over = self.gauge.passes_whole_events() && self.gauge.error_seen();
        if over || self.gauge.is_at_ceiling() || self.upstream.is_finished() {
            self.complete();
        } else if self.gauge.output_bytes() > self.charged_bytes {
            self.top_up();
        }
    }

    /// More was generated than what limits were charged for: they are charged more now, so that they refuse others in time.
    fn top_up(&mut self) {
        let tally = self.gauge.partial_tally();
        let entry = self.entry.as_mut();
        let tokens = entry.map_or(u64::MAX, |entry| entry.top_up(tally));
        self.charged_bytes = estimate::output_bytes_most(tokens);
    }

    /// Ends what is to be cut. Answers in one piece go on: they are short. Only what is passed through may last as a
    /// stream does.
    fn look_for_cut(&mut self) {
        let lasts = !self.exact || matches!(self.upstream, Upstream::Passed(_));
        let entry = self.entry.as_ref().filter(|_| lasts);
        if entry.is_some_and(|entry| entry.is_cut(&mut self.heard)) {
            self.fail(Outcome::Cut, &KEY_REVOKED);
        }
    }

    /// All has come. A stream without its end has broken off, and its client hears of that.
    fn complete(&mut self) {
        let told = self.gauge.error_seen();
        self.gauge.finish(&mut self.ready);
        self.tell();
        self.tell_rest();
        let broken = self.gauge.error_seen() && !self.gauge.done_seen();
        if !told && broken && !self.gauge.passes_whole_events() {
            self.say(&BROKEN_OFF);
        }
        self.state = State::Ended;
        if let Some(entry) = self.take_entry() {
            let outcome = if self.gauge.is_at_ceiling() {
                Outcome::Ceiling
            } else if !self.good || self.gauge.error_seen() {
                Outcome::ProviderFailed
            } else {
                Outcome::Completed
            };
            let tally = self.gauge.last_tally(entry.tells_finish());
            entry.close(outcome, tally);
        }
    }

    /// Ends an answer whose rest will not come. A stream gets a last event that says so; anything else is cut
    /// off, so that nobody takes it for whole. A stream that said it was done, or that it failed, lacks nothing.
    fn fail(&mut self, outcome: Outcome, why: &Why) {
        if self.gauge.done_seen() || self.gauge.has_told_failure() {
            return self.complete();
        }
        self.state = State::Aborted;
        if self.gauge.can_say_failure() {
            self.say(why);
            self.state = State::Ended;
        }
        if let Some(entry) = self.take_entry() {
            entry.close(outcome, self.gauge.partial_tally());
        }
    }

    fn say(&mut self, why: &Why) {
        if !self.gauge.can_say_failure() {
            return;
        }
        self.tell_rest();
        let mut said = Vec::new();
        self.gauge.fail(why.class, why.code, why.message, &mut said);
        // What has passed of the last event, whole lines or not, must not become part of this one.
        let gap: &[u8] = if self.gauge.passes_whole_events() {
            b""
        } else {
            b"\n\n"
        };
        self.ready.push([gap, &said.concat()].concat().into());
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
        this.look_for_cut();
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
                Poll::Ready(Some(Err(Broken))) => {
                    this.fail(Outcome::ProviderFailed, &BROKEN_OFF);
                }
                Poll::Ready(None) => this.complete(),
                Poll::Pending if this.timer.poll_exhausted(cx).is_pending() => {
                    return Poll::Pending;
                }
                Poll::Pending => this.fail(Outcome::Cut, &TOO_SLOW),
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
            Self::Passed(body) => body.poll_data(cx),
            Self::Whole(body) => Poll::Ready(body.take().map(Ok)),
        }
    }

    fn is_finished(&self) -> bool {
        match self {
            Self::Coming(body) => body.is_finished(),
            Self::Passed(body) => body.is_finished(),
            Self::Whole(body) => body.is_none(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Coming(body) => body.size_hint(),
            Self::Passed(body) => body.size_hint(),
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
        if let Some(entry) = self.take_entry() {
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
