//! Limits on requests that are under way: what is refused, what is shown, and when a slot is free again.

use policy::limit::{Allowance, AtOnce, Limit, Member, Members, Mode, Unit};

use crate::{
    edge::{Edge, Setup, limit},
    provider::{Provider, STREAM, json},
};

const USED: &str = r#"{"usage":{"prompt_tokens":4,"completion_tokens":6,"total_tokens":10}}"#;
/// Each connection serves one request.
const CLOSES: &str = "connection: close\r\n";
const ASKED: &str = r#"{"model":"chat","stream":true}"#;

pub fn at_once(amount: u64) -> Limit {
    Limit {
        allowance: Allowance::AtOnce(AtOnce::new(amount).unwrap()),
        ..limit(Unit::ConcurrentRequests, 1, 1)
    }
}

fn start(limits: Vec<Limit>, providers: &[&Provider]) -> Edge {
    let setup = Setup {
        limits,
        ..Setup::default()
    };
    let urls: Vec<String> = providers.iter().map(|it| it.base_url()).collect();
    setup.start(&urls)
}

#[tokio::test]
async fn a_request_beyond_those_that_may_be_under_way_is_refused_and_told_so() {
    let provider = Provider::start().await;
    let edge = start(vec![at_once(1)], &[&provider]);
    let mut first = edge.chat(r#"{"model":"chat"}"#).await;
    let (mut peer, _) = provider.answer("").await;
    let refused = edge.chat(r#"{"model":"chat"}"#).await.response().await;
    assert_eq!(
        (refused.status, refused.code().as_str()),
        (429, "concurrency_limit_exceeded")
    );
    let expected = "The limit `limit` on concurrent requests of the project (1 at once) is used up; try again in 1000 ms.";
    assert!(refused.text().contains(expected), "{}", refused.text());
    assert_eq!(refused.header("retry-after"), Some("1"));
    assert_eq!(refused.header("retry-after-ms"), Some("1000"));
    assert_eq!(
        refused.header("ratelimit-policy"),
        Some(r#""limit";q=1;qu="concurrent-requests""#)
    );
    assert_eq!(refused.header("ratelimit"), Some(r#""limit";r=0"#));
    assert_eq!(refused.header("x-ratelimit-limit-requests"), None);
    assert!(provider.is_unvisited().await);
    peer.write(json("200 OK", CLOSES, USED)).await;
    let served = first.response().await;
    assert_eq!(served.status, 200);
    assert_eq!(served.header("ratelimit"), Some(r#""limit";r=0"#));
    // What came is whole, and so the slot is free.
    let mut next = edge.chat(r#"{"model":"chat"}"#).await;
    provider.answer(json("200 OK", CLOSES, USED)).await;
    assert_eq!(next.response().await.status, 200);
}

#[tokio::test]
async fn a_slot_is_free_before_its_request_is_recorded_however_it_ended() {
    let provider = Provider::start().await;
    let mut edge = start(vec![at_once(1)], &[&provider]);
    for _ in 0..3 {
        // The client leaves in the middle.
        let mut client = edge.chat(ASKED).await;
        let (mut peer, _) = provider.answer(STREAM).await;
        peer.chunk("data: {\"choices\":[{\"delta\":{\"content\":\"hello\"}}]}\n\n")
            .await;
        assert_eq!(client.head().await.0, 200);
        drop(client);
        peer.closed().await;
        edge.record().await;
        // The provider leaves in the middle.
        let mut client = edge.chat(ASKED).await;
        let (mut peer, _) = provider.answer(STREAM).await;
        peer.chunk("data: {\"choices\":[{\"delta\":{\"content\":\"hello\"}}]}\n\n")
            .await;
        assert_eq!(client.head().await.0, 200);
        drop(peer);
        edge.record().await;
        // The provider refuses.
        let mut client = edge.chat(r#"{"model":"chat"}"#).await;
        provider.answer(json("400 Bad Request", CLOSES, "{}")).await;
        assert_eq!(client.response().await.status, 400);
        edge.record().await;
    }
}

#[tokio::test]
async fn slots_at_a_provider_send_what_has_none_to_the_next_target() {
    let (first, second) = (Provider::start().await, Provider::start().await);
    let mut each = at_once(1);
    each.scope.each = Members::NONE.with(Member::Provider);
    let edge = start(vec![each], &[&first, &second]);
    let mut one = edge.chat(r#"{"model":"chat"}"#).await;
    let (mut at_first, _) = first.answer("").await;
    let mut two = edge.chat(r#"{"model":"chat"}"#).await;
    let (mut at_second, _) = second.answer("").await;
    let refused = edge.chat(r#"{"model":"chat"}"#).await.response().await;
    assert_eq!(refused.code(), "concurrency_limit_exceeded");
    for (client, peer) in [(&mut one, &mut at_first), (&mut two, &mut at_second)] {
        peer.write(json("200 OK", CLOSES, USED)).await;
        assert_eq!(client.response().await.status, 200);
    }
    // An attempt that failed has none any more.
    let mut client = edge.chat(r#"{"model":"chat"}"#).await;
    first.answer(json("500 Oh", CLOSES, "{}")).await;
    let (mut peer, _) = second.answer("").await;
    let mut other = edge.chat(r#"{"model":"chat"}"#).await;
    first.answer(json("200 OK", CLOSES, USED)).await;
    assert_eq!(other.response().await.status, 200);
    peer.write(json("200 OK", CLOSES, USED)).await;
    assert_eq!(client.response().await.status, 200);
}

#[tokio::test]
async fn a_soft_limit_warns_of_what_is_under_way_and_refuses_nothing() {
    let provider = Provider::start().await;
    let mut soft = at_once(1);
    soft.terms.mode = Mode::Soft;
    let edge = start(vec![soft, limit(Unit::Requests, 60, 9)], &[&provider]);
    let mut first = edge.chat(r#"{"model":"chat"}"#).await;
    let (mut peer, _) = provider.answer("").await;
    let mut second = edge.chat(r#"{"model":"chat"}"#).await;
    provider.answer(json("200 OK", CLOSES, USED)).await;
    let warned = second.response().await;
    assert_eq!(warned.status, 200);
    assert_eq!(warned.header("x-sluice-limit-warning"), Some(r#""limit""#));
    assert_eq!(warned.header("x-ratelimit-remaining-requests"), Some("7"));
    peer.write(json("200 OK", CLOSES, USED)).await;
    let served = first.response().await;
    assert_eq!(served.header("x-sluice-limit-warning"), None);
}
