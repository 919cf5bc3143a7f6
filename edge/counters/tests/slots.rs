//! Slots of requests that are under way: Redis and the twin are one thing, and edges that share a Redis have no more than there
//! are.
//!
//! Each edge runs its counters as a worker does, with its upkeep in the background.

mod redis_server;
#[allow(dead_code, reason = "nothing is frozen here")]
mod faults;
mod demands;

use std::{
    num::NonZeroUsize,
    sync::Arc,
    time::{Duration, Instant},
};

use counters::{
    Config, Counters, Demand, Mode, Request, Reserved, Seats, open_each,
    process::Process,
    redis::{Connection, Server},
    reservation::{Claim, Claims, Line, SLOTS_TERM_MS, Said, Saying, Term, Wanted},
};
use demands::{ORGANIZATION, hourly, slot};
use lifecycle::{clock::Clock, drain};
use policy::{
    id::CounterId,
    limit::{self, OnStoreLoss},
};
use redis_server::RedisServer;
use tokio::{sync::watch, task::JoinHandle};

const NOON_MS: u64 = 1_700_000_000_000;

#[tokio::test]
async fn the_same_claims_get_the_same_replies_in_redis_and_in_the_twin() {
    let server = RedisServer::start();
    let redis = dial(&server).await;
    let mut twin = Process::new();
    let mut random = fastrand::Rng::with_seed(20_241_126);
    let (mut now_ms, mut turns) = (NOON_MS, [1_u64; 3]);
    let (mut granted, mut denied, mut over) = (0, 0, 0);
    for step in 0..6_000 {
        match random.u32(0..200) {
            0 => now_ms += random.u64(0..2 * SLOTS_TERM_MS),
            1 => now_ms -= random.u64(0..SLOTS_TERM_MS),
            _ => now_ms += random.u64(0..400),
        }
        let owner = random.usize(0..3);
        turns[owner] += 1;
        let turn = turns[owner] - random.u64(0..3).min(turns[owner] - 1);
        let whose = [u8::try_from(owner).expect("a few") + 1; 16];
        if random.u32(0..3) == 0 {
            let saying = saying(&mut random, whose, turn);
            let there = redis.hold_slots(&saying, Some(now_ms)).await;
            let here = twin.hold_slots(&saying, now_ms);
            assert_eq!(there, Ok(here), "step {step}: {saying:?}");
            continue;
        }
        let claims: Vec<Claim> = (1..=random.u8(1..=3))
            .map(|it| claim(&mut random, it))
            .collect();
        let mut lines: Vec<Line> = Vec::new();
        let id = random.u64(0..1_000);
        if id.is_multiple_of(2) {
            lines.extend(hourly(5_000, random.u64(0..3)).line());
        }
        let claimed = Claims {
            owner: whose,
            turn,
            each: &claims,
        };
        let wanted = Wanted {
            claims: Some(&claimed),
            ..Wanted::now(&lines)
        };
        let request = request(id);
        let term = Term {
            lease_ms: 5_000,
            now_ms: Some(now_ms),
        };
        let there = redis
            .reserve(&request, wanted, term)
            .await
            .expect("an answer");
        let here = twin.reserve(&request, wanted, 5_000, now_ms);
        assert_eq!(there, here, "step {step} at {now_ms}: {wanted:?}");
        match here.value {
            Reserved::Granted { over: full, .. } => {
                granted += 1;
                over += usize::from(!full.is_empty());
            }
            Reserved::Denied { .. } => denied += 1,
            Reserved::Unknown { .. } | Reserved::Lacking { .. } => {}
        }
    }
    // A trace that is always granted would prove little.
    assert!(
        granted > 500 && denied > 500 && over > 50,
        "{granted} {denied} {over}"
    );
}

#[tokio::test]
async fn edges_have_together_as_many_under_way_as_there_are_slots() {
    let server = RedisServer::start();
    let edges = [Edge::start(&server, 2), Edge::start(&server, 2)];
    let mut asked = tokio::task::JoinSet::new();
    for id in 0..40 {
        // Two edges of two threads each.
        let counters = edges[id % 2].threads[id / 2 % 2].clone();
        asked.spawn(async move { counters.admit(&request(id as u64), &[slot(10)], &[]).await });
    }
    let mut seats: Vec<Seats> = Vec::new();
    for (reserved, taken) in asked.join_all().await {
        match reserved {
            Reserved::Granted { .. } => seats.push(taken),
            Reserved::Denied { retry_after_ms, .. } => assert_eq!(retry_after_ms, 1_000),
            Reserved::Unknown { .. } | Reserved::Lacking { .. } => panic!("redis is well"),
        }
    }
    assert_eq!(seats.len(), 10);
    // One that is free, wherever it was, is everybody's.
    for round in 0..10 {
        seats.pop();
        let again = &edges[round % 2].threads[0];
        let taken = until("one is free", async || {
            admitted(again, 1_000 + round as u64, &[slot(10)]).await
        });
        seats.push(taken.await);
        assert!(admitted(again, 2_000, &[slot(10)]).await.is_none());
    }
}

#[tokio::test]
async fn slots_and_levels_of_a_request_are_one_call_and_all_or_nothing() {
    let server = RedisServer::start();
    let edge = Edge::start(&server, 1);
    let counters = &edge.threads[0];
    let both = [hourly(2, 1), slot(10)];
    // The first dial runs one, too.
    until("redis is dialled", async || {
        counters.stands_since(ORGANIZATION).await
    })
    .await;
    let before = scripts_run(&server);
    let (reserved, one) = counters.admit(&request(1), &both, &[]).await;
    assert_eq!(remaining(&reserved), Some([1, 9].as_slice()));
    assert_eq!(scripts_run(&server) - before, 1);
    let two = admitted(counters, 2, &both).await.expect("there is room");
    // The level is used up, so that no slot is taken either; the slots are, so that the level is not touched.
    assert!(admitted(counters, 3, &both).await.is_none());
    assert!(admitted(counters, 4, &[slot(3)]).await.is_some());
    let mut other = hourly(9, 1);
    other.applied.counter = CounterId::from_bytes([7; 16]);
    let few = [other.clone(), slot(2)];
    let (denied, _) = counters.admit(&request(5), &few, &[]).await;
    assert!(
        matches!(denied, Reserved::Denied { tightest: 1, .. }),
        "{denied:?}"
    );
    let (reserved, _) = counters.admit(&request(6), &[other], &[]).await;
    assert_eq!(remaining(&reserved), Some([8].as_slice()));
    drop((one, two));
}

#[tokio::test]
async fn without_redis_an_edge_has_its_share_and_tells_what_is_under_way_when_it_is_back() {
    let mut server = RedisServer::start();
    let edge = Edge::start(&server, 1);
    let other = Edge::start(&server, 1);
    edge.edges.send_replace(2);
    let counters = &edge.threads[0];
    let first = admitted(counters, 1, &[slot(10)])
        .await
        .expect("there is room");
    server.kill();
    let _unknown = until("redis is away", async || {
        let threads = [counters, &other.threads[0]];
        for counters in threads {
            let _lost = counters.admit(&request(2), &[slot(10)], &[]).await;
        }
        let local = |it: &&Counters| it.mode() == Mode::Local;
        threads.iter().all(local).then_some(())
    })
    .await;
    let mut seats = vec![first];
    for id in 3..20 {
        seats.extend(admitted(counters, id, &[slot(10)]).await);
    }
    assert_eq!(seats.len(), 5, "half of them");
    let held = |on_store_loss| {
        let mut demand = slot(10);
        let limit = Arc::make_mut(&mut demand.applied.limit);
        limit.terms.on_store_loss = on_store_loss;
        demand
    };
    let deny = [held(OnStoreLoss::Deny)];
    let (unknown, _) = counters.admit(&request(30), &deny, &[]).await;
    assert_eq!(unknown, Reserved::Unknown { place: 0 });
    let allowed = admitted(counters, 31, &[held(OnStoreLoss::Allow)]).await;
    seats.push(allowed.expect("it admits everything"));
    server.restart();
    let _back = until("redis is back", async || {
        let modes = [counters.mode(), other.threads[0].mode()];
        (modes == [Mode::Shared; 2]).then_some(())
    })
    .await;
    // Six are under way here.
    let mut there = Vec::new();
    for id in 100..120 {
        there.extend(admitted(&other.threads[0], id, &[slot(10)]).await);
    }
    assert_eq!(there.len(), 4);
}

#[tokio::test]
async fn a_soft_limit_serves_what_has_no_slot_and_does_not_count_it() {
    let server = RedisServer::start();
    let edge = Edge::start(&server, 1);
    let counters = &edge.threads[0];
    let mut soft = slot(1);
    Arc::make_mut(&mut soft.applied.limit).terms.mode = limit::Mode::Soft;
    let soft = [soft];
    let (_, one) = counters.admit(&request(1), &soft, &[]).await;
    for id in 2..5 {
        let (reserved, _seats) = counters.admit(&request(id), &soft, &[]).await;
        assert!(matches!(reserved, Reserved::Granted { over, .. } if over == [0]));
    }
    drop(one);
    let (reserved, _seats) = counters.admit(&request(9), &soft, &[]).await;
    assert!(matches!(reserved, Reserved::Granted { over, .. } if over.is_empty()));
}

#[tokio::test]
async fn one_process_keeps_its_slots_in_its_own_memory() {
    let config = Config {
        store: counters::config::Store::Process,
        ..Config::default()
    };
    let (_edges, live_edges) = watch::channel(4);
    let threads = NonZeroUsize::new(2).expect("two");
    let each = open_each(&config, &Clock::system(), &live_edges, threads).expect("settings");
    let mut seats = Vec::new();
    for id in 0..20 {
        let (counters, _) = &each[id % 2];
        seats.extend(admitted(counters, id as u64, &[slot(10)]).await);
    }
    assert_eq!(seats.len(), 10);
    seats.pop();
    assert!(admitted(&each[0].0, 99, &[slot(10)]).await.is_some());
}

/// One edge: its counters, one for each thread, and what keeps them up.
struct Edge {
    threads: Vec<Counters>,
    upkeep: Vec<JoinHandle<()>>,
    edges: watch::Sender<u32>,
    _trigger: drain::Trigger,
}

impl Edge {
    fn start(server: &RedisServer, threads: usize) -> Self {
        let config = Config {
            redis_url: server.url().into(),
            timeout_ms: 1_000,
            ..Config::default()
        };
        let (edges, live_edges) = watch::channel(1);
        let threads = NonZeroUsize::new(threads).expect("a thread");
        let each = open_each(&config, &Clock::system(), &live_edges, threads).expect("settings");
        let (trigger, drain) = drain::channel(Duration::ZERO, Duration::ZERO);
        let (threads, upkeeps): (Vec<_>, Vec<_>) = each.into_iter().unzip();
        let run = upkeeps
            .into_iter()
            .map(|it| tokio::spawn(it.run(drain.clone())));
        Self {
            threads,
            upkeep: run.collect(),
            edges,
            _trigger: trigger,
        }
    }
}

impl Drop for Edge {
    fn drop(&mut self) {
        for upkeep in &self.upkeep {
            upkeep.abort();
        }
    }
}

async fn admitted(counters: &Counters, id: u64, demands: &[Demand]) -> Option<Seats> {
    let (reserved, seats) = counters.admit(&request(id), demands, &[]).await;
    matches!(reserved, Reserved::Granted { .. }).then_some(seats)
}

/// Asks until there is an answer.
async fn until<T>(what: &str, ask: impl AsyncFn() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(Instant::now() < deadline, "{what}: not in time");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

fn remaining(reserved: &Reserved) -> Option<&[i64]> {
    match reserved {
        Reserved::Granted { remaining, .. } => Some(remaining),
        _ => None,
    }
}

fn scripts_run(server: &RedisServer) -> u64 {
    let info = server.ask("INFO commandstats").expect("an answer");
    let line = info
        .lines()
        .find_map(|line| line.strip_prefix("cmdstat_evalsha:calls="));
    let calls = line.and_then(|rest| rest.split(',').next()?.parse().ok());
    calls.unwrap_or(0)
}

fn saying(random: &mut fastrand::Rng, owner: [u8; 16], turn: u64) -> Saying {
    let said = (1..=random.u8(1..=3)).map(|count| Said {
        counter: CounterId::from_bytes([count; 16]),
        number: random.u32(0..8),
        at_least: random.bool(),
    });
    let said = said.collect();
    Saying {
        owner,
        turn,
        of: vec![(ORGANIZATION, said)],
    }
}

fn claim(random: &mut fastrand::Rng, count: u8) -> Claim {
    Claim {
        counter: CounterId::from_bytes([count; 16]),
        amount: random.u64(1..24),
        known: (random.u32(0..6), random.u64(0..3_000)),
        base: random.u32(0..6),
        more: random.u32(0..2),
        spare: random.u32(0..3),
        retry_ms: random.u64(1..3_000),
        soft: random.u32(0..6) == 0,
    }
}

fn request(id: u64) -> Request {
    let mut bytes = [0; 16];
    bytes[8..].copy_from_slice(&id.to_be_bytes());
    Request {
        organization: ORGANIZATION,
        id: bytes,
    }
}

async fn dial(server: &RedisServer) -> Connection {
    let server = Server::new(&server.url(), None, Duration::from_secs(5)).expect("a URL");
    server.dial().await.expect("a redis that answers")
}
