//! What requests see while Redis is away: refused, frozen, empty or not there yet.
//!
//! Each test runs an edge's counters as a worker does, with its upkeep in the background, against a Redis of
//! its own that is really killed or stopped.

mod redis_server;
mod faults;
mod demands;

use std::{
    num::NonZeroUsize,
    time::{Duration, Instant},
};

use counters::{
    Config, Counters, Demand, Mode, Request, Reserved, Upkeep, config::Store, keyspace, open,
    open_each,
};
use demands::{ORGANIZATION, hourly};
use lifecycle::{
    clock::Clock,
    drain::{self, Drain},
};
use redis_server::RedisServer;
use tokio::{
    sync::watch,
    task::JoinHandle,
    time::{error::Elapsed, timeout},
};

/// One edge: its counters and what keeps them up.
struct Edge {
    counters: Counters,
    upkeep: JoinHandle<()>,
    drain: Drain,
    /// Kept, so that the drain does not begin and the number of edges stays known.
    kept: (Option<drain::Trigger>, watch::Sender<u32>),
}

const TIMEOUT_MS: u64 = 200;

#[tokio::test]
async fn an_edge_starts_without_redis_and_answers_from_its_share() {
    let mut server = RedisServer::start();
    server.kill();
    let edge = Edge::start(&server, 4, 30_000);
    let reserved = edge.counters.reserve(&request(1), &[hourly(100, 1)]).await;
    assert_eq!(
        remaining(&reserved),
        Some(24),
        "a quarter of the burst, less one"
    );
    assert_eq!(edge.counters.mode(), Mode::Local);
    server.restart();
    until("redis is found", || edge.counters.mode() == Mode::Shared).await;
    let reserved = edge.counters.reserve(&request(2), &[hourly(100, 1)]).await;
    assert_eq!(remaining(&reserved), Some(99));
}

#[tokio::test]
async fn a_killed_redis_fails_no_request_and_is_told_afterwards_what_was_used() {
    let mut server = RedisServer::start();
    let edge = Edge::start(&server, 1, 30_000);
    let limit = hourly(100, 10);
    let reserved = edge
        .counters
        .reserve(&request(1), std::slice::from_ref(&limit))
        .await;
    assert_eq!(remaining(&reserved), Some(90));
    server.kill();
    for id in 2..=6 {
        let reserved = edge
            .counters
            .reserve(&request(id), std::slice::from_ref(&limit))
            .await;
        assert_eq!(remaining(&reserved), Some(100 - 10 * (id - 1)));
    }
    assert_eq!(edge.counters.mode(), Mode::Local);
    for id in 2..=5 {
        edge.counters
            .settle(&request(id), &[(limit.applied.counter, 5)]);
    }
    server.restart();
    until("redis is found again", || {
        edge.counters.mode() == Mode::Shared
    })
    .await;
    // Twenty for the four that are settled, before anything else was admitted.
    let reserved = edge
        .counters
        .reserve(&request(7), std::slice::from_ref(&limit))
        .await;
    assert_eq!(remaining(&reserved), Some(70));
    // The sixth was admitted here and is still on its way; it is charged when it settles, and once.
    edge.counters
        .settle(&request(6), &[(limit.applied.counter, 3)]);
    edge.counters
        .settle(&request(6), &[(limit.applied.counter, 3)]);
    level_becomes(&server, &limit, 67).await;
}

#[tokio::test]
async fn a_redis_that_is_back_is_told_everything_before_it_is_asked_anything() {
    let mut server = RedisServer::start();
    server.kill();
    let edge = Edge::start(&server, 1, 30_000);
    for id in 0..2_000 {
        let limit = hourly(10_000, 1);
        edge.counters
            .reserve(&request(id), std::slice::from_ref(&limit))
            .await;
        edge.counters
            .settle(&request(id), &[(limit.applied.counter, 2)]);
    }
    server.restart();
    let deadline = Instant::now() + Duration::from_secs(5);
    while edge.counters.mode() == Mode::Local {
        assert!(Instant::now() < deadline, "redis was not found again");
        tokio::task::yield_now().await;
    }
    let reserved = edge
        .counters
        .reserve(&request(9_999), &[hourly(10_000, 1)])
        .await;
    assert_eq!(remaining(&reserved), Some(5_999));
}

#[tokio::test]
async fn a_frozen_redis_costs_a_deadline_until_the_breaker_opens_and_nothing_after() {
    let server = RedisServer::start();
    let edge = Edge::start(&server, 1, 30_000);
    let limit = hourly(1_000, 10);
    edge.counters
        .reserve(&request(1), std::slice::from_ref(&limit))
        .await;
    server.freeze();
    let mut asked = 1;
    while edge.counters.mode() == Mode::Shared {
        asked += 1;
        let start = Instant::now();
        let reserved = edge
            .counters
            .reserve(&request(asked), std::slice::from_ref(&limit))
            .await;
        assert!(remaining(&reserved).is_some(), "{reserved:?}");
        assert!(
            start.elapsed() < Duration::from_millis(2 * TIMEOUT_MS),
            "{:?}",
            start.elapsed()
        );
    }
    assert_eq!(asked, 6, "five failures in a row");
    let start = Instant::now();
    for id in 100..200 {
        edge.counters
            .reserve(&request(id), &[hourly(1_000, 1)])
            .await;
    }
    assert!(
        start.elapsed() < Duration::from_millis(TIMEOUT_MS),
        "{:?}",
        start.elapsed()
    );
    // What it was asked while frozen it does once it thaws: nothing may be charged twice for that.
    for id in (1..=asked).chain(100..200) {
        edge.counters
            .settle(&request(id), &[(limit.applied.counter, 1)]);
    }
    server.thaw();
    until("redis is found again", || {
        edge.counters.mode() == Mode::Shared
    })
    .await;
    level_becomes(&server, &limit, 1_000 - asked - 100).await;
    until("nothing is held", || held(&server) == 0).await;
}

#[tokio::test]
async fn a_request_that_leaves_while_it_asks_holds_nothing() {
    let server = RedisServer::start();
    let edge = Edge::start(&server, 1, 30_000);
    let limit = hourly(100, 10);
    edge.counters
        .reserve(&request(1), std::slice::from_ref(&limit))
        .await;
    server.freeze();
    let left = request(2);
    let asking = edge.counters.reserve(&left, std::slice::from_ref(&limit));
    assert!(
        tokio::time::timeout(Duration::from_millis(20), asking)
            .await
            .is_err()
    );
    server.thaw();
    level_becomes(&server, &limit, 90).await;
    until("only the first is held", || held(&server) == 1).await;
}

#[tokio::test]
async fn edges_that_are_cut_off_admit_no_more_than_the_limit_together() {
    let mut server = RedisServer::start();
    server.kill();
    let mut admitted = 0;
    for number in 0..3 {
        let edge = Edge::start(&server, 3, 30_000);
        for id in 0..100 {
            let id = request(1_000 * number + id);
            let reserved = edge.counters.reserve(&id, &[hourly(100, 1)]).await;
            admitted += i64::from(remaining(&reserved).is_some());
        }
    }
    assert!(
        (100..103).contains(&admitted),
        "{admitted}: a share is rounded up by less than one"
    );
}

#[tokio::test]
async fn leases_are_renewed_while_a_request_lives_and_end_with_its_edge() {
    let server = RedisServer::start();
    let edge = Edge::start(&server, 1, 300);
    let limit = hourly(100, 40);
    edge.counters
        .reserve(&request(1), std::slice::from_ref(&limit))
        .await;
    let first = due_ms(&server);
    until("the lease is renewed for three times as long", || {
        due_ms(&server) > first + 900
    })
    .await;
    edge.upkeep.abort();
    let other = Edge::start(&server, 1, 30_000);
    let mut id = 10;
    let deadline = Instant::now() + Duration::from_secs(5);
    while held(&server) != id - 10 || id == 10 {
        assert!(Instant::now() < deadline, "the lease never ended");
        other
            .counters
            .reserve(&request(id), &[hourly(100, 0)])
            .await;
        id += 1;
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    // Its edge comes back too late: it stays charged in full.
    edge.counters
        .settle(&request(1), &[(limit.applied.counter, 0)]);
    level_becomes(&server, &limit, 60).await;
}

#[tokio::test]
async fn the_upkeep_ends_when_nobody_can_ask_any_more_and_everything_is_sent() {
    let server = RedisServer::start();
    let edge = Edge::start(&server, 1, 30_000);
    let limit = hourly(100, 40);
    edge.counters
        .reserve(&request(1), std::slice::from_ref(&limit))
        .await;
    edge.counters
        .settle(&request(1), &[(limit.applied.counter, 1)]);
    drop(edge.counters);
    let ended = tokio::time::timeout(Duration::from_secs(5), edge.upkeep).await;
    assert!(ended.is_ok_and(|ended| ended.is_ok()));
    assert_eq!(level(&server, &limit), 99);
}

#[tokio::test]
async fn what_is_settled_while_streams_are_cut_is_sent() {
    let server = RedisServer::start();
    let mut edge = Edge::start(&server, 1, 30_000);
    let limit = hourly(100, 40);
    let demand = std::slice::from_ref(&limit);
    edge.counters.reserve(&request(1), demand).await;
    edge.kept.0.take().unwrap().start();
    edge.drain.over().await;
    // A stream that is cut takes a moment to settle.
    assert!(ends_within(&mut edge.upkeep, 200).await.is_err());
    edge.counters
        .settle(&request(1), &[(limit.applied.counter, 1)]);
    drop(edge.counters);
    assert!(ends_within(&mut edge.upkeep, 5_000).await.is_ok());
    assert_eq!(level(&server, &limit), 99);
}

#[tokio::test]
async fn the_upkeep_outlasts_a_drain_with_nothing_reserved_yet() {
    let server = RedisServer::start();
    let mut edge = Edge::start_for(&server, (1, 30_000), Duration::from_mins(1));
    edge.kept.0.take().unwrap().start();
    edge.drain.draining().await;
    // A body is still on its way up.
    assert!(ends_within(&mut edge.upkeep, 1_300).await.is_err());
}

#[tokio::test]
async fn a_redis_that_takes_no_writes_is_a_redis_that_is_away() {
    let server = RedisServer::start();
    let edge = Edge::start(&server, 1, 30_000);
    edge.counters.reserve(&request(1), &[hourly(100, 1)]).await;
    server.ask("CONFIG SET maxmemory 1").unwrap();
    let mut id = 2;
    while edge.counters.mode() == Mode::Shared {
        let reserved = edge.counters.reserve(&request(id), &[hourly(100, 1)]).await;
        assert!(remaining(&reserved).is_some(), "{reserved:?}");
        id += 1;
        assert!(id < 20, "the breaker never opened");
    }
    server.ask("CONFIG SET maxmemory 0").unwrap();
    until("redis takes writes again", || {
        edge.counters.mode() == Mode::Shared
    })
    .await;
}

#[tokio::test]
async fn the_threads_of_a_process_that_is_alone_share_its_counts() {
    let config = Config {
        store: Store::Process,
        ..Config::default()
    };
    let (_edges, live_edges) = watch::channel(7);
    let two = NonZeroUsize::new(2).unwrap();
    let opened = open_each(&config, &Clock::system(), &live_edges, two).unwrap();
    let mut left = 100;
    for id in 0..10 {
        for (thread, (counters, _upkeep)) in (0..).zip(&opened) {
            let reserved = counters
                .reserve(&request(10 * id + thread), &[hourly(100, 1)])
                .await;
            left -= 1;
            assert_eq!(
                remaining(&reserved),
                Some(left),
                "the whole limit, whatever the region has"
            );
        }
    }
    opened[1]
        .0
        .settle(&request(1), &[(hourly(100, 1).applied.counter, 0)]);
    let reserved = opened[0]
        .0
        .reserve(&request(1_000), &[hourly(100, 1)])
        .await;
    assert_eq!(remaining(&reserved), Some(left), "one came back");
}

#[tokio::test]
async fn settings_that_cannot_work_are_refused_before_anything_is_opened() {
    let refused = |config: Config| {
        let (_edges, live_edges) = watch::channel(1);
        open(&config, Clock::system(), live_edges)
            .err()
            .map(|error| error.to_string())
    };
    let url = Config {
        redis_url: "http://u:secret@localhost".to_owned().into(),
        ..Config::default()
    };
    let sentence = refused(url).unwrap();
    assert!(
        sentence.contains("limits.redis_url") && !sentence.contains("secret"),
        "{sentence}"
    );
    let impatient = Config {
        timeout_ms: 0,
        ..Config::default()
    };
    let lasting = Config {
        lease_ms: 700_000,
        ..Config::default()
    };
    assert!(refused(impatient).is_some() && refused(lasting).is_some());
    assert!(refused(Config::default()).is_none());
}

#[test]
fn asking_is_a_small_future_and_counters_go_anywhere() {
    fn anywhere<T: Send + Sync + Clone + 'static>(_: &T) {}
    let config = Config::default();
    let (_edges, live_edges) = watch::channel(1);
    let (counters, _upkeep): (Counters, Upkeep) =
        open(&config, Clock::system(), live_edges).unwrap();
    anywhere(&counters);
    let (request, demands) = (request(1), [hourly(1, 1)]);
    let size = size_of_val(&counters.admit(&request, &demands, &[]));
    assert!(size <= 2_048, "{size} bytes");
}

impl Edge {
    fn start(server: &RedisServer, edges: u32, lease_ms: u64) -> Self {
        Self::start_for(server, (edges, lease_ms), Duration::ZERO)
    }

    /// One whose drain lasts this long.
    fn start_for(server: &RedisServer, (edges, lease_ms): (u32, u64), deadline: Duration) -> Self {
        let config = Config {
            redis_url: server.url().into(),
            timeout_ms: TIMEOUT_MS,
            lease_ms,
            ..Config::default()
        };
        let (edges, live_edges) = watch::channel(edges);
        let (counters, upkeep) = open(&config, Clock::system(), live_edges).expect("settings");
        let (trigger, drain) = drain::channel(Duration::ZERO, deadline);
        let upkeep = tokio::spawn(upkeep.run(drain.clone()));
        Self {
            counters,
            upkeep,
            drain,
            kept: (Some(trigger), edges),
        }
    }
}

async fn ends_within(upkeep: &mut JoinHandle<()>, ms: u64) -> Result<(), Elapsed> {
    let ended = timeout(Duration::from_millis(ms), upkeep).await?;
    ended.expect("it does not panic");
    Ok(())
}

fn request(id: i64) -> Request {
    let mut bytes = [0; 16];
    bytes[8..].copy_from_slice(&id.to_be_bytes());
    Request {
        organization: ORGANIZATION,
        id: bytes,
    }
}

fn remaining(reserved: &Reserved) -> Option<i64> {
    match reserved {
        Reserved::Granted { remaining, .. } => Some(remaining[0]),
        _ => None,
    }
}

/// What is left of a limit, as Redis has it written.
fn level(server: &RedisServer, demand: &Demand) -> i64 {
    let key = keyspace::shelf(ORGANIZATION, demand.applied.shelf.id);
    let key = String::from_utf8(key).expect("a key is text");
    let found = server.texts(&format!("GET {key}"));
    let shelf = found.first().map_or(&[][..], Vec::as_slice);
    // Until when it is kept, how many counts, their ids, then three numbers of each and three of what is in it.
    let number = |at: usize| {
        let bytes = shelf.get(26 + 8 * at..34 + 8 * at)?;
        Some(f64::from_le_bytes(bytes.try_into().ok()?))
    };
    let (Some(window_ms), Some(burst), Some(missing)) = (number(1), number(2), number(3)) else {
        return i64::MIN;
    };
    let level = burst - (missing / window_ms).ceil();
    format!("{level:.0}").parse().expect("a whole number")
}

async fn level_becomes(server: &RedisServer, demand: &Demand, expected: i64) {
    let deadline = Instant::now() + Duration::from_secs(5);
    while level(server, demand) != expected {
        let now = level(server, demand);
        assert!(
            Instant::now() < deadline,
            "the level is {now}, not {expected}"
        );
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// How many reservations and loans Redis holds whose lease has not ended. What only remembers a charge is none.
fn held(server: &RedisServer) -> i64 {
    let key = String::from_utf8(keyspace::held(ORGANIZATION)).expect("a key is text");
    let values = server.texts(&format!("HVALS {key}"));
    let held = |value: &&Vec<u8>| matches!(value.first(), Some(b'R' | b'L'));
    let held = values.iter().filter(held);
    held.count().try_into().expect("a few")
}

/// When the first lease ends.
fn due_ms(server: &RedisServer) -> u64 {
    let key = String::from_utf8(keyspace::due(ORGANIZATION)).expect("a key is text");
    let answer = server
        .ask(&format!("ZRANGE {key} 0 0 WITHSCORES"))
        .unwrap_or_default();
    answer
        .lines()
        .last()
        .and_then(|score| score.parse().ok())
        .unwrap_or_default()
}

async fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(5);
    while !condition() {
        assert!(Instant::now() < deadline, "never happened: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
