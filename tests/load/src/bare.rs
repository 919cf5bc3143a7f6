//! A bare proxy: the least that can stand between a client and a provider and speak HTTP with both.
//!
//! Judges nothing, changes nothing, counts nothing. What an edge costs beyond this is the price of its policy,
//! so everything here is as cheap as plain hyper makes it.

use std::{
    cell::RefCell,
    io,
    net::SocketAddr,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body, Frame, SizeHint};
use http_body_util::{BodyExt, Either, Full};
use hyper::{
    body::Incoming,
    client::conn::http1::{SendRequest, handshake},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use tokio::{
    net::{TcpListener, TcpStream},
    task::spawn_local,
    time::sleep,
};

/// Bodies up to this length go on in one piece, which spares a system call and a wake-up; longer ones flow.
const WHOLE_BYTES_MAX: u64 = 64 << 10;

/// How long to wait after the system refused a connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

type Outgoing = Either<Full<Bytes>, Incoming>;

/// One core's connections to the provider.
#[derive(Debug)]
struct Pool {
    provider: SocketAddr,
    // Borrowed for one push or pop, never over an await. As many as there were requests at once.
    resting: RefCell<Vec<SendRequest<Outgoing>>>,
}

/// An answer's body, which gives its connection back at its end.
#[derive(Debug)]
struct Passing {
    body: Incoming,
    sender: Option<SendRequest<Outgoing>>,
    pool: Rc<Pool>,
}

/// Serves one core: all that comes goes to `provider`.
pub async fn serve(listener: TcpListener, provider: SocketAddr) {
    let pool = Rc::new(Pool {
        provider,
        resting: RefCell::default(),
    });
    let mut http = http1::Builder::new();
    http.header_read_timeout(None);
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            sleep(ACCEPT_PAUSE).await;
            continue;
        };
        let pool = Rc::clone(&pool);
        let service = service_fn(move |request| forward(request, Rc::clone(&pool)));
        let connection = http.serve_connection(TokioIo::new(stream), service);
        spawn_local(async move { drop(connection.await) });
    }
}

async fn forward(request: Request<Incoming>, pool: Rc<Pool>) -> io::Result<Response<Passing>> {
    let (head, body) = request.into_parts();
    let body = match body.size_hint().exact() {
        Some(length) if length <= WHOLE_BYTES_MAX => {
            let whole = body.collect().await.map_err(io::Error::other)?;
            Either::Left(Full::new(whole.to_bytes()))
        }
        _ => Either::Right(body),
    };
    let mut sender = pool.take().await?;
    let answer = sender.send_request(Request::from_parts(head, body)).await;
    let answer = answer.map_err(io::Error::other)?;
    Ok(answer.map(|body| Passing {
        body,
        sender: Some(sender),
        pool,
    }))
}

// === impl Pool ===

impl Pool {
    async fn take(&self) -> io::Result<SendRequest<Outgoing>> {
        loop {
            let resting = self.resting.borrow_mut().pop();
            let Some(mut sender) = resting else {
                return self.dial().await;
            };
            if sender.ready().await.is_ok() {
                return Ok(sender);
            }
        }
    }

    async fn dial(&self) -> io::Result<SendRequest<Outgoing>> {
        let stream = TcpStream::connect(self.provider).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) = handshake(TokioIo::new(stream))
            .await
            .map_err(io::Error::other)?;
        spawn_local(async move { drop(connection.await) });
        Ok(sender)
    }
}

// === impl Passing ===

impl Body for Passing {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        let ended = match &polled {
            Poll::Ready(None) => true,
            Poll::Ready(Some(Ok(_))) => self.body.is_end_stream(),
            _ => false,
        };
        if ended && let Some(sender) = self.sender.take() {
            self.pool.resting.borrow_mut().push(sender);
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
