//! Two at once: one request id, one etag, one name.

use store::{Once, Store, StoreError, organization};

use crate::world::{World, all, new_organization, organization_name};

const ID: [u8; 16] = [7; 16];

/// One admin call, as the API makes it.
async fn call(store: Store, slug: &str, digest: u8, reply: &str) -> (Vec<u8>, bool) {
    let mut write = store.write("operator").await.unwrap();
    match write
        .once(ID, "CreateOrganization", &[digest; 32])
        .await
        .unwrap()
    {
        Once::Replay(reply) => return (reply, false),
        Once::Mismatch => return (b"mismatch".to_vec(), false),
        Once::First => {}
    }
    organization::create(&mut write, new_organization(slug))
        .await
        .unwrap();
    let mut numbered = write.number().await.unwrap();
    numbered.remember(reply.as_bytes()).await.unwrap();
    numbered.commit().await.unwrap();
    (reply.as_bytes().to_vec(), true)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_calls_with_one_request_id_make_one_row_and_one_reply() {
    let world = World::new().await;
    for round in 0..10 {
        world.sql("DELETE FROM idempotency").await;
        let slug = format!("acme{round}");
        let (one, two) = tokio::join!(
            call(world.store.clone(), &slug, 1, "reply one"),
            call(world.store.clone(), &slug, 1, "reply two"),
        );
        assert_eq!(one.0, two.0);
        assert!(one.1 != two.1, "exactly one call writes");
    }
    let rows = organization::list(&world.store, None, &all())
        .await
        .unwrap()
        .rows;
    assert_eq!(rows.len(), 10);
}

#[tokio::test]
async fn a_request_id_is_remembered_for_a_day_and_for_one_request() {
    let world = World::new().await;
    let store = || world.store.clone();
    assert_eq!(
        call(store(), "acme", 1, "first").await,
        (b"first".to_vec(), true)
    );
    assert_eq!(
        call(store(), "acme", 1, "second").await,
        (b"first".to_vec(), false)
    );
    assert_eq!(
        call(store(), "other", 2, "second").await,
        (b"mismatch".to_vec(), false)
    );
    let mut other = world.store.write("another operator").await.unwrap();
    assert_eq!(
        other
            .once(ID, "CreateOrganization", &[1; 32])
            .await
            .unwrap(),
        Once::First
    );
    drop(other);
    world
        .sql("UPDATE idempotency SET at = now() - interval '25 hours'")
        .await;
    assert_eq!(
        call(store(), "later", 2, "third").await,
        (b"third".to_vec(), true)
    );
}

#[tokio::test]
async fn a_write_that_is_dropped_leaves_nothing_behind() {
    let world = World::new().await;
    let before = world.store.head().await.unwrap();
    let mut write = world.store.write("operator").await.unwrap();
    write
        .once(ID, "CreateOrganization", &[1; 32])
        .await
        .unwrap();
    organization::create(&mut write, new_organization("acme"))
        .await
        .unwrap();
    let numbered = write.number().await.unwrap();
    assert!(numbered.revision() > before.revision);
    drop(numbered);
    assert_eq!(world.store.head().await.unwrap(), before);
    assert!(
        organization::get(&world.store, &organization_name("acme"))
            .await
            .is_err()
    );
    assert!(call(world.store.clone(), "acme", 1, "reply").await.1);
}

async fn rename(store: Store, etag: String, display_name: &str) -> Result<(), StoreError> {
    let mut write = store.write("operator").await?;
    let name = organization_name("acme");
    let mut row = organization::lock(&mut write, &name, &etag).await?;
    display_name.clone_into(&mut row.display_name);
    organization::update(&mut write, &row).await?;
    write.commit().await.map(drop)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_writes_with_one_etag_exactly_one_is_stale() {
    let world = World::acme().await;
    for _ in 0..10 {
        let row = organization::get(&world.store, &organization_name("acme"))
            .await
            .unwrap();
        let (one, two) = tokio::join!(
            rename(world.store.clone(), row.etag(), "one"),
            rename(world.store.clone(), row.etag(), "two"),
        );
        let stale = StoreError::Stale {
            name: "organizations/acme".to_owned(),
        };
        let stale = [one, two]
            .iter()
            .filter(|it| **it == Err(stale.clone()))
            .count();
        assert_eq!(stale, 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_that_make_one_name_exactly_one_does() {
    let world = World::new().await;
    let make = |store: Store| async move {
        let mut write = store.write("operator").await?;
        organization::create(&mut write, new_organization("acme")).await?;
        write.commit().await
    };
    let (one, two) = tokio::join!(make(world.store.clone()), make(world.store.clone()));
    let exists = StoreError::Exists {
        name: "organizations/acme".to_owned(),
    };
    assert!(one.is_ok() != two.is_ok());
    assert_eq!(one.and(two), Err(exists));
}
