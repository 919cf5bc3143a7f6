//! Keys, their tombstones, peppers, operator keys and join tokens.

use domain::name::JoinTokenName;
use policy::{
    change::Operation,
    credential::Pepper,
    object::{Kind, Lane},
    revision::Revision,
};
use store::{Obstacle, StoreError, join_token, key, pepper};
use time::OffsetDateTime;

use crate::{
    ordering::adds_up,
    world::{World, all, key_id, model_name, new_key, project_name, region},
};

#[tokio::test]
async fn a_key_is_made_read_changed_and_listed() {
    let world = World::acme().await;
    let model = world.model("support").await;
    let made = world.key(new_key("chat")).await;
    let read = key::get(&world.store, &made.name).await.unwrap();
    assert_eq!(read, made);
    let mut write = world.store.write("test").await.unwrap();
    let mut row = key::lock(&mut write, &made.name, &made.etag())
        .await
        .unwrap();
    row.models = vec![model.name.clone()];
    row.expires_at = Some(OffsetDateTime::from_unix_timestamp(4_000_000_000).unwrap());
    key::update(&mut write, &row).await.unwrap();
    let revision = write.commit().await.unwrap();
    let listed = key::list(&world.store, &project_name("chat"), &all())
        .await
        .unwrap()
        .rows;
    assert_eq!((listed[0].models.len(), listed[0].revision), (1, revision));
    let change = &world.changes_since(Revision(revision.0 - 1), 1).await[0];
    let value = String::from_utf8(change.value.clone()).unwrap();
    assert!(value.contains("expires Some(4000000000000)"), "{value}");

    let mut new = new_key("chat");
    new.models = vec![model_name("support"), model_name("nowhere")];
    let mut write = world.store.write("test").await.unwrap();
    let why = key::create(&mut write, new).await.unwrap_err();
    let name = model_name("nowhere").to_string();
    assert_eq!(
        why,
        StoreError::Dangling {
            field: "key.models[1]".to_owned(),
            name
        }
    );
}

#[tokio::test]
async fn a_key_names_the_configuration_that_it_needs() {
    let world = World::acme().await;
    let project = world.project("new").await;
    world.project("later").await;
    let key = world.key(new_key("new")).await;
    let change = &world.changes_since(Revision(key.revision.0 - 1), 1).await[0];
    assert_eq!((change.kind, change.lane), (Kind::Key as u8, Lane::Keys));
    let value = String::from_utf8(change.value.clone()).unwrap();
    let needed = format!("needs {}", project.revision);
    assert!(value.contains(&needed), "{value} has no {needed}");
}

#[tokio::test]
async fn a_revoked_key_stays_a_tombstone_and_never_comes_back() {
    let world = World::acme().await;
    let key = world.key(new_key("chat")).await;
    let (revoked, revision) = world.revoke(&key.name).await;
    assert!(revoked.revoked_at.is_some() && revision > key.revision);
    let (again, nothing) = world.revoke(&key.name).await;
    assert_eq!(
        (again.revoked_at, again.revision),
        (revoked.revoked_at, revision)
    );
    assert_eq!(nothing, Revision(0));

    let mut write = world.store.write("test").await.unwrap();
    let row = key::lock(&mut write, &key.name, "").await.unwrap();
    let why = key::update(&mut write, &row).await.unwrap_err();
    assert_eq!(
        why,
        StoreError::Blocked {
            name: key.name.to_string(),
            by: Obstacle::IsRevoked
        }
    );
    drop(write);

    let everything = world.store.everything().await.unwrap();
    let id = key.name.key.as_str().as_bytes();
    let tombstone = everything.objects.iter().find(|it| it.key == id).unwrap();
    assert_eq!(
        (tombstone.operation, tombstone.revision),
        (Operation::Revoke, revision)
    );
    assert!(tombstone.value.is_empty() && adds_up(&everything));
}

#[tokio::test]
async fn a_key_is_deleted_only_when_it_is_revoked_and_then_leaves_no_tombstone() {
    let world = World::acme().await;
    let key = world.key(new_key("chat")).await;
    let mut write = world.store.write("test").await.unwrap();
    let why = key::delete(&mut write, &key.name, "").await.unwrap_err();
    let name = key.name.to_string();
    assert_eq!(
        why,
        StoreError::Blocked {
            name,
            by: Obstacle::IsNotRevoked
        }
    );
    drop(write);
    world.revoke(&key.name).await;
    let mut write = world.store.write("test").await.unwrap();
    key::delete(&mut write, &key.name, "").await.unwrap();
    let revision = write.commit().await.unwrap();
    let change = &world.changes_since(Revision(revision.0 - 1), 1).await[0];
    assert_eq!(
        (change.operation, &change.after),
        (Operation::Delete, &None)
    );
    let everything = world.store.everything().await.unwrap();
    assert!(
        everything
            .objects
            .iter()
            .all(|it| it.kind != Kind::Key as u8)
    );
    assert!(adds_up(&everything));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_replicas_that_start_at_once_one_makes_the_pepper_and_the_operator_key() {
    let world = World::new().await;
    assert!(pepper::newest(&world.store).await.unwrap().is_none());
    let one = Pepper {
        version: 1,
        secret: [1; 32],
    };
    let two = Pepper {
        version: 1,
        secret: [2; 32],
    };
    let (one, two) = tokio::join!(
        pepper::create(&world.store, &one, b"one"),
        pepper::create(&world.store, &two, b"two"),
    );
    assert_eq!(one.unwrap().sealed, two.unwrap().sealed);
    let everything = world.store.everything().await.unwrap();
    let lanes: Vec<_> = everything.objects.iter().map(|it| it.lane).collect();
    assert_eq!(lanes, [Lane::Secrets]);

    let (one, two) = tokio::join!(
        world.store.first_operator_key("aaaaaaaaaaaa", &[1; 32]),
        world.store.first_operator_key("bbbbbbbbbbbb", &[2; 32]),
    );
    assert!(
        one.clone().unwrap() != two.unwrap(),
        "exactly one is the first"
    );
    let first = if one.unwrap() {
        ("aaaaaaaaaaaa", [1; 32])
    } else {
        ("bbbbbbbbbbbb", [2; 32])
    };
    let known = world.store.operator_key(first.0).await.unwrap().unwrap();
    assert_eq!(known.secret_sha256, first.1);
    assert_eq!(known.bindings.organizations(), None, "it owns everything");
    assert!(
        !world
            .store
            .first_operator_key("cccccccccccc", &[3; 32])
            .await
            .unwrap()
    );
    let unknown = world.store.operator_key("cccccccccccc").await.unwrap();
    assert!(unknown.is_none());
}

#[tokio::test]
async fn a_join_token_proves_its_region_until_it_is_revoked() {
    let world = World::new().await;
    let id = key_id();
    let mut write = world.store.write("test").await.unwrap();
    let new = join_token::New {
        single_use: false,
        key_id: id.clone(),
        region: region("eu"),
        organization: None,
        display_name: "rack 1".to_owned(),
        secret_sha256: [9; 32],
        expires_at: Some(OffsetDateTime::from_unix_timestamp(4_000_000_000).unwrap()),
    };
    let made = join_token::create(&mut write, new).await.unwrap();
    assert_eq!(write.commit().await.unwrap(), Revision(0));
    let token = world
        .store
        .join_tokens(&[id.to_string()])
        .await
        .unwrap()
        .remove(0);
    assert_eq!(
        (token.remit.region, token.secret_sha256, token.revoked),
        (region("eu"), Some([9; 32]), false)
    );
    assert_eq!(token.expires_at_ms, Some(4_000_000_000_000));

    let mut write = world.store.write("test").await.unwrap();
    let revoked = join_token::revoke(&mut write, &made.name).await.unwrap();
    write.commit().await.unwrap();
    assert!(revoked.revoked_at.is_some());
    assert!(world.store.join_tokens(&[id.to_string()]).await.unwrap()[0].revoked);
    let listed = join_token::list(&world.store, &all()).await.unwrap().rows;
    assert_eq!(listed, [revoked]);
    let nowhere = JoinTokenName {
        join_token: key_id(),
    };
    let mut write = world.store.write("test").await.unwrap();
    assert!(join_token::revoke(&mut write, &nowhere).await.is_err());
}
