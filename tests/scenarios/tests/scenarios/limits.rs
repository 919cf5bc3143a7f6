//! Limits hold: over every edge, through crashes, and without Redis.

use harness::{
    client::{self, Client},
    provider::{Answer, Provider, Step},
    site::{Plan, Site},
    tenant::Tenant,
    wait,
};
use proto::admin::{LimitUnit, LimitWindow};
use redis::AsyncCommands;
use scenarios::{openai, sdk::Sdk};

const CHAT: &str = "/v1/chat/completions";
const ENDLESS: &str = r#"{"model":"chat","stream":true,"max_tokens":1000,"messages":[]}"#;

#[tokio::test]
async fn a_killed_edge_frees_what_it_held_and_charges_what_it_must() {
    let provider = Provider::start(|_| {
        // As far as its first word, so that the edge answers.
        let begun = openai::events(false).into_iter().take(2).map(Step::Send);
        Answer::events(begun.chain([Step::Never]).collect())
    })
    .await;
    let settings = vec![("SLUICE_LIMITS__LEASE_MS", "1000".to_owned())];
    let plan = Plan {
        edges: vec!["here"; 2],
        edge_settings: settings,
        ..Plan::default()
    };
    let mut site = Site::start(plan).await;
    let tenant = Tenant::make(&site.admin(), "acme", &provider.base_url()).await;
    let (_, key) = tenant.key().await;
    // Three requests are under way when it dies; in the full form five hundred.
    let scale = i64::try_from(scenarios::scale()).expect("small");
    let (whole, dead) = (10_000 * scale, 3 * scenarios::scale());
    let rate = (whole, LimitWindow::Hour, whole);
    tenant
        .limit("tokens", &tenant.project, LimitUnit::Tokens, rate)
        .await;
    site.propagated().await;

    let in_flight = under_way((&site.url(0), &key), dead).await;
    let mut redis = site.redis.connect().await;
    // A busy key has borrowed for many requests at once, so that fewer are held than requests.
    let held = count_held(&mut redis).await;
    // What it has borrowed and not used is no more to others either.
    let other = site.url(1);
    let reply = client::post(&other, &key, CHAT, ENDLESS).await;
    let left_then = remaining(&reply).expect("the edge says what is left");
    drop(reply);
    let asked_for = 1_000 * i64::try_from(dead).expect("few");
    assert!((1..=dead).contains(&held), "{held} are held");
    assert!(
        whole - left_then >= asked_for,
        "{left_then} left: less is held than was asked for"
    );
    site.edges[0].process.kill();
    drop(in_flight);

    // Whoever asks next after the leases ended sweeps them up: charged in full, and gone.
    let ended = wait::until("the leases have ended", async || {
        have_leases_ended(&mut redis).await.then_some(())
    });
    let ((), ended) = ended.await;
    let mut since = 0;
    let swept = wait::until("the reservations are gone", async || {
        drop(client::post(&other, &key, CHAT, ENDLESS).await);
        since += 1;
        (count_held(&mut redis).await <= 1).then_some(())
    });
    let ((), swept) = swept.await;
    let long = ended + swept;
    // Who sweeps hears what was left before it; the next one, what is.
    let reply = client::post(&other, &key, CHAT, ENDLESS).await;
    since += 1;
    let left = remaining(&reply).expect("the edge says what is left");
    println!(
        "{dead} requests died with their edge, which held {} tokens in {held} reservations and loans: charged {} of {whole} tokens {long:.1?} after it, {since} asked since",
        whole - left_then,
        whole - left,
    );
    // Some of it has come back since, as a rate does.
    let refilled = whole * (2 + i64::try_from(long.as_secs()).expect("short")) / 3_600;
    assert!(
        left <= whole - asked_for + refilled,
        "{left} left: the dead requests were not charged"
    );
    assert!(
        left >= left_then - 1_100 * since,
        "{left} left of {left_then}: they were charged more than once"
    );
    assert!(
        site.metric(1, "sluice_limits_reservation_expired_total", "")
            .await
            >= f64::from(u32::try_from(held).expect("few"))
    );
}

/// So many requests, each of which has heard its first word.
async fn under_way((url, key): (&str, &str), many: usize) -> Vec<(Client, client::Reply)> {
    let mut in_flight = Vec::new();
    for _ in 0..many {
        let mut client = Client::connect(url, key).await.expect("the edge accepts");
        let reply = client.post(CHAT, ENDLESS).await;
        in_flight.push((client, reply.expect("the edge answers")));
    }
    in_flight
}

/// How many tokens a reply says are left.
fn remaining(reply: &client::Reply) -> Option<i64> {
    let left = reply.headers.get("x-ratelimit-remaining-tokens")?;
    left.to_str().ok()?.parse().ok()
}

async fn count_held(redis: &mut redis::aio::MultiplexedConnection) -> usize {
    let keys: Vec<String> = redis.keys("sluice:5:*:held").await.expect("Redis answers");
    let mut held = 0;
    for key in keys {
        let values: Vec<Vec<u8>> = redis.hvals(key).await.expect("Redis answers");
        // Those whose lease has ended are kept for a while, in case they are settled late.
        let is_held = |it: &&Vec<u8>| it.starts_with(b"R") || it.starts_with(b"L");
        held += values.iter().filter(is_held).count();
    }
    held
}

/// Whether every lease is over, by Redis's own clock.
async fn have_leases_ended(redis: &mut redis::aio::MultiplexedConnection) -> bool {
    let (seconds, micros): (u64, u64) = redis::cmd("TIME")
        .query_async(redis)
        .await
        .expect("Redis answers");
    let now_ms = seconds * 1_000 + micros / 1_000;
    let keys: Vec<String> = redis.keys("sluice:5:*:due").await.expect("Redis answers");
    for key in keys {
        let after: u64 = redis
            .zcount(key, format!("({now_ms}"), "+inf")
            .await
            .expect("Redis answers");
        if after > 0 {
            return false;
        }
    }
    true
}

#[tokio::test]
async fn a_stopped_or_frozen_redis_never_fails_a_request() {
    // Where each request asks, and where a busy key has borrowed ahead when Redis goes away.
    redis_goes_and_comes_back("0").await;
    redis_goes_and_comes_back("1000").await;
}

async fn redis_goes_and_comes_back(ahead_ms: &str) {
    let provider = Provider::start(openai::answer).await;
    let settings = vec![
        ("SLUICE_LIMITS__TIMEOUT_MS", "100".to_owned()),
        ("SLUICE_LIMITS__AHEAD_MS", ahead_ms.to_owned()),
    ];
    let plan = Plan {
        edges: vec!["here"; 2],
        edge_settings: settings,
        ..Plan::default()
    };
    let mut site = Site::start(plan).await;
    let tenant = Tenant::make(&site.admin(), "acme", &provider.base_url()).await;
    let (name, key) = tenant.key().await;
    tenant
        .limit(
            "rpm",
            &name,
            LimitUnit::Requests,
            (100_000, LimitWindow::Hour, 2_000),
        )
        .await;
    site.propagated().await;
    let urls = [site.url(0), site.url(1)];
    let ask = async |count: usize| {
        for at in 0..count {
            let body = openai::whole("chat");
            let reply = client::post(&urls[at % 2], &key, "/v1/chat/completions", body).await;
            assert_eq!(reply.status, 200, "request {at}");
        }
    };
    ask(20).await;
    site.redis.freeze(true);
    ask(40).await;
    let alone = site.metric(0, "sluice_limits_local_mode", "").await > 0.0;
    assert!(alone || ahead_ms != "0", "edge 0 answers alone");
    site.redis.freeze(false);
    ask(20).await;
    site.redis.stop();
    ask(40).await;
    site.redis.restart().await;
    let shared = || async {
        ask(2).await;
        (site.count(0, "sluice_limits_local_mode", "").await == 0).then_some(())
    };
    wait::until("the shared counters are used again", shared).await;
}

#[tokio::test]
async fn an_sdk_sees_a_limit_as_openai_would_show_it() {
    let provider = Provider::start(openai::answer).await;
    let site = Site::start(Plan::default()).await;
    let tenant = Tenant::make(&site.admin(), "acme", &provider.base_url()).await;
    let (_, key) = tenant.key().await;
    let rate = (60, LimitWindow::Minute, 5);
    tenant
        .limit("rpm", &tenant.project, LimitUnit::Requests, rate)
        .await;
    site.propagated().await;
    let seen = Sdk::Python.ask(&site.url(0), &key, "chat", "limited").await;
    assert_eq!(seen["code"], "rate_limit_exceeded");
    assert!(
        seen["retry_after"]
            .as_i64()
            .is_some_and(|seconds| (0..=2).contains(&seconds))
    );
}
