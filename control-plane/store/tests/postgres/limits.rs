//! Limits.

use domain::{
    limit::{Narrowing, Override, Terms},
    name::{KeyName, ModelName, ProviderName, ScopeName},
};
use policy::{
    calendar::Period,
    limit::{Allowance, Member, Members, Mode, OnStoreLoss, Quota, Rate},
    region::Region,
    revision::Revision,
};
use store::{Obstacle, StoreError, key, limit, provider};

use crate::world::{World, all, limit_name, new_key, new_limit, organization_name, project_name};

#[tokio::test]
async fn a_limit_is_over_an_organization_a_project_or_a_key() {
    let world = World::acme().await;
    let key = world.key(new_key("chat")).await;
    let scopes = [
        ("a", "organizations/acme".to_owned(), "Organization("),
        ("b", project_name("chat").to_string(), "Project("),
        ("c", key.name.to_string(), "Key("),
    ];
    for (slug, scope, object) in &scopes {
        let made = world.limit(new_limit(slug, scope)).await;
        let read = limit::get(&world.store, &made.name).await.unwrap();
        assert_eq!(read.scope, ScopeName::parse(scope).unwrap());
        let after = Revision(read.revision.0 - 1);
        let change = &world.changes_since(after, 1).await[0];
        let value = String::from_utf8(change.value.clone()).unwrap();
        assert!(value.contains(object), "{value}");
    }
    let listed = limit::list(&world.store, &organization_name("acme"), (&all(), false))
        .await
        .unwrap();
    assert_eq!(listed.rows.len(), 3);
    world.revoke(&key.name).await;
    let mut write = world.store.write("test").await.unwrap();
    let why = key::delete(&mut write, &key.name, "").await.unwrap_err();
    assert_eq!(
        why,
        StoreError::Blocked {
            name: key.name.to_string(),
            by: Obstacle::HasLimits
        }
    );
}

#[tokio::test]
async fn a_limit_is_changed_and_deleted() {
    let world = World::acme().await;
    let made = world.limit(new_limit("rpm", "organizations/acme")).await;
    let mut write = world.store.write("test").await.unwrap();
    let mut row = limit::lock(&mut write, &made.name, &made.etag())
        .await
        .unwrap();
    row.allowance = Allowance::Rate(Rate::new(5, 1_000, 1).unwrap());
    limit::update(&mut write, &row).await.unwrap();
    write.commit().await.unwrap();
    let read = limit::get(&world.store, &made.name).await.unwrap();
    assert_eq!(read.allowance, row.allowance);
    let mut write = world.store.write("test").await.unwrap();
    let why = limit::delete(&mut write, &made.name, &made.etag())
        .await
        .unwrap_err();
    assert_eq!(
        why,
        StoreError::Stale {
            name: made.name.to_string()
        }
    );
    limit::delete(&mut write, &made.name, &read.etag())
        .await
        .unwrap();
    write.commit().await.unwrap();
    assert!(limit::get(&world.store, &limit_name("rpm")).await.is_err());
}

#[tokio::test]
async fn a_limit_over_nothing_is_refused() {
    let world = World::acme().await;
    for scope in [
        "organizations/acme/projects/no",
        "organizations/acme/projects/chat/keys/0aZ9bY8cX7dW",
    ] {
        let mut write = world.store.write("test").await.unwrap();
        let why = limit::create(&mut write, new_limit("rpm", scope))
            .await
            .unwrap_err();
        let (field, name) = ("limit.scope".to_owned(), scope.to_owned());
        assert_eq!(why, StoreError::Dangling { field, name });
    }
}

#[tokio::test]
async fn a_narrowed_quota_is_read_as_it_was_written_and_keeps_what_it_names() {
    let world = World::acme().await;
    let organization = "organizations/acme";
    world.model("gpt").await;
    world.provider("second", &[]).await;
    let narrowing = Narrowing {
        model: Some(ModelName::parse("organizations/acme/models/gpt").unwrap()),
        provider: Some(ProviderName::parse("organizations/acme/providers/second").unwrap()),
        end_user: Some("ann".to_owned()),
        each: Members::NONE.with(Member::Key),
    };
    let new = limit::New {
        narrowing: narrowing.clone(),
        allowance: Allowance::Quota(Quota::new(7, Period::Month).unwrap()),
        ..new_limit("monthly", organization)
    };
    let allowance = new.allowance;
    let made = world.limit(new).await;
    let read = limit::get(&world.store, &made.name).await.unwrap();
    assert_eq!(
        (read.narrowing, read.allowance),
        (narrowing.clone(), allowance)
    );
    for field in ["limit.model", "limit.provider"] {
        let narrowing = match field {
            "limit.model" => Narrowing {
                model: Some(ModelName::parse("organizations/acme/models/no").unwrap()),
                ..Narrowing::default()
            },
            _ => Narrowing {
                provider: Some(ProviderName::parse("organizations/acme/providers/no").unwrap()),
                ..Narrowing::default()
            },
        };
        let new = limit::New {
            narrowing,
            ..new_limit("other", organization)
        };
        let mut write = world.store.write("test").await.unwrap();
        let why = limit::create(&mut write, new).await.unwrap_err();
        assert!(matches!(why, StoreError::Dangling { field: it, .. } if it == field));
    }
    let mut write = world.store.write("test").await.unwrap();
    let why = provider::delete(&mut write, &narrowing.provider.unwrap(), "").await;
    assert!(
        matches!(
            why,
            Err(StoreError::Blocked {
                by: Obstacle::HasLimits,
                ..
            })
        ),
        "{why:?}"
    );
}

#[tokio::test]
async fn overrides_stand_in_their_order_and_go_with_their_key() {
    let world = World::acme().await;
    let key = world.key(new_key("chat")).await;
    let other = |key: Option<KeyName>, amount, until_ms| Override {
        key,
        end_user: None,
        allowance: Allowance::Rate(Rate::new(amount, 60_000, 5).unwrap()),
        until_ms,
    };
    let terms = Terms {
        mode: Mode::Soft,
        on_store_loss: OnStoreLoss::Deny,
        overrides: vec![
            other(Some(key.name.clone()), 9, Some(1_900_000_000_000)),
            other(None, 7, None),
        ],
        regions: ["eu", "us"].map(|it| Region::try_from(it).unwrap()).into(),
    };
    let mut new = new_limit("rpm", "organizations/acme");
    new.narrowing.each = Members::NONE.with(Member::Key);
    new.terms = terms.clone();
    let made = world.limit(new).await;
    let listed = limit::list(&world.store, &organization_name("acme"), (&all(), false)).await;
    let stands = listed.unwrap().rows.remove(0);
    assert_eq!(stands.terms, terms);
    let before = Revision(stands.revision.0 - 1);
    let change = &world.changes_since(before, 1).await[0];
    let value = String::from_utf8(change.value.clone()).unwrap();
    assert!(
        value.contains(key.name.key.as_str()) && value.contains("Soft"),
        "{value}"
    );
    let mut write = world.store.write("test").await.unwrap();
    let mut row = limit::lock(&mut write, &made.name, "").await.unwrap();
    row.terms.overrides.remove(1);
    limit::update(&mut write, &row).await.unwrap();
    write.commit().await.unwrap();
    world.revoke(&key.name).await;
    let mut write = world.store.write("test").await.unwrap();
    key::delete(&mut write, &key.name, "").await.unwrap();
    write.commit().await.unwrap();
    let read = limit::get(&world.store, &made.name).await.unwrap();
    assert!(read.terms.overrides.is_empty(), "{:?}", read.terms);
}
