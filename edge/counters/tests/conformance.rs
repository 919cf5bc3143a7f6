//! Redis and the twin are one thing: the same operations give the same replies, to the unit.
//!
//! Time is passed in, so that a trace means the same on both. What only one of them has, such as keys that
//! expire, is tested beside it.

mod redis_server;
mod replied;
mod trace;

use std::time::Duration;

use counters::{
    bucket, keyspace,
    process::Process,
    redis::{Connection, Server},
    reservation::{
        Ahead, CHARGED_KEEP_MS, Line, REAP_MAX, Reply, Request, Reserved, Settled, Settlement,
        Term, Wanted,
    },
};
use policy::{
    applying::{Measure, Shelf},
    id::{CounterId, OrganizationId, ShelfId},
    limit::{Rate, UNITS_MAX},
};
use redis_server::RedisServer;
use replied::{Replied, Seen};
use trace::{Operation, Trace};

const NOON_MS: u64 = 1_700_000_000_000;
const ORGANIZATION: OrganizationId = OrganizationId::from_bytes([7; 16]);

#[tokio::test]
async fn the_same_trace_gives_the_same_replies_in_redis_and_in_the_twin() {
    let server = RedisServer::start();
    let redis = dial(&server).await;
    let mut twin = Process::new();
    let mut seen = Seen::default();
    let operations = trace::corners(NOON_MS).chain(Trace::new(20_240_601, NOON_MS).take(24_000));
    for (place, (now_ms, operation)) in operations.enumerate() {
        let there = over_there(&redis, &operation, now_ms).await;
        let here = in_here(&mut twin, &operation, now_ms);
        assert_eq!(there, here, "operation {place} at {now_ms}: {operation:?}");
        seen.count(&here);
    }
    // A trace that is always granted, or never expires, would prove little.
    assert!(
        seen.granted > 2_000 && seen.denied > 2_000 && seen.settled > 500,
        "{seen:?}"
    );
    assert!(
        seen.charged > 100
            && seen.renewed > 100
            && seen.expired > 100
            && seen.bequests > 100
            && seen.lent > 250
            && seen.over > 200,
        "{seen:?}"
    );
    assert!(
        seen.reaped_most >= REAP_MAX as u64 && seen.deepest <= -10_000,
        "{seen:?}"
    );
}

#[tokio::test]
async fn a_denial_writes_nothing_at_all() {
    let server = RedisServer::start();
    let redis = dial(&server).await;
    let open = line(1, 100, 1_000, 100, 10);
    let tight = line(2, 1, 1_000, 1, 1);
    reserve(&redis, 1, &[tight], NOON_MS).await;
    let writes = || {
        let info = server.ask("INFO persistence").unwrap();
        let line = info
            .lines()
            .find(|line| line.starts_with("rdb_changes_since_last_save"));
        line.unwrap().to_owned()
    };
    let before = writes();
    let denied = reserve(&redis, 2, &[open, tight], NOON_MS).await;
    let expected = Reserved::Denied {
        tightest: 1,
        retry_after_ms: 1_000,
        remaining: vec![100, 0],
        slots: Vec::new(),
    };
    assert_eq!(denied.value, expected);
    assert_eq!(before, writes());
}

#[tokio::test]
async fn a_key_lives_until_its_bucket_is_full_again() {
    let server = RedisServer::start();
    let redis = dial(&server).await;
    // A thousand units of debt at ten a second, in both directions of the clock.
    let deep = line(1, 10, 1_000, 10, 1_010);
    reserve(&redis, 1, &[deep], NOON_MS).await;
    let key = String::from_utf8(keyspace::shelf(ORGANIZATION, deep.shelf.id)).unwrap();
    // The script rounds up by adding one, also where nothing is left to round.
    assert_about(ttl_ms(&server, &key), 101_000 + 1 + bucket::KEEP_MS);
    let mut twin = bucket::Bucket::full(&deep.measure, NOON_MS);
    twin = twin.changed(&deep.measure, -1_010);
    assert_eq!(
        twin.keep_until_ms(&deep.measure) - NOON_MS,
        101_000 + bucket::KEEP_MS
    );
    for key in [keyspace::held(ORGANIZATION), keyspace::due(ORGANIZATION)] {
        let key = String::from_utf8(key).unwrap();
        assert_about(ttl_ms(&server, &key), 604_800_000);
    }
}

#[tokio::test]
async fn looking_tells_what_is_left_and_writes_nothing() {
    let server = RedisServer::start();
    let redis = dial(&server).await;
    let mut twin = Process::new();
    let asked = [
        line(1, 100, 1_000, 100, 30),
        line(2, 1, 3_600_000, 10, 10),
        Line {
            soft: true,
            ..line(3, 1, 3_600_000, 5, 9)
        },
    ];
    reserve(&redis, 1, &asked[..2], NOON_MS).await;
    twin.reserve(&request(1), Wanted::now(&asked[..2]), 30_000, NOON_MS);
    let before = written(&server);
    for later_ms in [0, 100, 3_600_000] {
        let now_ms = NOON_MS + later_ms;
        let there = redis
            .look(ORGANIZATION, Wanted::now(&asked), Some(now_ms))
            .await;
        let here = twin.levels(ORGANIZATION, &asked, now_ms);
        assert_eq!(there, Ok((here.clone(), Vec::new())), "{later_ms} ms later");
        let expected = match later_ms {
            0 => [70, 0, 5],
            100 => [80, 0, 5],
            _ => [100, 1, 5],
        };
        assert_eq!(here, expected);
    }
    assert_eq!(written(&server), before, "nothing was written");
}

/// How often Redis was written to.
fn written(server: &RedisServer) -> String {
    let told = server.ask("INFO persistence").expect("an answer");
    let mut lines = told.lines();
    let line = lines.find(|line| line.starts_with("rdb_changes_since_last_save"));
    line.expect("redis counts them").to_owned()
}

#[tokio::test]
async fn scripts_that_redis_lost_are_loaded_again() {
    let server = RedisServer::start();
    let redis = dial(&server).await;
    let one = line(1, 10, 1_000, 10, 4);
    let settlement = settlement(1, vec![Line { amount: 1, ..one }], false);
    let term = Term {
        lease_ms: 1_000,
        now_ms: Some(NOON_MS),
    };
    for round in 1..=3 {
        server.ask("SCRIPT FLUSH").unwrap();
        match round {
            1 => drop(reserve(&redis, 1, &[one], NOON_MS).await),
            2 => {
                let held = [(ORGANIZATION, vec![request(1).id, request(2).id])];
                assert_eq!(redis.renew(&held, term).await, Ok(1));
            }
            _ => {
                let settled = redis.settle([&settlement].into_iter(), Some(NOON_MS)).await;
                let expected = Reply {
                    value: Settled::Released,
                    expired: 0,
                    bequests: Vec::new(),
                };
                assert_eq!(settled, Ok(vec![Ok(expected)]));
            }
        }
    }
}

#[tokio::test]
async fn redis_reads_its_own_clock_when_no_time_is_passed_in() {
    let server = RedisServer::start();
    let redis = dial(&server).await;
    let one = line(1, 1_000, 1_000, 1_000, 1_000);
    let term = Term {
        lease_ms: 1_000,
        now_ms: None,
    };
    redis
        .reserve(&request(1), Wanted::now(&[one]), term)
        .await
        .unwrap();
    let deadline = std::time::Instant::now() + Duration::from_secs(2);
    let mut id = 2;
    // A thousand a second: one comes back within milliseconds.
    let little = Line { amount: 1, ..one };
    while !matches!(
        redis
            .reserve(&request(id), Wanted::now(&[little]), term)
            .await
            .unwrap()
            .value,
        Reserved::Granted { .. }
    ) {
        assert!(std::time::Instant::now() < deadline);
        id += 1;
    }
}

#[tokio::test]
async fn what_is_admitted_in_any_interval_is_within_the_bound_and_nearly_all_of_it_is_used() {
    let server = RedisServer::start();
    let redis = dial(&server).await;
    let mut twin = Process::new();
    let (amount, window_ms, burst) = (600, 60_000, 60);
    let mut random = fastrand::Rng::with_seed(4);
    let mut now_ms = NOON_MS;
    let mut admitted: Vec<(u64, i64)> = Vec::new();
    for id in 0..4_000 {
        now_ms += random.u64(0..150);
        let one = line(1, amount, window_ms, burst, random.u64(1..=burst));
        let operation = Operation::Reserve {
            request: request(id),
            lines: vec![one],
            ahead: None,
            bequest: Vec::new(),
            lease_ms: 100,
        };
        let reply = over_there(&redis, &operation, now_ms).await;
        assert_eq!(reply, in_here(&mut twin, &operation, now_ms));
        if let Replied::Reserved(Reply {
            value: Reserved::Granted { .. },
            ..
        }) = reply
        {
            admitted.push((now_ms, one.amount));
        }
    }
    for start in 0..admitted.len() {
        let mut sum = 0;
        for (then_ms, units) in &admitted[start..] {
            sum += units.unsigned_abs();
            let bound = amount * (then_ms - admitted[start].0) + burst * window_ms;
            assert!(
                sum * window_ms <= bound,
                "{sum} from {} to {then_ms}",
                admitted[start].0
            );
        }
    }
    let sum: u64 = admitted.iter().map(|(_, units)| units.unsigned_abs()).sum();
    let allowed = amount * (now_ms - NOON_MS) / window_ms;
    assert!(sum * 100 >= allowed * 98, "{sum} of {allowed}");
}

#[tokio::test]
async fn an_id_is_settled_once_and_a_charge_is_remembered_for_its_time() {
    let server = RedisServer::start();
    let redis = dial(&server).await;
    let one = line(1, 1, 3_600_000, 100, 40);
    let probe = Line { amount: 101, ..one };
    reserve(&redis, 1, &[one], NOON_MS).await;
    let settled = settlement(1, vec![Line { amount: 10, ..one }], true);
    let absent = settlement(2, vec![Line { amount: 5, ..one }], true);
    for (settlement, expected) in [
        (&settled, Settled::Released),
        (&settled, Settled::Nothing),
        (&absent, Settled::Charged),
        (&absent, Settled::Nothing),
    ] {
        let replies = redis
            .settle([settlement].into_iter(), Some(NOON_MS))
            .await
            .unwrap();
        assert_eq!(replies[0].clone().unwrap().value, expected);
    }
    // Overtaken by its own settlement, a reservation holds nothing.
    assert_eq!(
        granted(&reserve(&redis, 2, &[one], NOON_MS).await),
        Some(vec![85])
    );
    let later_ms = NOON_MS + CHARGED_KEEP_MS;
    reserve(&redis, 3, &[Line { amount: 0, ..one }], later_ms).await;
    assert_eq!(
        granted(&reserve(&redis, 2, &[one], later_ms).await),
        Some(vec![45])
    );
    assert_eq!(granted(&reserve(&redis, 4, &[probe], later_ms).await), None);
}

async fn dial(server: &RedisServer) -> Connection {
    // Time is passed in, and begins long before this Redis did.
    let set = server.ask(&format!("SET {} 0", keyspace::WHOLE));
    set.expect("a redis that answers");
    let server = Server::new(&server.url(), None, Duration::from_secs(5)).expect("a URL");
    server.dial().await.expect("a redis that answers")
}

async fn over_there(redis: &Connection, operation: &Operation, now_ms: u64) -> Replied {
    let now = Some(now_ms);
    match operation {
        Operation::Reserve {
            request,
            lines,
            ahead,
            bequest,
            lease_ms,
        } => {
            let term = Term {
                lease_ms: *lease_ms,
                now_ms: now,
            };
            Replied::Reserved(
                redis
                    .reserve(request, wanted(lines, ahead.as_ref(), bequest), term)
                    .await
                    .expect("an answer"),
            )
        }
        Operation::Settle(settlement) => {
            let mut replies = redis
                .settle([settlement].into_iter(), now)
                .await
                .expect("an answer");
            Replied::Settled(replies.remove(0).expect("a reply"))
        }
        Operation::Inherit { organization, ids } => {
            let said = redis.inherited(*organization, ids, now).await;
            said.expect("an answer");
            Replied::Heard
        }
        Operation::Renew {
            organization,
            ids,
            lease_ms,
        } => {
            let term = Term {
                lease_ms: *lease_ms,
                now_ms: now,
            };
            let held = [(*organization, ids.clone())];
            Replied::Renewed(redis.renew(&held, term).await.expect("an answer"))
        }
    }
}

fn in_here(twin: &mut Process, operation: &Operation, now_ms: u64) -> Replied {
    match operation {
        Operation::Reserve {
            request,
            lines,
            ahead,
            bequest,
            lease_ms,
        } => Replied::Reserved(twin.reserve(
            request,
            wanted(lines, ahead.as_ref(), bequest),
            *lease_ms,
            now_ms,
        )),
        Operation::Settle(settlement) => Replied::Settled(twin.settle(settlement, now_ms)),
        Operation::Inherit { organization, ids } => {
            twin.inherited(*organization, ids, now_ms);
            Replied::Heard
        }
        Operation::Renew {
            organization,
            ids,
            lease_ms,
        } => Replied::Renewed(twin.renew(*organization, ids, *lease_ms, now_ms)),
    }
}

async fn reserve(redis: &Connection, id: u64, lines: &[Line], now_ms: u64) -> Reply<Reserved> {
    let term = Term {
        lease_ms: 30_000,
        now_ms: Some(now_ms),
    };
    redis
        .reserve(&request(id), Wanted::now(lines), term)
        .await
        .expect("an answer")
}

fn wanted<'a>(lines: &'a [Line], ahead: Option<&'a Ahead>, bequest: &'a [u8]) -> Wanted<'a> {
    Wanted {
        ahead,
        bequest,
        ..Wanted::now(lines)
    }
}

fn granted(reply: &Reply<Reserved>) -> Option<Vec<i64>> {
    match &reply.value {
        Reserved::Granted { remaining, .. } => Some(remaining.clone()),
        _ => None,
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

fn settlement(id: u64, lines: Vec<Line>, charge_if_absent: bool) -> Settlement {
    Settlement {
        request: request(id),
        lines,
        charge_if_absent,
        bequest: None,
    }
}

fn line(limit: u8, amount: u64, window_ms: u64, burst: u64, asked: u64) -> Line {
    assert!(asked <= UNITS_MAX);
    let asked = i64::try_from(asked).expect("a billion at most");
    Line {
        counter: CounterId::from_bytes([limit; 16]),
        shelf: Shelf {
            id: ShelfId::from_bytes([limit; 16]),
            is_one_of_many: limit % 2 == 1,
        },
        measure: Measure::Rate(Rate::new(amount, window_ms, burst).expect("a rate")),
        amount: asked,
        soft: false,
        counted_from_ms: 0,
        given: 0,
    }
}

fn ttl_ms(server: &RedisServer, key: &str) -> u64 {
    let answer = server.ask(&format!("PTTL {key}")).expect("an answer");
    answer
        .trim()
        .trim_start_matches(':')
        .parse()
        .expect("a number")
}

/// A time to live that was just set.
fn assert_about(left_ms: u64, set_ms: u64) {
    assert!(
        left_ms <= set_ms && left_ms + 2_000 > set_ms,
        "{left_ms} of {set_ms}"
    );
}
