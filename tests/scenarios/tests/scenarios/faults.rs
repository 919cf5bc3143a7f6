//! What goes wrong between edges and their Redis, each thing by itself: nobody's request fails by it, and what is admitted stays
//! within the bounds of docs/limits.md. A Redis that is stopped, frozen, empty or full is elsewhere.
//!
//! `just prove faults` gives Redis less time, with programs as they are released, and holds what 99 of 100 requests wait to a bound.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use harness::{
    client::Client,
    provider::Provider,
    relay::{Relay, Way},
    site::{Plan, Site},
    tenant::Tenant,
    wait,
};
use proto::admin::{LimitUnit, LimitWindow};
use scenarios::{openai, scale};
use tokio::{task::JoinSet, time::interval};

const EDGES: f64 = 3.0;
const PER_SECOND: f64 = 60.0;
const BURST: f64 = 30.0;

/// How long it goes well before, and goes wrong.
const WELL: Duration = Duration::from_secs(2);
const WRONG: Duration = Duration::from_secs(3);

/// How long an answer may take while all goes wrong, on a busy machine: far less than a client waits, far more than a deadline.
const ANSWER_MAX: Duration = Duration::from_secs(2);

/// How long until Redis is asked again after it is well, on a busy machine: a probe about every second.
const BACK_MAX: Duration = Duration::from_secs(6);

/// How long Redis may take, in milliseconds: the full form holds it, and a busy machine would be late by itself.
const DEADLINE_MS: u32 = 100;
const DEADLINE_MS_FULL: u32 = 15;

/// What 99 of 100 answers may take in the full form, from the first fault to the last: nearly all of it is ours, since the provider is in this
/// process.
const WAIT_MAX: Duration = Duration::from_millis(20);

/// Edges that each reach Redis through a relay of their own.
struct World {
    site: Site,
    relays: Vec<Relay>,
    key: String,
}

/// Whom Redis does not answer while it goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cut {
    /// One edge, which adds its share.
    One,
    /// All of them, so that there is nothing but shares.
    All,
    /// Anybody, now and then.
    Anybody,
}

/// What clients saw.
#[derive(Debug, Default)]
struct Seen {
    admitted: u32,
    took: Vec<Duration>,
}

impl World {
    async fn start() -> (Self, Provider) {
        let provider = Provider::start(openai::answer).await;
        let plan = Plan {
            edges: vec!["here"; 3],
            edge_settings: vec![
                ("SLUICE_LIMITS__AHEAD_MS", "0".to_owned()),
                ("SLUICE_LIMITS__TIMEOUT_MS", deadline_ms().to_string()),
            ],
            ..Plan::default()
        };
        let mut site = Site::start(plan).await;
        let mut relays = Vec::new();
        for edge in 0..3 {
            let relay = Relay::start(site.redis.address()).await;
            let url = format!("redis://{}/", relay.address());
            site.set_edge(edge, "SLUICE_LIMITS__REDIS_URL", &url);
            site.restart_edge(edge).await;
            relays.push(relay);
        }
        for edge in 0..3 {
            site.ready(edge).await;
        }
        let tenant = Tenant::make(&site.admin(), "acme", &provider.base_url()).await;
        let (_, key) = tenant.key().await;
        let rate = (60, LimitWindow::Second, 30);
        tenant
            .limit("rps", &tenant.project, LimitUnit::Requests, rate)
            .await;
        site.propagated().await;
        let world = Self { site, relays, key };
        (world, provider)
    }

    /// Clients ask all the time while `wrong` befalls edges and is over again; then every edge must ask Redis again.
    /// Those that are cut off may answer from their shares. Says what was seen.
    async fn endure(
        &self,
        what: &str,
        cut: Cut,
        wrong: impl AsyncFn(&[Relay]),
        over: impl Fn(&[Relay]),
    ) -> String {
        let (stop, since) = (Arc::new(AtomicBool::new(false)), Instant::now());
        let mut clients = JoinSet::new();
        for at in 0..6 {
            let client = Client::connect(&self.site.url(at % 3), &self.key).await;
            let client = client.expect("the edge accepts");
            clients.spawn(ask_until(Arc::clone(&stop), client));
        }
        passed(WELL).await;
        wrong(&self.relays).await;
        over(&self.relays);
        let back = self.all_ask_redis().await;
        passed(WELL / 2).await;
        stop.store(true, Ordering::Relaxed);
        let mut seen = Seen::default();
        while let Some(ended) = clients.join_next().await {
            let ended = ended.expect("no request fails");
            seen.admitted += ended.admitted;
            seen.took.extend(ended.took);
        }
        let seconds = since.elapsed().as_secs_f64();
        let alone = (WRONG + back).as_secs_f64();
        // What the page states for Redis, and for shares, on top of each other as far as both are asked.
        let shares = |time: f64| (PER_SECOND + EDGES) * time + BURST + EDGES;
        let shares = match cut {
            Cut::One => shares(alone) / EDGES,
            Cut::All => shares(back.as_secs_f64()) + EDGES * alone,
            Cut::Anybody => shares(alone),
        };
        let allowed = PER_SECOND * seconds + BURST + shares;
        seen.took.sort_unstable();
        let most = |part: usize| seen.took[(seen.took.len() * part / 100).min(seen.took.len() - 1)];
        let said = format!(
            "{what}: {} admitted of {allowed:.0} allowed in {seconds:.1} s, {} asked; waits of {:?} (half), {:?} (99 %), {:?} (all); back after {back:?}",
            seen.admitted,
            seen.took.len(),
            most(50),
            most(99),
            most(100),
        );
        assert!(f64::from(seen.admitted) <= allowed, "{what}");
        // It was no outage for clients: what the shares hold is most of the limit.
        assert!(
            f64::from(seen.admitted) >= PER_SECOND * seconds / 3.0,
            "{what}"
        );
        assert!(most(100) <= ANSWER_MAX, "{what}");
        assert!(scale() == 1 || most(99) <= WAIT_MAX, "{said}");
        assert!(back <= BACK_MAX, "{what}");
        said
    }

    async fn alone(&self, edge: usize) -> bool {
        let name = "sluice_limits_local_mode";
        self.site.count(edge, name, "").await > 0
    }

    /// Waits until an edge answers by itself.
    async fn answers_alone(&self, edge: usize) {
        let alone = async || self.alone(edge).await.then_some(());
        wait::until("the edge answers from its share", alone).await;
    }

    async fn all_ask_redis(&self) -> Duration {
        let asks = async || {
            for edge in 0..3 {
                if self.alone(edge).await {
                    return None;
                }
            }
            Some(())
        };
        wait::until("every edge asks Redis again", asks).await.1
    }
}

fn deadline_ms() -> u32 {
    if scale() == 1 {
        DEADLINE_MS
    } else {
        DEADLINE_MS_FULL
    }
}

/// Asks a hundred times a second; what is not admitted must be a refusal that says when to come back.
async fn ask_until(stop: Arc<AtomicBool>, mut client: Client) -> Seen {
    let (mut seen, mut pace) = (Seen::default(), interval(Duration::from_millis(10)));
    while !stop.load(Ordering::Relaxed) {
        pace.tick().await;
        let since = Instant::now();
        let reply = client.post("/v1/chat/completions", openai::whole("chat"));
        let reply = reply.await.expect("the edge answers");
        if reply.status == 200 {
            seen.admitted += 1;
        } else {
            assert_eq!(reply.status, 429);
            assert!(reply.headers.contains_key("retry-after"));
        }
        reply.bytes().await.expect("the body arrives");
        seen.took.push(since.elapsed());
    }
    seen
}

async fn passed(time: Duration) {
    let since = Instant::now();
    let enough = async || (since.elapsed() >= time).then_some(());
    wait::until("the time has passed", enough).await;
}

fn open(relays: &[Relay]) {
    for relay in relays {
        relay.shut(false);
        relay.there(Way::Open);
        relay.back(Way::Open);
    }
}

#[tokio::test]
async fn an_edge_whose_questions_never_arrive_adds_its_share_and_no_more() {
    let (world, _provider) = World::start().await;
    let wrong = async |relays: &[Relay]| {
        relays[0].there(Way::Stalled);
        world.answers_alone(0).await;
        passed(WRONG).await;
        assert!(!world.alone(1).await, "the others reach Redis");
    };
    let said = world
        .endure("questions of one edge stalled", Cut::One, wrong, open)
        .await;
    println!("{said}");
}

#[tokio::test]
async fn answers_that_never_come_are_not_counted_twice() {
    let (world, _provider) = World::start().await;
    let wrong = async |relays: &[Relay]| {
        for relay in relays {
            relay.back(Way::Stalled);
        }
        world.answers_alone(0).await;
        passed(WRONG).await;
    };
    let said = world
        .endure("all answers stalled", Cut::All, wrong, open)
        .await;
    println!("{said}");
}

#[tokio::test]
async fn a_way_that_is_slower_than_the_deadline_is_no_way() {
    let (world, _provider) = World::start().await;
    let wrong = async |relays: &[Relay]| {
        for relay in relays {
            relay.there(Way::Late(Duration::from_millis(120)));
            relay.back(Way::Late(Duration::from_millis(120)));
        }
        world.answers_alone(0).await;
        passed(WRONG).await;
    };
    let said = world.endure("240 ms late", Cut::All, wrong, open).await;
    println!("{said}");
}

#[tokio::test]
async fn a_way_that_loses_a_twentieth_fails_no_request() {
    let (world, _provider) = World::start().await;
    let wrong = async |relays: &[Relay]| {
        for relay in relays {
            relay.there(Way::Lossy(20, Duration::from_millis(200)));
        }
        passed(WRONG).await;
    };
    let said = world
        .endure("one of twenty 200 ms late", Cut::Anybody, wrong, open)
        .await;
    println!("{said}");
}

#[tokio::test]
async fn connections_that_are_reset_again_and_again_fail_no_request() {
    let (world, _provider) = World::start().await;
    let wrong = async |relays: &[Relay]| {
        let since = Instant::now();
        while since.elapsed() < WRONG / 2 {
            relays.iter().for_each(Relay::reset);
            passed(Duration::from_millis(100)).await;
        }
        for relay in relays {
            relay.shut(true);
        }
        world.answers_alone(0).await;
        passed(WRONG / 2).await;
    };
    let said = world
        .endure("connections reset, then refused", Cut::All, wrong, open)
        .await;
    println!("{said}");
}

#[tokio::test]
async fn a_connection_that_is_closed_by_half_is_made_anew() {
    let (world, _provider) = World::start().await;
    let wrong = async |relays: &[Relay]| {
        for (at, relay) in relays.iter().enumerate() {
            // Half of them can not send any more, the others are not answered.
            if at % 2 == 0 {
                relay.there(Way::Closed);
            } else {
                relay.back(Way::Closed);
            }
        }
        world.answers_alone(0).await;
        world.answers_alone(1).await;
        passed(WRONG).await;
    };
    let said = world.endure("closed by half", Cut::All, wrong, open).await;
    println!("{said}");
}
