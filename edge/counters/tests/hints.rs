//! What edges tell each other of targets, by way of a real Redis: distinct edges are counted, words end by themselves, and a Redis that
//! is away is silence.

mod redis_server;
mod faults;

use std::time::{Duration, Instant};

use counters::{
    Config, Counters, Heard, Hint, Hints, Mode, Said,
    config::Store,
    hints::{FAILS_FOR, HEARD_MAX},
    keyspace, open,
    redis::{Connection, Server},
};
use lifecycle::{clock::Clock, drain};
use policy::id::{OrganizationId, ProviderId};
use redis_server::RedisServer;
use tokio::sync::watch;

const NOON_MS: u64 = 1_700_000_000_000;
const SECOND: Duration = Duration::from_secs(1);
const ORGANIZATION: OrganizationId = OrganizationId::from_bytes([7; 16]);
const PROVIDER: ProviderId = ProviderId::from_bytes([9; 16]);

#[tokio::test]
async fn each_edge_that_says_so_counts_once_and_no_edge_hears_itself() {
    let server = RedisServer::start();
    let redis = dial(&server).await;
    for (edge, others) in [("a", 0), ("b", 1), ("c", 2), ("b", 2)] {
        let heard = say(&redis, edge, &[hint("m", Said::Fails)], NOON_MS).await;
        assert_eq!(heard.first().map_or(0, |it| it.edges), others, "{edge}");
    }
    let heard = say(&redis, "d", &[], NOON_MS).await;
    assert_eq!(heard, [failing(3)]);
    // Whoever takes its word back is not counted any more, and nobody else's word is touched.
    say(&redis, "a", &[hint("m", Said::Well)], NOON_MS).await;
    say(&redis, "d", &[hint("m", Said::Well)], NOON_MS).await;
    assert_eq!(say(&redis, "d", &[], NOON_MS).await, [failing(2)]);
    // Another organization has nothing to do with it.
    let other = Hints {
        organization: OrganizationId::from_bytes([8; 16]),
        hints: Vec::new(),
    };
    let heard = redis.share_hints("d", &[other], Some(NOON_MS)).await;
    assert_eq!(heard, Ok(vec![Vec::new()]));
}

#[tokio::test]
async fn a_word_ends_by_itself_and_of_two_times_the_later_one_counts() {
    let server = RedisServer::start();
    let redis = dial(&server).await;
    let holds = 4_000;
    assert_eq!(FAILS_FOR, Duration::from_millis(holds));
    let parked = |seconds| hint("m", Said::Parked(seconds * SECOND));
    let words = [hint("m", Said::Fails), parked(20), parked(5)];
    say(&redis, "a", &words, NOON_MS).await;
    let both = Heard {
        parked: Some(Duration::from_millis(16_001)),
        ..failing(1)
    };
    assert_eq!(say(&redis, "b", &[], NOON_MS + holds - 1).await, [both]);
    let alone = Heard {
        parked: Some(Duration::from_secs(16)),
        ..failing(0)
    };
    assert_eq!(say(&redis, "b", &[], NOON_MS + holds).await, [alone]);
    assert!(say(&redis, "b", &[], NOON_MS + 20_000).await.is_empty());
}

#[tokio::test]
async fn what_is_kept_is_one_key_that_expires_and_has_a_bound() {
    let server = RedisServer::start();
    let redis = dial(&server).await;
    let many: Vec<Hint> = (0..3_000)
        .map(|number| hint(&number.to_string(), Said::Fails))
        .collect();
    let all = [Hints {
        organization: ORGANIZATION,
        hints: many,
    }];
    let said = redis.share_hints("a", &all, None).await;
    assert_eq!(said, Ok(vec![Vec::new()]), "it hears nothing of itself");
    let listen = [Hints {
        organization: ORGANIZATION,
        hints: Vec::new(),
    }];
    let heard = redis.share_hints("b", &listen, None).await;
    assert_eq!(heard.expect("an answer")[0].len(), HEARD_MAX);
    let key = String::from_utf8(keyspace::hints(ORGANIZATION)).expect("a key is text");
    let kept = server.ask(&format!("ZCARD {key}")).expect("an answer");
    assert_eq!(kept, ":2048\r\n");
    let left = server.ask(&format!("PTTL {key}")).expect("an answer");
    let left: u64 = left[1..].trim().parse().expect("it expires");
    assert!((1..=4_000).contains(&left), "{left}");
}

#[tokio::test]
async fn a_redis_that_is_away_or_frozen_is_silence_within_one_deadline() {
    let mut server = RedisServer::start();
    let config = Config {
        store: Store::Redis,
        redis_url: server.url().into(),
        timeout_ms: 100,
        ..Config::default()
    };
    let (_edges, seen) = watch::channel(1);
    let (counters, upkeep) = open(&config, Clock::system(), seen).expect("the settings are good");
    let (_trigger, drain) = drain::channel(Duration::ZERO, Duration::ZERO);
    let upkeep = tokio::spawn(upkeep.run(drain));
    let listen = || [said(Vec::new())];
    until(async || counters.share_hints("a", &listen()).await.is_some()).await;
    server.freeze();
    let since = Instant::now();
    assert_eq!(counters.share_hints("a", &listen()).await, None);
    let took = since.elapsed();
    assert!(took < 2 * SECOND, "{took:?}");
    // What requests wait for is not judged by that.
    assert_eq!(counters.mode(), Mode::Shared);
    server.thaw();
    until(async || counters.share_hints("a", &listen()).await.is_some()).await;
    server.kill();
    until(async || counters.share_hints("a", &listen()).await.is_none()).await;
    server.restart();
    until(async || heard(&counters).await == Some(Vec::new())).await;
    upkeep.abort();
}

async fn heard(counters: &Counters) -> Option<Vec<Heard>> {
    counters.share_hints("a", &[said(Vec::new())]).await?.pop()
}

fn said(hints: Vec<Hint>) -> Hints {
    Hints {
        organization: ORGANIZATION,
        hints,
    }
}

fn hint(model: &str, said: Said) -> Hint {
    Hint {
        provider: PROVIDER,
        model: model.to_owned(),
        said,
    }
}

fn failing(edges: u32) -> Heard {
    Heard {
        provider: PROVIDER,
        model: "m".to_owned(),
        edges,
        parked: None,
    }
}

async fn dial(server: &RedisServer) -> Connection {
    let timeout = Duration::from_secs(5);
    let server = Server::new(&server.url(), None, timeout).expect("the URL is one");
    server.dial().await.expect("redis answers")
}

async fn say(redis: &Connection, edge: &str, hints: &[Hint], now_ms: u64) -> Vec<Heard> {
    let of = [said(hints.to_vec())];
    let heard = redis.share_hints(edge, &of, Some(now_ms)).await;
    heard
        .expect("an answer")
        .pop()
        .expect("of one organization")
}

/// Asks until it is so.
async fn until(is_so: impl AsyncFn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !is_so().await {
        assert!(Instant::now() < deadline, "not in time");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
