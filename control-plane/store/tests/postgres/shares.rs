//! Shares of limits that regions hold together.

use domain::division::{Back, Divided, Region, Standing, Want, divide, first};
use policy::{
    id::LimitId,
    limit::QUOTA_MAX,
    region::Region as Name,
    share::{WHOLE, equal},
};
use store::limit_share::{self, Shared, Wanted};

use crate::world::{World, new_limit};

fn name(text: &str) -> Name {
    Name::try_from(text).unwrap()
}

/// A limit that two regions hold together, and one that each holds by itself.
async fn limits(world: &World) -> LimitId {
    let mut together = new_limit("together", "organizations/acme");
    together.terms.regions = vec![name("eu"), name("us")];
    world.limit(new_limit("alone", "organizations/acme")).await;
    world.limit(together).await.id
}

fn wanted(limit: LimitId, region: &str, asked: u64) -> Wanted {
    Wanted {
        limit,
        region: name(region),
        want: Want { asked, needed: 0 },
        period: 0,
    }
}

/// Divides as the lessor does, as if nobody believed in anything.
fn at_once(shared: &mut [Shared]) {
    for it in shared {
        let count = it.regions.len();
        let standing = |of: Option<Standing>| of.unwrap_or_else(|| first(Divided::Rate, count));
        let region = |part: &limit_share::Part| Region {
            standing: standing(part.standing),
            want: part.want,
            settled: true,
            ..Region::default()
        };
        let mut regions: Vec<Region> = it.regions.iter().map(region).collect();
        divide(Divided::Rate, &mut regions);
        for (part, region) in it.regions.iter_mut().zip(regions) {
            part.standing = Some(region.standing);
        }
    }
}

fn shares(shared: &[Shared]) -> Vec<(String, u32, u32)> {
    let parts = shared.iter().flat_map(|it| &it.regions);
    let share = |part: &limit_share::Part| {
        let standing = part.standing.unwrap_or_default();
        (part.region.to_string(), standing.millionths, standing.held)
    };
    parts.map(share).collect()
}

#[tokio::test]
async fn what_replicas_heard_is_put_together_and_what_was_divided_stands() {
    let world = World::acme().await;
    let limit = limits(&world).await;
    let store = &world.store;
    let begun = limit_share::turn(store, b"one", &[wanted(limit, "eu", 5)], at_once).await;
    let begun = begun.unwrap();
    assert_eq!(begun.len(), 1, "only what regions hold together");
    assert_eq!(begun[0].limit, limit);
    // All is asked in one region: the other's share becomes less, and may be believed still.
    let eu = ("eu".to_owned(), 500_000, 500_000);
    assert_eq!(shares(&begun), [eu, ("us".to_owned(), 100_000, 500_000)]);
    let heard = [wanted(limit, "eu", 10), wanted(limit, "ap", 1_000)];
    let divided = limit_share::turn(store, b"two", &heard, at_once)
        .await
        .unwrap();
    assert_eq!(divided[0].regions[0].want.asked, 15);
    assert_eq!(
        divided[0].regions.len(),
        2,
        "not for a region that is not named"
    );
    let stands = limit_share::read(store).await.unwrap();
    assert_eq!(stands, divided);
    let [eu, us] = [900_000, 100_000];
    let all = [("eu".to_owned(), eu, eu), ("us".to_owned(), us, us)];
    assert_eq!(shares(&stands), all);
    assert_eq!(eu + us, WHOLE);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_turn_that_another_has_is_not_waited_for_and_changes_nothing() {
    let world = World::acme().await;
    let limit = limits(&world).await;
    let store = &world.store;
    let (begun, end) = (std::sync::mpsc::channel(), std::sync::mpsc::channel());
    let long = {
        let (store, starts, over) = (store.clone(), begun.0, end.1);
        tokio::task::spawn_blocking(move || {
            let runtime = tokio::runtime::Handle::current();
            runtime.block_on(limit_share::turn(&store, b"one", &[], move |shared| {
                starts.send(()).unwrap();
                over.recv().unwrap();
                at_once(shared);
            }))
        })
    };
    begun.1.recv().unwrap();
    let heard = [wanted(limit, "us", 5)];
    let other = limit_share::turn(store, b"two", &heard, |_| panic!("it has no turn")).await;
    let other = other.unwrap();
    assert!(other[0].regions.iter().all(|it| it.standing.is_none()));
    end.0.send(()).unwrap();
    let divided = long.await.unwrap().unwrap();
    assert_eq!(divided[0].regions[1].standing.unwrap().millionths, equal(2));
}

#[tokio::test]
async fn what_was_given_back_is_told_of_its_period_and_not_before_anybody_divided() {
    let world = World::acme().await;
    let limit = limits(&world).await;
    let store = &world.store;
    let given = async |region: &str, period| {
        let region = name(region);
        let given = limit_share::given_back(store, limit, &region, period);
        given.await.unwrap()
    };
    assert_eq!(given("eu", 7).await, None, "nobody has divided it");
    assert_eq!(given("ap", 7).await, Some((0, 0)), "it has none of it");
    let back = Some(Back {
        millionths: 1,
        units: 3,
        serial: 2,
    });
    let standing = Standing {
        serial: 2,
        period: 7,
        given: 5,
        back,
        ..Standing::default()
    };
    let stand = |shared: &mut [Shared]| {
        for part in &mut shared[0].regions {
            part.standing = Some(standing);
        }
    };
    let turn = limit_share::turn(store, b"one", &[], stand).await;
    assert_eq!(turn.unwrap(), limit_share::read(store).await.unwrap());
    assert_eq!(given("eu", 7).await, Some((5, 3)));
    assert_eq!(given("eu", 8).await, Some((0, 0)), "nothing in the next");
    let over = given("eu", 6).await;
    assert_eq!(over, Some((QUOTA_MAX, 0)), "nothing is left of one before");
}
