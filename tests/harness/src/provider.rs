//! A scripted provider on loopback: it answers as a test says and remembers what it was asked.

use std::{
    convert::Infallible,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt, StreamBody, combinators::UnsyncBoxBody};
use hyper::{
    body::{Frame, Incoming},
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::TcpListener,
    sync::{Semaphore, watch},
    task::JoinHandle,
};

/// What a provider was asked.
#[derive(Debug, Clone)]
pub struct Asked {
    /// `GET` or `POST`.
    pub method: String,
    /// The path, without a query.
    pub path: String,
    /// The headers.
    pub headers: HeaderMap,
    /// The whole body.
    pub body: Bytes,
    /// When the answer's body was let go before its end, because the other side was gone.
    pub abandoned: watch::Receiver<Option<Instant>>,
}

/// What a provider answers.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: Vec<(&'static str, String)>,
    /// The body, step by step.
    pub steps: Vec<Step>,
}

/// One step of an answer.
#[derive(Debug, Clone)]
pub enum Step {
    /// Sends these bytes as one chunk.
    Send(Bytes),
    /// Waits for a permit of this gate: the test says when the next chunk may go.
    Wait(Arc<Semaphore>),
    /// Adds this to a count, such as of what is under way.
    Count(Arc<AtomicI64>, i64),
    /// Of all answers the first step: the head is sent after so long.
    Late(Duration),
    /// Sends nothing more and does not end.
    Never,
}

/// A running provider. Dropping it stops it.
#[derive(Debug)]
pub struct Provider {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<Asked>>>,
    task: JoinHandle<()>,
}

type Script = dyn Fn(&Asked) -> Answer + Send + Sync;

// === impl Answer ===

impl Answer {
    /// A JSON document.
    pub fn json(status: u16, body: impl Into<Bytes>) -> Self {
        Self {
            status,
            headers: vec![("content-type", "application/json".to_owned())],
            steps: vec![Step::Send(body.into())],
        }
    }

    /// Server-sent events, as the steps say.
    pub fn events(steps: Vec<Step>) -> Self {
        let headers = vec![(
            "content-type",
            "text/event-stream; charset=utf-8".to_owned(),
        )];
        Self {
            status: 200,
            headers,
            steps,
        }
    }
}

// === impl Provider ===

impl Provider {
    /// Starts one that answers as `script` says.
    pub async fn start(script: impl Fn(&Asked) -> Answer + Send + Sync + 'static) -> Self {
        Self::start_with(script, true).await
    }

    /// The same, which does not remember what it was asked: for a test that asks it a hundred thousand times.
    pub async fn forgetful(script: impl Fn(&Asked) -> Answer + Send + Sync + 'static) -> Self {
        Self::start_with(script, false).await
    }

    async fn start_with(
        script: impl Fn(&Asked) -> Answer + Send + Sync + 'static,
        remembers: bool,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a port is free");
        let address = listener.local_addr().expect("a listener has an address");
        let asked = Arc::new(Mutex::new(Vec::new()));
        let memory = remembers.then(|| Arc::clone(&asked));
        let task = tokio::spawn(accept(listener, Arc::new(script), memory));
        Self {
            address,
            asked,
            task,
        }
    }

    /// The base URL that an operator would configure.
    pub fn base_url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    /// Everything it was asked so far.
    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().expect("nobody panicked with it").clone()
    }

    /// How often it was asked.
    pub fn count(&self) -> usize {
        self.asked.lock().expect("nobody panicked with it").len()
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// What a provider was asked, where it remembers.
type Memory = Option<Arc<Mutex<Vec<Asked>>>>;

async fn accept(listener: TcpListener, script: Arc<Script>, asked: Memory) {
    let mut connections = tokio::task::JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let _ = stream.set_nodelay(true);
        let (script, asked) = (Arc::clone(&script), asked.clone());
        let service = service_fn(move |request| {
            let (script, asked) = (Arc::clone(&script), asked.clone());
            async move { Ok::<_, Infallible>(answer(request, &*script, asked.as_deref()).await) }
        });
        connections.spawn(
            hyper::server::conn::http1::Builder::new()
                .timer(TokioTimer::new())
                .serve_connection(TokioIo::new(stream), service),
        );
        while connections.try_join_next().is_some() {}
    }
}

async fn answer(
    request: Request<Incoming>,
    script: &Script,
    asked: Option<&Mutex<Vec<Asked>>>,
) -> Response<UnsyncBoxBody<Bytes, Infallible>> {
    let (head, body) = request.into_parts();
    let body = body
        .collect()
        .await
        .map(http_body_util::Collected::to_bytes)
        .unwrap_or_default();
    let (abandon, abandoned) = watch::channel(None);
    let question = Asked {
        method: head.method.to_string(),
        path: head.uri.path().to_owned(),
        headers: head.headers,
        body,
        abandoned,
    };
    let answer = script(&question);
    if let Some(asked) = asked {
        let mut asked = asked.lock().expect("nobody panicked with it");
        asked.push(question);
    }
    if let Some(Step::Late(long)) = answer.steps.first() {
        tokio::time::sleep(*long).await;
    }
    let mut response = Response::builder().status(answer.status);
    for (name, value) in &answer.headers {
        response = response.header(*name, value);
    }
    response
        .body(play(answer.steps, abandon))
        .expect("a script's answer is one")
}

fn play(
    steps: Vec<Step>,
    abandon: watch::Sender<Option<Instant>>,
) -> UnsyncBoxBody<Bytes, Infallible> {
    if let [Step::Send(whole)] = &steps[..] {
        return http_body_util::Full::new(whole.clone()).boxed_unsync();
    }
    let witness = Witness {
        abandon,
        finished: false,
    };
    let start = (steps.into_iter(), witness);
    let frames = stream::unfold(start, |(mut steps, witness)| async move {
        loop {
            match steps.next() {
                Some(Step::Send(bytes)) => return Some((bytes, (steps, witness))),
                Some(Step::Wait(gate)) => gate.acquire().await.expect("a gate stays open").forget(),
                Some(Step::Count(count, more)) => {
                    count.fetch_add(more, Ordering::SeqCst);
                }
                Some(Step::Late(_)) => {}
                Some(Step::Never) => std::future::pending().await,
                None => {
                    witness.finish();
                    return None;
                }
            }
        }
    });
    StreamBody::new(frames.map(|bytes| Ok(Frame::data(bytes)))).boxed_unsync()
}

struct Witness {
    abandon: watch::Sender<Option<Instant>>,
    finished: bool,
}

impl Witness {
    fn finish(mut self) {
        self.finished = true;
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        if !self.finished {
            self.abandon.send_replace(Some(Instant::now()));
        }
    }
}
