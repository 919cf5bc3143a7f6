//! Organizations and projects.

use domain::{page::Page, violation::Violations};
use policy::{audit_access::AuditAccess, change::Operation};
use store::{Obstacle, StoreError, id::draw, organization, project};

use crate::world::{
    World, all, new_key, new_limit, new_organization, new_provider, organization_name, project_name,
};

#[tokio::test]
async fn an_organization_is_made_read_changed_and_deleted() {
    let world = World::new().await;
    let name = organization_name("acme");
    let mut write = world.store.write("test").await.unwrap();
    let made = organization::create(&mut write, new_organization("acme"))
        .await
        .unwrap();
    let revision = write.commit().await.unwrap();
    let read = organization::get(&world.store, &name).await.unwrap();
    assert_eq!(read, organization::Row { revision, ..made });

    let mut write = world.store.write("test").await.unwrap();
    let mut row = organization::lock(&mut write, &name, &read.etag())
        .await
        .unwrap();
    row.display_name = "Acme".to_owned();
    row.audit_access = AuditAccess::Denied;
    let changed = organization::update(&mut write, &row).await.unwrap();
    let later = write.commit().await.unwrap();
    assert!(later > revision && changed.etag() != read.etag());
    let read = organization::get(&world.store, &name).await.unwrap();
    assert_eq!((read.display_name.as_str(), read.revision), ("Acme", later));
    assert_eq!(read.audit_access, AuditAccess::Denied);

    let mut write = world.store.write("test").await.unwrap();
    organization::delete(&mut write, &name, &read.etag())
        .await
        .unwrap();
    write.commit().await.unwrap();
    let gone = organization::get(&world.store, &name).await.unwrap_err();
    assert_eq!(
        gone,
        StoreError::NotFound {
            name: name.to_string()
        }
    );
    let operations: Vec<_> = world.changes_since(revision.min(later), 10).await;
    let operations: Vec<_> = operations.iter().map(|it| it.operation).collect();
    assert_eq!(operations, [Operation::Upsert, Operation::Delete]);
    assert!(world.store.everything().await.unwrap().objects.is_empty());
}

#[tokio::test]
async fn an_organization_made_anew_does_not_match_old_etags() {
    let world = World::acme().await;
    let name = organization_name("other");
    let mut etags = Vec::new();
    for _ in 0..2 {
        let mut write = world.store.write("test").await.unwrap();
        let row = organization::create(&mut write, new_organization("other"))
            .await
            .unwrap();
        etags.push(row.etag());
        organization::delete(&mut write, &name, "").await.unwrap();
        write.commit().await.unwrap();
    }
    assert_ne!(etags[0], etags[1]);
}

#[tokio::test]
async fn pages_follow_each_other_in_the_order_of_the_ids() {
    let world = World::acme().await;
    for slug in ["zeta", "alpha", "beta-1", "beta"] {
        world.project(slug).await;
    }
    let mut token = String::new();
    let mut pages = Vec::new();
    loop {
        let page = Page::parse(2, &token, &mut Violations::new());
        let listed = project::list(&world.store, &organization_name("acme"), &page)
            .await
            .unwrap();
        pages.push(
            listed
                .rows
                .iter()
                .map(|row| row.name.project.to_string())
                .collect::<Vec<_>>(),
        );
        token = listed.next_page_token;
        if token.is_empty() {
            break;
        }
    }
    assert_eq!(
        pages,
        [vec!["alpha", "beta"], vec!["beta-1", "chat"], vec!["zeta"]]
    );
    let nowhere = project::list(&world.store, &organization_name("nowhere"), &all()).await;
    assert!(matches!(nowhere, Err(StoreError::NotFound { .. })));
}

/// Tries to delete the organization and says what stands in the way.
async fn obstacle(world: &World) -> Option<Obstacle> {
    let mut write = world.store.write("test").await.unwrap();
    match organization::delete(&mut write, &organization_name("acme"), "").await {
        Err(StoreError::Blocked { by, .. }) => Some(by),
        Err(why) => panic!("{why}"),
        Ok(()) => None,
    }
}

#[tokio::test]
async fn an_organization_goes_only_when_it_holds_nothing_more() {
    let world = World::acme().await;
    assert_eq!(obstacle(&world).await, Some(Obstacle::HasProjects));
    let mut write = world.store.write("test").await.unwrap();
    project::delete(&mut write, &project_name("chat"), "")
        .await
        .unwrap();
    write.commit().await.unwrap();
    assert_eq!(obstacle(&world).await, None);
    let mut write = world.store.write("test").await.unwrap();
    let new = new_provider("vllm", &[]);
    store::provider::create(&mut write, new, None)
        .await
        .unwrap();
    write.commit().await.unwrap();
    assert_eq!(obstacle(&world).await, Some(Obstacle::HasProviders));
}

#[tokio::test]
async fn a_project_goes_with_its_dead_keys_but_not_with_active_ones_or_limits() {
    let world = World::acme().await;
    let name = project_name("chat");
    let blocked = |by| StoreError::Blocked {
        name: name.to_string(),
        by,
    };
    let key = world.key(new_key("chat")).await;
    let limit = world.limit(new_limit("rpm", &name.to_string())).await;

    let mut write = world.store.write("test").await.unwrap();
    let why = project::delete(&mut write, &name, "").await.unwrap_err();
    assert_eq!(why, blocked(Obstacle::HasActiveKeys));
    drop(write);
    world.revoke(&key.name).await;

    let mut write = world.store.write("test").await.unwrap();
    let why = project::delete(&mut write, &name, "").await.unwrap_err();
    assert_eq!(why, blocked(Obstacle::HasLimits));
    drop(write);
    let mut write = world.store.write("test").await.unwrap();
    store::limit::delete(&mut write, &limit.name, &limit.etag())
        .await
        .unwrap();
    project::delete(&mut write, &name, "").await.unwrap();
    write.commit().await.unwrap();
    assert!(store::key::get(&world.store, &key.name).await.is_err());
    let everything = world.store.everything().await.unwrap();
    let key = key.name.key.as_str().as_bytes();
    assert!(everything.objects.iter().all(|object| object.key != key));
    assert!(crate::ordering::adds_up(&everything));
}

#[tokio::test]
async fn a_project_is_changed_and_needs_its_organization() {
    let world = World::acme().await;
    let read = project::get(&world.store, &project_name("chat"))
        .await
        .unwrap();
    let mut write = world.store.write("test").await.unwrap();
    let mut row = project::lock(&mut write, &read.name, "").await.unwrap();
    row.display_name = "Chat".to_owned();
    project::update(&mut write, &row).await.unwrap();
    write.commit().await.unwrap();
    let mut write = world.store.write("test").await.unwrap();
    let stale = project::lock(&mut write, &read.name, &read.etag())
        .await
        .unwrap_err();
    assert_eq!(
        stale,
        StoreError::Stale {
            name: read.name.to_string()
        }
    );
    let elsewhere = domain::name::ProjectName::parse("organizations/no/projects/chat").unwrap();
    let id = policy::id::ProjectId::from_bytes(draw());
    let new = project::New {
        id,
        name: elsewhere,
        display_name: String::new(),
        traffic: policy::traffic::Traffic::default(),
        rotation: None,
        pins: Vec::new(),
        keeping: (policy::keeping::Keeping::None, 7),
        guard: policy::guard::Guard::default(),
    };
    let why = project::create(&mut write, new).await.unwrap_err();
    assert_eq!(
        why,
        StoreError::NotFound {
            name: "organizations/no".to_owned()
        }
    );
}
