//! Providers that take no more than they have: who waits, who goes next, and who is told to come back.

use std::time::Duration;

use worker::record::Outcome;

use crate::{
    client::{Client, post_head},
    edge::{Edge, Setup},
    passing,
    provider::{Peer, Provider, json},
};

const BODY: &str = r#"{"model":"chat"}"#;
const GOOD: &str =
    r#"{"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2}}"#;

fn edge(providers: &[&Provider], shaping: shaping::Config) -> Edge {
    let setup = Setup {
        shaping,
        ..Setup::default()
    };
    let urls: Vec<_> = providers.iter().map(|it| it.base_url()).collect();
    setup.start(&urls)
}

/// A new connection on which this was asked in this class.
async fn asked(edge: &Edge, class: &str) -> Client {
    let mut client = edge.connect().await;
    let head = post_head("/v1/chat/completions", &edge.key.text, BODY.len());
    let head = head.trim_end();
    client
        .write(format!(
            "{head}\r\nx-sluice-priority: {class}\r\n\r\n{BODY}"
        ))
        .await;
    client
}

async fn answered(peer: &mut Peer, client: &mut Client) {
    peer.write(json("200 OK", "", GOOD)).await;
    assert_eq!(client.response().await.status, 200);
}

#[tokio::test]
async fn a_provider_that_names_a_time_is_left_alone_and_its_clients_hear_when_to_come_back() {
    let provider = Provider::start().await;
    let mut edge = edge(&[&provider], shaping::Config::default());
    let mut client = edge.chat(BODY).await;
    let slow = json(
        "429 Slow",
        "retry-after: 30\r\n",
        r#"{"error":{"message":"slow"}}"#,
    );
    let (_peer, _) = provider.answer(slow).await;
    assert_eq!(client.response().await.status, 429);
    edge.record().await;
    let response = edge.chat(BODY).await.response().await;
    assert_eq!(
        (response.status, response.code().as_str()),
        (503, "provider_busy")
    );
    let wait: u64 = response.header("retry-after").unwrap().parse().unwrap();
    assert!((29..=30).contains(&wait), "{wait}");
    assert!(provider.is_unvisited().await);
    let record = edge.record().await;
    assert_eq!(
        (record.outcome, record.provider),
        (Outcome::ProviderFailed, None)
    );
    assert_eq!(record.tokens.total(), 0);
    assert_eq!(record.attempts[0].code, "provider_busy");
}

#[tokio::test]
async fn where_there_is_another_target_nobody_waits() {
    let (first, second) = (Provider::start().await, Provider::start().await);
    let mut edge = edge(&[&first, &second], shaping::Config::default());
    for asked_before in [true, false] {
        let mut client = edge.chat(BODY).await;
        if asked_before {
            let slow = json("503 Busy", "retry-after: 30\r\n", "{}");
            first.answer(slow).await;
        }
        second.answer(json("200 OK", "", GOOD)).await;
        assert_eq!(client.response().await.status, 200);
        edge.record().await;
    }
    assert!(first.is_unvisited().await);
}

#[tokio::test]
async fn one_waits_for_its_turn_and_goes_before_those_of_a_lower_class() {
    let provider = Provider::start().await;
    let one_at_once = shaping::Config {
        under_way_max: 1,
        ..shaping::Config::default()
    };
    let mut edge = edge(&[&provider], one_at_once);
    let mut first = edge.chat(BODY).await;
    let mut peer = provider.accept().await;
    peer.request().await;
    let mut batch = asked(&edge, "batch").await;
    // It waits: nobody has come, on a new connection or on the old one.
    assert!(provider.is_unvisited().await);
    let mut standard = asked(&edge, "critical").await;
    assert!(provider.is_unvisited().await);
    answered(&mut peer, &mut first).await;
    peer.request().await;
    answered(&mut peer, &mut standard).await;
    peer.request().await;
    answered(&mut peer, &mut batch).await;
    for _ in 0..3 {
        assert_eq!(edge.record().await.outcome, Outcome::Completed);
    }
}

#[tokio::test]
async fn a_client_that_leaves_gives_its_turn_and_its_place_back() {
    let provider = Provider::start().await;
    let one_at_once = shaping::Config {
        under_way_max: 1,
        ..shaping::Config::default()
    };
    let mut edge = edge(&[&provider], one_at_once);
    let first = edge.chat(BODY).await;
    let mut peer = provider.accept().await;
    peer.request().await;
    let gone = edge.chat(BODY).await;
    assert!(provider.is_unvisited().await);
    drop(gone);
    let record = edge.record().await;
    assert_eq!(
        (record.outcome, record.provider),
        (Outcome::ClientGone, None)
    );
    let mut next = edge.chat(BODY).await;
    assert!(provider.is_unvisited().await);
    drop(first);
    peer.closed().await;
    let mut peer = provider.accept().await;
    peer.request().await;
    answered(&mut peer, &mut next).await;
}

#[tokio::test]
async fn a_turn_that_does_not_come_in_time_is_not_waited_for() {
    let provider = Provider::start().await;
    let impatient = shaping::Config {
        under_way_max: 1,
        wait_ms_max: 50,
        ..shaping::Config::default()
    };
    let edge = edge(&[&provider], impatient);
    let _first = edge.chat(BODY).await;
    let mut peer = provider.accept().await;
    peer.request().await;
    let asked = std::time::Instant::now();
    let response = edge.chat(BODY).await.response().await;
    assert_eq!(
        (response.status, response.code().as_str()),
        (503, "provider_busy")
    );
    assert_eq!(response.header("retry-after"), Some("1"));
    assert!(asked.elapsed() >= Duration::from_millis(50));
}

#[tokio::test]
async fn a_class_that_is_none_is_refused() {
    let provider = Provider::start().await;
    let edge = edge(&[&provider], shaping::Config::default());
    let response = asked(&edge, "urgent").await.response().await;
    assert_eq!(
        (response.status, response.code().as_str()),
        (400, "invalid_priority")
    );
}

#[tokio::test]
async fn one_that_fails_is_set_aside_asked_last_and_comes_back_by_one_trial() {
    let (first, second) = (Provider::start().await, Provider::start().await);
    let briefly = shaping::Config {
        failures_in_a_row_max: 2,
        aside_ms: 400,
        ..shaping::Config::default()
    };
    let mut edge = edge(&[&first, &second], briefly);
    let mut set_aside_at = std::time::Instant::now();
    for fails in [true, true, false] {
        let mut client = edge.chat(BODY).await;
        if fails {
            first.answer(json("500 Oops", "", "{}")).await;
            set_aside_at = std::time::Instant::now();
        }
        drop(second.answer(json("200 OK", "", GOOD)).await);
        assert_eq!(client.response().await.status, 200);
        let asked_before = edge.record().await.attempts.len();
        assert_eq!(asked_before, usize::from(fails));
    }
    while set_aside_at.elapsed() < Duration::from_millis(450) {
        tokio::task::yield_now().await;
    }
    let mut trial = edge.chat(BODY).await;
    let mut peer = first.accept().await;
    peer.request().await;
    // A second one does not go there while the trial is under way.
    let mut client = edge.chat(BODY).await;
    drop(second.answer(json("200 OK", "", GOOD)).await);
    assert_eq!(client.response().await.status, 200);
    answered(&mut peer, &mut trial).await;
}

#[tokio::test]
async fn one_that_is_set_aside_is_asked_all_the_same_where_the_others_fail() {
    let (first, second) = (Provider::start().await, Provider::start().await);
    let at_once = shaping::Config {
        failures_in_a_row_max: 1,
        ..shaping::Config::default()
    };
    let mut edge = edge(&[&first, &second], at_once);
    let mut client = edge.chat(BODY).await;
    first.answer(json("500 Oops", "", "{}")).await;
    drop(second.answer(json("200 OK", "", GOOD)).await);
    assert_eq!(client.response().await.status, 200);
    let mut client = edge.chat(BODY).await;
    drop(second.answer(json("500 Oops", "", "{}")).await);
    drop(first.answer(json("200 OK", "", GOOD)).await);
    assert_eq!(client.response().await.status, 200);
    edge.record().await;
    assert_eq!(edge.record().await.attempts.len(), 1);
}

#[tokio::test]
async fn what_is_passed_through_takes_turns_and_heeds_what_the_provider_says() {
    const LINE: &str = "POST /passthrough/provider-0/rerank";
    let provider = Provider::start().await;
    let one_at_once = shaping::Config {
        under_way_max: 1,
        ..shaping::Config::default()
    };
    let mut edge = edge(&[&provider], one_at_once);
    let mut first = passing::ask(&edge, LINE, "", "{}").await;
    let mut peer = provider.accept().await;
    peer.request().await;
    let mut second = passing::ask(&edge, LINE, "", "{}").await;
    assert!(provider.is_unvisited().await);
    answered(&mut peer, &mut first).await;
    peer.request().await;
    let slow = json("429 Slow", "retry-after: 30\r\n", "{}");
    peer.write(slow).await;
    // It goes on as it came; the next one is not sent.
    let response = second.response().await;
    assert_eq!(
        (response.status, response.header("retry-after")),
        (429, Some("30"))
    );
    let mut third = passing::ask(&edge, LINE, "", "{}").await;
    let response = third.response().await;
    assert_eq!(
        (response.status, response.code().as_str()),
        (503, "provider_busy")
    );
    assert!(provider.is_unvisited().await);
    // A model has a lane of its own.
    let mut chat = edge.chat(BODY).await;
    let mut peer = provider.accept().await;
    peer.request().await;
    answered(&mut peer, &mut chat).await;
    for outcome in [
        Outcome::Completed,
        Outcome::ProviderFailed,
        Outcome::ProviderFailed,
        Outcome::Completed,
    ] {
        assert_eq!(edge.record().await.outcome, outcome);
    }
}
