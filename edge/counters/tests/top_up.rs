//! What is charged while a request still runs: once, also where Redis goes and comes back, and whatever becomes of its edge.
//!
//! Each test runs an edge's counters as a worker does, with its upkeep in the background, against a Redis of its own.

mod redis_server;
#[allow(dead_code, reason = "nobody is frozen here")]
mod faults;
mod demands;

use std::time::{Duration, Instant};

use counters::{Config, Counters, Demand, Mode, Request, Reserved, Taken, config::Store, open};
use demands::{ORGANIZATION, hourly};
use lifecycle::{
    clock::Clock,
    drain::{self, Trigger},
};
use redis_server::RedisServer;
use tokio::{sync::watch, task::JoinHandle};

/// One edge: its counters and what keeps them up.
struct Edge {
    counters: Counters,
    upkeep: JoinHandle<()>,
    _kept: (Trigger, watch::Sender<u32>),
}

impl Edge {
    fn start(server: &RedisServer, store: Store, lease_ms: u64) -> Self {
        let config = Config {
            store,
            redis_url: server.url().into(),
            timeout_ms: 1_000,
            lease_ms,
            ahead_ms: 0,
            ..Config::default()
        };
        let (edges, live_edges) = watch::channel(1);
        let (counters, upkeep) = open(&config, Clock::system(), live_edges).expect("settings");
        let (trigger, drain) = drain::channel(Duration::ZERO, Duration::from_secs(1));
        let upkeep = tokio::spawn(upkeep.run(drain));
        Self {
            counters,
            upkeep,
            _kept: (trigger, edges),
        }
    }

    /// What is left, as whoever keeps the counts tells it.
    async fn left(&self, demand: &Demand) -> Option<i64> {
        let limits = std::slice::from_ref(&demand.applied);
        self.counters.look(ORGANIZATION, limits).await.0[0]
    }

    async fn left_becomes(&self, demand: &Demand, expected: i64) {
        until(&format!("{expected} are left"), async || {
            self.left(demand).await == Some(expected)
        })
        .await;
    }

    async fn reserve(&self, id: u8, demand: &Demand) -> Reserved {
        let demands = std::slice::from_ref(demand);
        self.counters.reserve(&request(id), demands).await
    }

    fn top_up(&self, id: u8, demand: &Demand, units: u64) {
        let wanted = [(demand.applied.counter, units)];
        self.counters.top_up(&request(id), &wanted, &[]);
    }

    fn settle(&self, id: u8, demand: &Demand, units: u64) {
        let used = [(demand.applied.counter, units)];
        self.counters.settle(&request(id), &used);
    }
}

#[tokio::test]
async fn what_goes_beyond_a_reservation_is_charged_as_it_goes_and_to_the_unit_in_the_end() {
    let server = RedisServer::start();
    let limit = hourly(1_000, 10);
    for store in [Store::Redis, Store::Process] {
        let edge = Edge::start(&server, store, 30_000);
        edge.reserve(1, &limit).await;
        for (units, left) in [(10, 990), (60, 940), (50, 940), (90, 910)] {
            edge.top_up(1, &limit, units);
            edge.left_becomes(&limit, left).await;
        }
        // Less than was charged: it is given back.
        edge.settle(1, &limit, 85);
        edge.left_becomes(&limit, 915).await;
        // It is settled, and nothing is charged any more.
        edge.top_up(1, &limit, 500);
        // More than was charged; and more than there is, which is a debt.
        edge.reserve(2, &limit).await;
        edge.top_up(2, &limit, 1_000);
        edge.left_becomes(&limit, -85).await;
        let refused = edge.reserve(3, &limit).await;
        assert!(matches!(refused, Reserved::Denied { .. }), "{refused:?}");
        edge.settle(2, &limit, 1_007);
        edge.left_becomes(&limit, -92).await;
        let id = request(2);
        edge.counters.settle(&id, &[(limit.applied.counter, 0)]);
        edge.left_becomes(&limit, -92).await;
    }
}

#[tokio::test]
async fn what_is_taken_for_good_is_taken_once_by_whichever_edge_and_never_from_a_share() {
    let server = RedisServer::start();
    let [one, other] = [(); 2].map(|()| Edge::start(&server, Store::Redis, 30_000));
    let (part, more) = (hourly(1_000, 600), hourly(1_000, 500));
    for edge in [&one, &other] {
        edge.left_becomes(&part, 1_000).await;
    }
    for edge in [&one, &other, &one] {
        let taken = edge.counters.take(&request(1), &part).await;
        assert_eq!(taken, Some(Taken::All(400)));
    }
    let taken = other.counters.take(&request(2), &more).await;
    assert_eq!(taken, Some(Taken::Nothing(400)));
    // What is settled is not given back.
    one.settle(1, &part, 0);
    one.left_becomes(&part, 400).await;
    drop(server);
    let taken = one.counters.take(&request(3), &hourly(1_000, 1)).await;
    assert_eq!(taken, None);
}

#[tokio::test]
async fn of_an_edge_that_is_gone_what_was_reserved_and_what_was_charged_stays() {
    let server = RedisServer::start();
    let limit = hourly(1_000, 10);
    let (gone, other) = (
        Edge::start(&server, Store::Redis, 300),
        Edge::start(&server, Store::Redis, 300),
    );
    gone.reserve(1, &limit).await;
    gone.top_up(1, &limit, 60);
    gone.left_becomes(&limit, 940).await;
    gone.upkeep.abort();
    let ends = Instant::now() + Duration::from_millis(300);
    until("its lease has ended", async || Instant::now() > ends).await;
    other.reserve(2, &limit).await;
    assert_eq!(other.left(&limit).await, Some(930));
    other.settle(2, &limit, 0);
    other.left_becomes(&limit, 940).await;
}

#[tokio::test]
async fn what_is_charged_while_redis_is_away_is_charged_when_it_is_back() {
    let mut server = RedisServer::start();
    let edge = Edge::start(&server, Store::Redis, 30_000);
    let limit = hourly(1_000, 10);
    // One that Redis granted, and one that the share did.
    edge.reserve(1, &limit).await;
    server.kill();
    edge.reserve(2, &limit).await;
    edge.top_up(1, &limit, 30);
    edge.top_up(2, &limit, 40);
    edge.top_up(2, &limit, 70);
    assert_eq!(edge.left(&limit).await, Some(930), "of the share");
    server.restart();
    until("redis is found again", async || {
        edge.counters.mode() == Mode::Shared
    })
    .await;
    // This Redis has forgotten what was reserved before: 20 beyond the first, and 60 beyond the second.
    edge.left_becomes(&limit, 920).await;
    edge.settle(2, &limit, 75);
    edge.left_becomes(&limit, 905).await;
}

fn request(id: u8) -> Request {
    Request {
        organization: ORGANIZATION,
        id: [id; 16],
    }
}

async fn until(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(5);
    while !condition().await {
        assert!(Instant::now() < deadline, "never happened: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
