//! What a keeper forgot of a quota: it says so, is told, and forgets nothing else by that. Redis and the twin are one thing here,
//! too.

mod redis_server;

use std::time::Duration;

use counters::{
    Request, Reserved,
    keyspace::WHOLE,
    process::Process,
    redis::{Connection, Server},
    reservation::{Line, Settlement, Term, Wanted},
};
use policy::{
    applying::{Measure, Shelf},
    calendar::Span,
    id::{CounterId, OrganizationId, ShelfId},
    limit::Rate,
};
use redis_server::RedisServer;

const ORGANIZATION: OrganizationId = OrganizationId::from_bytes([7; 16]);
const DAY_MS: u64 = 86_400_000;
/// In the middle of a period.
const NOON_MS: u64 = 19_000 * DAY_MS + DAY_MS / 2;
const AMOUNT: u64 = 1_000;

/// Redis and the twin, asked alike.
struct Both {
    server: RedisServer,
    redis: Connection,
    twin: Process,
}

/// Of a quota of 1,000 a day.
fn quota(amount: i64, now_ms: u64) -> Line {
    let from_ms = now_ms / DAY_MS * DAY_MS;
    let span = Span {
        before_ms: from_ms - DAY_MS,
        from_ms,
        to_ms: from_ms + DAY_MS,
    };
    Line {
        counter: CounterId::from_bytes([1; 16]),
        shelf: Shelf {
            id: ShelfId::from_bytes([1; 16]),
            is_one_of_many: false,
        },
        measure: Measure::Quota {
            amount: AMOUNT,
            span,
        },
        amount,
        soft: false,
        counted_from_ms: 0,
        given: 0,
    }
}

/// Of a rate on the same shelf.
fn rate(amount: i64) -> Line {
    let measure = Measure::Rate(Rate::new(1, 3_600_000, 500).expect("a rate"));
    Line {
        counter: CounterId::from_bytes([2; 16]),
        measure,
        ..quota(amount, NOON_MS)
    }
}

impl Both {
    async fn start(since_ms: u64) -> Self {
        let server = RedisServer::start();
        let at = Server::new(&server.url(), None, Duration::from_secs(5)).expect("a URL");
        let redis = at.dial().await.expect("redis answers");
        server
            .ask(&format!("SET {WHOLE} {since_ms}"))
            .expect("redis answers");
        let twin = Process::remembering(since_ms);
        Self {
            server,
            redis,
            twin,
        }
    }

    async fn reserve(&mut self, id: u8, lines: &[Line], now_ms: u64) -> Reserved {
        let request = request(id);
        let term = Term {
            lease_ms: 30_000,
            now_ms: Some(now_ms),
        };
        let wanted = Wanted::now(lines);
        let there = self.redis.reserve(&request, wanted, term).await;
        let here = self.twin.reserve(&request, wanted, 30_000, now_ms);
        assert_eq!(there, Ok(here.clone()), "request {id}");
        here.value
    }

    /// Charges what was admitted without asking.
    async fn charge(&mut self, id: u8, lines: &[Line], now_ms: u64) {
        let settlement = Settlement {
            request: request(id),
            lines: lines.to_vec(),
            charge_if_absent: true,
            bequest: None,
        };
        let there = self
            .redis
            .settle([&settlement].into_iter(), Some(now_ms))
            .await;
        let here = self.twin.settle(&settlement, now_ms);
        assert_eq!(there, Ok(vec![Ok(here)]));
    }

    /// Tells what was used where nobody knows, and what at least where that is known.
    async fn restore(&mut self, since_ms: u64, line: Line, least: i64, now_ms: u64) -> i64 {
        let of = (ORGANIZATION, since_ms);
        let there = self
            .redis
            .restore(of, (&[line], &[least]), Some(now_ms))
            .await;
        let here = self.twin.restore(of, &[line], &[least], now_ms);
        assert_eq!(there, Ok(here.clone()));
        here[0]
    }
}

fn request(id: u8) -> Request {
    Request {
        organization: ORGANIZATION,
        id: [id; 16],
    }
}

fn left(reserved: &Reserved) -> &[i64] {
    match reserved {
        Reserved::Granted { remaining, .. } | Reserved::Denied { remaining, .. } => remaining,
        // No test asks for that, and no list is empty.
        Reserved::Lacking { .. } | Reserved::Unknown { .. } => &[],
    }
}

#[tokio::test]
async fn a_quota_that_was_forgotten_admits_nothing_before_it_is_told() {
    let mut both = Both::start(NOON_MS).await;
    let asked = [quota(10, NOON_MS), rate(10)];
    let lacking = Reserved::Lacking { places: vec![0] };
    assert_eq!(both.reserve(1, &asked, NOON_MS).await, lacking);
    // What was admitted meanwhile is charged, and makes nobody believe that this was all.
    both.charge(2, &[quota(100, NOON_MS), rate(20)], NOON_MS)
        .await;
    assert_eq!(both.reserve(3, &asked, NOON_MS).await, lacking);
    assert_eq!(
        both.restore(NOON_MS - 1, quota(700, NOON_MS), 0, NOON_MS)
            .await,
        -2
    );
    assert_eq!(both.reserve(4, &asked, NOON_MS).await, lacking);
    assert_eq!(
        both.restore(NOON_MS, quota(700, NOON_MS), 0, NOON_MS).await,
        -1
    );
    let granted = both.reserve(5, &asked, NOON_MS).await;
    assert_eq!(left(&granted), [290, 470]);
    // Told twice, it is told once; and what is known is raised to what at least was used, and never lowered.
    assert_eq!(
        both.restore(NOON_MS, quota(700, NOON_MS), 0, NOON_MS).await,
        710
    );
    assert_eq!(
        both.restore(NOON_MS, quota(0, NOON_MS), 650, NOON_MS).await,
        710
    );
    assert_eq!(
        both.restore(NOON_MS, quota(0, NOON_MS), 800, NOON_MS).await,
        710
    );
    let granted = both.reserve(6, &asked, NOON_MS).await;
    assert_eq!(left(&granted), [190, 460]);
}

#[tokio::test]
async fn a_quota_that_counts_since_later_than_its_keeper_stands_begins_from_rest() {
    let mut both = Both::start(NOON_MS).await;
    let young = Line {
        counted_from_ms: NOON_MS + 5,
        ..quota(10, NOON_MS)
    };
    assert_eq!(left(&both.reserve(1, &[young], NOON_MS + 9).await), [990]);
    // And so does any in the next period, whatever was not known before.
    let old = Line {
        counter: CounterId::from_bytes([3; 16]),
        ..quota(10, NOON_MS)
    };
    let lacking = Reserved::Lacking { places: vec![1] };
    assert_eq!(both.reserve(2, &[young, old], NOON_MS + 9).await, lacking);
    both.charge(3, &[young, old], NOON_MS + 9).await;
    let tomorrow_ms = NOON_MS + DAY_MS;
    let old = Line {
        counter: old.counter,
        ..quota(10, tomorrow_ms)
    };
    let told = both.restore(NOON_MS, quota(500, NOON_MS), 0, tomorrow_ms);
    assert_eq!(told.await, -2, "that period is over");
    assert_eq!(left(&both.reserve(4, &[old], tomorrow_ms).await), [990]);
}

#[tokio::test]
async fn a_redis_that_lost_everything_knows_that_it_knows_nothing() {
    let mut both = Both::start(0).await;
    let asked = [quota(10, NOON_MS)];
    assert_eq!(left(&both.reserve(1, &asked, NOON_MS).await), [990]);
    both.server.ask("FLUSHALL").expect("redis answers");
    let term = Term {
        lease_ms: 30_000,
        now_ms: Some(NOON_MS),
    };
    let reserve = async |id| {
        let reply = both
            .redis
            .reserve(&request(id), Wanted::now(&asked), term)
            .await;
        reply.expect("redis answers").value
    };
    let lacking = Reserved::Lacking { places: vec![0] };
    assert_eq!(reserve(2).await, lacking);
    // What was held before is settled late, and charges nothing that the ledger will tell.
    let late = Settlement {
        request: request(1),
        lines: vec![quota(30, NOON_MS)],
        charge_if_absent: false,
        bequest: None,
    };
    let settled = both.redis.settle([&late].into_iter(), Some(NOON_MS)).await;
    assert!(settled.is_ok());
    assert_eq!(
        both.redis.mark(ORGANIZATION, Some(NOON_MS)).await,
        Ok(NOON_MS)
    );
    assert_eq!(
        both.redis.mark(ORGANIZATION, Some(NOON_MS + 1)).await,
        Ok(NOON_MS)
    );
    assert_eq!(reserve(3).await, lacking);
    let told = [quota(30, NOON_MS)];
    let before = both
        .redis
        .restore((ORGANIZATION, NOON_MS), (&told, &[0]), Some(NOON_MS));
    assert_eq!(before.await, Ok(vec![-1]));
    assert_eq!(left(&reserve(4).await), [960]);
}
