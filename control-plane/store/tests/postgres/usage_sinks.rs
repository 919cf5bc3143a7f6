//! What leaves for a sink leaves once, in order, whoever sends it and whatever fails meanwhile.

use std::{collections::BTreeSet, time::Duration};

use store::{
    Store, UsageRecord,
    usage_sink::{Span, Turn},
};

use crate::{
    usage::{now_ms, record},
    world::{World, region},
};

const LONG: Duration = Duration::from_mins(1);

/// Stores so many records and lets them be counted.
async fn stored(world: &World, many: usize) {
    let one = record(world, now_ms()).await;
    let records: Vec<UsageRecord> = (0..many)
        .map(|_| UsageRecord {
            id: store::id::draw(),
            ..one.clone()
        })
        .collect();
    for batch in records.chunks(10) {
        let stored = world.store.insert_usage("one", &region("eu"), batch).await;
        assert_eq!(usize::try_from(stored.unwrap().stored), Ok(batch.len()));
    }
    while world.store.fold_usage().await.unwrap() {}
}

async fn turn(store: &Store, holder: u8, life: Duration) -> Option<Turn> {
    store
        .take_sink("warehouse", [holder; 16], life)
        .await
        .unwrap()
}

/// The ids of the records of a span, which come once each.
async fn read(store: &Store, span: Span) -> BTreeSet<[u8; 16]> {
    let (mut ids, mut behind) = (BTreeSet::new(), span.after);
    while let Some(part) = store.sink_part(span, behind).await.unwrap() {
        assert!(behind < part.number && part.number <= span.last);
        behind = part.number;
        for record in part.records {
            assert!(ids.insert(record.id), "a record came twice");
        }
    }
    ids
}

#[tokio::test]
async fn what_was_planned_is_sent_again_as_it_was_and_only_then_what_came_since() {
    let world = World::acme().await;
    let store = &world.store;
    stored(&world, 30).await;
    let first = turn(store, 1, LONG).await.unwrap();
    let span = store.plan_sink(&first, 20).await.unwrap().unwrap();
    let sent = read(store, span).await;
    assert_eq!(sent.len(), 20);
    // It fails, and more comes.
    stored(&world, 10).await;
    assert_eq!(store.plan_sink(&first, 1_000).await.unwrap(), Some(span));
    assert_eq!(read(store, span).await, sent);
    assert!(store.note_sunk(&first, span).await.unwrap());
    assert!(!store.note_sunk(&first, span).await.unwrap(), "once");
    assert!(store.sink_lag("warehouse").await.unwrap() > Duration::ZERO);
    let rest = store.plan_sink(&first, 1_000).await.unwrap().unwrap();
    assert_eq!(rest.after, span.last);
    let others = read(store, rest).await;
    assert_eq!(others.len(), 20);
    assert!(sent.is_disjoint(&others));
    assert!(store.note_sunk(&first, rest).await.unwrap());
    assert_eq!(store.plan_sink(&first, 1_000).await.unwrap(), None);
    assert_eq!(store.sink_lag("warehouse").await.unwrap(), Duration::ZERO);
}

#[tokio::test]
async fn one_sends_at_a_time_and_who_was_overtaken_may_note_nothing() {
    let world = World::acme().await;
    let store = &world.store;
    stored(&world, 10).await;
    let first = turn(store, 1, Duration::ZERO).await.unwrap();
    let span = store.plan_sink(&first, 1_000).await.unwrap().unwrap();
    let second = turn(store, 2, LONG).await.unwrap();
    assert!(second.fence > first.fence);
    assert_eq!(turn(store, 1, LONG).await, None);
    assert!(!store.note_sunk(&first, span).await.unwrap());
    assert_eq!(store.plan_sink(&first, 1_000).await.unwrap(), None);
    assert_eq!(store.plan_sink(&second, 1_000).await.unwrap(), Some(span));
    assert_eq!(turn(store, 2, LONG).await, Some(second.clone()));
    assert!(store.note_sunk(&second, span).await.unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_passed_over_that_was_still_being_written() {
    let world = World::acme().await;
    let store = &world.store;
    let one = record(&world, now_ms()).await;
    let records: Vec<UsageRecord> = (0..600)
        .map(|_| UsageRecord {
            id: store::id::draw(),
            ..one.clone()
        })
        .collect();
    let eu = region("eu");
    let writing = async {
        for batch in records.chunks(50) {
            let (one, two) = batch.split_at(20);
            let insert = |part| store.insert_usage("one", &eu, part);
            let (one, two, _) = tokio::join!(insert(one), insert(two), store.fold_usage());
            assert_eq!(one.unwrap().stored + two.unwrap().stored, 50);
        }
        while store.fold_usage().await.unwrap() {}
    };
    let mut seen = BTreeSet::new();
    let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
    let sending = async {
        let turn = turn(store, 1, LONG).await.unwrap();
        while seen.len() < records.len() {
            assert!(tokio::time::Instant::now() < deadline, "{}", seen.len());
            let Some(span) = store.plan_sink(&turn, 100).await.unwrap() else {
                tokio::task::yield_now().await;
                continue;
            };
            for id in read(store, span).await {
                assert!(seen.insert(id), "a record left twice");
            }
            assert!(store.note_sunk(&turn, span).await.unwrap());
        }
    };
    tokio::join!(writing, sending);
    let stored: BTreeSet<_> = records.iter().map(|it| it.id).collect();
    assert_eq!(seen, stored);
}
