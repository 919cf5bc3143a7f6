//! A key that is revoked so that its streams are cut: each ends at once with one error event, and nobody else's does.

use std::time::{Duration, Instant};

use worker::record::{Outcome, UsageSource};

use crate::{
    client::Client,
    edge::{Edge, Setup, key_of},
    passing::ask,
    provider::{END, Peer, Provider, STREAM},
    stream::{Api, CHAT, PAIRS, SAID},
};

/// How soon a client must hear of it.
const AT_ONCE: Duration = Duration::from_millis(500);

/// A client in the middle of a stream, and its provider.
async fn begin(edge: &Edge, provider: &Provider, (asks, speaks): (&Api, &Api)) -> (Client, Peer) {
    let mut client = edge.ask(asks.path, asks.body).await;
    let (mut peer, _) = provider.answer(STREAM).await;
    peer.chunk(speaks.beginning).await;
    peer.chunk(speaks.delta).await;
    assert_eq!(client.head().await.0, 200);
    let mut text = Vec::new();
    while !String::from_utf8_lossy(&text).contains(SAID) {
        text.extend(client.chunk().await.unwrap());
    }
    (client, peer)
}

async fn rest(client: &mut Client) -> String {
    let mut text = Vec::new();
    while let Some(chunk) = client.chunk().await.filter(|chunk| !chunk.is_empty()) {
        text.extend(chunk);
    }
    String::from_utf8(text).unwrap()
}

#[tokio::test]
async fn a_silent_stream_of_every_api_is_cut_at_once_and_recorded_so() {
    for (client_api, api) in PAIRS {
        let at = format!("{} from {}", client_api.path, api.path);
        let provider = Provider::start().await;
        let setup = Setup {
            kinds: vec![api.kind],
            ..Setup::default()
        };
        let mut edge = setup.start(&[provider.base_url()]);
        let (mut client, mut peer) = begin(&edge, &provider, (&client_api, &api)).await;
        let since = Instant::now();
        edge.writer.revoke(&edge.key.key_id, true);
        let text = rest(&mut client).await;
        assert!(since.elapsed() < AT_ONCE, "{at}: {:?}", since.elapsed());
        assert_eq!(client_api.failures(&text), 1, "{at}: {text}");
        assert!(text.contains("The key was revoked"), "{at}: {text}");
        for end in ["[DONE]", "message_stop", "response.completed"] {
            assert!(!text.contains(end), "{at}: {text}");
        }
        peer.closed().await;
        let record = edge.record().await;
        assert_eq!((record.outcome, record.status), (Outcome::Cut, 200), "{at}");
        assert_ne!(record.usage_source, UsageSource::Estimated, "{at}");
        assert!(record.tokens.total() > 0, "{at}");
    }
}

#[tokio::test]
async fn a_stream_goes_on_when_its_key_is_revoked_otherwise_until_that_is_asked_for() {
    let provider = Provider::start().await;
    let mut edge = Setup::default().start(&[provider.base_url()]);
    let (mut first, mut first_peer) = begin(&edge, &provider, (&CHAT, &CHAT)).await;
    let (mut second, _peer) = begin(&edge, &provider, (&CHAT, &CHAT)).await;
    edge.writer.revoke(&edge.key.key_id, false);
    let refused = edge.ask(CHAT.path, CHAT.body).await.response().await;
    assert_eq!(refused.code(), "api_key_revoked");
    first_peer.chunk(CHAT.rest).await;
    first_peer.write(END).await;
    assert!(rest(&mut first).await.contains("[DONE]"));
    assert_eq!(edge.record().await.outcome, Outcome::Completed);
    // Another key's cut is none of this one's.
    edge.writer.revoke("another", true);
    edge.writer.revoke(&edge.key.key_id, true);
    assert_eq!(CHAT.failures(&rest(&mut second).await), 1);
    assert_eq!(edge.record().await.outcome, Outcome::Cut);
}

#[tokio::test]
async fn what_begins_after_the_cut_is_cut_with_its_first_word() {
    let provider = Provider::start().await;
    let mut edge = Setup::default().start(&[provider.base_url()]);
    let mut client = edge.ask(CHAT.path, CHAT.body).await;
    let (mut peer, _) = provider.answer(STREAM).await;
    edge.writer.revoke(&edge.key.key_id, true);
    peer.chunk(CHAT.beginning).await;
    peer.chunk(CHAT.delta).await;
    let response = client.response().await;
    assert_eq!(CHAT.failures(response.text()), 1, "{}", response.text());
    assert_eq!(edge.record().await.outcome, Outcome::Cut);
}

#[tokio::test]
async fn an_answer_in_one_piece_goes_on_and_one_that_is_passed_through_breaks_off() {
    let provider = Provider::start().await;
    let mut edge = Setup::default().start(&[provider.base_url()]);
    let mut client = edge.chat(r#"{"model":"chat","messages":[]}"#).await;
    let (mut peer, _) = provider.answer("").await;
    edge.writer.revoke(&edge.key.key_id, true);
    peer.write(crate::provider::json(
        "200 OK",
        "",
        r#"{"id":"c","choices":[]}"#,
    ))
    .await;
    assert_eq!(client.response().await.status, 200);
    assert_eq!(edge.record().await.outcome, Outcome::Completed);
    // The same edge, and another key.
    edge.key = keys::mint(keys::Family::Live);
    let key = key_of(&edge.key);
    edge.writer.put_key(key);
    let line = "GET /passthrough/provider-0/files/1/content";
    let mut client = ask(&edge, line, "", "").await;
    let mut peer = provider.accept().await;
    peer.head().await;
    peer.write("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf")
        .await;
    assert_eq!(client.head().await.0, 200);
    client.take(4).await;
    edge.writer.revoke(&edge.key.key_id, true);
    client.closed().await;
    assert_eq!(edge.record().await.outcome, Outcome::Cut);
}
