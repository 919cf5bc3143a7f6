//! A provider that takes 50 requests at once is offered three times what it can serve, by ten tenants in three classes.
//!
//! On a clock that jumps from event to event: a minute of load takes a moment, and every run is the same.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
    time::Duration,
};

use policy::traffic::{Class, Share, Traffic};
use tokio::time::{self, Instant};

use crate::{Asking, Config, Entered, Lane, Lanes, Turn};

const TAKES: u32 = 50;
const SECONDS: u32 = 60;
/// Each answer takes between 50 and 150 ms, so that 500 a second are all that the provider can serve.
const OFFERED: [(Class, u32); 3] = [
    (Class::Critical, 100),
    (Class::Standard, 900),
    (Class::Batch, 500),
];
const TENANTS: usize = 10;

#[derive(Default)]
struct Counted {
    offered: [AtomicU32; 3],
    served: [AtomicU32; 3],
    by_tenant: [AtomicU32; TENANTS],
    at_provider: AtomicU32,
    refused_there: AtomicU32,
    most_waiting: AtomicU32,
}

/// What the provider does with a request that got its turn.
async fn served(turn: &Turn, counted: &Counted, takes_ms: u64) -> bool {
    if counted.at_provider.fetch_add(1, Relaxed) >= TAKES {
        counted.at_provider.fetch_sub(1, Relaxed);
        counted.refused_there.fetch_add(1, Relaxed);
        turn.overloaded(None);
        return false;
    }
    time::sleep(Duration::from_millis(takes_ms)).await;
    counted.at_provider.fetch_sub(1, Relaxed);
    turn.taken();
    true
}

async fn request(
    lane: Arc<Lane>,
    counted: Arc<Counted>,
    class: Class,
    tenant: usize,
    takes_ms: u64,
) {
    counted.offered[class.rank()].fetch_add(1, Relaxed);
    let asking = Asking {
        traffic: Traffic {
            class,
            share: Share::default(),
        },
        tenant: [u8::try_from(tenant).unwrap(); 16],
        cost: 100,
        until: (Instant::now() + Duration::from_secs(2)).into_std(),
        has_others: false,
    };
    let turn = match lane.enter(asking, Instant::now().into_std()) {
        Entered::Turn(turn) => turn,
        Entered::Waits(waiting) => match waiting.turn().await {
            Ok(turn) => turn,
            Err(_) => return,
        },
        Entered::Busy(_) => return,
    };
    if served(&turn, &counted, takes_ms).await {
        counted.served[class.rank()].fetch_add(1, Relaxed);
        if class == Class::Standard {
            counted.by_tenant[tenant].fetch_add(1, Relaxed);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn critical_requests_pass_and_the_rest_is_shared_when_three_times_too_much_is_asked() {
    let random = fastrand::Rng::with_seed(7);
    let mut random = random;
    let lanes = Lanes::new(Config::default());
    let lane = lanes.lane([1; 16], "m", Instant::now().into_std());
    let counted = Arc::new(Counted::default());
    let mut requests = tokio::task::JoinSet::new();
    for millisecond in 0..SECONDS * 1_000 {
        for (class, per_second) in OFFERED {
            if random.u32(0..1_000) < per_second {
                // The first tenant asks for as much as all others together.
                let tenant = random.usize(0..TENANTS * 2).saturating_sub(TENANTS);
                let (lane, counted) = (Arc::clone(&lane), Arc::clone(&counted));
                let takes_ms = random.u64(50..=150);
                requests.spawn(request(lane, counted, class, tenant, takes_ms));
            }
        }
        while requests.try_join_next().is_some() {}
        let waiting = u32::try_from(requests.len()).unwrap();
        counted.most_waiting.fetch_max(waiting, Relaxed);
        assert!(millisecond < SECONDS * 1_000);
        time::sleep(Duration::from_millis(1)).await;
    }
    requests.join_all().await;
    let sums = |of: &[AtomicU32]| of.iter().map(|it| it.load(Relaxed)).collect::<Vec<_>>();
    let (offered, served, by_tenant) = (
        sums(&counted.offered),
        sums(&counted.served),
        sums(&counted.by_tenant),
    );
    let refused = counted.refused_there.load(Relaxed);
    let goodput = f64::from(served.iter().sum::<u32>()) / f64::from(SECONDS) / 500.0;
    println!(
        "offered {offered:?}, served {served:?} by class; standard by tenant {by_tenant:?}; the provider refused {refused}; \
         goodput {goodput:.3} of what it can serve; at most {} at once in the edge",
        counted.most_waiting.load(Relaxed)
    );
    assert!(
        f64::from(served[0]) >= 0.999 * f64::from(offered[0]),
        "critical: {served:?} of {offered:?}"
    );
    let (least, most) = (
        by_tenant.iter().min().unwrap(),
        by_tenant.iter().max().unwrap(),
    );
    assert!(
        *most <= 2 * least,
        "a tenant got more than twice as much as another: {by_tenant:?}"
    );
    assert!(goodput >= 0.9, "{goodput}");
    assert!(
        refused <= served.iter().sum::<u32>() / 100,
        "the provider refused {refused}"
    );
}
