//! What is not told apart without end, and what is not kept for ever.

use sqlx::{Connection, PgConnection};
use store::{
    StoreError, UsageRecord,
    usage_query::{self, Facet, GroupBy, NoAnswer, Query, Whose},
    usage_read,
};
use tokio::task::JoinSet;

use crate::{
    usage::{DAY_MS, now_ms, question, record, rows},
    world::{World, organization_name, project_name, region},
};

async fn stored(world: &World, records: &[UsageRecord]) {
    let eu = region("eu");
    for batch in records.chunks(400) {
        world.store.insert_usage("one", &eu, batch).await.unwrap();
    }
    while world.store.fold_usage().await.unwrap() {}
}

#[tokio::test]
async fn end_users_beyond_the_first_ones_of_a_month_are_summed_together() {
    let world = World::acme().await;
    let (now, one) = (now_ms(), record(&world, now_ms()).await);
    let user = |number: usize| UsageRecord {
        id: store::id::draw(),
        end_user: format!("user{number:04}"),
        ..one.clone()
    };
    let records: Vec<UsageRecord> = (0..1_020).map(user).collect();
    stored(&world, &records).await;
    // Whoever had room keeps it.
    stored(&world, &[user(3), user(1_010)]).await;
    let query = Query {
        facet: Facet::EndUser,
        ..question(GroupBy::default(), now, now + 1)
    };
    let rows = rows(&world, &query).await;
    let (others, apart): (Vec<_>, Vec<_>) = rows.iter().partition(|it| it.other);
    assert_eq!(apart.len(), 1_000);
    assert_eq!(others.iter().map(|it| it.requests).sum::<i64>(), 21);
    let third = apart
        .iter()
        .find(|it| it.end_user.as_deref() == Some("user0003"));
    assert_eq!(third.unwrap().requests, 2);
}

#[tokio::test]
async fn batches_that_hang_leave_a_connection_to_whoever_asks() {
    let world = World::acme().await;
    let one = record(&world, now_ms()).await;
    stored(&world, std::slice::from_ref(&one)).await;
    // Whoever stores waits for whoever drops days, who does not end.
    let mut dropping = PgConnection::connect(&world.url).await.unwrap();
    let mut held = dropping.begin().await.unwrap();
    sqlx::raw_sql("SELECT pg_advisory_xact_lock(hashtext('usage_horizon'), 0)")
        .execute(&mut *held)
        .await
        .unwrap();
    let mut storing = JoinSet::new();
    for _ in 0..40 {
        let store = world.store.clone();
        let record = UsageRecord {
            id: store::id::draw(),
            ..one.clone()
        };
        storing.spawn(async move { store.insert_usage("one", &region("eu"), &[record]).await });
    }
    let query = question(GroupBy::default(), one.at_ms, one.at_ms + 1);
    for _ in 0..20 {
        assert_eq!(rows(&world, &query).await[0].requests, 1);
    }
    held.rollback().await.unwrap();
    for stored in storing.join_all().await {
        assert_eq!(stored.unwrap().stored, 1);
    }
}

#[tokio::test]
async fn tokens_are_bounded_as_keys_and_tags_beyond_the_first_are_refused_by_name() {
    let world = World::acme().await;
    let (now, one) = (now_ms(), record(&world, now_ms()).await);
    let token = |number: usize| UsageRecord {
        id: store::id::draw(),
        key_id: format!("issuer:subject{number}"),
        tags: format!(r#"{{"tag{}":"v"}}"#, number % 17),
        ..one.clone()
    };
    let records: Vec<UsageRecord> = (0..1_005).map(token).collect();
    stored(&world, &records).await;
    let by = GroupBy {
        key: true,
        ..GroupBy::default()
    };
    let rows = rows(&world, &question(by, now, now + 1)).await;
    let others: Vec<_> = rows.iter().filter(|it| it.other).collect();
    assert_eq!(
        (rows.len(), others.len(), others[0].requests),
        (1_001, 1, 5)
    );
    let mut refused = 0;
    for number in 0..17 {
        let query = Query {
            facet: Facet::Tag(format!("tag{number}")),
            ..question(GroupBy::default(), now, now + 1)
        };
        match usage_query::query(&world.store, &query).await {
            Ok(answer) => assert_eq!(answer.rows.iter().map(|it| it.requests).sum::<i64>(), 1_005),
            Err(NoAnswer::NotSummed) => refused += 1,
            Err(why) => panic!("{why:?}"),
        }
    }
    assert_eq!(refused, 1);
}

#[tokio::test]
async fn old_days_go_their_sums_stay_and_nothing_of_them_counts_again() {
    let mut world = World::acme().await;
    world.spoil();
    let now = now_ms();
    let mut records = Vec::new();
    for ago in [0, 1, 5, 9, 400] {
        records.push(record(&world, now - ago * DAY_MS).await);
    }
    stored(&world, &records).await;
    assert_eq!(world.store.drop_usage_days(5).await.unwrap(), 1);
    assert_eq!(world.store.drop_usage_days(5).await.unwrap(), 0);
    world
        .sql("DO $$ BEGIN ASSERT (SELECT count(*) FROM usage_record) = 3; END $$")
        .await;
    let eu = region("eu");
    let again = world
        .store
        .insert_usage("one", &eu, &records)
        .await
        .unwrap();
    assert_eq!((again.stored, again.duplicates, again.too_old), (0, 3, 2));
    let query = question(GroupBy::default(), now - 500 * DAY_MS, now + 1);
    assert_eq!(rows(&world, &query).await[0].requests, 5);
}

#[tokio::test]
async fn a_day_that_is_not_summed_yet_is_not_dropped() {
    let world = World::acme().await;
    let old = [record(&world, now_ms() - 9 * DAY_MS).await];
    stored(&world, &old).await;
    world.sql("UPDATE usage_record SET batch = NULL").await;
    assert_eq!(world.store.drop_usage_days(5).await.unwrap(), 0);
    world
        .sql("DO $$ BEGIN ASSERT (SELECT count(*) FROM usage_record) = 1; END $$")
        .await;
}

#[tokio::test]
async fn a_record_is_found_by_its_id_by_those_whose_it_is() {
    let world = World::acme().await;
    world.project("other").await;
    let now = u64::try_from(time::OffsetDateTime::now_utc().unix_timestamp()).unwrap() * 1_000;
    let one = UsageRecord {
        end_user: "ann".to_owned(),
        attempts: vec![7],
        ..record(&world, now).await
    };
    stored(&world, std::slice::from_ref(&one)).await;
    let get = |whose, id| {
        let store = &world.store;
        async move { usage_read::get(store, &whose, id).await }
    };
    let acme = Whose::Organization(organization_name("acme"));
    let found = get(acme.clone(), one.id).await.unwrap();
    assert_eq!(
        (found.project.as_str(), found.end_user.as_str()),
        ("chat", "ann")
    );
    assert_eq!((found.attempts, found.charges), (vec![7], vec![1, 2]));
    assert_eq!(found.decision, [3, 4]);
    let chat = Whose::Project(project_name("chat"));
    assert_eq!(get(chat, one.id).await.unwrap().id, one.id);
    let other = Whose::Project(project_name("other"));
    for (whose, id) in [
        (other, one.id),
        (acme.clone(), store::id::draw()),
        (acme, [0xff; 16]),
    ] {
        let missing = get(whose, id).await;
        assert!(
            matches!(missing, Err(StoreError::NotFound { .. })),
            "{missing:?}"
        );
    }
}
