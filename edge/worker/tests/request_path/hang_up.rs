//! A client that leaves: the provider's connection closes at once, and what was used is recorded.

use std::time::{Duration, Instant};

use worker::record::{Outcome, UsageSource};

use crate::{
    edge::{Setup, limit},
    provider::{Peer, Provider, STREAM},
};

/// How soon the provider's connection must be closed.
const AT_ONCE: Duration = Duration::from_millis(100);

async fn assert_closes_at_once(peer: &mut Peer) {
    let left = Instant::now();
    peer.closed().await;
    assert!(left.elapsed() < AT_ONCE, "{:?}", left.elapsed());
}

#[tokio::test]
async fn a_client_that_leaves_before_the_first_byte_closes_the_upstream_at_once() {
    let provider = Provider::start().await;
    let mut edge = Setup::default().start(&[provider.base_url()]);
    for stream in [false, true] {
        let client = edge
            .chat(&format!(r#"{{"model":"chat","stream":{stream}}}"#))
            .await;
        let (mut peer, _) = provider.answer("").await;
        drop(client);
        assert_closes_at_once(&mut peer).await;
        let record = edge.record().await;
        assert_eq!((record.outcome, record.status), (Outcome::ClientGone, 0));
        assert_eq!(record.usage_source, UsageSource::Partial);
        assert!(
            record.tokens.input > 0 && record.tokens.output == 0,
            "{:?}",
            record.tokens
        );
    }
}

#[tokio::test]
async fn a_client_that_leaves_in_the_middle_closes_the_upstream_at_once_and_pays_for_what_passed() {
    let provider = Provider::start().await;
    let mut edge = Setup::default().start(&[provider.base_url()]);
    let mut client = edge.chat(r#"{"model":"chat","stream":true}"#).await;
    let (mut peer, _) = provider.answer(STREAM).await;
    peer.chunk("data: {\"choices\":[{\"delta\":{\"content\":\"hello there\"}}]}\n\n")
        .await;
    assert_eq!(client.head().await.0, 200);
    client.chunk().await.unwrap();
    drop(client);
    assert_closes_at_once(&mut peer).await;
    let record = edge.record().await;
    assert_eq!((record.outcome, record.status), (Outcome::ClientGone, 200));
    assert_eq!(record.usage_source, UsageSource::Partial);
    assert!(
        record.tokens.input > 0 && record.tokens.output > 0,
        "{:?}",
        record.tokens
    );
    assert!(record.first_byte_us > 0);
}

#[tokio::test]
async fn what_a_client_that_left_had_reserved_is_free_again() {
    use policy::limit::Unit;
    let provider = Provider::start().await;
    // Each request reserves over a thousand tokens, of which few are used.
    let limits = vec![limit(Unit::Tokens, 1_500, 1_500)];
    let mut edge = Setup {
        limits,
        ..Setup::default()
    }
    .start(&[provider.base_url()]);
    for _ in 0..5 {
        let client = edge.chat(r#"{"model":"chat"}"#).await;
        let (mut peer, _) = provider.answer("").await;
        drop(client);
        peer.closed().await;
        edge.record().await;
    }
}
