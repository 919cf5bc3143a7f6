//! Counts the requests of one core from their arrival to their last byte.
//!
//! Labels are two closed sets: what was asked for, and the class of the status. Nothing of a request's content,
//! its key or its model is a label.

use std::{
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
    time::Instant,
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use metrics::{Counter, Gauge, Histogram, Unit};

use crate::{relay::Aborted, request::endpoint::LABELS, respond};

/// The classes, `gone` being a client that left before the head of its answer.
const CLASSES: [&str; 4] = ["2xx", "4xx", "5xx", "gone"];
const GONE: usize = 3;

/// What is measured; handles, so that a request looks nothing up.
pub struct Measures {
    total: [[Counter; CLASSES.len()]; LABELS.len()],
    in_flight: Gauge,
    duration: Histogram,
}

/// One request in flight. Counts itself when it is dropped.
pub struct InFlight {
    measures: Rc<Measures>,
    label: usize,
    class: usize,
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
        "Requests, by endpoint and class of status"
    );
    metrics::describe_gauge!("sluice_request_in_flight", "Requests that have not ended");
    metrics::describe_histogram!(
        "sluice_request_duration_seconds",
        Unit::Seconds,
        "From a request's arrival to the last byte of its answer"
    );
}

// === impl Measures ===

impl Measures {
    /// Handles of the recorder that is installed now.
    pub fn register() -> Self {
        let total = |endpoint, class| metrics::counter!("sluice_request_total", "endpoint" => endpoint, "class" => class);
        Self {
            total: LABELS.map(|endpoint| CLASSES.map(|class| total(endpoint, class))),
            in_flight: metrics::gauge!("sluice_request_in_flight"),
            duration: metrics::histogram!("sluice_request_duration_seconds"),
        }
    }

    /// A request has come.
    pub fn enter(self: &Rc<Self>, label: usize, started: Instant) -> InFlight {
        self.in_flight.increment(1);
        InFlight {
            measures: Rc::clone(self),
            label,
            class: GONE,
            started,
        }
    }
}

// === impl InFlight ===

impl InFlight {
    /// The head of the answer is there, with this status.
    pub fn answered(mut self, status: u16, body: respond::Body) -> Counted {
        self.class = match status {
            ..400 => 0,
            400..500 => 1,
            _ => 2,
        };
        Counted {
            body,
            _in_flight: Some(self),
        }
    }

    /// The connection becomes a socket, for which what is given back counts.
    pub fn switched(mut self, body: respond::Body) -> (Counted, Self) {
        self.class = 0;
        let counted = Counted {
            body,
            _in_flight: None,
        };
        (counted, self)
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.measures.in_flight.decrement(1);
        self.measures.duration.record(self.started.elapsed());
        self.measures.total[self.label][self.class].increment(1);
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
            http_body_util::Either::Left(body) => Pin::new(body)
                .poll_frame(cx)
                .map_err(|never| match never {}),
            http_body_util::Either::Right(body) => Pin::new(body).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.body {
            http_body_util::Either::Left(body) => body.is_end_stream(),
            http_body_util::Either::Right(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.body {
            http_body_util::Either::Left(body) => body.size_hint(),
            http_body_util::Either::Right(body) => body.size_hint(),
        }
    }
}
