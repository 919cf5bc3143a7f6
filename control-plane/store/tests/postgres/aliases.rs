//! Aliases: which version serves by one, what stands in the way, and that no model and no alias has another's name.

use domain::{
    alias::Follows,
    deprecation::Deprecation,
    name::{ModelAliasName, VersionName},
    segment::Slug,
};
use policy::{alias::ALIASES_MAX, change::Operation, object::Kind, revision::Revision};
use store::{
    Obstacle, StoreError,
    alias::{self, New, Row},
    deprecation,
    id::draw,
    model, version,
};

use crate::{
    ordering::adds_up,
    world::{World, all, model_name, new_version, organization_name, version_name},
};

fn name(slug: &str) -> ModelAliasName {
    ModelAliasName::parse(&format!("organizations/acme/modelAliases/{slug}")).unwrap()
}

fn pinned(version: &str) -> Follows {
    Follows::Pinned(Slug::parse(version).unwrap())
}

/// A model `fast` with a `v1`, and a model `slow` with none.
async fn world() -> World {
    let world = World::acme().await;
    world.provider("vllm", &[]).await;
    world.model("fast").await;
    world.model("slow").await;
    world.version("fast", "v1", "vllm").await;
    world
}

async fn make(world: &World, slug: &str, model: &str, follows: Follows) -> Result<Row, StoreError> {
    let new = New {
        id: draw(),
        name: name(slug),
        model: model_name(model),
        follows,
    };
    let mut write = world.store.write("test").await.unwrap();
    let row = alias::create(&mut write, new).await?;
    write.commit().await.unwrap();
    Ok(row)
}

async fn change(world: &World, slug: &str, model: &str, follows: Follows) -> Row {
    let mut write = world.store.write("test").await.unwrap();
    let row = alias::lock(&mut write, &name(slug), "").await.unwrap();
    let to = (&model_name(model), &follows);
    let row = alias::update(&mut write, &row, to).await.unwrap();
    write.commit().await.unwrap();
    row
}

async fn deprecate(world: &World, version: &VersionName, undo: bool) {
    let ends = Deprecation {
        from_ms: 1_000,
        sunset_ms: None,
        successor: None,
    };
    let mut write = world.store.write("test").await.unwrap();
    let row = deprecation::lock_version(&mut write, version)
        .await
        .unwrap();
    let ends = (!undo).then_some(&ends);
    deprecation::of_version(&mut write, &row, ends)
        .await
        .unwrap();
    write.commit().await.unwrap();
}

async fn remove(world: &World, version: &VersionName) -> Result<(), StoreError> {
    let mut write = world.store.write("test").await.unwrap();
    version::delete(&mut write, version, "").await?;
    write.commit().await.unwrap();
    Ok(())
}

async fn serves(world: &World, slug: &str) -> Option<VersionName> {
    let row = alias::get(&world.store, &name(slug)).await.unwrap();
    row.serves
}

/// What was published after a revision: kinds, and whether they were written or deleted.
async fn published(world: &World, after: Revision) -> Vec<(u8, Operation)> {
    let changes = world.changes_since(after, 100).await;
    let each = changes.iter().map(|it| (it.kind, it.operation));
    each.collect()
}

#[tokio::test]
async fn the_newest_version_serves_at_once_and_one_that_is_pinned_stays() {
    let world = world().await;
    make(&world, "fast-latest", "fast", Follows::Newest)
        .await
        .unwrap();
    make(&world, "fast-2026", "fast", pinned("v1"))
        .await
        .unwrap();
    make(&world, "quick", "fast", Follows::Model).await.unwrap();
    let one = version_name("fast", "v1");
    assert_eq!(serves(&world, "fast-latest").await, Some(one.clone()));
    let before = world.store.head().await.unwrap().revision;
    let two = world.version("fast", "v2", "vllm").await;
    assert_eq!(serves(&world, "fast-latest").await, Some(two.name.clone()));
    assert_eq!(serves(&world, "fast-2026").await, Some(one.clone()));
    assert_eq!(serves(&world, "quick").await, None);
    // Edges hear of the version and of who serves it together.
    let told = published(&world, before).await;
    let upsert = Operation::Upsert;
    assert_eq!(
        told,
        [(Kind::Version as u8, upsert), (Kind::Model as u8, upsert)]
    );

    // What is deprecated is not the newest, unless all are.
    deprecate(&world, &two.name, false).await;
    assert_eq!(serves(&world, "fast-latest").await, Some(one.clone()));
    deprecate(&world, &one, false).await;
    assert_eq!(serves(&world, "fast-latest").await, Some(two.name.clone()));
    deprecate(&world, &two.name, true).await;
    assert_eq!(serves(&world, "fast-latest").await, Some(two.name.clone()));

    let before = world.store.head().await.unwrap().revision;
    remove(&world, &two.name).await.unwrap();
    assert_eq!(serves(&world, "fast-latest").await, Some(one));
    // The model first: no edge shall see it with a version that is gone.
    let told = published(&world, before).await;
    let delete = Operation::Delete;
    assert_eq!(
        told,
        [(Kind::Model as u8, upsert), (Kind::Version as u8, delete)]
    );
    let listed = alias::list(&world.store, &organization_name("acme"), &all())
        .await
        .unwrap();
    let names = listed.rows.iter().map(|it| it.name.model_alias.as_str());
    assert!(names.eq(["fast-2026", "fast-latest", "quick"]));
    assert!(adds_up(&world.store.everything().await.unwrap()));
}

#[tokio::test]
async fn a_model_and_an_alias_never_have_one_name() {
    let world = world().await;
    let exists = |name: String| StoreError::Exists { name };
    let why = make(&world, "slow", "fast", Follows::Model).await;
    assert_eq!(why.unwrap_err(), exists(model_name("slow").to_string()));
    make(&world, "quick", "fast", Follows::Model).await.unwrap();
    let why = make(&world, "quick", "slow", Follows::Model).await;
    assert_eq!(why.unwrap_err(), exists(name("quick").to_string()));
    let mut write = world.store.write("test").await.unwrap();
    let new = |slug: &str| model::New {
        id: policy::id::ModelId::from_bytes(draw()),
        name: model_name(slug),
        display_name: String::new(),
        stable: None,
        rules: Vec::new(),
    };
    let why = model::create(&mut write, new("quick")).await.unwrap_err();
    assert_eq!(why, exists(name("quick").to_string()));
    drop(write);
    // Of two at once one comes too late.
    let mut first = world.store.write("test").await.unwrap();
    model::create(&mut first, new("swift")).await.unwrap();
    let second = make(&world, "swift", "fast", Follows::Model);
    let commit = async {
        world.somebody_waits().await;
        first.commit().await.unwrap();
    };
    let (why, ()) = tokio::join!(second, commit);
    assert_eq!(why.unwrap_err(), exists(model_name("swift").to_string()));

    let dangling = |field: &str, name: String| StoreError::Dangling {
        field: field.to_owned(),
        name,
    };
    // No alias of an alias.
    let why = make(&world, "quicker", "quick", Follows::Model).await;
    let of_alias = dangling("model_alias.model", model_name("quick").to_string());
    assert_eq!(why.unwrap_err(), of_alias);
    let why = make(&world, "quicker", "fast", pinned("v9")).await;
    let nowhere = version_name("fast", "v9").to_string();
    let nowhere = dangling("model_alias.version_id", nowhere);
    assert_eq!(why.unwrap_err(), nowhere);
}

#[tokio::test]
async fn what_an_alias_stands_for_is_not_deleted_and_its_name_is_free_afterwards() {
    let world = world().await;
    make(&world, "fast-2026", "fast", pinned("v1"))
        .await
        .unwrap();
    let blocked = |name: String| StoreError::Blocked {
        name,
        by: Obstacle::IsNamedByAlias,
    };
    let one = version_name("fast", "v1");
    let why = remove(&world, &one).await.unwrap_err();
    assert_eq!(why, blocked(one.to_string()));
    assert!(why.to_string().contains("change or delete that alias"));
    let delete = async |model: &str| {
        let mut write = world.store.write("test").await.unwrap();
        model::delete(&mut write, &model_name(model), "").await?;
        write.commit().await.map(drop)
    };
    let why = delete("fast").await.unwrap_err();
    assert_eq!(why, blocked(model_name("fast").to_string()));
    let row = change(&world, "fast-2026", "slow", Follows::Model).await;
    assert_eq!((row.serves, row.version), (None, 2));
    let why = delete("slow").await.unwrap_err();
    assert_eq!(why, blocked(model_name("slow").to_string()));
    remove(&world, &one).await.unwrap();

    let mut write = world.store.write("test").await.unwrap();
    let stale = alias::lock(&mut write, &name("fast-2026"), "another").await;
    assert!(matches!(stale, Err(StoreError::Stale { .. })));
    drop(write);
    let mut write = world.store.write("test").await.unwrap();
    let row = alias::lock(&mut write, &name("fast-2026"), "").await;
    alias::delete(&mut write, &row.unwrap()).await.unwrap();
    write.commit().await.unwrap();
    delete("slow").await.unwrap();
    world.model("fast-2026").await;
    assert!(adds_up(&world.store.everything().await.unwrap()));
}

#[tokio::test]
async fn of_two_versions_that_are_made_at_once_edges_hear_of_the_newer_one_last() {
    let world = world().await;
    make(&world, "fast-latest", "fast", Follows::Newest)
        .await
        .unwrap();
    let mut first = world.store.write("test").await.unwrap();
    version::create(&mut first, new_version("fast", "v2", &["vllm"]))
        .await
        .unwrap();
    let commit = async {
        world.somebody_waits().await;
        first.commit().await.unwrap();
    };
    let (second, ()) = tokio::join!(world.version("fast", "v3", "vllm"), commit);
    assert_eq!(serves(&world, "fast-latest").await, Some(second.name));
}

#[tokio::test]
async fn an_organization_has_so_many_and_no_more() {
    let world = world().await;
    world
        .sql(
            "INSERT INTO model_alias (id, organization, name, model, follows)
             SELECT gen_random_uuid(), organization, 'a' || number, id, 1
             FROM model, generate_series(1, 199) AS number WHERE name = 'fast'",
        )
        .await;
    assert_eq!(ALIASES_MAX, 200);
    make(&world, "last", "fast", Follows::Model).await.unwrap();
    let why = make(&world, "more", "slow", Follows::Model).await;
    let full = StoreError::Blocked {
        name: organization_name("acme").to_string(),
        by: Obstacle::HasManyAliases,
    };
    assert_eq!(why.unwrap_err(), full);
    assert!(full.to_string().contains("200 aliases"), "{full}");
}
