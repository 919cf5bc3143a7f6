//! How the first of several targets is chosen, where a version says so, and after which failures the next one is asked.

use policy::{
    adapt::{Adapt, Measure},
    routing::{Balance, FailureClass, Routing},
};
use shaping::Recently;
use worker::record::Record;

use crate::{
    client::post_head,
    edge::{Edge, Setup, provider_id},
    provider::{Provider, json},
};

const GOOD: &str =
    r#"{"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2}}"#;

fn edge(balance: Balance, weights: Vec<u16>, urls: &[String]) -> Edge {
    let setup = Setup {
        routing: Routing {
            balance,
            ..Routing::default()
        },
        weights,
        ..Setup::default()
    };
    setup.start(urls)
}

/// So many providers that nobody can reach: what is asked is in which order they are tried.
fn nobody(count: usize) -> Vec<String> {
    (1..=count)
        .map(|port| format!("http://127.0.0.1:{port}/v1"))
        .collect()
}

/// Which target was asked first.
fn first(record: &Record) -> usize {
    let asked = &record.attempts[0];
    let at = (0..8_u8).position(|at| asked.provider == provider_id(at));
    at.expect("it is one of them")
}

/// Asks with this header and body.
async fn ask(edge: &mut Edge, header: &str, body: &str) -> usize {
    let mut client = edge.connect().await;
    let head = post_head("/v1/chat/completions", &edge.key.text, body.len());
    let head = head.replacen("\r\n", &format!("\r\n{header}"), 1);
    client.write(format!("{head}{body}")).await;
    client.response().await;
    first(&edge.record().await)
}

#[tokio::test]
async fn a_session_an_end_user_and_a_beginning_each_stay_with_a_target_and_share_them_all() {
    for balance in [Balance::Session, Balance::EndUser, Balance::Prefix] {
        let mut edge = edge(balance, Vec::new(), &nobody(3));
        let mut seen = [0_u32; 3];
        for number in 0..24 {
            let header = format!("x-sluice-session: s-{number}\r\n");
            let body =
                format!(r#"{{"model":"chat","user":"u-{number}","messages":["hello {number}"]}}"#);
            let at = ask(&mut edge, &header, &body).await;
            assert_eq!(ask(&mut edge, &header, &body).await, at, "{balance:?}");
            seen[at] += 1;
        }
        assert!(seen.iter().all(|count| *count > 1), "{balance:?} {seen:?}");
        assert_eq!(seen.iter().sum::<u32>(), 24);
    }
}

#[tokio::test]
async fn who_says_no_session_is_drawn_and_what_has_no_weight_is_asked_last() {
    let mut edge = edge(Balance::Session, vec![0, 1, 1], &nobody(3));
    let mut seen = [0_u32; 3];
    for _ in 0..24 {
        seen[ask(&mut edge, "", r#"{"model":"chat"}"#).await] += 1;
    }
    assert!(seen[0] == 0 && seen[1] > 1 && seen[2] > 1, "{seen:?}");
}

/// How often each of two targets of one weight was asked first, of which the second has been so much slower.
async fn drawn(adapt: Option<Adapt>) -> [u32; 2] {
    let lately = [0.1, 10.0].map(|first_s| Recently {
        first_s: Some(first_s),
        failed: Some(0.0),
        cost_nano: None,
    });
    let setup = Setup {
        routing: Routing {
            adapt,
            ..Routing::default()
        },
        weights: vec![1, 1],
        lately: lately.to_vec(),
        ..Setup::default()
    };
    let mut edge = setup.start(&nobody(2));
    let mut seen = [0; 2];
    for _ in 0..60 {
        seen[ask(&mut edge, "", r#"{"model":"chat"}"#).await] += 1;
    }
    seen
}

#[tokio::test]
async fn weights_follow_how_targets_do_and_no_farther_than_their_bounds() {
    let stays = drawn(None).await;
    assert!(stays.iter().all(|count| *count > 15), "{stays:?}");
    // Four times and a quarter of their weight: sixteen of seventeen.
    let follows = Adapt::new(Measure::Latency, 25, 400).unwrap();
    let follows = drawn(Some(follows)).await;
    assert!(follows[0] >= 48 && follows[1] > 0, "{follows:?}");
}

/// Has this target answer, so slowly.
async fn answered(edge: &mut Edge, providers: &[Provider], slow_ms: &[u64]) -> usize {
    let mut client = edge.chat(r#"{"model":"chat"}"#).await;
    let accepted = providers.iter().map(|it| Box::pin(it.accept()));
    let (mut peer, at, _) = futures_util::future::select_all(accepted).await;
    peer.request().await;
    tokio::time::sleep(std::time::Duration::from_millis(slow_ms[at])).await;
    peer.write(json("200 OK", "connection: close\r\n", GOOD))
        .await;
    assert_eq!(client.response().await.status, 200);
    edge.record().await;
    at
}

#[tokio::test]
async fn the_fastest_target_is_chosen_once_all_are_known() {
    for balance in [Balance::LowestLatency, Balance::LeastLatency] {
        let providers = [Provider::start().await, Provider::start().await];
        let urls: Vec<_> = providers.iter().map(Provider::base_url).collect();
        let mut edge = edge(balance, Vec::new(), &urls);
        let mut seen = Vec::new();
        for _ in 0..12 {
            seen.push(answered(&mut edge, &providers, &[250, 0]).await);
        }
        // Nothing is known of either at first.
        assert_eq!(seen[2..], [1; 10], "{balance:?}");
    }
}

#[tokio::test]
async fn what_a_version_says_of_a_failure_decides_whether_the_next_target_is_asked() {
    const LONG: &str = r#"{"error":{"message":"too long","code":"context_length_exceeded"}}"#;
    const SLOW: &str = r#"{"error":{"message":"slow down"}}"#;
    let (long, slow) = ("400 Bad Request", "429 Slow");
    for (routing, status, falls_back) in [
        (Routing::default(), long, false),
        (Routing::default(), slow, true),
        (
            Routing {
                fallback_on: [FailureClass::ContextTooLong].into_iter().collect(),
                no_fallback_on: [FailureClass::RateLimited].into_iter().collect(),
                ..Routing::default()
            },
            long,
            true,
        ),
        (
            Routing {
                no_fallback_on: [FailureClass::RateLimited].into_iter().collect(),
                ..Routing::default()
            },
            slow,
            false,
        ),
    ] {
        let (one, other) = (Provider::start().await, Provider::start().await);
        let setup = Setup {
            routing,
            ..Setup::default()
        };
        let edge = setup.start(&[one.base_url(), other.base_url()]);
        let mut client = edge.chat(r#"{"model":"chat"}"#).await;
        let body = if status == long { LONG } else { SLOW };
        one.answer(json(status, "", body)).await;
        if falls_back {
            other.answer(json("200 OK", "", GOOD)).await;
        }
        let told = client.response().await.status.to_string();
        let expected = if falls_back { "200" } else { &status[..3] };
        assert_eq!(told, expected, "{routing:?}");
    }
}
