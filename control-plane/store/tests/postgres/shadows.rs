//! Shadows: what edges are told of one, what stands in the way, and that each copy counts once and in no sum.

use std::time::Duration;

use domain::{
    name::ShadowName,
    shadow::{Plan, State, Used},
};
use policy::{
    id::{OrganizationId, ShadowId},
    object::Kind,
};
use store::{
    Obstacle, StoreError,
    id::draw,
    shadow::{self, Row},
    shadow_record::Noted,
    usage::UsageRecord,
    version,
};

use crate::{
    usage,
    world::{World, all, model_name, version_name},
};

/// A model `chat` that has a `v1` and a `v2`.
async fn world() -> World {
    let world = World::acme().await;
    world.provider("vllm", &[]).await;
    world.model("chat").await;
    for slug in ["v1", "v2"] {
        world.version("chat", slug, "vllm").await;
    }
    world
}

async fn start(
    world: &World,
    cost_max_nano: Option<u64>,
    day_cost_max_nano: Option<u64>,
) -> Result<Row, StoreError> {
    let new = shadow::New {
        id: ShadowId::from_bytes(draw()),
        parent: model_name("chat"),
        slug: None,
        version: version_name("chat", "v2"),
        plan: Plan {
            share: 500,
            concurrent_max: 3,
            ends_ms: None,
            cost_max_nano,
            day_cost_max_nano,
        },
    };
    let mut write = world.store.write("test").await.unwrap();
    let row = shadow::start(&mut write, new).await?;
    write.commit().await.unwrap();
    Ok(row)
}

async fn end(world: &World, name: &ShadowName) -> Result<Row, StoreError> {
    let mut write = world.store.write("test").await.unwrap();
    let row = shadow::lock(&mut write, name, "").await?;
    let row = shadow::end(&mut write, &row, (State::Stopped, "enough")).await?;
    write.commit().await.unwrap();
    Ok(row)
}

/// What edges are told of the model now.
async fn told(world: &World) -> String {
    let everything = world.store.everything().await.unwrap();
    let mut objects = everything.objects.into_iter();
    let model = objects.find(|it| it.kind == Kind::Model as u8).unwrap();
    String::from_utf8(model.value).unwrap()
}

fn blocked(why: StoreError) -> Obstacle {
    match why {
        StoreError::Blocked { by, .. } => by,
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn edges_hear_of_a_shadow_with_the_writes_that_start_and_end_it() {
    let world = world().await;
    assert!(told(&world).await.contains("shadow: None"));
    let row = start(&world, None, None).await.unwrap();
    assert_eq!(row.name.shadow.as_str(), "s1");
    let now = told(&world).await;
    assert!(now.contains("basis_points: 500") && now.contains("concurrent_max: 3"));
    let another = start(&world, None, None).await.unwrap_err();
    assert_eq!(blocked(another), Obstacle::HasShadow);
    let mut write = world.store.write("test").await.unwrap();
    let gone = version::delete(&mut write, &version_name("chat", "v2"), "").await;
    assert_eq!(blocked(gone.unwrap_err()), Obstacle::IsInShadow);
    drop(write);
    let ended = end(&world, &row.name).await.unwrap();
    assert_eq!(
        (ended.state, ended.reason.as_str()),
        (State::Stopped, "enough")
    );
    assert!(told(&world).await.contains("shadow: None"));
    let twice = end(&world, &row.name).await.unwrap_err();
    assert_eq!(blocked(twice), Obstacle::HasEnded);
    assert_eq!(
        start(&world, None, None)
            .await
            .unwrap()
            .name
            .shadow
            .as_str(),
        "s2"
    );
    let listed = shadow::list(&world.store, &model_name("chat"), &all()).await;
    assert_eq!(listed.unwrap().rows.len(), 2);
}

#[tokio::test]
async fn a_copy_counts_once_and_what_has_one_side_is_not_compared() {
    let world = world().await;
    let row = start(&world, Some(250), None).await.unwrap();
    let own = usage::record(&world, 1_700_000_000_000).await;
    let copy = UsageRecord {
        id: draw(),
        status: 500,
        outcome: 3,
        cost_nano: Some(100),
        duration_us: 7,
        ..own.clone()
    };
    let alone = UsageRecord {
        id: draw(),
        cost_nano: None,
        ..own.clone()
    };
    let of = |shadow, copy_of, record| Noted {
        shadow,
        copy_of,
        record,
    };
    let foreign = UsageRecord {
        id: draw(),
        organization: OrganizationId::from_bytes([9; 16]),
        ..copy.clone()
    };
    let noted = [
        of(row.id, Some(own.id), &copy),
        of(row.id, None, &own),
        of(row.id, Some(draw()), &alone),
        of(ShadowId::from_bytes([9; 16]), Some(own.id), &copy),
        // Nobody makes a copy of what is another organization's.
        of(row.id, Some(draw()), &foreign),
    ];
    for _ in 0..2 {
        world.store.note_shadows(&noted[..2]).await.unwrap();
    }
    assert_eq!(shadow::due(&world.store).await.unwrap(), []);
    world.store.note_shadows(&noted[3..]).await.unwrap();
    let now = shadow::get(&world.store, &row.name).await.unwrap();
    let used = Used {
        copies: 1,
        cost_nano: 100,
        day_cost_nano: 100,
        ..Used::default()
    };
    assert_eq!(now.used, used);
    // What has no price may be all that was left.
    world.store.note_shadows(&noted[2..3]).await.unwrap();
    let due = shadow::due(&world.store).await.unwrap();
    assert_eq!(due, std::slice::from_ref(&row.name));
    let compared = world.store.compare_shadow(row.id).await.unwrap();
    let counts = (compared.original.requests, compared.copy.requests);
    assert_eq!((counts, compared.copy.errors), ((1, 1), 1));
    let ids: Vec<_> = compared
        .newest
        .iter()
        .map(|it| (it.id, it.is_copy))
        .collect();
    assert_eq!(ids, [(own.id, false), (copy.id, true)]);
    let swept = world.store.sweep_shadow_records(Duration::ZERO).await;
    assert_eq!(swept.unwrap(), 3);
    let now = shadow::get(&world.store, &row.name).await.unwrap();
    assert_eq!((now.used.copies, now.used.unpriced), (2, 1));
}

#[tokio::test]
async fn it_rests_for_the_day_that_has_cost_what_it_may_and_is_looked_at_again_the_next() {
    let world = world().await;
    let row = start(&world, None, Some(100)).await.unwrap();
    let own = usage::record(&world, 1_700_000_000_000).await;
    let copy = |cost_nano| UsageRecord {
        id: draw(),
        cost_nano,
        ..own.clone()
    };
    let note = async |cost_nano| {
        let copy = copy(cost_nano);
        let noted = Noted {
            shadow: row.id,
            copy_of: Some(draw()),
            record: &copy,
        };
        world.store.note_shadows(&[noted]).await.unwrap();
    };
    note(Some(99)).await;
    assert_eq!(shadow::due(&world.store).await.unwrap(), []);
    note(Some(1)).await;
    let due = shadow::due(&world.store).await.unwrap();
    assert_eq!(due, std::slice::from_ref(&row.name));
    let mut write = world.store.write("test").await.unwrap();
    let locked = shadow::lock(&mut write, &row.name, "").await.unwrap();
    let until_ms = locked.plan.rest(locked.used, usage::now_ms()).unwrap();
    let rested = shadow::rest(&mut write, &locked, until_ms).await.unwrap();
    write.commit().await.unwrap();
    assert_eq!(
        (rested.rests_until_ms(), rested.state),
        (Some(until_ms), State::Running)
    );
    let seconds = format!("rest_seconds: Some({})", until_ms / 1_000);
    assert!(told(&world).await.contains(&seconds));
    assert_eq!(shadow::due(&world.store).await.unwrap(), []);

    // The next day begins with nothing, and an unknown cost is not zero then either.
    world
        .sql("UPDATE shadow SET day = day - 1, rests_until = rests_until - interval '1 day'")
        .await;
    let now = shadow::get(&world.store, &row.name).await.unwrap();
    assert_eq!((now.used.day_cost_nano, now.used.cost_nano), (0, 100));
    assert_eq!(shadow::due(&world.store).await.unwrap(), []);
    note(None).await;
    let now = shadow::get(&world.store, &row.name).await.unwrap();
    assert_eq!((now.used.day_cost_nano, now.used.day_unpriced), (0, 1));
    assert_eq!(shadow::due(&world.store).await.unwrap().len(), 1);
}
