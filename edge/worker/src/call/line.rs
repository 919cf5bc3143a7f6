//! One HTTP/1.1 connection to a provider, driven by the request that uses it.
//!
//! Nobody else polls it: when its request is dropped the connection is closed at that moment, and no second task
//! has to be woken for each chunk. A line at rest is not polled either; it is looked at when it is taken up.

use std::{
    error::Error,
    future::poll_fn,
    pin::{Pin, pin},
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body_util::Full;
use hyper::{
    Request, Response,
    body::{Body, Incoming},
    client::conn::{TrySendError, http1},
};
use hyper_util::rt::TokioIo;
use tls::wire::Wire;

/// The longest head of an answer, in bytes.
// Full: the provider has failed.
const HEAD_BYTES_MAX: usize = 64 << 10;

/// A body of a request, as this connection sends it.
pub trait Sent: Body<Data = Bytes, Error: Error + Send + Sync> + Unpin + 'static {}

impl<B: Body<Data = Bytes, Error: Error + Send + Sync> + Unpin + 'static> Sent for B {}

/// A connection, for requests with bodies of this type.
pub struct Line<B: Sent = Full<Bytes>> {
    sender: http1::SendRequest<B>,
    connection: Option<Box<http1::Connection<TokioIo<Wire>, B>>>,
}

/// The provider broke the connection, or what it said is not HTTP.
#[derive(Debug)]
pub struct Broken;

/// Why there is no answer.
pub enum Unanswered<B = Full<Bytes>> {
    /// The connection was closed before any of the request was sent; here is the request.
    Stale(Box<Request<B>>),
    /// The request may have arrived.
    Broken,
}

// === impl Line ===

impl<B: Sent> Line<B> {
    /// Speaks HTTP/1.1 on `wire`. Waits for nothing.
    pub async fn open(wire: Wire) -> Result<Self, Broken> {
        let mut http = http1::Builder::new();
        http.max_header_size(HEAD_BYTES_MAX);
        let (sender, connection) = http
            .handshake(TokioIo::new(wire))
            .await
            .map_err(|_| Broken)?;
        Ok(Self {
            sender,
            connection: Some(Box::new(connection)),
        })
    }

    /// Sends a request and waits for the head of its answer.
    pub async fn exchange(
        &mut self,
        request: Request<B>,
    ) -> Result<Response<Incoming>, Unanswered<B>> {
        let mut answer = pin!(self.sender.try_send_request(request));
        let connection = &mut self.connection;
        poll_fn(|cx| {
            drive(connection, cx);
            answer.as_mut().poll(cx)
        })
        .await
        .map_err(|mut error: TrySendError<_>| match error.take_message() {
            Some(request) => Unanswered::Stale(Box::new(request)),
            None => Unanswered::Broken,
        })
    }

    /// The next bytes of the answer's body; `None` at its end. Trailers are left out.
    pub fn poll_data(
        &mut self,
        body: &mut Incoming,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Broken>>> {
        let mut driven = false;
        loop {
            match Pin::new(&mut *body).poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => {
                    if let Ok(data) = frame.into_data() {
                        return Poll::Ready(Some(Ok(data)));
                    }
                }
                Poll::Ready(Some(Err(_))) => return Poll::Ready(Some(Err(Broken))),
                Poll::Ready(None) => return Poll::Ready(None),
                Poll::Pending if driven => return Poll::Pending,
                Poll::Pending => {
                    drive(&mut self.connection, cx);
                    driven = true;
                }
            }
        }
    }

    /// Whether another request can be sent now. Learns here of what came while nobody looked.
    pub fn is_free(&mut self, cx: &mut Context<'_>) -> bool {
        drive(&mut self.connection, cx);
        self.connection.is_some() && self.sender.is_ready()
    }
}

/// Lets a connection do what it can. One that has ended is dropped, and must not be polled again.
fn drive<B: Sent>(
    connection: &mut Option<Box<http1::Connection<TokioIo<Wire>, B>>>,
    cx: &mut Context<'_>,
) {
    if let Some(running) = connection
        && Pin::new(running.as_mut()).poll(cx).is_ready()
    {
        *connection = None;
    }
}
