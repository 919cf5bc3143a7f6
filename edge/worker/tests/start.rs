//! An edge as a whole, with nobody to follow.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{net::SocketAddr, time::Duration};

use lifecycle::{drain, settings};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};
use worker::{CannotStart, Config};

fn config(more: &[(&str, &str)]) -> Config {
    let mut vars = vec![
        ("SLUICE_INFERENCE__ADDRESS", "127.0.0.1:0"),
        ("SLUICE_INFERENCE__THREADS", "2"),
        ("SLUICE_OPS__ADDRESS", "127.0.0.1:0"),
        ("SLUICE_LIMITS__STORE", "process"),
        ("SLUICE_CONTROL_PLANE__ADDRESSES", "http://127.0.0.1:1"),
    ];
    vars.extend(more);
    settings::load(
        None,
        vars.into_iter()
            .map(|(name, value)| (name.into(), value.into())),
    )
    .unwrap()
}

async fn get(address: SocketAddr, path: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nhost: edge\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn an_edge_without_policy_listens_says_what_it_waits_for_and_leaves() {
    let directory = tempfile::tempdir().unwrap();
    let ports = directory.path().join("ports.json");
    let state = directory.path().join("state");
    let config = config(&[
        ("SLUICE_CONTROL_PLANE__JOIN_TOKEN", "slj_test"),
        ("SLUICE_OPS__PORTS_FILE", ports.to_str().unwrap()),
        ("SLUICE_STATE__DIRECTORY", state.to_str().unwrap()),
        ("SLUICE_STATE__KEY", &"7".repeat(64)),
    ]);
    let (trigger, drain) = drain::channel(Duration::ZERO, Duration::from_secs(30));
    let running = worker::start(config, drain).await.unwrap();
    let (inference, ops) = (running.inference, running.ops);
    let written = std::fs::read_to_string(&ports).unwrap();
    assert!(written.contains(&inference.to_string()) && written.contains(&ops.to_string()));

    assert!(get(ops, "/livez").await.starts_with("HTTP/1.1 200"));
    let waiting = get(ops, "/readyz").await;
    assert!(waiting.starts_with("HTTP/1.1 503"), "{waiting}");
    for lane in ["the configuration", "the keys", "the secrets"] {
        assert!(waiting.contains(lane), "{waiting}");
    }
    assert!(!waiting.contains("the listeners"), "{waiting}");
    assert!(
        get(ops, "/metrics")
            .await
            .contains("sluice_config_boot{source=\"fresh\"} 1")
    );
    // Every core has a listener on the one address.
    for _ in 0..16 {
        assert!(
            get(inference, "/v1/models")
                .await
                .starts_with("HTTP/1.1 401")
        );
    }

    trigger.start();
    timeout(Duration::from_secs(10), running.join())
        .await
        .expect("it leaves at once")
        .unwrap();
    assert!(TcpStream::connect(inference).await.is_err());
}

#[tokio::test]
async fn what_cannot_work_is_refused_in_words() {
    let (_trigger, drain) = drain::channel(Duration::ZERO, Duration::ZERO);
    let refused = worker::start(config(&[]), drain.clone())
        .await
        .err()
        .unwrap();
    assert!(matches!(refused, CannotStart::NoJoinToken), "{refused}");
    let token = ("SLUICE_CONTROL_PLANE__JOIN_TOKEN", "slj_test");
    let far = config(&[
        token,
        ("SLUICE_CONTROL_PLANE__ADDRESSES", "http://192.0.2.1:7071"),
    ]);
    let refused = worker::start(far, drain.clone()).await.err().unwrap();
    assert!(
        refused.to_string().contains("plaintext_beyond_loopback"),
        "{refused}"
    );
    let key = [
        token,
        ("SLUICE_STATE__KEY", "short"),
        ("SLUICE_STATE__DIRECTORY", "/nowhere"),
    ];
    let refused = worker::start(config(&key), drain.clone())
        .await
        .err()
        .unwrap();
    assert!(refused.to_string().starts_with("state.key"), "{refused}");
    let id = config(&[token, ("SLUICE_EDGE__ID", "a b")]);
    let refused = worker::start(id, drain).await.err().unwrap();
    assert!(matches!(refused, CannotStart::EdgeId), "{refused}");
}
