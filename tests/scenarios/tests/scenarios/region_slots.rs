//! A limit on concurrent requests that two regions hold together, each with a Redis of its own: its slots go to where they are wanted,
//! one that is under way is never given away, and both together never have more than there are, also while one of them cannot reach
//! the control plane.
//!
//! A share is believed for twenty seconds, so that the way of slots is walked by `just prove slots` alone; every run of the tests sees each
//! region get its half while they cannot hear of each other, and `domain` walks the same way without clocks, four hundred times.

use std::time::Duration;

use harness::{
    client::{Client, Reply},
    redis::Redis,
    relay::Relay,
    site::{Plan, Site},
    tenant::Tenant,
    wait,
};
use proto::admin::Limit;
use scenarios::scale;

use crate::concurrency::{at_once, endless, stream};

/// How many slots there are, how many each region begins with, and how many are never lent.
const SLOTS: usize = 10;
const EVEN: usize = 5;
const FLOOR: usize = 1;

/// How long slots may take to move: a share's term and what is waited beyond it, and until the slots of the other region are counted.
const MOVES: Duration = Duration::from_secs(100);

/// What is under way in each region.
struct Streams {
    key: String,
    open: [Vec<(Client, Reply)>; 2],
    /// How many there were together at most.
    most: usize,
}

// === impl Streams ===

impl Streams {
    /// Begins one more, where there is room.
    async fn begin(&mut self, site: &Site, region: usize) -> bool {
        let Some(begun) = stream(site, region, &self.key).await else {
            return false;
        };
        self.open[region].push(begun);
        let [here, there] = self.count();
        self.most = self.most.max(here + there);
        assert!(here + there <= SLOTS, "{here} here and {there} there");
        true
    }

    /// Begins more until one is refused; gives how many there are.
    async fn fill(&mut self, site: &Site, region: usize) -> usize {
        while self.begin(site, region).await {}
        self.open[region].len()
    }

    fn count(&self) -> [usize; 2] {
        [self.open[0].len(), self.open[1].len()]
    }
}

/// An edge in each of two regions, each with a Redis of its own; one reaches the control plane through a relay.
async fn site() -> (Site, Redis, Relay) {
    let plan = Plan {
        edges: vec!["here"],
        edge_settings: vec![("SLUICE_LIMITS__TIMEOUT_MS", "5000".to_owned())],
        ..Plan::default()
    };
    let mut site = Site::start(plan).await;
    let folder = site.folder().join("there");
    std::fs::create_dir(&folder).expect("a folder can be made");
    let redis = Redis::start(&folder).await;
    let relay = Relay::start(site.control_planes[0].edges).await;
    let token = site.join_token("there").await;
    let at_there = [
        ("SLUICE_LIMITS__REDIS_URL", redis.url()),
        (
            "SLUICE_CONTROL_PLANE__ADDRESSES",
            format!("[\"http://{}\"]", relay.address()),
        ),
    ];
    site.add_edge_with(&token, &at_there).await;
    site.ready(1).await;
    (site, redis, relay)
}

#[tokio::test]
async fn slots_go_to_the_busy_region_and_none_that_is_under_way_is_given_away() {
    let provider = endless().await;
    let (site, _redis, relay) = site().await;
    let tenant = Tenant::make(&site.admin(), "acme", &provider.base_url()).await;
    let (_, key) = tenant.key().await;
    let limit = Limit {
        regions: vec!["here".to_owned(), "there".to_owned()],
        ..at_once(10)
    };
    tenant.limit_like("together", limit).await;
    site.propagated().await;
    let mut streams = Streams {
        key,
        open: [Vec::new(), Vec::new()],
        most: 0,
    };
    // Each begins with the same, once it has heard of it.
    for _ in 0..EVEN - 1 {
        let begun = async || streams.begin(&site, 1).await.then_some(());
        wait::until("there is room there", begun).await;
    }
    relay.shut(true);
    let filled = async || (streams.fill(&site, 0).await == EVEN).then_some(());
    wait::until("here has its half", filled).await;
    assert_eq!(streams.fill(&site, 1).await, EVEN);
    if scale() == 1 {
        return;
    }
    drop(streams.open[1].pop());

    // There is cut off: here wants more and gets none, and there may use what it believes in until it does so no longer.
    let falls = Duration::from_secs(30);
    let grew = async || {
        assert_eq!(streams.fill(&site, 0).await, EVEN);
        let before = streams.open[1].len();
        drop(streams.open[1].pop());
        let again = streams.begin(&site, 1).await;
        (!again && before > FLOOR).then_some(before - 1)
    };
    let (left, fell) = wait::until_within(falls, "there believes in its floor alone", grew).await;
    println!("there had {left} under way and its floor alone after {fell:?}");
    assert!(left > FLOOR);

    // Together again: here gets all that is not under way there.
    relay.shut(false);
    let filled = async || (streams.fill(&site, 0).await == SLOTS - left).then_some(());
    let ((), took) = wait::until_within(MOVES, "here has what there has not", filled).await;
    println!(
        "here has {} beside {left} there after {took:?}",
        SLOTS - left
    );
    assert_eq!(streams.fill(&site, 0).await, SLOTS - left);
    // What ends there comes, too, but for the floor.
    streams.open[1].clear();
    let filled = async || (streams.fill(&site, 0).await == SLOTS - FLOOR).then_some(());
    let ((), took) = wait::until_within(MOVES, "here has nearly all", filled).await;
    let one = async || streams.begin(&site, 1).await.then_some(());
    wait::until("there has its floor", one).await;
    assert!(!streams.begin(&site, 1).await);
    println!(
        "here has nearly all {took:?} later; at most {} of {SLOTS} were under way",
        streams.most
    );
}
