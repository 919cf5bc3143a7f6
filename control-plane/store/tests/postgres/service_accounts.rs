//! Service accounts: who writes a key meets who switches its account.

use domain::name::ServiceAccountName;
use store::{Obstacle, StoreError, Write, id::draw, key, key_rotation, service_account};
use time::OffsetDateTime;

use crate::world::{World, new_key};

fn name() -> ServiceAccountName {
    ServiceAccountName::parse("organizations/acme/projects/chat/serviceAccounts/crawler").unwrap()
}

fn of_account() -> key::New {
    key::New {
        service_account: Some(name()),
        ..new_key("chat")
    }
}

/// acme's project chat with an account that has one key.
async fn world() -> (World, key::Row) {
    let world = World::acme().await;
    let mut write = world.store.write("operator").await.unwrap();
    let new = service_account::New {
        id: draw(),
        name: name(),
        display_name: String::new(),
        disabled: false,
    };
    service_account::create(&mut write, new).await.unwrap();
    let key = key::create(&mut write, of_account()).await.unwrap();
    write.commit().await.unwrap();
    (world, key)
}

async fn switch_off(write: &mut Write) {
    let mut row = service_account::lock(write, &name(), "").await.unwrap();
    row.disabled = true;
    service_account::update(write, &row, true).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_is_written_while_its_account_is_switched_waits_for_that() {
    let (world, key) = world().await;
    let mut switch = world.store.write("owner").await.unwrap();
    switch_off(&mut switch).await;
    let store = world.store.clone();
    let rotates = tokio::spawn(async move {
        let mut write = store.write("operator").await.unwrap();
        let (secret, now) = (of_account().secret, OffsetDateTime::now_utc());
        let row = key_rotation::rotate(&mut write, (&key.name, ""), secret, (now, None)).await;
        write.commit().await.unwrap();
        row.unwrap()
    });
    world.somebody_waits().await;
    switch.commit().await.unwrap();
    let row = rotates.await.unwrap();
    assert!(row.account_disabled && !row.disabled);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_is_revoked_while_its_account_is_switched_stays_revoked() {
    let (world, key) = world().await;
    let mut switch = world.store.write("owner").await.unwrap();
    switch_off(&mut switch).await;
    let store = world.store.clone();
    let revokes = tokio::spawn(async move {
        let mut write = store.write("operator").await.unwrap();
        let row = key::revoke(&mut write, &key.name, false).await.unwrap();
        write.commit().await.unwrap();
        row
    });
    world.somebody_waits().await;
    switch.commit().await.unwrap();
    assert!(revokes.await.unwrap().revoked_at.is_some());
    let mut write = world.store.write("owner").await.unwrap();
    let row = service_account::lock(&mut write, &name(), "")
        .await
        .unwrap();
    service_account::delete(&mut write, &row).await.unwrap();
}

#[tokio::test]
async fn an_account_has_a_thousand_keys_and_no_more_and_all_are_switched_in_one_write() {
    let (world, _) = world().await;
    world
        .sql(
            "INSERT INTO key (id, key_id, project, environment, display_name, secret_sha256, tag,
                              pepper_version, service_account)
             SELECT gen_random_uuid(), 'key' || lpad(it::text, 9, '0'), key.project, 1, '',
                    key.secret_sha256, key.tag, 1, key.service_account
             FROM key, generate_series(1, 999) AS it",
        )
        .await;
    let mut write = world.store.write("operator").await.unwrap();
    let full = StoreError::Blocked {
        name: name().to_string(),
        by: Obstacle::HasManyAccountKeys,
    };
    assert_eq!(key::create(&mut write, of_account()).await, Err(full));
    drop(write);
    let mut write = world.store.write("owner").await.unwrap();
    switch_off(&mut write).await;
    write.commit().await.unwrap();
}
