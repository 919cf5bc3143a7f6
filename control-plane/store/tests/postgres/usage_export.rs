//! An export has every record once, wherever it was broken off and whatever was stored meanwhile.

use std::collections::BTreeSet;

use store::{
    UsageRecord,
    usage_query::Whose,
    usage_read::{self, Chunk},
};

use crate::{
    usage::{DAY_MS, now_ms, record},
    world::{World, organization_name, region},
};

const ALL: (u64, u64) = (0, 253_402_300_799_000);

async fn next(world: &World, range: (u64, u64), after: i64) -> Option<Chunk> {
    let acme = Whose::Organization(organization_name("acme"));
    usage_read::export(&world.store, &acme, range, after)
        .await
        .unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_export_that_goes_on_at_its_cursor_misses_nothing_and_repeats_nothing() {
    let world = World::acme().await;
    let (now, one) = (now_ms(), record(&world, now_ms()).await);
    let eu = region("eu");
    // Late ones, too: their times lie before what was exported long ago.
    let at = |number: u64| UsageRecord {
        id: store::id::draw(),
        at_ms: now - (number * 7_919 % 40) * 3_600_000,
        ..one.clone()
    };
    let records: Vec<UsageRecord> = (0..2_000).map(at).collect();
    let writing = async {
        for batch in records.chunks(50) {
            let (one, two) = batch.split_at(20);
            let insert = |part| world.store.insert_usage("one", &eu, part);
            let (one, two, _) = tokio::join!(insert(one), insert(two), world.store.fold_usage());
            assert_eq!(one.unwrap().stored + two.unwrap().stored, 50);
        }
        while world.store.fold_usage().await.unwrap() {}
    };
    let mut seen = BTreeSet::new();
    let deadline = tokio::time::Instant::now() + std::time::Duration::from_secs(20);
    let reading = async {
        let mut after = 0;
        while seen.len() < records.len() {
            assert!(
                tokio::time::Instant::now() < deadline,
                "{} seen",
                seen.len()
            );
            let Some(chunk) = next(&world, ALL, after).await else {
                tokio::task::yield_now().await;
                continue;
            };
            after = chunk.number;
            for record in chunk.records {
                assert!(seen.insert(record.id), "a record came twice");
            }
        }
        after
    };
    let ((), after) = tokio::join!(writing, reading);
    let stored: BTreeSet<_> = records.iter().map(|it| it.id).collect();
    assert_eq!(seen, stored);
    assert_eq!(next(&world, ALL, after).await, None);
    let acme = Whose::Organization(organization_name("acme"));
    let remaining = |after| usage_read::remaining(&world.store, &acme, after);
    assert_eq!(remaining(after).await.unwrap(), 0);
    assert_eq!(remaining(0).await.unwrap(), 2_000);
}

#[tokio::test]
async fn an_export_is_of_what_is_asked_for_only() {
    let world = World::acme().await;
    let now = now_ms();
    let eu = region("eu");
    let mut foreign = record(&world, now).await;
    foreign.organization = policy::id::OrganizationId::from_bytes([9; 16]);
    let batch = [
        record(&world, now).await,
        record(&world, now - DAY_MS).await,
        foreign,
    ];
    world.store.insert_usage("one", &eu, &batch).await.unwrap();
    // What has no number yet is not read: something before it may still come.
    assert_eq!(next(&world, ALL, 0).await, None);
    world.store.fold_usage().await.unwrap();
    let ids = |chunk: Chunk| {
        chunk
            .records
            .into_iter()
            .map(|it| it.id)
            .collect::<Vec<_>>()
    };
    let today = next(&world, (now, now + 1), 0).await.unwrap();
    assert_eq!(ids(today), [batch[0].id]);
    let all = next(&world, ALL, 0).await.unwrap();
    assert_eq!(ids(all), [batch[1].id, batch[0].id]);
}
