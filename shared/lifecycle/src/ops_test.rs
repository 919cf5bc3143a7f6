//! What the ops listener answers, over real connections.

use std::net::SocketAddr;

use metrics_exporter_prometheus::PrometheusBuilder;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    task::JoinHandle,
    time::Instant,
};

use super::*;
use crate::drain::{self, Trigger};

struct Bench {
    address: SocketAddr,
    readiness: Readiness,
    trigger: Trigger,
    served: JoinHandle<()>,
}

impl Bench {
    async fn start(grace: Duration, deadline: Duration) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (trigger, drain) = drain::channel(grace, deadline);
        let readiness = Readiness::new();
        let recorder = PrometheusBuilder::new().build_recorder();
        let metrics = recorder.handle();
        metrics::with_local_recorder(&recorder, || {
            metrics::counter!("sluice_test_total").increment(7);
        });
        let served = tokio::spawn(serve(listener, readiness.clone(), metrics, drain));
        Self {
            address,
            readiness,
            trigger,
            served,
        }
    }

    async fn get(&self, path: &str) -> String {
        ask(
            self.address,
            &format!("GET {path} HTTP/1.1\r\nhost: ops\r\n\r\n"),
        )
        .await
    }
}

/// Everything that comes back until the other side closes.
async fn ask(address: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

const LONG: Duration = Duration::from_mins(10);

#[tokio::test]
async fn alive_ready_and_metrics_are_answered() {
    let bench = Bench::start(LONG, LONG).await;
    assert!(bench.get("/livez").await.starts_with("HTTP/1.1 200 "));
    assert!(bench.get("/readyz").await.starts_with("HTTP/1.1 200 "));
    let metrics = bench.get("/metrics").await;
    assert!(
        metrics.contains("content-type: text/plain; version=0.0.4"),
        "{metrics}"
    );
    assert!(metrics.contains("sluice_test_total 7"), "{metrics}");
    assert!(bench.get("/").await.starts_with("HTTP/1.1 404 "));
    let posted = ask(
        bench.address,
        "POST /livez HTTP/1.1\r\nhost: ops\r\ncontent-length: 0\r\n\r\n",
    );
    assert!(posted.await.starts_with("HTTP/1.1 405 "));
}

#[tokio::test]
async fn what_is_awaited_is_named_until_it_comes() {
    let bench = Bench::start(LONG, LONG).await;
    let (policy, keys) = (
        bench.readiness.block("policy"),
        bench.readiness.block("keys"),
    );
    let answer = bench.get("/readyz").await;
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    assert!(
        answer.ends_with("waiting for policy\nwaiting for keys\n"),
        "{answer}"
    );
    assert!(bench.get("/livez").await.starts_with("HTTP/1.1 200 "));
    drop((policy, keys));
    assert!(bench.get("/readyz").await.starts_with("HTTP/1.1 200 "));
}

#[tokio::test]
async fn a_leaving_process_is_alive_but_not_ready() {
    let bench = Bench::start(LONG, LONG).await;
    let Bench {
        address, trigger, ..
    } = bench;
    trigger.start();
    let answer = ask(address, "GET /readyz HTTP/1.1\r\nhost: ops\r\n\r\n").await;
    assert!(
        answer.starts_with("HTTP/1.1 503 ") && answer.ends_with("leaving\n"),
        "{answer}"
    );
    assert!(
        ask(address, "GET /livez HTTP/1.1\r\nhost: ops\r\n\r\n")
            .await
            .contains(" 200 ")
    );
}

#[tokio::test]
async fn it_ends_when_the_drain_is_over() {
    let bench = Bench::start(Duration::ZERO, Duration::ZERO).await;
    bench.trigger.start();
    timeout(LONG, bench.served).await.unwrap().unwrap();
    assert!(TcpStream::connect(bench.address).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn silent_callers_take_every_place_only_for_a_while() {
    let bench = Bench::start(LONG, LONG).await;
    let mut silent = Vec::new();
    for _ in 0..CONNECTIONS_MAX + 8 {
        silent.push(TcpStream::connect(bench.address).await.unwrap());
    }
    // The clock is paused and moves on only when all wait, so this takes no time.
    let start = Instant::now();
    assert!(bench.get("/livez").await.starts_with("HTTP/1.1 200 "));
    assert!(
        (HEAD_MAX..CONNECTION_MAX).contains(&start.elapsed()),
        "{:?}",
        start.elapsed()
    );
}

#[tokio::test]
async fn a_head_without_end_is_refused() {
    let bench = Bench::start(LONG, LONG).await;
    let start = std::time::Instant::now();
    let mut stream = TcpStream::connect(bench.address).await.unwrap();
    let head = format!("GET /livez HTTP/1.1\r\nx: {}", "x".repeat(HEAD_BYTES_MAX));
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    // The listener may close while the head is still on its way, which resets the connection and loses the
    // answer; what must not be is that it waits for the rest until its time is up.
    let _ = stream.read_to_end(&mut answer).await;
    assert!(
        answer.is_empty() || answer.starts_with(b"HTTP/1.1 431 "),
        "{answer:?}"
    );
    assert!(start.elapsed() < HEAD_MAX, "{:?}", start.elapsed());
}
