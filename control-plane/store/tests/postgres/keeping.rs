//! What the log keeps: no secret that was replaced, and no row for ever.

use std::time::Duration;

use policy::{change::Operation, revision::Revision};
use store::{ChangeRow, Changes, provider};

use crate::world::{World, new_provider, provider_name, region};

const WEEK: Duration = Duration::from_hours(7 * 24);

async fn with_credential(world: &World, regions: &[&str]) -> Revision {
    let mut write = world.store.write("test").await.unwrap();
    let mut new = new_provider("vllm", regions);
    new.credential_sealed = Some(b"sealed".to_vec());
    provider::create(&mut write, new, Some(b"one"))
        .await
        .unwrap();
    let provider = write.commit().await.unwrap();
    // The credential comes just before its provider.
    Revision(provider.0 - 1)
}

async fn replaced(world: &World, regions: &[&str]) -> Revision {
    let mut write = world.store.write("test").await.unwrap();
    let mut row = provider::lock(&mut write, &provider_name("vllm"), "")
        .await
        .unwrap();
    row.regions = regions.iter().map(|name| region(name)).collect();
    provider::update(&mut write, &row, Some(b"two"))
        .await
        .unwrap();
    Revision(write.commit().await.unwrap().0 - 1)
}

async fn change(world: &World, revision: Revision) -> ChangeRow {
    let before = Revision(revision.0 - 1);
    world.changes_since(before, 1).await.remove(0)
}

const NOTHING_OLD: &str = "DO $$ BEGIN ASSERT NOT EXISTS (
    SELECT FROM change JOIN object USING (kind, key)
    WHERE change.lane = 3 AND change.revision < object.revision AND change.value <> ''
); END $$";

#[tokio::test]
async fn a_replaced_credential_does_not_stay_in_the_log() {
    let world = World::acme().await;
    let one = with_credential(&world, &[]).await;
    let two = replaced(&world, &[]).await;
    world.sql(NOTHING_OLD).await;
    // A publisher that is behind sends what stands instead, under the same number.
    let (one, two) = (change(&world, one).await, change(&world, two).await);
    assert!(!two.value.is_empty());
    assert_eq!((&one.value, one.operation), (&two.value, Operation::Upsert));
}

#[tokio::test]
async fn a_deleted_credential_does_not_stay_in_the_log() {
    let world = World::acme().await;
    let one = with_credential(&world, &[]).await;
    let mut write = world.store.write("test").await.unwrap();
    provider::delete(&mut write, &provider_name("vllm"), "")
        .await
        .unwrap();
    write.commit().await.unwrap();
    world
        .sql(
            "DO $$ BEGIN ASSERT NOT EXISTS (
                 SELECT FROM change WHERE kind = 8 AND value <> ''
             ); END $$",
        )
        .await;
    let one = change(&world, one).await;
    assert_eq!((one.operation, one.after), (Operation::Delete, None));
}

#[tokio::test]
async fn a_credential_that_moved_is_not_told_to_those_it_left() {
    let world = World::acme().await;
    let one = with_credential(&world, &["asia", "eu"]).await;
    replaced(&world, &["eu", "us"]).await;
    let after = change(&world, one).await.after.unwrap();
    assert_eq!(after.regions(), [region("eu")]);
    replaced(&world, &["us"]).await;
    let one = change(&world, one).await;
    assert_eq!((one.operation, one.after), (Operation::Delete, None));
}

#[tokio::test]
async fn the_log_keeps_what_is_new_or_among_the_last_rows() {
    let world = World::acme().await;
    for slug in ["a", "b", "c", "d"] {
        world.project(slug).await;
    }
    let head = world.store.head().await.unwrap().revision;
    assert_eq!(world.store.sweep_log(2, WEEK).await.unwrap(), 0);
    // All but the newest are from long ago.
    world
        .sql(
            "UPDATE change SET at = now() - interval '8 days'
             WHERE revision < (SELECT revision FROM head)",
        )
        .await;
    let kept = i64::try_from(head.0).unwrap();
    assert_eq!(world.store.sweep_log(kept, WEEK).await.unwrap(), 0);
    let cut = world.store.sweep_log(3, WEEK).await.unwrap();
    assert_eq!(cut, head.0 - 3);
    assert_eq!(world.store.sweep_log(3, WEEK).await.unwrap(), 0);
    assert_eq!(world.changes_since(Revision(head.0 - 3), 10).await.len(), 3);
    assert_eq!(world.store.sweep_log(0, WEEK).await.unwrap(), 2);
    assert_eq!(world.changes_since(Revision(head.0 - 1), 10).await.len(), 1);
}

#[tokio::test]
async fn an_old_row_behind_a_new_one_stays_so_that_the_log_has_no_gap() {
    let world = World::acme().await;
    world.project("a").await;
    world
        .sql("UPDATE change SET at = now() - interval '8 days' WHERE revision <> 2")
        .await;
    assert_eq!(world.store.sweep_log(0, WEEK).await.unwrap(), 1);
    assert!(world.changes_since(Revision(1), 1).await[0].revision == Revision(2));
}

#[tokio::test]
async fn who_is_behind_what_is_kept_is_told_so() {
    let world = World::acme().await;
    world.project("a").await;
    world
        .sql("UPDATE change SET at = now() - interval '8 days' WHERE revision <= 2")
        .await;
    assert_eq!(world.store.sweep_log(0, WEEK).await.unwrap(), 2);
    let oldest = Revision(3);
    let behind = world.store.changes_since(Revision(1), 10).await.unwrap();
    assert_eq!(behind, Changes::Cut { oldest });
    let next = world.store.changes_since(Revision(2), 10).await.unwrap();
    assert!(matches!(next, Changes::Rows(rows) if rows[0].revision == oldest));
    let head = world.store.head().await.unwrap().revision;
    let none = world.store.changes_since(head, 10).await.unwrap();
    assert_eq!(none, Changes::Rows(Vec::new()));
}
