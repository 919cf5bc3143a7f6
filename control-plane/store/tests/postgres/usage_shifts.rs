//! Days of other time zones are answered from sums of their own once somebody has asked for them, and the answer stays the same: over a
//! change of summer time, of zones that are off by half an hour, for what comes later, and where older code folds.

use domain::grain::Bucketing;
use policy::{calendar::Zone, id::ModelId};
use sqlx::{Connection, PgConnection};
use store::{
    UsageRecord,
    usage_query::{Facet, GroupBy, Query, Sum},
};

use crate::{
    usage::{DAY_MS, question, record, rows},
    world::{World, region},
};

/// The midnight in Berlin at which the last Sunday of October 2026 begins, which has 25 hours there.
const SUNDAY_MS: u64 = 1_792_879_200_000;

/// The days around it.
const RANGE: (u64, u64) = (SUNDAY_MS - 8 * DAY_MS, SUNDAY_MS + 8 * DAY_MS);

async fn drawn(world: &World, count: usize) -> Vec<UsageRecord> {
    let one = record(world, 0).await;
    let random = |_| UsageRecord {
        id: store::id::draw(),
        at_ms: fastrand::u64(RANGE.0..RANGE.1),
        model: ModelId::from_bytes([fastrand::u8(1..4); 16]),
        end_user: ["", "ann", "bob"][fastrand::usize(0..3)].to_owned(),
        tags: r#"{"team":"x"}"#.to_owned(),
        duration_us: fastrand::u64(1..10_000_000),
        ..one.clone()
    };
    (0..count).map(random).collect()
}

/// Questions for days of zones, and one for their months.
fn questions() -> Vec<Query> {
    let by = GroupBy {
        model: true,
        ..GroupBy::default()
    };
    let whole = question(by, RANGE.0 - DAY_MS, RANGE.1 + DAY_MS);
    let mut questions = Vec::new();
    for name in ["Europe/Berlin", "Asia/Kolkata", "America/Los_Angeles"] {
        let zone = Zone::parse(name).unwrap();
        for facet in [Facet::None, Facet::EndUser, Facet::Tag("team".to_owned())] {
            questions.push(Query {
                bucketing: Bucketing::Days(zone.clone()),
                facet,
                percentiles: true,
                ..whole.clone()
            });
        }
        questions.push(Query {
            bucketing: Bucketing::Months(zone),
            ..whole.clone()
        });
    }
    questions
}

async fn answers(world: &World) -> Vec<Vec<Sum>> {
    let mut answers = Vec::new();
    for query in questions() {
        answers.push(rows(world, &query).await);
    }
    answers
}

async fn fold(world: &World) {
    while world.store.fold_usage().await.unwrap() {}
    while world.store.shift_usage().await.unwrap() {}
}

async fn count(world: &World, what: &'static str) -> i64 {
    let mut connection = PgConnection::connect(&world.url).await.unwrap();
    sqlx::query_scalar(what)
        .fetch_one(&mut connection)
        .await
        .unwrap()
}

async fn insert(world: &World, records: &[UsageRecord]) {
    let stored = world
        .store
        .insert_usage("one", &region("eu"), records)
        .await;
    assert_eq!(stored.unwrap().stored as usize, records.len());
}

const WHOLE: &str = "SELECT count(*) FROM usage_shift WHERE since_ms = 0";
const SHIFTED: &str =
    "SELECT coalesce(sum(requests), 0)::bigint FROM usage_sum WHERE grain > 3 AND facet = ''";

#[tokio::test]
async fn days_of_other_zones_have_sums_of_their_own_once_they_were_asked_for() {
    let mut world = World::acme().await;
    world.spoil();
    insert(&world, &drawn(&world, 500).await).await;
    fold(&world).await;
    assert_eq!(count(&world, SHIFTED).await, 0, "nobody asked");
    let made_of_hours = answers(&world).await;
    fold(&world).await;
    // Berlin has two, and Los Angeles one: its summer time ends a week later.
    assert_eq!(count(&world, WHOLE).await, 4);
    assert_eq!(count(&world, SHIFTED).await, 4 * 500);
    assert_eq!(answers(&world).await, made_of_hours);

    // What comes later is added, before it is folded and after.
    insert(&world, &drawn(&world, 300).await).await;
    let unfolded = answers(&world).await;
    assert_ne!(unfolded, made_of_hours);
    fold(&world).await;
    assert_eq!(count(&world, SHIFTED).await, 4 * 800);
    assert_eq!(answers(&world).await, unfolded);

    // And they are what hours say.
    count(
        &world,
        "WITH gone AS (DELETE FROM usage_shift RETURNING 1) SELECT count(*) FROM gone",
    )
    .await;
    assert_eq!(answers(&world).await, unfolded);
}

#[tokio::test]
async fn a_fold_by_code_that_knows_nothing_of_them_makes_them_anew() {
    let mut world = World::acme().await;
    world.spoil();
    insert(&world, &drawn(&world, 200).await).await;
    fold(&world).await;
    answers(&world).await;
    fold(&world).await;
    assert_eq!(count(&world, WHOLE).await, 4);
    // It takes additions away, as older code does, and adds them to hours alone: here to none.
    count(
        &world,
        "WITH gone AS (DELETE FROM usage_delta RETURNING 1) SELECT count(*) FROM gone",
    )
    .await;
    assert_eq!(count(&world, "SELECT count(*) FROM usage_shift").await, 0);
    let made_of_hours = answers(&world).await;
    insert(&world, &drawn(&world, 100).await).await;
    fold(&world).await;
    assert_eq!(count(&world, WHOLE).await, 4);
    assert_eq!(count(&world, SHIFTED).await, 4 * 300);
    let again = answers(&world).await;
    assert_ne!(again, made_of_hours);
    count(
        &world,
        "WITH gone AS (DELETE FROM usage_shift RETURNING 1) SELECT count(*) FROM gone",
    )
    .await;
    assert_eq!(answers(&world).await, again);
}
