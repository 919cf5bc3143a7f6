//! Sources of versions: one replica looks at a time, and a version of a registry becomes one version, once.

use std::time::Duration;

use domain::{
    name::{VersionName, VersionSourceName},
    rollout as plan,
    segment::Slug,
    source::{self, Asked, Seen},
};
use policy::split::Sticky;
use store::{
    Obstacle, StoreError,
    id::draw,
    model, provider, version,
    version_source::{self, New, Row},
    version_source_look::{self as look, Left, Turn},
};

use crate::world::{
    World, all, model_name, new_version, organization_name, provider_name, version_name,
};

const LIFE: Duration = Duration::from_mins(1);

fn name() -> VersionSourceName {
    VersionSourceName::parse("organizations/acme/versionSources/champion").unwrap()
}

fn seen(version: &str) -> Seen {
    Seen {
        version: version.to_owned(),
        digest: format!("{version:0>64}"),
        ..Seen::default()
    }
}

fn new() -> New {
    let asked = Asked {
        model: "organizations/acme/models/chat",
        url: "https://mlflow.example.com",
        mlflow: Some(("fraud", "champion", "")),
        interval_ms: Some(0),
        provider: "organizations/acme/providers/vllm",
        provider_model: "{name}-{version}",
        ..Asked::default()
    };
    let labels = [("team", "risk")].into_iter();
    let steps = [(500, Some(0), 10, true)];
    New {
        id: draw(),
        name: name(),
        terms: source::check(&organization_name("acme"), asked, labels).unwrap(),
        ca_pem: String::new(),
        credential_sealed: Some(vec![7; 9]),
        plan: Some(plan::check(&steps, &[], Sticky::Key).unwrap()),
    }
}

async fn world() -> World {
    let world = World::acme().await;
    world.provider("vllm", &[]).await;
    world.model("chat").await;
    let mut write = world.store.write("test").await.unwrap();
    version_source::create(&mut write, new()).await.unwrap();
    write.commit().await.unwrap();
    world
}

async fn claim(world: &World, replica: u8, life: Duration) -> Option<(Turn, Row)> {
    let claimed = world.store.claim_sources([replica; 16], life, 10).await;
    claimed.unwrap().pop()
}

async fn row(world: &World) -> Row {
    version_source::get(&world.store, &name()).await.unwrap()
}

/// What a replica does with what it has seen, short of the commit.
async fn make(world: &World, turn: &Turn, seen: &Seen) -> Result<Option<store::Write>, StoreError> {
    let mut write = world.store.write("test").await.unwrap();
    let Some(source) = look::hold(&mut write, turn).await? else {
        return Ok(None);
    };
    if let Some(version) = look::made(&mut write, &source, seen).await? {
        look::point(&mut write, &source, seen, Some(&version)).await?;
        return Ok(Some(write));
    }
    let slugs = source::slugs(&Slug::parse("champion").unwrap(), seen);
    let version = look::free(&mut write, &source, slugs).await?.unwrap();
    let new = version::New {
        name: version.clone(),
        ..new_version("chat", "any", &["vllm"])
    };
    version::create(&mut write, new).await?;
    look::note_made(&mut write, &source, seen, &version).await?;
    look::point(&mut write, &source, seen, Some(&version)).await?;
    Ok(Some(write))
}

async fn versions(world: &World) -> Vec<VersionName> {
    let listed = version::list(&world.store, &model_name("chat"), &all()).await;
    listed.unwrap().rows.into_iter().map(|it| it.name).collect()
}

#[tokio::test]
async fn a_source_is_read_as_it_was_written() {
    let world = world().await;
    let (wanted, row) = (new(), row(&world).await);
    assert_eq!((&row.terms, &row.plan), (&wanted.terms, &wanted.plan));
    assert_eq!(row.credential_sealed, wanted.credential_sealed);
    assert_eq!(row.base_url, "http://127.0.0.1:8000/v1");
    assert_eq!((row.known.digest.as_str(), row.known.looked_at), ("", None));
    let listed = version_source::list(&world.store, &organization_name("acme"), &all()).await;
    assert_eq!(listed.unwrap().rows, [row]);
    let mut write = world.store.write("test").await.unwrap();
    let again = version_source::create(&mut write, new()).await.unwrap_err();
    assert!(matches!(again, StoreError::Exists { .. }));
    // What it names cannot be taken from under it.
    let mut write = world.store.write("test").await.unwrap();
    let why = model::delete(&mut write, &model_name("chat"), "").await;
    let by = Obstacle::IsNamedBySource;
    assert!(matches!(why, Err(StoreError::Blocked { by: it, .. }) if it == by));
    let mut write = world.store.write("test").await.unwrap();
    let why = provider::delete(&mut write, &provider_name("vllm"), "").await;
    assert!(matches!(why, Err(StoreError::Blocked { by: it, .. }) if it == by));
    drop(write);
    let mut write = world.store.write("test").await.unwrap();
    version_source::delete(&mut write, &name(), "")
        .await
        .unwrap();
    write.commit().await.unwrap();
    assert!(claim(&world, 1, LIFE).await.is_none());
}

#[tokio::test]
async fn one_replica_looks_at_a_time_and_who_was_overtaken_writes_nothing() {
    let world = world().await;
    let (early, _) = claim(&world, 1, LIFE).await.unwrap();
    assert!(claim(&world, 2, LIFE).await.is_none(), "it is somebody's");
    world
        .sql("UPDATE version_source SET held_until = now() - interval '1 second'")
        .await;
    let (turn, _) = claim(&world, 2, LIFE).await.unwrap();
    assert!(make(&world, &early, &seen("1")).await.unwrap().is_none());
    let made = make(&world, &turn, &seen("1")).await.unwrap().unwrap();
    made.commit().await.unwrap();
    // Neither does it say how its look has ended.
    let late = Left {
        problem: "late".to_owned(),
        ..Left::default()
    };
    world.store.leave_source(&early, &late).await.unwrap();
    assert_eq!(row(&world).await.known.problem, "");
    let left = Left {
        rest: Duration::from_hours(1),
        ..Left::default()
    };
    world.store.leave_source(&turn, &left).await.unwrap();
    assert!(claim(&world, 1, LIFE).await.is_none(), "it is not due");
    assert!(row(&world).await.known.answered_at.is_some());
    assert_eq!(versions(&world).await, [version_name("chat", "champion-1")]);
}

#[tokio::test]
async fn a_version_of_a_registry_becomes_one_whoever_dies_when() {
    let world = world().await;
    // One that dies before it commits has made nothing, and the next one makes it.
    let (turn, _) = claim(&world, 1, LIFE).await.unwrap();
    let died = make(&world, &turn, &seen("1")).await.unwrap();
    drop(died);
    assert!(versions(&world).await.is_empty());
    let made = make(&world, &turn, &seen("1")).await.unwrap().unwrap();
    made.commit().await.unwrap();
    // One that dies behind that leaves what is owed.
    let known = row(&world).await.known;
    let first = version_name("chat", "champion-1");
    assert_eq!(
        (known.version.as_ref(), known.owed.as_ref()),
        (Some(&first), Some(&first))
    );
    assert_eq!(known.registry_version, "1");
    // Whoever comes later finds it made, also when another one was pointed at meanwhile.
    for version in ["1", "2", "1"] {
        let write = make(&world, &turn, &seen(version)).await.unwrap().unwrap();
        write.commit().await.unwrap();
    }
    let second = version_name("chat", "champion-2");
    assert_eq!(versions(&world).await, [first.clone(), second]);
    // It is not made again when somebody has deleted it, and a second note is refused.
    let mut write = world.store.write("test").await.unwrap();
    version::delete(&mut write, &first, "").await.unwrap();
    write.commit().await.unwrap();
    let write = make(&world, &turn, &seen("1")).await.unwrap().unwrap();
    write.commit().await.unwrap();
    assert_eq!(versions(&world).await.len(), 1);
    let mut write = world.store.write("test").await.unwrap();
    let source = look::hold(&mut write, &turn).await.unwrap().unwrap();
    let twice = look::note_made(&mut write, &source, &seen("1"), &first).await;
    assert!(matches!(twice, Err(StoreError::Exists { .. })));
    drop(write);
    // What has its name already gets another one.
    let anew = Seen {
        digest: "f".repeat(64),
        ..seen("2")
    };
    let write = make(&world, &turn, &anew).await.unwrap().unwrap();
    write.commit().await.unwrap();
    assert!(
        versions(&world)
            .await
            .contains(&version_name("chat", "champion-ffffffffffff"))
    );
    let mut write = world.store.write("test").await.unwrap();
    let source = look::hold(&mut write, &turn).await.unwrap().unwrap();
    look::settle(&mut write, &source, None).await.unwrap();
    write.commit().await.unwrap();
    assert_eq!(row(&world).await.known.owed, None);
}
