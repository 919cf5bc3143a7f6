//! What limits cost Redis: ten of them as many calls as one, and how much more time the scripts take, as Redis counts it.
//!
//! `SLUICE_TEST_SCALE` times as many rounds are counted in the full form, `just prove scripts`, which prints the figures.

mod redis_server;

use std::{env, time::Instant};

use counters::{
    redis::{Connection, Server},
    reservation::{Line, Request, Reserved, Settlement, Term, Wanted},
};
use policy::{
    applying::{Measure, Shelf},
    calendar::Span,
    id::{CounterId, OrganizationId, ShelfId},
    limit::Rate,
};
use redis_server::RedisServer;

/// How often each is measured; the least counts, because others use this machine too.
const ROUNDS: usize = 8;

/// How many requests are counted at a time: few, so that some are counted while nobody else runs.
const REQUESTS: usize = 60;

/// How many times longer the scripts may run over ten limits than over one, in any build on any busy machine. The figure
/// itself stands in docs/limits.md.
const RATIO_MAX: f64 = 3.0;

const ORGANIZATION: OrganizationId = OrganizationId::from_bytes([7; 16]);

/// What Redis has counted of the scripts.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Counted {
    calls: u64,
    us: u64,
}

/// What one request costs.
#[derive(Debug, Clone, Copy)]
struct Cost {
    calls: f64,
    /// The scripts' own time, both together.
    script_us: f64,
    /// How long the request waits until it is admitted.
    waits_us: f64,
}

#[tokio::test]
async fn ten_limits_are_as_many_calls_as_one() {
    let server = RedisServer::start();
    let timeout = std::time::Duration::from_secs(5);
    let redis = Server::new(&server.url(), None, timeout).expect("a URL");
    let redis = redis.dial().await.expect("redis answers");
    // As one that has stood for longer than the quotas count.
    let set = server.ask(&format!("SET {} 0", counters::keyspace::WHOLE));
    set.expect("redis answers");
    let scale = env::var("SLUICE_TEST_SCALE").ok();
    let scale: usize = scale.and_then(|text| text.parse().ok()).unwrap_or(1);
    let mut next = 0;
    for kind in ["rates", "quotas"] {
        // One limit, ten of one scope, ten of three.
        let sets = [(1, 1), (10, 1), (10, 3)];
        let mut least: [Option<Cost>; 3] = [None; 3];
        for _ in 0..ROUNDS * scale {
            for (least, set) in least.iter_mut().zip(sets) {
                let lines = lines(kind, set);
                let cost = cost(&server, &redis, (&lines, &mut next), REQUESTS).await;
                let better = least.is_none_or(|least| cost.script_us < least.script_us);
                if better {
                    *least = Some(cost);
                }
            }
        }
        let [Some(one), Some(ten), Some(spread)] = least else {
            panic!("all are measured")
        };
        for (what, many) in [("ten", ten), ("ten of three scopes", spread)] {
            let (script, waits) = (many.script_us / one.script_us, many.waits_us / one.waits_us);
            println!(
                "{kind}, one and {what}: {:.0} and {:.0} calls; scripts {:.1} and {:.1} us, {script:.2} times; a request waits {:.0} and {:.0} us, {waits:.2} times",
                one.calls, many.calls, one.script_us, many.script_us, one.waits_us, many.waits_us
            );
            // One to reserve and one to settle.
            assert!((one.calls - 2.0).abs() < f64::EPSILON, "{one:?}");
            assert!((many.calls - 2.0).abs() < f64::EPSILON, "{many:?}");
            assert!(script < RATIO_MAX, "{kind}: {one:?} and {many:?}");
        }
    }
}

/// So many limits of so many scopes, of which nothing is used up.
fn lines(kind: &str, (count, shelves): (u8, u8)) -> Vec<Line> {
    let measure = match kind {
        "rates" => Measure::Rate(Rate::new(1_000_000_000, 60_000, 1_000_000_000).expect("a rate")),
        _ => Measure::Quota {
            amount: 1_000_000_000_000,
            span: Span {
                before_ms: 1,
                from_ms: 1_700_000_000_000,
                to_ms: 9_000_000_000_000,
            },
        },
    };
    let first = if kind == "rates" { 1 } else { 101 };
    let first = first + 20 * shelves;
    let line = |limit| Line {
        counter: CounterId::from_bytes([limit; 16]),
        shelf: Shelf {
            id: ShelfId::from_bytes([(limit - first) % shelves + first; 16]),
            is_one_of_many: false,
        },
        measure,
        amount: 100,
        soft: false,
        counted_from_ms: 0,
        given: 0,
    };
    let mut lines: Vec<Line> = (first..first + count).map(line).collect();
    lines.sort_by_key(|line| line.shelf.id);
    lines
}

/// What it costs to reserve and to settle something else, as a request counted in tokens does.
async fn cost(
    server: &RedisServer,
    redis: &Connection,
    (lines, next): (&[Line], &mut u128),
    requests: usize,
) -> Cost {
    let term = Term {
        lease_ms: 30_000,
        now_ms: None,
    };
    let used: Vec<Line> = lines
        .iter()
        .map(|line| Line {
            amount: 90,
            ..*line
        })
        .collect();
    let before = counted(server);
    let mut waited_us = 0.0;
    for _ in 0..requests {
        *next += 1;
        let request = Request {
            organization: ORGANIZATION,
            id: next.to_be_bytes(),
        };
        let asked = Instant::now();
        let reply = redis.reserve(&request, Wanted::now(lines), term).await;
        waited_us += asked.elapsed().as_secs_f64() * 1e6;
        let reply = reply.expect("redis answers").value;
        assert!(matches!(reply, Reserved::Granted { .. }), "{reply:?}");
        let settlement = Settlement {
            request,
            lines: used.clone(),
            charge_if_absent: false,
            bequest: None,
        };
        let settled = redis.settle([&settlement].into_iter(), None).await;
        settled.expect("redis answers");
    }
    let after = counted(server);
    let each = |count: u64| f64::from(u32::try_from(count).expect("few")) / requests_of(requests);
    Cost {
        calls: each(after.calls - before.calls),
        script_us: each(after.us - before.us),
        waits_us: waited_us / requests_of(requests),
    }
}

fn requests_of(requests: usize) -> f64 {
    f64::from(u32::try_from(requests).expect("few"))
}

/// `cmdstat_evalsha:calls=40,usec=1234,…`, as Redis tells it.
fn counted(server: &RedisServer) -> Counted {
    let info = server.ask("INFO commandstats").expect("redis answers");
    let line = info
        .lines()
        .find_map(|line| line.strip_prefix("cmdstat_evalsha:"));
    let Some(line) = line else {
        return Counted::default();
    };
    let number = |name: &str| {
        let mut parts = line.split(',').filter_map(|part| part.split_once('='));
        let part = parts.find(|(it, _)| *it == name).expect("it is told");
        part.1.parse().expect("a number")
    };
    Counted {
        calls: number("calls"),
        us: number("usec"),
    }
}
