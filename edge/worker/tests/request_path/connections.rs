//! Connections from clients: how long one may dawdle, how many there may be, and how they end.

use std::time::{Duration, Instant};

use tokio::time::timeout;
use worker::{accept, record::Outcome};

use crate::{
    client::{Client, PATIENCE, post_head},
    edge::{Edge, Setup},
    provider::{DELTA, END, Provider, STREAM, json},
};

/// How long an edge that leaves still accepts.
const GRACE: Duration = Duration::from_millis(200);

fn with(inference: accept::Config) -> Setup {
    Setup {
        inference,
        ..Setup::default()
    }
}

fn defaults() -> accept::Config {
    Setup::default().inference
}

#[tokio::test]
async fn a_head_that_does_not_come_and_an_idle_connection_are_closed() {
    let edge = with(accept::Config {
        head_timeout_ms: 150,
        ..defaults()
    })
    .start(&["http://127.0.0.1:1".to_owned()]);
    let begun = Instant::now();
    let mut slow = edge.connect().await;
    slow.write("POST /v1/chat/completions HTTP/1.1\r\nhost: e\r\nx-a: ")
        .await;
    let mut idle = edge.connect().await;
    slow.closed().await;
    idle.closed().await;
    assert!(begun.elapsed() < PATIENCE);
}

#[tokio::test]
async fn a_head_that_is_too_long_is_refused() {
    let edge = with(accept::Config {
        head_bytes_max: 1_000,
        ..defaults()
    })
    .start(&["http://127.0.0.1:1".to_owned()]);
    let mut client = edge.connect().await;
    client
        .write(format!(
            "GET /v1/models HTTP/1.1\r\nx-a: {}\r\n\r\n",
            "x".repeat(1_000)
        ))
        .await;
    assert_eq!(client.head().await.0, 431);
}

#[tokio::test]
async fn a_connection_beyond_the_number_waits_for_another_to_end() {
    let edge = with(accept::Config {
        connections_max: 1,
        ..defaults()
    })
    .start(&["http://127.0.0.1:1".to_owned()]);
    let mut first = edge.connect().await;
    assert_eq!(first.get("/v1/models", &edge.key.text).await.status, 200);
    let mut second = edge.connect().await;
    let key = edge.key.text.to_string();
    let mut waiting = tokio::spawn(async move { second.get("/v1/models", &key).await.status });
    assert!(
        timeout(Duration::from_millis(100), &mut waiting)
            .await
            .is_err()
    );
    drop(first);
    assert_eq!(waiting.await.unwrap(), 200);
}

#[tokio::test]
async fn a_plain_keep_alive_client_sees_no_stall() {
    let provider = Provider::start().await;
    let edge = Setup::default().start(&[provider.base_url()]);
    let mut client = edge.chat(r#"{"model":"chat"}"#).await;
    let mut peer = provider.accept().await;
    let mut times = Vec::new();
    for _ in 0..20 {
        let begun = Instant::now();
        peer.request().await;
        // In two parts, the second only when the first has been read: two writes of the edge, of which the
        // second would wait for the first's acknowledgement.
        peer.write("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
            .await;
        assert_eq!(client.head().await.0, 200);
        peer.chunk("{}").await;
        peer.write(END).await;
        assert_eq!(client.chunk().await.unwrap(), b"{}");
        assert_eq!(client.chunk().await.unwrap(), b"");
        times.push(begun.elapsed());
        client
            .post(
                "/v1/chat/completions",
                &edge.key.text,
                r#"{"model":"chat"}"#,
            )
            .await;
    }
    times.sort();
    assert!(times[10] < Duration::from_millis(20), "{times:?}");
}

#[tokio::test]
async fn a_drain_lets_streams_finish_and_sends_idle_clients_away() {
    let provider = Provider::start().await;
    let setup = Setup {
        grace: Duration::from_millis(100),
        deadline: PATIENCE,
        ..Setup::default()
    };
    let mut edge = setup.start(&[provider.base_url()]);
    let mut idle = edge.connect().await;
    assert_eq!(idle.get("/v1/models", &edge.key.text).await.status, 200);
    let mut client = edge.chat(r#"{"model":"chat","stream":true}"#).await;
    let (mut peer, _) = provider.answer(STREAM).await;
    peer.chunk(DELTA).await;
    assert_eq!(client.head().await.0, 200);
    assert_eq!(client.chunk().await.unwrap(), DELTA.as_bytes());
    edge.leave();
    // Leaving: still accepting, and asking to come back on another connection.
    let mut late = edge.connect().await;
    let response = late.get("/v1/models", &edge.key.text).await;
    assert_eq!(
        (response.status, response.header("connection")),
        (200, Some("close"))
    );
    late.closed().await;
    idle.closed().await;
    peer.chunk("data: [DONE]\n\n").await;
    peer.write(END).await;
    assert_eq!(client.chunk().await.unwrap(), b"data: [DONE]\n\n");
    assert_eq!(client.chunk().await.unwrap(), b"");
    assert_eq!(edge.record().await.outcome, Outcome::Completed);
    edge.ended().await;
}

#[tokio::test]
async fn a_connection_taken_shortly_before_the_drain_may_still_send_its_request() {
    let setup = Setup {
        grace: Duration::from_millis(50),
        deadline: PATIENCE,
        ..Setup::default()
    };
    let mut edge = setup.start(&["http://127.0.0.1:1".to_owned()]);
    let mut idle = edge.connect().await;
    assert_eq!(idle.get("/v1/models", &edge.key.text).await.status, 200);
    let mut late = edge.connect().await;
    edge.leave();
    // It has been served before, so it is closed as soon as the edge drains; the other has said nothing yet.
    idle.closed().await;
    let response = late.get("/v1/models", &edge.key.text).await;
    assert_eq!(
        (response.status, response.header("connection")),
        (200, Some("close"))
    );
    edge.ended().await;
}

#[tokio::test]
async fn what_is_unfinished_when_the_drain_is_over_is_cut_and_recorded() {
    let provider = Provider::start().await;
    let setup = Setup {
        deadline: Duration::from_millis(100),
        ..Setup::default()
    };
    let mut edge = setup.start(&[provider.base_url()]);
    let mut client = edge.chat(r#"{"model":"chat","stream":true}"#).await;
    let (mut peer, _) = provider.answer(STREAM).await;
    peer.chunk(DELTA).await;
    assert_eq!(client.head().await.0, 200);
    assert_eq!(client.chunk().await.unwrap(), DELTA.as_bytes());
    edge.leave();
    assert_eq!(client.chunk().await, None);
    peer.closed().await;
    assert_eq!(edge.record().await.outcome, Outcome::Cut);
    edge.ended().await;
}

#[tokio::test]
async fn no_request_fails_while_an_edge_drains() {
    let provider = Provider::start().await;
    let setup = Setup {
        grace: GRACE,
        deadline: PATIENCE,
        ..Setup::default()
    };
    let mut edge = setup.start(&[provider.base_url()]);
    let address = edge.address;
    let key = edge.key.text.to_string();
    let (left, mut is_left) = tokio::sync::watch::channel(None);
    // A client behind a balancer: keeps its connection until it is told to close, and is sent elsewhere soon
    // after the edge is no longer ready.
    let client = tokio::spawn(async move {
        let mut closes = 0;
        let sent_here = |left: Option<Instant>| left.is_none_or(|at| at.elapsed() < GRACE / 2);
        while sent_here(*is_left.borrow_and_update()) {
            let mut client = Client::connect(address).await;
            loop {
                let response = client.get("/v1/models", &key).await;
                assert_eq!(response.status, 200);
                if response.header("connection") == Some("close") {
                    closes += 1;
                    break;
                }
            }
        }
        closes
    });
    edge.is_serving().await;
    left.send_replace(Some(Instant::now()));
    edge.leave();
    edge.ended().await;
    assert!(client.await.unwrap() > 0);
}

#[tokio::test]
async fn requests_on_one_connection_are_answered_in_turn() {
    let provider = Provider::start().await;
    let edge = Setup::default().start(&[provider.base_url()]);
    let body = r#"{"model":"chat"}"#;
    let request = format!(
        "{}{body}",
        post_head("/v1/chat/completions", &edge.key.text, body.len())
    );
    let mut client = edge.connect().await;
    client.write(request.repeat(2)).await;
    let (mut peer, _) = provider.answer(json("200 OK", "", "{\"n\":1}")).await;
    peer.request().await;
    peer.write(json("200 OK", "", "{\"n\":2}")).await;
    assert_eq!(client.response().await.text(), "{\"n\":1}");
    assert_eq!(client.response().await.text(), "{\"n\":2}");
}

#[tokio::test]
async fn a_listener_beyond_loopback_must_be_wanted() {
    let address = ([0, 0, 0, 0], 0).into();
    let closed = accept::Config {
        address,
        ..defaults()
    };
    let error = accept::listeners(&closed, 1).unwrap_err().to_string();
    assert!(error.contains("plaintext_beyond_loopback"), "{error}");
    let open = accept::Config {
        plaintext_beyond_loopback: true,
        ..closed
    };
    let listeners = accept::listeners(&open, 3).unwrap();
    let ports: Vec<_> = listeners
        .iter()
        .map(|it| it.local_addr().unwrap().port())
        .collect();
    assert!(
        ports.iter().all(|port| *port == ports[0] && *port != 0),
        "{ports:?}"
    );
}

impl Edge {
    /// Waits until requests are being served.
    async fn is_serving(&self) {
        let mut client = self.connect().await;
        assert_eq!(client.get("/v1/models", &self.key.text).await.status, 200);
    }
}
