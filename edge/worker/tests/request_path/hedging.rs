//! Embeddings whose first target is slow: the second is asked beside it, one answer serves, and both are charged.

use std::time::Duration;

use policy::{
    cost::Cost,
    hedge::Hedge,
    limit::{Limit, Mode, Unit},
    routing::Routing,
    usage::Counter,
};
use worker::{
    record::{Outcome, Record, UsageSource},
    route::notes::Why,
};

use crate::{
    costs::price,
    edge::{Edge, Setup, limit, provider_id},
    provider::{Provider, json},
};

const EMBEDDINGS: &str = "/v1/embeddings";
const ASKING: &str = r#"{"model":"chat","input":"What is a hedge?"}"#;

/// So soon that no test waits for it, and no answer of a test comes sooner.
const SOON: Hedge = Hedge::After(30);
/// So late that it is not reached.
const LATE: Hedge = Hedge::After(20_000);

/// An answer that has this many tokens.
fn answer(tokens: u64) -> String {
    let body = format!(
        r#"{{"object":"list","data":[],"usage":{{"prompt_tokens":{tokens},"total_tokens":{tokens}}}}}"#
    );
    json("200 OK", "", &body)
}

fn edge(hedge: Hedge, limits: Vec<Limit>, providers: &[&Provider]) -> Edge {
    let setup = Setup {
        routing: Routing {
            hedge: Some(hedge),
            ..Routing::default()
        },
        limits,
        ..Setup::default()
    };
    let urls: Vec<_> = providers.iter().map(|it| it.base_url()).collect();
    setup.start(&urls)
}

/// Which attempts gave no answer: whose, why and for how many tokens.
fn missed(record: &Record) -> Vec<(usize, &'static str, u64)> {
    let attempts = record.attempts.iter().map(|it| {
        let whose = (0..8_u8).position(|at| it.provider == provider_id(at));
        (whose.unwrap(), it.code, it.tokens.total())
    });
    attempts.collect()
}

/// Each target's place, whether it was asked, and whether that was beside the first.
fn decided(record: &Record) -> Vec<(usize, bool, bool)> {
    let decision = record.decision.as_ref().unwrap();
    let target = decision.targets().map(|it| {
        let beside = it.notes().any(|why| matches!(why, Why::Hedge(_)));
        (it.place, it.reached, beside)
    });
    target.collect()
}

#[tokio::test]
async fn where_the_first_target_is_slow_the_second_serves_and_both_are_charged() {
    let (slow, quick) = (Provider::start().await, Provider::start().await);
    let mut edge = edge(SOON, Vec::new(), &[&slow, &quick]);
    price(&mut edge, 0, None, &[(Counter::Input, 7)]);
    price(&mut edge, 1, None, &[(Counter::Input, 2)]);
    let mut client = edge.ask(EMBEDDINGS, ASKING).await;
    let mut waits = slow.accept().await;
    waits.request().await;
    let (_, received) = quick.answer(answer(5)).await;
    assert!(received.text().contains("What is a hedge?"));
    let response = client.response().await;
    assert_eq!((response.status, response.whole), (200, true));
    assert!(response.text().contains(r#""total_tokens":5"#));
    // Nobody waits for the other one: its connection is closed.
    waits.closed().await;

    let record = edge.record().await;
    assert_eq!(record.provider, Some(provider_id(1)));
    assert_eq!((record.outcome, record.status), (Outcome::Completed, 200));
    let [(0, "abandoned", guessed)] = missed(&record)[..] else {
        panic!("the first is named: {record:?}")
    };
    assert!(guessed > 0, "it may have worked on it");
    assert_eq!(record.tokens.total(), guessed + 5);
    assert_eq!(record.cost, Cost::Known(7 * guessed + 2 * 5));
    assert_eq!(record.usage_source, UsageSource::Estimated);
    assert_eq!(decided(&record), [(1, true, false), (2, true, true)]);
}

#[tokio::test]
async fn where_the_first_answers_after_all_it_serves_and_the_second_is_charged() {
    let (first, second) = (Provider::start().await, Provider::start().await);
    let mut edge = edge(SOON, Vec::new(), &[&first, &second]);
    price(&mut edge, 0, None, &[(Counter::Input, 7)]);
    price(&mut edge, 1, None, &[(Counter::Input, 2)]);
    let mut client = edge.ask(EMBEDDINGS, ASKING).await;
    let mut one = first.accept().await;
    one.request().await;
    let mut other = second.accept().await;
    other.request().await;
    one.write(answer(5)).await;
    assert_eq!(client.response().await.status, 200);
    other.closed().await;

    let record = edge.record().await;
    assert_eq!(record.provider, Some(provider_id(0)));
    let [(1, "abandoned", guessed)] = missed(&record)[..] else {
        panic!("the second is named: {record:?}")
    };
    assert_eq!(record.tokens.total(), guessed + 5);
    assert_eq!(record.cost, Cost::Known(2 * guessed + 7 * 5));
    assert_eq!(decided(&record), [(1, true, false), (2, true, true)]);

    // One that answers in time is alone.
    let mut client = edge.ask(EMBEDDINGS, ASKING).await;
    one.request().await;
    one.write(answer(5)).await;
    assert_eq!(client.response().await.status, 200);
    let record = edge.record().await;
    if record.attempts.is_empty() {
        assert_eq!(decided(&record), [(1, true, false), (2, false, false)]);
        assert_eq!(record.usage_source, UsageSource::Provider);
    }
}

#[tokio::test]
async fn who_fails_leaves_it_to_the_other_and_both_to_the_third() {
    const OOPS: &str = r#"{"error":{"message":"oops"}}"#;
    let oops = json("500 Oops", "connection: close\r\n", OOPS);
    for (fails_first, fails_second) in [(true, false), (false, true), (true, true)] {
        let (first, second) = (Provider::start().await, Provider::start().await);
        let third = Provider::start().await;
        let mut edge = edge(SOON, Vec::new(), &[&first, &second, &third]);
        let mut client = edge.ask(EMBEDDINGS, ASKING).await;
        let mut one = first.accept().await;
        one.request().await;
        let mut other = second.accept().await;
        other.request().await;
        let mut expected = Vec::new();
        if fails_second {
            other.write(&oops).await;
            other.closed().await;
        }
        if fails_first {
            one.write(&oops).await;
            one.closed().await;
            expected.push((0, "upstream_error", 0));
        }
        if fails_second {
            expected.push((1, "upstream_error", 0));
        }
        let served = match (fails_first, fails_second) {
            (true, true) => {
                third.answer(answer(5)).await;
                2
            }
            (true, false) => {
                other.write(answer(5)).await;
                1
            }
            _ => {
                one.write(answer(5)).await;
                0
            }
        };
        assert_eq!(client.response().await.status, 200);
        let record = edge.record().await;
        assert_eq!(record.provider, Some(provider_id(served)));
        assert_eq!(missed(&record), expected);
        assert_eq!(record.tokens.total(), 5, "errors are not billed");
    }
}

#[tokio::test]
async fn what_both_were_sent_is_charged_where_the_client_leaves() {
    let (first, second) = (Provider::start().await, Provider::start().await);
    let mut edge = edge(SOON, Vec::new(), &[&first, &second]);
    let client = edge.ask(EMBEDDINGS, ASKING).await;
    let mut one = first.accept().await;
    one.request().await;
    let mut other = second.accept().await;
    other.request().await;
    drop(client);
    one.closed().await;
    other.closed().await;
    let record = edge.record().await;
    assert_eq!(record.outcome, Outcome::ClientGone);
    let [(1, "abandoned", guessed)] = missed(&record)[..] else {
        panic!("the second is named: {record:?}")
    };
    assert!(guessed > 0);
    assert_eq!(record.tokens.total(), 2 * guessed);
}

/// Asks once, and has the first target answer when nobody else was asked for as long as one would have been thrice.
async fn is_alone(edge: &mut Edge, path: &str, body: &str, targets: [&Provider; 2]) {
    let [first, second] = targets;
    let mut client = edge.ask(path, body).await;
    let mut peer = first.accept().await;
    peer.request().await;
    let thrice = Duration::from_millis(100);
    let visit = tokio::time::timeout(thrice, second.accept_late()).await;
    assert!(visit.is_err(), "{path} is not hedged");
    let closing = answer(5).replacen("content-type", "connection: close\r\ncontent-type", 1);
    peer.write(closing).await;
    assert_eq!(client.response().await.status, 200);
    assert!(edge.record().await.attempts.is_empty());
}

#[tokio::test]
async fn only_embeddings_are_hedged_and_not_where_one_answer_is_all_that_may_be_had() {
    let (first, second) = (Provider::start().await, Provider::start().await);
    let targets = [&first, &second];
    let mut plain = edge(SOON, Vec::new(), &targets);
    for (path, body) in [
        ("/v1/chat/completions", r#"{"model":"chat","messages":[]}"#),
        ("/v1/completions", r#"{"model":"chat","prompt":"hi"}"#),
    ] {
        is_alone(&mut plain, path, body, targets).await;
    }
    let one_alone = r#"{"model":"chat","input":"x","provider":{"allow_fallbacks":false}}"#;
    is_alone(&mut plain, EMBEDDINGS, one_alone, targets).await;

    let mut strict = limit(Unit::Tokens, 100_000, 100_000);
    strict.terms.mode = Mode::Strict;
    let mut strict = edge(SOON, vec![strict], &targets);
    is_alone(&mut strict, EMBEDDINGS, ASKING, targets).await;

    let mut late = edge(LATE, Vec::new(), &targets);
    is_alone(&mut late, EMBEDDINGS, ASKING, targets).await;
    // Too little is known of the first.
    let mut unknown = edge(Hedge::Percentile(95), Vec::new(), &targets);
    is_alone(&mut unknown, EMBEDDINGS, ASKING, targets).await;
}

#[tokio::test]
async fn what_is_set_aside_or_wants_nothing_is_not_asked_beside_another() {
    let (first, second) = (Provider::start().await, Provider::start().await);
    let setup = Setup {
        routing: Routing {
            hedge: Some(SOON),
            ..Routing::default()
        },
        shaping: shaping::Config::default(),
        ..Setup::default()
    };
    let mut edge = setup.start(&[first.base_url(), second.base_url()]);
    let mut client = edge.ask(EMBEDDINGS, ASKING).await;
    let mut one = first.accept().await;
    one.request().await;
    let later = json(
        "429 Later",
        "retry-after: 40\r\nconnection: close\r\n",
        "{}",
    );
    // That has been heard when its connection is closed.
    second.answer(later).await.0.closed().await;
    one.write(json("200 OK", "connection: close\r\n", "{}"))
        .await;
    assert_eq!(client.response().await.status, 200);
    edge.record().await;
    is_alone(&mut edge, EMBEDDINGS, ASKING, [&first, &second]).await;
}
