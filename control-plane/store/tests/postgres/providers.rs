//! Providers: where they go, and their credentials with them.

use domain::base_url;
use policy::{
    change::Operation,
    object::{Kind, Lane},
    region::Audience,
};
use store::{ChangeRow, StoreError, provider};

use crate::{
    ordering::adds_up,
    world::{World, all, new_provider, organization_name, provider_name, region},
};

async fn last_changes(world: &World, count: u64) -> Vec<ChangeRow> {
    let head = world.store.head().await.unwrap().revision;
    let after = policy::revision::Revision(head.0 - count);
    world.changes_since(after, 10).await
}

#[tokio::test]
async fn a_credential_is_published_with_its_provider_and_never_kept_in_clear() {
    let world = World::acme().await;
    let mut write = world.store.write("test").await.unwrap();
    let mut new = new_provider("vllm", &["eu"]);
    new.credential_sealed = Some(b"sealed".to_vec());
    let made = provider::create(&mut write, new, Some(b"clear text"))
        .await
        .unwrap();
    let revision = write.commit().await.unwrap();
    let changes = last_changes(&world, 2).await;
    let kinds: Vec<_> = changes.iter().map(|it| (it.kind, it.lane)).collect();
    assert_eq!(
        kinds,
        [
            (Kind::Credential as u8, Lane::Secrets),
            (Kind::Provider as u8, Lane::Config)
        ]
    );
    let eu = Some(Audience::only(vec![region("eu")]));
    assert!(
        changes
            .iter()
            .all(|it| it.before.is_none() && it.after == eu)
    );
    let read = provider::get(&world.store, &provider_name("vllm"))
        .await
        .unwrap();
    assert_eq!((read.revision, read.etag()), (revision, made.etag()));
    assert_eq!(read.credential_sealed.as_deref(), Some(&b"sealed"[..]));
    assert!(
        String::from_utf8(changes[1].value.clone())
            .unwrap()
            .contains("credential_required: true")
    );
}

#[tokio::test]
async fn a_provider_that_moves_is_logged_for_where_it_was_and_where_it_is() {
    let world = World::acme().await;
    world.provider("vllm", &["eu", "us"]).await;
    let mut write = world.store.write("test").await.unwrap();
    let mut row = provider::lock(&mut write, &provider_name("vllm"), "")
        .await
        .unwrap();
    row.regions = vec![region("us"), region("asia")];
    row.base_url = base_url::parse("http://localhost:9/v1").unwrap();
    provider::update(&mut write, &row, None).await.unwrap();
    write.commit().await.unwrap();
    let [change] = &last_changes(&world, 1).await[..] else {
        panic!("one change")
    };
    assert_eq!(
        change.before,
        Some(Audience::only(vec![region("eu"), region("us")]))
    );
    assert_eq!(
        change.after,
        Some(Audience::only(vec![region("asia"), region("us")]))
    );
    let everything = world.store.everything().await.unwrap();
    assert!(adds_up(&everything));
    let read = provider::get(&world.store, &provider_name("vllm"))
        .await
        .unwrap();
    assert_eq!(read.base_url.origin(), "http://localhost:9");
}

#[tokio::test]
async fn a_credential_can_be_taken_away_and_goes_with_its_provider() {
    let world = World::acme().await;
    let name = provider_name("vllm");
    for deleted in [false, true] {
        let mut write = world.store.write("test").await.unwrap();
        let mut new = new_provider("vllm", &[]);
        new.credential_sealed = Some(b"sealed".to_vec());
        provider::create(&mut write, new, Some(b"clear"))
            .await
            .unwrap();
        write.commit().await.unwrap();
        let mut write = world.store.write("test").await.unwrap();
        if deleted {
            provider::delete(&mut write, &name, "").await.unwrap();
        } else {
            let mut row = provider::lock(&mut write, &name, "").await.unwrap();
            row.credential_sealed = None;
            provider::update(&mut write, &row, None).await.unwrap();
        }
        write.commit().await.unwrap();
        let changes = last_changes(&world, 2).await;
        assert_eq!(changes[0].kind, Kind::Credential as u8);
        assert_eq!(changes[0].operation, Operation::Delete);
        assert_eq!(
            (&changes[0].before, &changes[0].after),
            (&Some(Audience::everywhere()), &None)
        );
        let everything = world.store.everything().await.unwrap();
        assert!(
            everything
                .objects
                .iter()
                .all(|it| it.kind != Kind::Credential as u8)
        );
        assert!(adds_up(&everything));
        if !deleted {
            let mut write = world.store.write("test").await.unwrap();
            provider::delete(&mut write, &name, "").await.unwrap();
            write.commit().await.unwrap();
        }
    }
}

#[tokio::test]
async fn a_provider_has_one_name_and_is_listed_by_it() {
    let world = World::acme().await;
    world.provider("vllm", &[]).await;
    world.provider("ollama", &[]).await;
    let mut write = world.store.write("test").await.unwrap();
    let why = provider::create(&mut write, new_provider("vllm", &[]), None)
        .await
        .err();
    assert_eq!(
        why,
        Some(StoreError::Exists {
            name: provider_name("vllm").to_string()
        })
    );
    let listed = provider::list(&world.store, &organization_name("acme"), &all())
        .await
        .unwrap();
    let names: Vec<_> = listed
        .rows
        .iter()
        .map(|it| it.name.provider.to_string())
        .collect();
    assert_eq!(names, ["ollama", "vllm"]);
}

#[tokio::test]
async fn a_sealed_credential_without_its_clear_text_is_refused() {
    let world = World::acme().await;
    let mut write = world.store.write("test").await.unwrap();
    let mut new = new_provider("vllm", &[]);
    new.credential_sealed = Some(b"sealed".to_vec());
    let why = provider::create(&mut write, new, None).await.err();
    assert!(matches!(why, Some(StoreError::Broken(_))));
}
