//! Counts the requests of one core from their arrival to their last byte.
//!
//! Labels are closed sets: what was asked for, in which dialect, and the class of the status. Nothing of a request's
//! content, its key or its model is a label here.

use std::{
    cell::OnceCell,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
    time::Instant,
};

use bytes::Bytes;
use dialect::neutral::Family;
use http_body::{Body, Frame, SizeHint};
use http_body_util::Either;
use metrics::{Counter, Gauge, Histogram, Unit};

use crate::{
    relay::Aborted,
    request::endpoint::{LABELS, Manner},
    respond,
    series::class::{CLASSES, GONE, class},
};

/// The dialects that clients speak, by [`dialect_of`]'s numbers.
const DIALECTS: [&str; 6] = [
    "openai",
    "openai_responses",
    "anthropic",
    "gemini",
    "inference",
    "custom",
];

/// What is measured; handles, so that a request looks nothing up.
pub struct Measures {
    // A pair of endpoint and dialect that nobody asks for is not shown.
    total: [[[OnceCell<Counter>; CLASSES.len()]; DIALECTS.len()]; LABELS.len()],
    in_flight: Gauge,
    streams: Gauge,
    duration: Histogram,
}

/// One request in flight. Counts itself when it is dropped.
pub struct InFlight {
    measures: Rc<Measures>,
    label: usize,
    dialect: usize,
    class: usize,
    stream: bool,
    started: Instant,
}

/// A body that is in flight until it is dropped.
pub struct Counted {
    body: respond::Body,
    _in_flight: Option<InFlight>,
}

/// Says what this module measures.
pub fn describe() {
    metrics::describe_counter!(
        "sluice_request_total",
        "Requests, by endpoint, the client's dialect and class of status"
    );
    metrics::describe_gauge!(
        "sluice_stream_open",
        "Answers that are streamed to clients now, and sockets"
    );
    metrics::describe_gauge!("sluice_request_in_flight", "Requests that have not ended");
    metrics::describe_histogram!(
        "sluice_request_duration_seconds",
        Unit::Seconds,
        "From a request's arrival to the last byte of its answer"
    );
}

/// Which of [`DIALECTS`] a client speaks.
const fn dialect_of(manner: Manner) -> usize {
    match manner {
        // No client speaks the last two; they are providers'.
        Manner::Family(Family::Chat | Family::Converse | Family::Cohere) => 0,
        Manner::Family(Family::Responses) => 1,
        Manner::Family(Family::Messages) => 2,
        Manner::Family(Family::Gemini) => 3,
        Manner::Inference => 4,
        Manner::Custom => 5,
    }
}

// === impl Measures ===

impl Measures {
    /// Handles of the recorder that is installed now.
    pub fn register() -> Self {
        let streams = metrics::gauge!("sluice_stream_open");
        streams.increment(0.0);
        Self {
            total: Default::default(),
            in_flight: metrics::gauge!("sluice_request_in_flight"),
            streams,
            duration: metrics::histogram!("sluice_request_duration_seconds"),
        }
    }

    fn count(&self, (label, dialect): (usize, usize), class: usize) {
        let row = self.total.get(label).and_then(|row| row.get(dialect));
        let Some(counter) = row.and_then(|row| row.get(class)) else {
            return;
        };
        let counter = counter.get_or_init(|| {
            let (endpoint, dialect, class) = (LABELS[label], DIALECTS[dialect], CLASSES[class]);
            metrics::counter!("sluice_request_total", "endpoint" => endpoint, "dialect" => dialect, "class" => class)
        });
        counter.increment(1);
    }

    /// A request has come.
    pub fn enter(self: &Rc<Self>, label: usize, manner: Manner, started: Instant) -> InFlight {
        self.in_flight.increment(1);
        InFlight {
            measures: Rc::clone(self),
            label,
            dialect: dialect_of(manner),
            class: GONE,
            stream: false,
            started,
        }
    }
}

// === impl InFlight ===

impl InFlight {
    /// The head of the answer is there, with this status.
    pub fn answered(mut self, status: u16, body: respond::Body) -> Counted {
        self.class = class(status);
        if matches!(&body, Either::Right(relay) if relay.is_stream()) {
            self.streams();
        }
        Counted {
            body,
            _in_flight: Some(self),
        }
    }

    /// The connection becomes a socket, for which what is given back counts.
    pub fn switched(mut self, body: respond::Body) -> (Counted, Self) {
        self.class = 0;
        self.streams();
        let counted = Counted {
            body,
            _in_flight: None,
        };
        (counted, self)
    }

    fn streams(&mut self) {
        self.stream = true;
        self.measures.streams.increment(1.0);
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.measures.in_flight.decrement(1);
        self.measures.duration.record(self.started.elapsed());
        if self.stream {
            self.measures.streams.decrement(1.0);
        }
        self.measures.count((self.label, self.dialect), self.class);
    }
}

// === impl Counted ===

impl Body for Counted {
    type Data = Bytes;
    type Error = Aborted;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Aborted>>> {
        match &mut self.get_mut().body {
            Either::Left(body) => Pin::new(body)
                .poll_frame(cx)
                .map_err(|never| match never {}),
            Either::Right(body) => Pin::new(body).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.body {
            Either::Left(body) => body.is_end_stream(),
            Either::Right(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.body {
            Either::Left(body) => body.size_hint(),
            Either::Right(body) => body.size_hint(),
        }
    }
}
