//! The demo provider's listener: who may ask, where, and how answers go out.
//!
//! Knows HTTP; knows nothing of what is answered. It listens on loopback only and takes one key.

use std::{convert::Infallible, sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::stream;
use http::{Method, Request, Response, header};
use http_body_util::{BodyExt, Full, Limited, StreamBody, combinators::UnsyncBoxBody};
use hyper::{
    body::{Frame, Incoming},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use lifecycle::clock::Clock;
use serde_json::{Map, Value};
use tokio::{net::TcpListener, task::JoinSet};

use crate::demo::{
    chat, completion, embedding,
    generation::{Event, Generation},
    model,
    refusal::Refusal,
};

/// The longest body that is read. Full: it is refused.
const BODY_BYTES_MAX: usize = 16 << 20;

/// The most connections at once. Full: the next one waits until one has ended.
const CONNECTIONS_MAX: usize = 1_024;

/// How long a word takes to come to mind.
const WORD_EVERY: Duration = Duration::from_millis(30);

type Body = UnsyncBoxBody<Bytes, Infallible>;

enum Answer {
    Whole(Value),
    Generated(Generation),
}

/// Answers whoever presents `key`, until it is dropped.
pub async fn run(listener: TcpListener, key: String) -> Infallible {
    let key: Arc<str> = key.into();
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        if connections.len() >= CONNECTIONS_MAX {
            connections.join_next().await;
        }
        let Ok((stream, _)) = listener.accept().await else {
            // Out of descriptors, most likely: some may be free in a moment.
            tokio::time::sleep(WORD_EVERY).await;
            continue;
        };
        // A word must not wait for the next one.
        let _ = stream.set_nodelay(true);
        let key = Arc::clone(&key);
        let service = service_fn(move |request| {
            let key = Arc::clone(&key);
            async move { Ok::<_, Infallible>(respond(request, &key).await) }
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .serve_connection(TokioIo::new(stream), service);
        connections.spawn(connection);
    }
}

async fn respond(request: Request<Incoming>, key: &str) -> Response<Body> {
    match answer(request, key).await {
        Ok(Answer::Whole(value)) => json(200, &value),
        Ok(Answer::Generated(generation)) if generation.stream().is_some() => {
            let response = Response::builder()
                .header(header::CONTENT_TYPE, "text/event-stream; charset=utf-8")
                .header(header::CACHE_CONTROL, "no-cache");
            let body = StreamBody::new(events(generation.events())).boxed_unsync();
            response.body(body).unwrap_or_default()
        }
        Ok(Answer::Generated(generation)) => json(200, &generation.whole()),
        Err(refusal) => json(refusal.status, &refusal.body()),
    }
}

async fn answer(request: Request<Incoming>, key: &str) -> Result<Answer, Refusal> {
    let (head, body) = request.into_parts();
    let presented = head
        .headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok());
    match presented.and_then(|value| value.strip_prefix("Bearer ")) {
        None => return Err(Refusal::no_key()),
        Some(text) if text != key => return Err(Refusal::wrong_key()),
        Some(_) => {}
    }
    let path = head.uri.path();
    let method = match path {
        "/v1/chat/completions" | "/v1/completions" | "/v1/embeddings" => Method::POST,
        path if path == "/v1/models" || path.starts_with("/v1/models/") => Method::GET,
        _ => return Err(Refusal::no_path(head.method.as_str(), path)),
    };
    if head.method != method {
        return Err(Refusal::wrong_method(head.method.as_str(), path));
    }
    let now_seconds = Clock::system().now_ms() / 1_000;
    Ok(match path {
        "/v1/chat/completions" => Answer::Generated(chat::answer(&read(body).await?, now_seconds)?),
        "/v1/completions" => {
            Answer::Generated(completion::answer(&read(body).await?, now_seconds)?)
        }
        "/v1/embeddings" => Answer::Whole(embedding::answer(&read(body).await?)?),
        "/v1/models" => Answer::Whole(model::list()),
        path => Answer::Whole(model::one(path.trim_start_matches("/v1/models/"))?),
    })
}

async fn read(body: Incoming) -> Result<Map<String, Value>, Refusal> {
    let body = Limited::new(body, BODY_BYTES_MAX).collect().await;
    let body = body.map_err(|_| Refusal::too_long())?.to_bytes();
    serde_json::from_slice(&body).map_err(|_| Refusal::not_json())
}

/// The events, each as a frame of its own; words take their moment.
fn events(
    events: Vec<Event>,
) -> impl futures_util::Stream<Item = Result<Frame<Bytes>, Infallible>> {
    stream::unfold(events.into_iter(), |mut events| async move {
        let event = events.next()?;
        if event.word {
            tokio::time::sleep(WORD_EVERY).await;
        }
        let frame = Frame::data(Bytes::from(format!("data: {}\n\n", event.data)));
        Some((Ok(frame), events))
    })
}

fn json(status: u16, value: &Value) -> Response<Body> {
    let body = Full::new(Bytes::from(value.to_string())).boxed_unsync();
    let response = Response::builder().status(status);
    response
        .header(header::CONTENT_TYPE, "application/json")
        .body(body)
        .unwrap_or_default()
}
