//! Models and their versions.

use policy::{change::Operation, object::Kind, revision::Revision};
use store::{Obstacle, StoreError, model, provider, version};

use crate::{
    ordering::adds_up,
    world::{
        World, all, model_name, new_key, new_version, organization_name, provider_name,
        version_name,
    },
};

async fn offered(world: &World) -> model::Row {
    world.provider("vllm", &[]).await;
    world.model("support").await;
    world.version("support", "v1", "vllm").await;
    let mut write = world.store.write("test").await.unwrap();
    let mut row = model::lock(&mut write, &model_name("support"), "")
        .await
        .unwrap();
    row.stable = Some(version_name("support", "v1"));
    let row = model::update(&mut write, &row, None).await.unwrap();
    write.commit().await.unwrap();
    row
}

#[tokio::test]
async fn a_model_is_served_by_a_version_of_its_own() {
    let world = World::acme().await;
    let row = offered(&world).await;
    let read = model::get(&world.store, &row.name).await.unwrap();
    assert_eq!(read.stable, Some(version_name("support", "v1")));
    let listed = model::list(&world.store, &organization_name("acme"), &all())
        .await
        .unwrap();
    assert_eq!(listed.rows[0], read);
    let version = version::get(&world.store, &version_name("support", "v1"))
        .await
        .unwrap();
    assert_eq!(version.targets[0].provider, provider_name("vllm"));
    assert_eq!(
        version.provenance,
        [("git_sha".to_owned(), "abc".to_owned())]
    );
    assert!(version.revision < read.revision);

    world.model("other").await;
    let mut write = world.store.write("test").await.unwrap();
    let mut other = model::lock(&mut write, &model_name("other"), "")
        .await
        .unwrap();
    other.stable = Some(version_name("other", "v1"));
    let why = model::update(&mut write, &other, None).await.unwrap_err();
    let name = version_name("other", "v1").to_string();
    assert_eq!(
        why,
        StoreError::Dangling {
            field: "model.stable_version".to_owned(),
            name
        }
    );
}

#[tokio::test]
async fn a_version_names_providers_that_exist_and_holds_on_to_them() {
    let world = World::acme().await;
    offered(&world).await;
    let mut write = world.store.write("test").await.unwrap();
    let new = new_version("support", "v2", &["vllm", "nowhere"]);
    let why = version::create(&mut write, new).await.unwrap_err();
    let field = "model_version.targets[1].provider".to_owned();
    let name = provider_name("nowhere").to_string();
    assert_eq!(why, StoreError::Dangling { field, name });
    drop(write);
    let mut write = world.store.write("test").await.unwrap();
    let why = provider::delete(&mut write, &provider_name("vllm"), "")
        .await
        .unwrap_err();
    let name = provider_name("vllm").to_string();
    assert_eq!(
        why,
        StoreError::Blocked {
            name,
            by: Obstacle::IsTarget
        }
    );
}

#[tokio::test]
async fn a_stable_version_stays_until_another_is_chosen() {
    let world = World::acme().await;
    offered(&world).await;
    let two = world.version("support", "v2", "vllm").await;
    let listed = version::list(&world.store, &model_name("support"), &all())
        .await
        .unwrap();
    let names: Vec<_> = listed
        .rows
        .iter()
        .map(|it| it.name.version.to_string())
        .collect();
    assert_eq!(names, ["v1", "v2"]);

    let one = version_name("support", "v1");
    let mut write = world.store.write("test").await.unwrap();
    let why = version::delete(&mut write, &one, "").await.unwrap_err();
    assert_eq!(
        why,
        StoreError::Blocked {
            name: one.to_string(),
            by: Obstacle::IsStable
        }
    );
    drop(write);
    let mut write = world.store.write("test").await.unwrap();
    let why = version::delete(&mut write, &two.name, "another etag")
        .await
        .unwrap_err();
    assert_eq!(
        why,
        StoreError::Stale {
            name: two.name.to_string()
        }
    );
    version::delete(&mut write, &two.name, &two.etag())
        .await
        .unwrap();
    write.commit().await.unwrap();
    assert!(version::get(&world.store, &two.name).await.is_err());
}

#[tokio::test]
async fn a_model_goes_with_its_versions_unless_a_key_names_it() {
    let world = World::acme().await;
    let row = offered(&world).await;
    let mut new = new_key("chat");
    new.models = vec![row.name.clone()];
    let key = world.key(new).await;
    let mut write = world.store.write("test").await.unwrap();
    let why = model::delete(&mut write, &row.name, "").await.unwrap_err();
    let name = row.name.to_string();
    assert_eq!(
        why,
        StoreError::Blocked {
            name,
            by: Obstacle::IsNamedByKey
        }
    );
    drop(write);

    world.revoke(&key.name).await;
    let mut write = world.store.write("test").await.unwrap();
    store::key::delete(&mut write, &key.name, "").await.unwrap();
    model::delete(&mut write, &row.name, "").await.unwrap();
    let last = write.commit().await.unwrap();
    let changes = world.changes_since(Revision(last.0 - 2), 10).await;
    let kinds: Vec<_> = changes.iter().map(|it| (it.kind, it.operation)).collect();
    assert_eq!(
        kinds,
        [
            (Kind::Model as u8, Operation::Delete),
            (Kind::Version as u8, Operation::Delete),
        ]
    );
    assert!(adds_up(&world.store.everything().await.unwrap()));
}
