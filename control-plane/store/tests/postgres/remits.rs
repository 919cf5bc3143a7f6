//! Whose objects are, and edges that serve one organization: what of the log is theirs, and when they are gone.

use domain::name::{JoinTokenName, OrganizationName};
use policy::{
    change::Operation,
    id::OrganizationId,
    object::Kind,
    remit::{Owner, Remit},
    revision::Revision,
};
use store::{
    ChangeRow, StoreError, edge,
    edge_identity::{self, Enrolled, Issued},
    join_token, key,
    key_use::Use,
    organization,
};
use time::OffsetDateTime;

use crate::{
    fleet::sighting,
    world::{World, all, key_id, new_key, new_limit, new_organization, organization_name, region},
};

fn new_token(organization: Option<OrganizationName>, single_use: bool) -> join_token::New {
    join_token::New {
        single_use,
        key_id: key_id(),
        region: region("eu"),
        organization,
        display_name: String::new(),
        secret_sha256: [9; 32],
        expires_at: None,
    }
}

async fn create(world: &World, new: join_token::New) -> Result<join_token::Row, StoreError> {
    let mut write = world.store.write("test").await.unwrap();
    let row = join_token::create(&mut write, new).await?;
    write.commit().await.unwrap();
    Ok(row)
}

/// Acme, and the organization other.
async fn with_other() -> World {
    let world = World::acme().await;
    let mut write = world.store.write("test").await.unwrap();
    organization::create(&mut write, new_organization("other"))
        .await
        .unwrap();
    write.commit().await.unwrap();
    world
}

/// One object of each kind that there can be beside a key.
async fn furnished() -> World {
    let world = World::acme().await;
    world.provider("vllm", &["eu"]).await;
    world.model("chat").await;
    world.version("chat", "v1", "vllm").await;
    world.limit(new_limit("small", "organizations/acme")).await;
    world.key(new_key("chat")).await;
    world
}

#[tokio::test]
async fn every_object_says_whose_it_is_also_where_an_older_build_wrote_it() {
    let world = furnished().await;
    let acme = Owner::Organization(world.acme_id().await);
    let whose = |kind: u8| {
        if kind == Kind::Pepper as u8 {
            Owner::Installation
        } else {
            acme
        }
    };
    let check = async || {
        let everything = world.store.everything().await.unwrap();
        let mut kinds: Vec<u8> = everything.objects.iter().map(|it| it.kind).collect();
        for it in &everything.objects {
            assert_eq!(it.owner, whose(it.kind), "kind {}", it.kind);
        }
        for it in world.changes_since(Revision(0), 1_000).await {
            assert_eq!(it.owner, whose(it.kind), "kind {}", it.kind);
        }
        kinds.sort_unstable();
        kinds.dedup();
        kinds
    };
    assert!(check().await.len() >= 7);
    world
        .sql("UPDATE object SET organization = NULL; UPDATE change SET organization = NULL")
        .await;
    check().await;
    // What is written anew says it again.
    let all = world.store.everything().await.unwrap();
    let (key, _) = world
        .revoke(
            &key::list(
                &world.store,
                &crate::world::project_name("chat"),
                &self::all(),
            )
            .await
            .unwrap()
            .rows[0]
                .name,
        )
        .await;
    let last = world.changes_since(all.head.revision, 10).await;
    let said: Vec<_> = last.iter().map(|it| (it.operation, it.owner)).collect();
    assert_eq!(said, [(Operation::Revoke, acme)], "{}", key.name);
}

#[tokio::test]
async fn a_deletion_says_whose_it_was_when_nothing_else_does_any_more() {
    let world = with_other().await;
    let other = organization::get(&world.store, &organization_name("other")).await;
    let other = Owner::Organization(other.unwrap().id);
    let mut write = world.store.write("test").await.unwrap();
    organization::delete(&mut write, &organization_name("other"), "")
        .await
        .unwrap();
    let revision = write.commit().await.unwrap();
    let rows = world.changes_since(Revision(revision.0 - 1), 10).await;
    let said = |it: &ChangeRow| (it.operation, it.owner);
    assert_eq!(
        rows.iter().map(said).collect::<Vec<_>>(),
        [(Operation::Delete, other)]
    );
}

#[tokio::test]
async fn a_join_token_of_one_organization_names_it_and_goes_with_it() {
    let world = with_other().await;
    let nobody = create(&world, new_token(Some(organization_name("nobody")), false)).await;
    assert!(
        matches!(nobody, Err(StoreError::Dangling { .. })),
        "{nobody:?}"
    );
    let made = create(&world, new_token(Some(organization_name("other")), true))
        .await
        .unwrap();
    assert_eq!(made.organization, Some(organization_name("other")));
    let listed = join_token::list(&world.store, &all()).await.unwrap().rows;
    assert_eq!(listed, std::slice::from_ref(&made));
    let found = tokens(&world, &made.name).await.remove(0);
    let other = organization::get(&world.store, &organization_name("other"))
        .await
        .unwrap();
    let remit = Remit {
        organization: Some(other.id),
        ..Remit::of(region("eu"))
    };
    assert_eq!(found.remit, remit);
    // The identity that it was used for has the same remit, and no other was invited.
    assert_eq!(
        enrol(&world, &made.name, &Remit::of(region("eu"))).await,
        Enrolled::Used
    );
    assert_eq!(enrol(&world, &made.name, &remit).await, Enrolled::Yes);
    let known = world
        .store
        .edge_identities(&["0a".to_owned()])
        .await
        .unwrap();
    assert_eq!(known[0].remit, remit);
    let mut write = world.store.write("test").await.unwrap();
    organization::delete(&mut write, &organization_name("other"), "")
        .await
        .unwrap();
    write.commit().await.unwrap();
    assert!(tokens(&world, &made.name).await.is_empty());
    assert!(
        world
            .store
            .edge_identities(&["0a".to_owned()])
            .await
            .unwrap()
            .is_empty()
    );
}

async fn tokens(world: &World, name: &JoinTokenName) -> Vec<store::JoinToken> {
    let ids = [name.join_token.to_string()];
    world.store.join_tokens(&ids).await.unwrap()
}

async fn enrol(world: &World, invitation: &JoinTokenName, remit: &Remit) -> Enrolled {
    let new = edge_identity::New {
        identity: "0a".to_owned(),
        edge_id: "edge-1".to_owned(),
        join_token: invitation.join_token.to_string(),
        issued: Issued {
            serial: vec![1],
            ends_at: OffsetDateTime::now_utc() + time::Duration::hours(1),
        },
    };
    let mut write = world.store.write("test").await.unwrap();
    let enrolled = edge_identity::enrol(&mut write, remit, &new).await.unwrap();
    write.commit().await.unwrap();
    enrolled
}

#[tokio::test]
async fn nobody_waits_until_an_edge_has_what_is_another_organizations() {
    let world = furnished().await;
    let newest = world.store.everything().await.unwrap().head.revision;
    let stranger = OrganizationId::from_bytes([9; 16]);
    let seen = async |edge_id: &str, organization: Option<OrganizationId>, applied| {
        let mut seen = sighting(edge_id, 1, true, applied);
        seen.remit.organization = organization;
        assert!(world.store.edges_seen(&[seen]).await.unwrap().is_empty());
    };
    let behind = async || {
        let found = edge::behind(&world.store, newest, None, 10).await.unwrap();
        let names = found.stragglers.iter().map(|it| it.name.edge.to_string());
        names.collect::<Vec<_>>()
    };
    let acme = Some(world.acme_id().await);
    seen("acmes", acme, [0, 0, 0]).await;
    seen("everybodys", None, [0, 0, 0]).await;
    seen("strangers", Some(stranger), [0, 0, 0]).await;
    // The pepper is for all.
    assert_eq!(behind().await, ["acmes", "everybodys", "strangers"]);
    seen("strangers", Some(stranger), [0, 0, newest.0]).await;
    assert_eq!(behind().await, ["acmes", "everybodys"]);
    seen("acmes", acme, [newest.0; 3]).await;
    assert_eq!(behind().await, ["everybodys"]);
    let row = edge::list(&world.store, &all()).await.unwrap().rows;
    let served: Vec<_> = row.into_iter().map(|it| it.organization).collect();
    assert_eq!(
        served,
        [Some(organization_name("acme")), None, None],
        "one that is gone has no name"
    );
    // An edge that calls itself so and serves somebody else is another one.
    let mut other = sighting("acmes", 2, true, [0, 0, 0]);
    other.remit.organization = Some(stranger);
    assert_eq!(world.store.edges_seen(&[other]).await.unwrap(), ["acmes"]);
    let asked = world.store.edges_elsewhere(&[7], stranger).await.unwrap();
    let asked: Vec<_> = asked.into_iter().map(|it| it.edge_id).collect();
    assert!(
        asked == ["strangers"] || asked == ["everybodys"],
        "{asked:?}"
    );
}

#[tokio::test]
async fn the_use_of_a_key_counts_where_it_is_theirs() {
    let world = World::acme().await;
    let made = world.key(new_key("chat")).await;
    let note = async |organization| {
        let used = Use {
            key_id: made.name.key.to_string(),
            organization,
            at_ms: 1_700_000_000_000,
            previous: false,
        };
        world.store.note_key_uses([used]).await.unwrap();
        key::get(&world.store, &made.name).await.unwrap().used_at
    };
    assert_eq!(note(OrganizationId::from_bytes([9; 16])).await, None);
    assert!(note(world.acme_id().await).await.is_some());
}
