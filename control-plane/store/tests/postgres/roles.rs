//! Roles of one's own: who binds one meets who changes it.

use domain::{
    access::{Binding, Bound, OwnRole, Permission, Permissions, Place},
    name::RoleName,
};
use store::{Obstacle, StoreError, id::draw, role};

use crate::world::{World, organization_name};

fn name() -> RoleName {
    RoleName::parse("organizations/acme/roles/triage").unwrap()
}

async fn made(world: &World, permissions: Permissions) -> role::Row {
    let mut write = world.store.write("operator").await.unwrap();
    let new = role::New {
        id: draw(),
        name: name(),
        display_name: String::new(),
        permissions,
    };
    let row = role::create(&mut write, new).await.unwrap();
    write.commit().await.unwrap();
    row
}

/// As it comes from whoever wants it bound.
fn asked() -> Binding {
    Binding {
        role: Bound::Own(OwnRole {
            name: name(),
            permissions: Permissions::default(),
        }),
        at: Place::Organization(organization_name("acme")),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_binds_a_role_sees_what_a_change_under_way_makes_of_it() {
    let world = World::acme().await;
    made(&world, Permissions::all_of([Permission::KeysRead])).await;
    let mut change = world.store.write("owner").await.unwrap();
    let mut row = role::lock(&mut change, &name(), "").await.unwrap();
    row.permissions = Permissions::all_of([Permission::KeysIssue]);
    role::update(&mut change, &row).await.unwrap();
    let store = world.store.clone();
    let binder = tokio::spawn(async move {
        let mut write = store.write("binder").await.unwrap();
        let mut binding = asked();
        role::look_up(&mut write, "role", &mut binding)
            .await
            .unwrap();
        binding
    });
    world.somebody_waits().await;
    change.commit().await.unwrap();
    let bound = binder.await.unwrap();
    assert!(bound.role.holds(Permission::KeysIssue) && !bound.role.holds(Permission::KeysRead));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_role_that_is_being_bound_changes_afterwards() {
    let world = World::acme().await;
    made(&world, Permissions::all_of([Permission::KeysRead])).await;
    let mut bind = world.store.write("binder").await.unwrap();
    let mut binding = asked();
    role::look_up(&mut bind, "role", &mut binding)
        .await
        .unwrap();
    let store = world.store.clone();
    let changer = tokio::spawn(async move {
        let mut write = store.write("owner").await.unwrap();
        role::lock(&mut write, &name(), "").await.map(|_| ())
    });
    world.somebody_waits().await;
    bind.commit().await.unwrap();
    assert_eq!(changer.await.unwrap(), Ok(()));
}

#[tokio::test]
async fn what_only_a_newer_control_plane_knows_is_neither_bound_nor_changed() {
    let world = World::acme().await;
    made(&world, Permissions::all_of([Permission::KeysRead])).await;
    world
        .sql("UPDATE role SET permissions = '{keys.read,keys.juggle}'")
        .await;
    let unknown = StoreError::Blocked {
        name: name().to_string(),
        by: Obstacle::HoldsUnknown,
    };
    let mut write = world.store.write("operator").await.unwrap();
    let bound = role::look_up(&mut write, "role", &mut asked()).await;
    assert_eq!(bound, Err(unknown.clone()));
    assert_eq!(role::lock(&mut write, &name(), "").await, Err(unknown));
}

#[tokio::test]
async fn an_organization_has_a_hundred_roles_and_no_more() {
    let world = World::acme().await;
    world
        .sql(
            "INSERT INTO role (id, organization, name, display_name, permissions)
             SELECT gen_random_uuid(), organization.id, 'role-' || it, '', '{keys.read}'
             FROM organization, generate_series(1, 100) AS it",
        )
        .await;
    let mut write = world.store.write("operator").await.unwrap();
    let new = role::New {
        id: draw(),
        name: name(),
        display_name: String::new(),
        permissions: Permissions::all_of([Permission::KeysRead]),
    };
    let full = StoreError::Blocked {
        name: "organizations/acme".to_owned(),
        by: Obstacle::HasManyRoles,
    };
    assert_eq!(role::create(&mut write, new).await, Err(full));
}
