//! What publishers read, the doorbell, the schema and the pool.

use std::time::Duration;

use policy::revision::Revision;
use store::{Bell, Config, NotMigrated, Store, organization};
use tokio::time::timeout;

use crate::{
    ordering::adds_up,
    world::{World, eventually, new_organization, open, organization_name},
};

#[tokio::test]
async fn the_epoch_holds_and_the_head_moves() {
    let world = World::new().await;
    let before = world.store.head().await.unwrap();
    world.organization("acme").await;
    let after = world.store.head().await.unwrap();
    assert_eq!(before.epoch, after.epoch);
    assert_eq!(after.epoch.as_bytes().len(), 20);
    assert_eq!(after.revision, Revision(before.revision.0 + 1));
    let everything = world.store.everything().await.unwrap();
    assert_eq!(everything.head, after);
    assert!(adds_up(&everything));
    assert_eq!(
        world.store.hashes().await.unwrap(),
        (after.revision, everything.hashes)
    );
    world.sql("UPDATE head SET epoch = gen_random_uuid()").await;
    assert_ne!(world.store.head().await.unwrap().epoch, after.epoch);
}

#[tokio::test]
async fn the_doorbell_rings_for_each_write_and_for_edges() {
    let world = World::new().await;
    let mut doorbell = world.store.doorbell().await.unwrap();
    world.organization("acme").await;
    assert_eq!(rung(&mut doorbell).await, Bell::Revision);
    world.sql("SELECT pg_notify('sluice_edges', '')").await;
    assert_eq!(rung(&mut doorbell).await, Bell::Edges);
}

#[tokio::test]
async fn a_doorbell_that_was_cut_off_rings_for_what_it_may_have_missed() {
    let world = World::new().await;
    let mut doorbell = world.store.doorbell().await.unwrap();
    world
        .sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
             WHERE datname = current_database() AND query LIKE 'LISTEN%'",
        )
        .await;
    let mut all = Vec::new();
    for _ in 0..4 {
        all.push(rung(&mut doorbell).await);
    }
    for bell in [Bell::Revision, Bell::Edges, Bell::Rollouts, Bell::Questions] {
        assert!(all.contains(&bell), "{all:?}");
    }
    world.organization("acme").await;
    assert_eq!(rung(&mut doorbell).await, Bell::Revision);
}

async fn rung(doorbell: &mut store::Doorbell) -> Bell {
    timeout(Duration::from_secs(10), doorbell.rung())
        .await
        .unwrap()
}

#[tokio::test]
async fn a_schema_that_is_behind_or_another_one_is_told_and_one_that_is_ahead_is_not() {
    let (_postgres, url) = World::unmigrated().await;
    let config = Config {
        url,
        connections_max: 2,
    };
    let store = open(&config).await;
    let why = store.check_migrations().await.unwrap_err();
    assert!(
        matches!(&why, NotMigrated::Missing(all) if all.len() >= 15),
        "{why}"
    );
    assert!(
        why.to_string().contains("sluice-control-plane migrate"),
        "{why}"
    );
    let (one, two) = tokio::join!(Store::migrate(&config), Store::migrate(&config));
    one.and(two).unwrap();
    store.check_migrations().await.unwrap();
    let mut connection = <sqlx::PgConnection as sqlx::Connection>::connect(&config.url)
        .await
        .unwrap();
    for (sql, fits) in [
        (
            "INSERT INTO _sqlx_migrations VALUES (9999, 'newer', now(), true, '', 0)",
            true,
        ),
        (
            "UPDATE _sqlx_migrations SET checksum = '' WHERE version = 1",
            false,
        ),
        (
            "UPDATE _sqlx_migrations SET success = false WHERE version = 2",
            false,
        ),
    ] {
        sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
        assert_eq!(store.check_migrations().await.is_ok(), fits, "{sql}");
    }
}

#[tokio::test]
async fn a_connection_that_can_only_read_is_not_used_again() {
    let mut world = World::new().await;
    world.spoil();
    world
        .sql(
            "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET default_transaction_read_only = on',
             current_database()); END $$",
        )
        .await;
    let config = Config {
        url: world.url.clone(),
        connections_max: 1,
    };
    let demoted = open(&config).await;
    world
        .sql(
            "BEGIN READ WRITE;
             DO $$ BEGIN EXECUTE format('ALTER DATABASE %I RESET default_transaction_read_only',
             current_database()); END $$;
             COMMIT",
        )
        .await;
    eventually("the pool finds a connection that writes", || async {
        let Ok(mut write) = demoted.write("test").await else {
            return false;
        };
        let made = organization::create(&mut write, new_organization("acme")).await;
        made.is_ok() && write.commit().await.is_ok()
    })
    .await;
    organization::get(&world.store, &organization_name("acme"))
        .await
        .unwrap();
}

#[tokio::test]
async fn a_database_that_is_not_there_is_told_without_its_password() {
    let config = Config {
        url: "postgres://sluice:hunter2@127.0.0.1:1/sluice".to_owned(),
        connections_max: 1,
    };
    let encode = std::sync::Arc::new(|_: &_| Vec::new());
    let why = Store::open(&config, encode).await.err().unwrap();
    assert!(matches!(why, store::StoreError::Unavailable(_)), "{why:?}");
    assert!(!format!("{why:?} {why} {config:?}").contains("hunter2"));
}

// === impl World ===

impl World {
    async fn organization(&self, slug: &str) {
        let mut write = self.store.write("test").await.unwrap();
        organization::create(&mut write, new_organization(slug))
            .await
            .unwrap();
        write.commit().await.unwrap();
    }
}
