//! Edges: how they are seen, and how far a revision has come.

use domain::name::EdgeName;
use policy::{object::Lane, remit::Remit, revision::Revision};
use store::{EdgeSighting, Obstacle, StoreError, edge};

use crate::world::{World, all, new_key, region};

pub(crate) fn sighting(
    edge_id: &str,
    replica: u8,
    connected: bool,
    applied: [u64; 3],
) -> EdgeSighting {
    let lane = |at: usize| (Lane::ALL[at], applied[at], 0);
    EdgeSighting {
        edge_id: edge_id.to_owned(),
        remit: Remit::of(region("eu")),
        build: "test".to_owned(),
        boot: 2,
        boot_id: vec![1],
        connected,
        said_goodbye: false,
        replica: vec![replica],
        join_token: "aaaaaaaaaaaa".to_owned(),
        lanes: [lane(0), lane(1), lane(2)],
        last_rejection: String::new(),
    }
}

fn name(edge: &str) -> EdgeName {
    EdgeName::parse(&format!("edges/{edge}")).unwrap()
}

#[tokio::test]
async fn an_edge_that_moved_on_is_not_lost_by_the_replica_it_left() {
    let world = World::new().await;
    let store = &world.store;
    store
        .edges_seen(&[sighting("one", 1, true, [3, 2, 1])])
        .await
        .unwrap();
    store
        .edges_seen(&[sighting("one", 2, true, [4, 2, 1])])
        .await
        .unwrap();
    store
        .edges_seen(&[sighting("one", 1, false, [0, 0, 0])])
        .await
        .unwrap();
    let row = edge::get(store, &name("one")).await.unwrap();
    assert!(row.connected && row.boot == "disk");
    assert_eq!(
        row.lanes,
        [
            (Lane::Config, 4, 0),
            (Lane::Keys, 2, 0),
            (Lane::Secrets, 1, 0)
        ]
    );
    assert_eq!(store.live_edges(&region("eu")).await.unwrap(), 1);
    assert_eq!(store.live_edges(&region("us")).await.unwrap(), 0);

    let why = edge::delete(store, &name("one")).await.unwrap_err();
    assert_eq!(
        why,
        StoreError::Blocked {
            name: "edges/one".to_owned(),
            by: Obstacle::IsConnected
        }
    );
    store
        .edges_seen(&[sighting("one", 2, false, [4, 2, 1])])
        .await
        .unwrap();
    assert_eq!(store.live_edges(&region("eu")).await.unwrap(), 0);
    edge::delete(store, &name("one")).await.unwrap();
    assert!(matches!(
        edge::delete(store, &name("one")).await,
        Err(StoreError::NotFound { .. })
    ));
}

#[tokio::test]
async fn an_edge_whose_replica_fell_silent_is_not_connected() {
    let world = World::new().await;
    let twice = [
        sighting("one", 1, true, [1, 1, 1]),
        sighting("one", 1, true, [2, 2, 2]),
    ];
    world.store.edges_seen(&twice).await.unwrap();
    world
        .sql("UPDATE edge SET last_seen_at = now() - interval '11 seconds'")
        .await;
    let row = &edge::list(&world.store, &all()).await.unwrap().rows[0];
    assert!(!row.connected && row.age_ms >= 11_000 && row.lanes[0].1 == 2);
    assert_eq!(world.store.live_edges(&region("eu")).await.unwrap(), 0);
    edge::delete(&world.store, &name("one")).await.unwrap();
}

#[tokio::test]
async fn an_edge_is_behind_until_each_lane_is_where_its_last_change_left_it() {
    let world = World::acme().await;
    let store = &world.store;
    let key = world.key(new_key("chat")).await.revision.0;
    let elsewhere = world.provider("far", &["us"]).await.revision;
    // The pepper and the project are older; the last change is for another region.
    let (config, secrets) = (key - 2, key - 1);
    for (applied, reached) in [
        ([0, 0, 0], 0),
        ([config, key - 1, secrets], 0),
        ([config - 1, key, secrets], 0),
        ([config, key, secrets - 1], 0),
        ([config, key, secrets], 1),
        ([elsewhere.0, elsewhere.0, elsewhere.0], 1),
    ] {
        store
            .edges_seen(&[sighting("one", 1, true, applied)])
            .await
            .unwrap();
        let found = edge::behind(store, elsewhere, None, 10).await.unwrap();
        assert_eq!(
            (found.reached, found.stragglers.len()),
            (reached, 1 - reached as usize)
        );
    }
    store
        .edges_seen(&[sighting("two", 1, false, [0, 0, 0])])
        .await
        .unwrap();
    let found = edge::behind(store, elsewhere, Some(&region("eu")), 10)
        .await
        .unwrap();
    assert_eq!(found.stragglers[0].name, name("two"));
    let nobody = edge::behind(store, elsewhere, Some(&region("us")), 10)
        .await
        .unwrap();
    assert_eq!((nobody.reached, nobody.stragglers.len()), (0, 0));
    let first = edge::behind(store, Revision(0), None, 10).await.unwrap();
    assert_eq!(first.reached, 2);
}

#[tokio::test]
async fn a_silent_edge_is_waited_for_until_a_day_has_passed_or_it_said_goodbye() {
    let world = World::acme().await;
    let store = &world.store;
    let newest = world.key(new_key("chat")).await.revision;
    let behind = async || {
        edge::behind(store, newest, None, 10)
            .await
            .unwrap()
            .stragglers
            .len()
    };
    let held = sighting("one", 1, true, [0, 0, 0]);
    store.edges_seen(std::slice::from_ref(&held)).await.unwrap();
    world
        .sql("UPDATE edge SET last_seen_at = now() - interval '23 hours'")
        .await;
    assert_eq!(behind().await, 1, "it may be cut off and still serve");
    world
        .sql("UPDATE edge SET last_seen_at = now() - interval '25 hours'")
        .await;
    assert_eq!(behind().await, 0);
    let goodbye = EdgeSighting {
        connected: false,
        said_goodbye: true,
        ..held.clone()
    };
    store.edges_seen(&[goodbye]).await.unwrap();
    assert_eq!(behind().await, 0);
    store.edges_seen(&[held]).await.unwrap();
    assert_eq!(behind().await, 1, "it came back");
}

#[tokio::test]
async fn an_id_stays_with_its_region_while_an_edge_there_is_connected() {
    let world = World::new().await;
    let store = &world.store;
    let eu = sighting("one", 1, true, [1, 1, 1]);
    let us = EdgeSighting {
        remit: Remit::of(region("us")),
        boot_id: vec![2],
        ..sighting("one", 2, true, [0, 0, 0])
    };
    let none: [String; 0] = [];
    assert_eq!(
        store.edges_seen(std::slice::from_ref(&eu)).await.unwrap(),
        none
    );
    assert_eq!(
        store.edges_seen(std::slice::from_ref(&us)).await.unwrap(),
        ["one"]
    );
    let row = edge::get(store, &name("one")).await.unwrap();
    assert_eq!((row.region, row.lanes[0].1), (region("eu"), 1));
    // The same edge, started again after it was killed.
    let again = EdgeSighting {
        boot_id: vec![3],
        ..sighting("one", 2, true, [2, 2, 2])
    };
    assert_eq!(store.edges_seen(&[again]).await.unwrap(), none);
    world
        .sql("UPDATE edge SET last_seen_at = now() - interval '11 seconds'")
        .await;
    assert_eq!(store.edges_seen(&[us]).await.unwrap(), none);
    assert_eq!(
        edge::get(store, &name("one")).await.unwrap().region,
        region("us")
    );
}

#[tokio::test]
async fn what_postgres_cannot_keep_is_told_from_a_postgres_that_is_away() {
    let world = World::new().await;
    let bad = EdgeSighting {
        build: "a\0b".to_owned(),
        ..sighting("one", 1, true, [1, 1, 1])
    };
    let refused = world.store.edges_seen(&[bad]).await;
    assert!(matches!(refused, Err(StoreError::Broken(_))), "{refused:?}");
}
