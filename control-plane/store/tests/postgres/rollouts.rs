//! Rollouts: what edges are told of each, what stands in the way, and that each outcome counts once.

use std::time::Duration;

use domain::{
    gate::Metric,
    name::RolloutName,
    rollout::{self as rules, Next, State},
};
use policy::{
    id::{OrganizationId, RolloutId},
    object::Kind,
    split::Sticky,
};
use store::{
    Obstacle, StoreError, id::draw, model, rollout, rollout::Row, rollout_act, rollout_act::Act,
    rollout_outcome, rollout_outcome::Noted, version,
};

use crate::{
    ordering::adds_up,
    world::{World, all, model_name, version_name},
};

/// A model `chat` that is served by `v1` and has a `v2`.
async fn world() -> World {
    let world = World::acme().await;
    world.provider("vllm", &[]).await;
    world.model("chat").await;
    for slug in ["v1", "v2"] {
        world.version("chat", slug, "vllm").await;
    }
    let mut write = world.store.write("test").await.unwrap();
    let mut row = model::lock(&mut write, &model_name("chat"), "")
        .await
        .unwrap();
    row.stable = Some(version_name("chat", "v1"));
    model::update(&mut write, &row, None).await.unwrap();
    write.commit().await.unwrap();
    world
}

async fn start(world: &World) -> Result<Row, StoreError> {
    let steps = [(500, Some(0), 10, false), (5_000, Some(0), 0, false)];
    let gates = [(Metric::ErrorRate as i32, 0, 10_000)];
    let new = rollout::New {
        id: RolloutId::from_bytes(draw()),
        parent: model_name("chat"),
        slug: None,
        candidate: version_name("chat", "v2"),
        plan: rules::check(&steps, &gates, Sticky::Key).unwrap(),
        forced_reason: String::new(),
    };
    let mut write = world.store.write("test").await.unwrap();
    let row = rollout::start(&mut write, new).await?;
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

fn outcome((of, row): (OrganizationId, &Row), is_candidates: bool) -> Noted {
    Noted {
        rollout: row.id,
        organization: of,
        id: draw(),
        at_ms: 1_700_000_000_000,
        version: if is_candidates {
            row.candidate_id
        } else {
            row.stable_id
        },
        client: 0,
        revision: 1_000_000,
        outcome: 1,
        finish: 0,
        duration_us: 5,
        first_byte_us: 0,
        cost_nano: None,
    }
}

/// One look at a rollout, as the control plane looks.
async fn look(world: &World, name: &RolloutName) -> Option<Row> {
    let mut write = world.store.write("test").await.unwrap();
    let mut row = rollout::try_lock(&mut write, name).await.unwrap()?;
    let (outcomes, _) = rollout_outcome::take(&mut write, &row, Duration::ZERO)
        .await
        .unwrap();
    for seen in &outcomes {
        row.count(&seen.outcome, seen.is_first);
    }
    rollout::note(&mut write, &row).await.unwrap();
    if let Next::Step(step) = row.standing().next() {
        rollout::begin_step(&mut write, &row, step).await.unwrap();
    }
    write.commit().await.unwrap();
    Some(rollout::get(&world.store, name).await.unwrap())
}

#[tokio::test]
async fn each_outcome_counts_once_however_often_it_is_told() {
    let world = world().await;
    let (row, of) = (start(&world).await.unwrap(), world.acme_id().await);
    let noted = [outcome((of, &row), true), outcome((of, &row), false)];
    for _ in 0..3 {
        world.store.note_rollout_outcomes(&noted).await.unwrap();
        let row = look(&world, &row.name).await.unwrap();
        assert_eq!((row.candidate_requests, row.stable_requests), (1, 1));
        assert_eq!(row.evidence[0].candidate.count.to_string(), "1");
    }
    // What saw an earlier configuration says nothing of this step, and what is of another rollout or of another
    // organization nothing at all.
    let early = Noted {
        revision: 0,
        ..outcome((of, &row), true)
    };
    let stray = Noted {
        rollout: RolloutId::from_bytes([9; 16]),
        ..outcome((of, &row), true)
    };
    let foreign = outcome((OrganizationId::from_bytes([9; 16]), &row), true);
    world
        .store
        .note_rollout_outcomes(&[early, stray, foreign])
        .await
        .unwrap();
    let row = look(&world, &row.name).await.unwrap();
    assert_eq!(row.candidate_requests, 1);
    // A client that sticks is asked once in a step: it would say the same again and again.
    for _ in 0..2 {
        let again = Noted {
            client: 7,
            ..outcome((of, &row), true)
        };
        let again = [
            again.clone(),
            Noted {
                id: draw(),
                ..again
            },
        ];
        world.store.note_rollout_outcomes(&again).await.unwrap();
        look(&world, &row.name).await.unwrap();
    }
    let row = look(&world, &row.name).await.unwrap();
    assert_eq!(row.candidate_requests, 5);
    assert_eq!(row.evidence[0].candidate.count.to_string(), "2");
    let gone = world.store.sweep_rollout_outcomes(Duration::ZERO).await;
    assert_eq!(gone.unwrap(), 7);
}

#[tokio::test]
async fn edges_hear_of_a_step_with_the_write_that_begins_it() {
    let world = world().await;
    assert!(told(&world).await.contains("split: None"));
    let (row, of) = (start(&world).await.unwrap(), world.acme_id().await);
    assert_eq!(row.name.rollout.as_str(), "r1");
    assert!(told(&world).await.contains("basis_points: 500"));
    let noted: Vec<_> = (0..40).map(|at| outcome((of, &row), at % 2 == 0)).collect();
    world.store.note_rollout_outcomes(&noted).await.unwrap();
    let moved = look(&world, &row.name).await.unwrap();
    assert_eq!((moved.step, moved.candidate_requests), (1, 0));
    assert!(moved.step_revision > row.step_revision);
    assert!(told(&world).await.contains("basis_points: 5000"));
    assert!(adds_up(&world.store.everything().await.unwrap()));

    let mut write = world.store.write("test").await.unwrap();
    let stood = rollout::lock(&mut write, &row.name, "").await.unwrap();
    let ended = rollout_act::act(&mut write, stood, Act::Promote, "now".to_owned());
    let ended = ended.await.unwrap();
    write.commit().await.unwrap();
    assert_eq!(
        (ended.state, ended.ended_at.is_some()),
        (State::Promoted, true)
    );
    let model = model::get(&world.store, &model_name("chat")).await.unwrap();
    assert_eq!(model.stable, Some(version_name("chat", "v2")));
    assert!(told(&world).await.contains("split: None"));
    assert_eq!(rollout::under_way(&world.store).await.unwrap(), []);
    let listed = rollout::list(&world.store, &model_name("chat"), &all()).await;
    assert_eq!(listed.unwrap().rows[0].reason, "now");
}

#[tokio::test]
async fn what_a_rollout_has_cannot_be_taken_from_under_it() {
    let world = world().await;
    let row = start(&world).await.unwrap();
    let blocked = |why: StoreError| match why {
        StoreError::Blocked { by, .. } => by,
        other => panic!("{other}"),
    };
    assert_eq!(
        blocked(start(&world).await.unwrap_err()),
        Obstacle::HasRollout
    );
    let mut write = world.store.write("test").await.unwrap();
    let mut model = model::lock(&mut write, &model_name("chat"), "")
        .await
        .unwrap();
    model.display_name = "Chat".to_owned();
    model::update(&mut write, &model, None).await.unwrap();
    model.stable = None;
    let why = model::update(&mut write, &model, None).await.unwrap_err();
    assert_eq!(blocked(why), Obstacle::HasRollout);
    let why = model::delete(&mut write, &model_name("chat"), "").await;
    assert_eq!(blocked(why.unwrap_err()), Obstacle::HasRollout);
    let why = version::delete(&mut write, &version_name("chat", "v2"), "").await;
    assert_eq!(blocked(why.unwrap_err()), Obstacle::IsInRollout);
    drop(write);

    let mut write = world.store.write("test").await.unwrap();
    let stood = rollout::lock(&mut write, &row.name, &row.etag())
        .await
        .unwrap();
    // Who comes second waits for nobody, and looks again later.
    let mut other = world.store.write("test").await.unwrap();
    assert_eq!(
        rollout::try_lock(&mut other, &row.name).await.unwrap(),
        None
    );
    drop(other);
    let ended = rollout_act::act(&mut write, stood, Act::Abort, String::new()).await;
    let ended = ended.unwrap();
    write.commit().await.unwrap();
    let mut write = world.store.write("test").await.unwrap();
    for act in [
        Act::Pause,
        Act::Resume,
        Act::Approve,
        Act::Promote,
        Act::Abort,
    ] {
        let why = rollout_act::act(&mut write, ended.clone(), act, String::new()).await;
        assert_eq!(blocked(why.unwrap_err()), Obstacle::HasEnded);
    }
    version::delete(&mut write, &version_name("chat", "v2"), "")
        .await
        .unwrap();
    write.commit().await.unwrap();
    let mut write = world.store.write("test").await.unwrap();
    model::delete(&mut write, &model_name("chat"), "")
        .await
        .unwrap();
    write.commit().await.unwrap();
    assert!(adds_up(&world.store.everything().await.unwrap()));
}
