//! The ops listener: is it alive, is it ready, what does it count.
//!
//! Knows readiness, the drain and the exposition, and nothing of the process's own protocol. It answers
//! until the drain is over, so that the last minutes can be watched too; a slow or silent caller costs one
//! of few places for a few seconds.

use std::{convert::Infallible, fmt::Write, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    task::JoinSet,
    time::{sleep, timeout},
};
use tracing::warn;

use crate::{
    drain::{Drain, Phase},
    ready::Readiness,
};

/// Full: further callers wait in the kernel's queue until a place is free, which takes [`CONNECTION_MAX`]
/// at most.
const CONNECTIONS_MAX: usize = 64;
/// Each connection is for one request and one answer, and is cut after this.
const CONNECTION_MAX: Duration = Duration::from_secs(10);
const HEAD_MAX: Duration = Duration::from_secs(5);
/// Full: hyper answers 431 and closes.
const HEAD_BYTES_MAX: usize = 16 * 1024;
/// How long to leave the listener alone when the system is out of descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

const TEXT: &str = "text/plain; charset=utf-8";
const EXPOSITION: &str = "text/plain; version=0.0.4; charset=utf-8";

struct Ops {
    readiness: Readiness,
    metrics: PrometheusHandle,
    drain: Drain,
}

/// Answers `GET /livez`, `/readyz` and `/metrics` until the drain is over. Dropping the future closes all
/// connections.
///
/// `/readyz` is 503 with one line for each thing that is awaited, and 503 from the moment the process is
/// leaving.
pub async fn serve(
    listener: TcpListener,
    readiness: Readiness,
    metrics: PrometheusHandle,
    drain: Drain,
) {
    let ops = Arc::new(Ops {
        readiness,
        metrics,
        drain: drain.clone(),
    });
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let mut connections = JoinSet::new();
    loop {
        let accepted = async {
            let place = Arc::clone(&places).acquire_owned().await;
            (place, listener.accept().await)
        };
        tokio::select! {
            (place, accepted) = accepted => match accepted {
                Ok((stream, _)) => {
                    let ops = Arc::clone(&ops);
                    connections.spawn(async move {
                        ops.connection(stream).await;
                        drop(place);
                    });
                }
                Err(error) => {
                    warn!(%error, "cannot accept on the ops listener: {error}");
                    sleep(ACCEPT_PAUSE).await;
                }
            },
            Some(_) = connections.join_next() => {}
            () = drain.over() => return,
        }
    }
}

// === impl Ops ===

impl Ops {
    async fn connection(self: Arc<Self>, stream: TcpStream) {
        let service = service_fn(|request: Request<Incoming>| {
            let answer = self.answer(request.method(), request.uri().path());
            async move { Ok::<_, Infallible>(answer) }
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_MAX)
            .keep_alive(false)
            .max_buf_size(HEAD_BYTES_MAX)
            .serve_connection(TokioIo::new(stream), service);
        // A caller that is cut or goes away has nothing to be told, and a probe is not worth a line in the log.
        let _ = timeout(CONNECTION_MAX, connection).await;
    }

    fn answer(&self, method: &Method, path: &str) -> Response<Full<Bytes>> {
        if method != Method::GET && method != Method::HEAD {
            return answer(
                StatusCode::METHOD_NOT_ALLOWED,
                TEXT,
                "only GET is answered here\n".into(),
            );
        }
        match path {
            "/livez" => answer(StatusCode::OK, TEXT, "ok\n".into()),
            "/readyz" => self.ready(),
            "/metrics" => answer(StatusCode::OK, EXPOSITION, self.metrics.render()),
            _ => answer(
                StatusCode::NOT_FOUND,
                TEXT,
                "there are /livez, /readyz and /metrics\n".into(),
            ),
        }
    }

    fn ready(&self) -> Response<Full<Bytes>> {
        if self.drain.phase() >= Phase::Leaving {
            return answer(StatusCode::SERVICE_UNAVAILABLE, TEXT, "leaving\n".into());
        }
        let mut lines = String::new();
        for what in self.readiness.waiting() {
            // Writing to a string cannot fail.
            let _ = writeln!(lines, "waiting for {what}");
        }
        if lines.is_empty() {
            return answer(StatusCode::OK, TEXT, "ready\n".into());
        }
        answer(StatusCode::SERVICE_UNAVAILABLE, TEXT, lines)
    }
}

fn answer(status: StatusCode, kind: &'static str, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(body));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, header::HeaderValue::from_static(kind));
    response
}

#[cfg(test)]
#[path = "ops_test.rs"]
mod tests;
