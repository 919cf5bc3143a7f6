//! How long what is kept of counts is kept where many share a hash: until all of it is full, and not for ever.
//!
//! Knows the keys and nothing of what stands in them.

mod redis_server;

use std::time::Duration;

use counters::{
    keyspace,
    redis::{Connection, Server},
    reservation::{Line, Request, Reserved, Term, Wanted},
};
use policy::{
    applying::{Measure, Shelf},
    id::{CounterId, OrganizationId, ShelfId},
    limit::{Rate, UNITS_MAX},
};
use redis_server::RedisServer;

const NOON_MS: u64 = 1_700_000_000_000;
const ORGANIZATION: OrganizationId = OrganizationId::from_bytes([7; 16]);

#[tokio::test]
async fn shelves_that_share_a_hash_are_forgotten_when_they_are_full_and_not_before() {
    let server = RedisServer::start();
    let redis = dial(&server).await;
    let key = String::from_utf8(keyspace::shelves(ORGANIZATION)).unwrap();
    let fields = || server.ask(&format!("HLEN {key}")).unwrap();
    // An even number shares the hash; forty that are full again within a second, and one that is in debt for a day.
    for limit in 1..=40 {
        let soon = line(2 * limit, 100, 1_000, 100, 50);
        reserve(&redis, u64::from(limit), &[soon], NOON_MS).await;
    }
    let debt = line(100, 1, 60_000, 1, 1_440);
    reserve(&redis, 41, &[debt], NOON_MS).await;
    // Beside them stands until when the hash is kept.
    assert_eq!(fields().trim(), ":42");
    assert_about(ttl_ms(&server, &key), 86_400_000 + 60_001 + 3_600_000);
    let (later_ms, other) = (NOON_MS + 4_000_000, line(102, 10_000, 1_000, 10_000, 1));
    for id in 100..1_100 {
        reserve(&redis, id, &[other], later_ms).await;
    }
    assert_eq!(fields().trim(), ":3");
    let left = redis
        .look(ORGANIZATION, Wanted::now(&[debt]), Some(later_ms))
        .await;
    assert_eq!(left, Ok((vec![-1_373], Vec::new())));
}

async fn dial(server: &RedisServer) -> Connection {
    let server = Server::new(&server.url(), None, Duration::from_secs(5)).expect("a URL");
    server.dial().await.expect("redis answers")
}

async fn reserve(redis: &Connection, id: u64, lines: &[Line], now_ms: u64) {
    let mut bytes = [0; 16];
    bytes[8..].copy_from_slice(&id.to_be_bytes());
    let request = Request {
        organization: ORGANIZATION,
        id: bytes,
    };
    let term = Term {
        lease_ms: 30_000,
        now_ms: Some(now_ms),
    };
    let reply = redis.reserve(&request, Wanted::now(lines), term).await;
    let reply = reply.expect("redis answers").value;
    assert!(matches!(reply, Reserved::Granted { .. }), "{reply:?}");
}

fn line(limit: u8, amount: u64, window_ms: u64, burst: u64, asked: u64) -> Line {
    assert!(asked <= UNITS_MAX);
    let asked = i64::try_from(asked).expect("a billion at most");
    let rate = Rate::new(amount, window_ms, burst).expect("a rate");
    Line {
        counter: CounterId::from_bytes([limit; 16]),
        shelf: Shelf {
            id: ShelfId::from_bytes([limit; 16]),
            is_one_of_many: limit % 2 == 1,
        },
        measure: Measure::Rate(rate),
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
