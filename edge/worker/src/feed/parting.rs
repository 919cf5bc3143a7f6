//! How a stream of requests ends: cleanly when this edge leaves for good, else in a reset.
//!
//! Knows nothing of what is said. The control plane takes a clean end for a farewell; without this, whatever drops
//! the stream would end it just so, and a reset that only cancels is read as an end by the other side too.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Frame;
use tonic::{
    body::Body,
    codegen::{Service, StdError},
    transport::{Channel, Error},
};

/// A channel for one stream.
#[derive(Clone)]
pub struct Parting {
    channel: Channel,
    farewell: Farewell,
}

/// Says that the stream's next end is meant.
#[derive(Clone, Default)]
pub struct Farewell(Arc<AtomicBool>);

struct Said {
    body: Body,
    farewell: Farewell,
}

// === impl Parting ===

impl Parting {
    /// Over this channel.
    pub fn new(channel: Channel) -> (Self, Farewell) {
        let farewell = Farewell::default();
        let parting = Self {
            channel,
            farewell: farewell.clone(),
        };
        (parting, farewell)
    }
}

impl Service<Request<Body>> for Parting {
    type Response = Response<Body>;
    type Error = Error;
    type Future = <Channel as Service<Request<Body>>>::Future;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.channel.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let farewell = self.farewell.clone();
        let said = |body| Body::new(Said { body, farewell });
        self.channel.call(request.map(said))
    }
}

// === impl Farewell ===

impl Farewell {
    /// To be called before the stream's source ends.
    pub fn say(&self) {
        self.0.store(true, Ordering::Release);
    }
}

// === impl Said ===

impl http_body::Body for Said {
    type Data = Bytes;
    type Error = StdError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, StdError>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        if frame.is_none() && !self.farewell.0.load(Ordering::Acquire) {
            return Poll::Ready(Some(Err("the edge gives this stream up".into())));
        }
        Poll::Ready(frame.map(|frame| frame.map_err(Into::into)))
    }
}
