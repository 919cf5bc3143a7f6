//! A provider that does as its question says, and counts what it was asked.
//!
//! As cheap as can be, since it shares the cores with what is measured. Counts apart what came with the
//! credential that only Sluice has: that is Sluice's traffic, and the rest came through the bare proxy.

use std::{
    convert::Infallible,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body::{Body, Frame, SizeHint};
use http_body_util::{BodyExt, Full};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{
    net::TcpListener,
    task::spawn_local,
    time::{Interval, MissedTickBehavior, interval, sleep},
};

use crate::script::{self, Events, Kind};

/// Where the counts are asked for.
pub const COUNTS_PATH: &str = "/counts";

/// How long to wait after the system refused a connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// What a provider has been asked, on all cores together.
#[derive(Debug, Default)]
pub struct Counts {
    with_credential: AtomicU64,
    without: AtomicU64,
    refused: AtomicU64,
}

/// A provider.
#[derive(Debug, Clone)]
pub struct Mock {
    counts: Arc<Counts>,
    events: Arc<Events>,
    whole: Bytes,
    bearer: HeaderValue,
    /// The same credential, as Anthropic's providers are given it.
    plain: HeaderValue,
}

/// The body of an answer.
#[derive(Debug)]
enum Said {
    Whole(Full<Bytes>),
    Stream(Play),
}

/// A stream at play.
#[derive(Debug)]
struct Play {
    events: Arc<Events>,
    beat: Interval,
    next: usize,
    chunks: usize,
    usage: bool,
    silent: bool,
    across: bool,
}

// === impl Mock ===

impl Mock {
    /// A provider that knows Sluice by `credential`.
    pub fn new(credential: &str) -> Result<Self, header::InvalidHeaderValue> {
        Ok(Self {
            counts: Arc::default(),
            events: Arc::default(),
            whole: script::whole_answer(),
            bearer: HeaderValue::try_from(format!("Bearer {credential}"))?,
            plain: HeaderValue::try_from(credential)?,
        })
    }

    /// Serves one core.
    pub async fn serve(self, listener: TcpListener) {
        let mut http = http1::Builder::new();
        http.header_read_timeout(None);
        loop {
            let Ok((stream, _)) = listener.accept().await else {
                sleep(ACCEPT_PAUSE).await;
                continue;
            };
            let mock = self.clone();
            let service = service_fn(move |request| {
                let mock = mock.clone();
                async move { Ok::<_, Infallible>(mock.answer(request).await) }
            });
            let connection = http.serve_connection(TokioIo::new(stream), service);
            spawn_local(async move { drop(connection.await) });
        }
    }

    async fn answer(&self, request: Request<Incoming>) -> Response<Said> {
        if request.method() == Method::GET && request.uri().path() == COUNTS_PATH {
            return whole(StatusCode::OK, self.counts.to_json().into());
        }
        let headers = request.headers();
        let sluice = headers.get(header::AUTHORIZATION) == Some(&self.bearer)
            || headers.get("x-api-key") == Some(&self.plain);
        let Ok(body) = request.into_body().collect().await else {
            // Nobody is there to read it.
            return whole(StatusCode::BAD_REQUEST, Bytes::new());
        };
        let body = body.to_bytes();
        let kind = script::kind(&body);
        let (Some(kind), true) = (kind, sluice == script::names_provider_model(&body)) else {
            self.counts.refused.fetch_add(1, Relaxed);
            return whole(
                StatusCode::BAD_REQUEST,
                Bytes::from_static(b"{\"error\":{}}"),
            );
        };
        let count = if sluice {
            &self.counts.with_credential
        } else {
            &self.counts.without
        };
        count.fetch_add(1, Relaxed);
        match kind {
            Kind::Whole => whole(StatusCode::OK, self.whole.clone()),
            Kind::Stream(chunks, interval_ms) | Kind::Across(chunks, interval_ms) => {
                self.stream(chunks, interval_ms, &body, kind)
            }
            Kind::Silent => self.stream(1, 1, &body, kind),
        }
    }

    fn stream(&self, chunks: usize, interval_ms: u64, body: &[u8], kind: Kind) -> Response<Said> {
        let mut beat = interval(Duration::from_millis(interval_ms.max(1)));
        beat.set_missed_tick_behavior(MissedTickBehavior::Burst);
        let (events, usage) = (Arc::clone(&self.events), script::asks_usage(body));
        let play = Play {
            events,
            beat,
            next: 0,
            chunks,
            usage,
            silent: kind == Kind::Silent,
            across: matches!(kind, Kind::Across(..)),
        };
        let mut response = Response::new(Said::Stream(play));
        let kind = HeaderValue::from_static("text/event-stream; charset=utf-8");
        response.headers_mut().insert(header::CONTENT_TYPE, kind);
        response
    }
}

fn whole(status: StatusCode, body: Bytes) -> Response<Said> {
    let mut response = Response::new(Said::Whole(Full::new(body)));
    *response.status_mut() = status;
    let kind = HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

// === impl Counts ===

impl Counts {
    fn to_json(&self) -> String {
        let [with, without, refused] =
            [&self.with_credential, &self.without, &self.refused].map(|count| count.load(Relaxed));
        format!("{{\"with_credential\":{with},\"without\":{without},\"refused\":{refused}}}")
    }
}

// === impl Said ===

impl Body for Said {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match self.get_mut() {
            Self::Whole(body) => Pin::new(body).poll_frame(cx),
            Self::Stream(play) => play
                .poll(cx)
                .map(|bytes| bytes.map(|it| Ok(Frame::data(it)))),
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Whole(body) if body.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(body) => body.size_hint(),
            Self::Stream(_) => SizeHint::default(),
        }
    }
}

// === impl Play ===

impl Play {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        let at = self.next;
        if at > self.chunks {
            return Poll::Ready(None);
        }
        if self.silent && at == self.chunks {
            return Poll::Pending;
        }
        ready!(self.beat.poll_tick(cx));
        self.next += 1;
        let last = at == self.chunks;
        Poll::Ready(Some(match (last, self.across) {
            (true, true) => Events::across_end(),
            (true, false) => Events::end(self.usage),
            (false, true) => self.events.across(at),
            (false, false) => self.events.chunk(at),
        }))
    }
}
