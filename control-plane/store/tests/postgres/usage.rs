//! Usage: stored once, summed as asked.

use domain::grain::{Bucketing, Grain};
use policy::{
    calendar::Zone,
    id::{ModelId, OrganizationId, ProviderId, VersionId},
    usage::{Counter, Usage},
};
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use store::{
    Stored, UsageRecord,
    id::draw,
    organization,
    repricing::{self, Repriced},
    usage_query::{self, Facet, Filter, GroupBy, Query, Sum, Whose},
};
use time::OffsetDateTime;

use crate::world::{World, organization_name, project_name, region};

pub(crate) const DAY_MS: u64 = 86_400_000;

/// A moment of today at which a quarter of an hour begins.
pub(crate) fn now_ms() -> u64 {
    let now = u64::try_from(OffsetDateTime::now_utc().unix_timestamp()).unwrap() * 1_000;
    Grain::Quarter.start_of(now)
}

pub(crate) async fn record(world: &World, at_ms: u64) -> UsageRecord {
    let organization = organization::get(&world.store, &organization_name("acme"))
        .await
        .unwrap();
    let project = store::project::get(&world.store, &project_name("chat"))
        .await
        .unwrap();
    UsageRecord {
        id: draw(),
        at_ms,
        organization: organization.id,
        project: project.id,
        key_id: "aaaaaaaaaaaa".to_owned(),
        model: ModelId::from_bytes([1; 16]),
        version: VersionId::from_bytes([2; 16]),
        provider: Some(ProviderId::from_bytes([3; 16])),
        provider_model: "gpt-4o".to_owned(),
        endpoint: "/v1/chat/completions".to_owned(),
        outcome: 1,
        status: 200,
        streamed: true,
        usage_source: 1,
        input_tokens: 10,
        cached_input_tokens: 20,
        output_tokens: 30,
        reasoning_tokens: 40,
        revision: 1,
        duration_us: 5,
        first_byte_us: 2,
        overhead_us: 1,
        queue_us: 3,
        trace_id: vec![6; 16],
        finish: 1,
        request_bytes: 0,
        answer_bytes: 0,
        over_limits: vec![policy::id::LimitId::from_bytes([9; 16])],
        cost_nano: Some(7),
        charges: vec![1, 2],
        tags: String::new(),
        end_user: String::new(),
        attempts: Vec::new(),
        decision: vec![3, 4],
        usage: Usage::default()
            .with(Counter::Input, 10)
            .with(Counter::CachedInput, 20)
            .with(Counter::Output, 30)
            .with(Counter::Reasoning, 40),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_record_is_stored_once_however_often_it_is_sent() {
    let world = World::acme().await;
    let now = now_ms();
    let mut batch = Vec::new();
    for ago in [0, DAY_MS, 400 * DAY_MS] {
        batch.push(record(&world, now - ago).await);
    }
    batch.push(batch[0].clone());
    let eu = region("eu");
    let send = || world.store.insert_usage("one", &eu, &batch);
    let (one, two) = tokio::join!(send(), send());
    let (one, two) = (one.unwrap(), two.unwrap());
    assert_eq!(
        (one.stored + two.stored, one.duplicates + two.duplicates),
        (3, 5)
    );
    assert_eq!(
        send().await.unwrap(),
        Stored {
            duplicates: 4,
            ..Stored::default()
        }
    );
    assert_eq!(
        world
            .store
            .insert_usage("one", &region("eu"), &[])
            .await
            .unwrap(),
        Stored::default()
    );
}

#[tokio::test]
async fn each_day_has_its_partition_and_odd_days_share_one() {
    let world = World::acme().await;
    let now = now_ms();
    for ago in [0, 400 * DAY_MS] {
        let batch = [record(&world, now - ago).await];
        world
            .store
            .insert_usage("one", &region("eu"), &batch)
            .await
            .unwrap();
    }
    world
        .sql("DO $$ BEGIN ASSERT (SELECT count(*) FROM usage_record_default) = 1; END $$")
        .await;
    world
        .sql(
            "DO $$ BEGIN ASSERT (
                 SELECT count(*) FROM usage_record
                 WHERE tableoid = to_regclass('usage_record_' || to_char(day, 'YYYYMMDD'))
             ) = 1; END $$",
        )
        .await;
}

/// Of today one record, of yesterday an estimated one of another key, one that reached no provider, and one of
/// somebody else.
async fn filled(now: u64) -> World {
    let world = World::acme().await;
    let mut refused = record(&world, now).await;
    refused.provider = None;
    let mut estimated = record(&world, now - DAY_MS).await;
    estimated.usage_source = 2;
    "bbbbbbbbbbbb".clone_into(&mut estimated.key_id);
    let mut foreign = record(&world, now).await;
    foreign.organization = OrganizationId::from_bytes([9; 16]);
    let batch = [record(&world, now).await, refused, estimated, foreign];
    let eu = region("eu");
    world.store.insert_usage("one", &eu, &batch).await.unwrap();
    world
}

/// A question about all of acme.
pub(crate) fn question(by: GroupBy, start_ms: u64, end_ms: u64) -> Query {
    Query {
        whose: Whose::Organization(organization_name("acme")),
        range: Bucketing::counted(start_ms, end_ms),
        bucketing: Bucketing::Whole,
        by,
        facet: Facet::None,
        filter: Filter::default(),
        percentiles: false,
        unreached: false,
    }
}

pub(crate) async fn rows(world: &World, query: &Query) -> Vec<Sum> {
    usage_query::query(&world.store, query).await.unwrap().rows
}

async fn ask(world: &World, by: GroupBy, start_ms: u64, end_ms: u64) -> Vec<Sum> {
    rows(world, &question(by, start_ms, end_ms)).await
}

#[tokio::test]
async fn sums_are_only_of_what_was_asked() {
    let now = now_ms();
    let world = filled(now).await;
    let by = GroupBy::default();
    let all = ask(&world, by, now - 2 * DAY_MS, now + 1).await;
    assert_eq!(all.len(), 1);
    assert_eq!(
        (
            all[0].requests,
            all[0].estimated_requests,
            all[0].usage.of(Counter::Reasoning)
        ),
        (2, 1, 80)
    );
    assert_eq!((&all[0].project, &all[0].key), (&None, &None));
    assert_eq!(ask(&world, by, now, now + 1).await[0].requests, 1);
    assert_eq!(ask(&world, by, now - 2 * DAY_MS, now).await[0].requests, 1);
    let next = now + Grain::Quarter.length_ms();
    assert!(ask(&world, by, next, next + 1).await.is_empty());
}

#[tokio::test]
async fn sums_are_grouped_as_asked_and_in_order() {
    let now = now_ms();
    let world = filled(now).await;
    let by = GroupBy {
        key: true,
        ..GroupBy::default()
    };
    let keys = ask(&world, by, now - 2 * DAY_MS, now + 1).await;
    let named: Vec<_> = keys.iter().map(|row| row.key.clone().unwrap()).collect();
    let project = project_name("chat");
    let expected = ["aaaaaaaaaaaa", "bbbbbbbbbbbb"].map(|it| format!("{project}/keys/{it}"));
    assert_eq!(named, expected);
    assert!(keys.iter().all(|row| row.project.is_none()));
    let by = GroupBy {
        project: true,
        model: true,
        provider: true,
        ..GroupBy::default()
    };
    let days = Query {
        bucketing: Bucketing::Days(Zone::UTC),
        ..question(by, now - 2 * DAY_MS, now + 1)
    };
    let days = rows(&world, &days).await;
    assert_eq!(days.len(), 2);
    assert!(days[0].bucket_ms < days[1].bucket_ms);
    assert_eq!(days[0].project, Some(project.to_string()));
    // What is deleted, or never was, shows its id.
    assert_eq!(days[0].model, Some("01".repeat(16)));
    assert_eq!(
        days[0].provider,
        Some(format!("organizations/acme/providers/{}", "03".repeat(16)))
    );
}

/// Waits until a statement waits for a lock.
async fn until_one_waits(connection: &mut PgConnection) {
    let deadline = tokio::time::Instant::now() + std::time::Duration::from_secs(10);
    let waits = "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock'
                 AND datname = current_database())";
    while !sqlx::query_scalar::<_, bool>(waits)
        .fetch_one(&mut *connection)
        .await
        .unwrap()
    {
        assert!(
            tokio::time::Instant::now() < deadline,
            "nobody ever waits for a lock"
        );
    }
}

#[tokio::test]
async fn two_reports_that_need_the_same_new_days_wait_for_each_other_in_one_order() {
    let world = World::acme().await;
    let connect = || async { PgConnection::connect(&world.url).await.unwrap() };
    let (mut one, mut two, mut third) = (connect().await, connect().await, connect().await);
    let ensure = |ago: u8| format!("SELECT ensure_usage_partition((current_date - {ago})::date)");
    let ensure = |ago| sqlx::raw_sql(AssertSqlSafe(ensure(ago)));
    sqlx::raw_sql("BEGIN").execute(&mut one).await.unwrap();
    ensure(21).execute(&mut one).await.unwrap();
    let second = tokio::spawn({
        let ensure = ensure(20);
        async move { ensure.execute(&mut two).await.map(drop) }
    });
    until_one_waits(&mut third).await;
    ensure(20).execute(&mut one).await.unwrap();
    sqlx::raw_sql("COMMIT").execute(&mut one).await.unwrap();
    second.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_day_of_which_records_came_too_early_still_gets_its_partition() {
    let world = World::acme().await;
    let at_ms = now_ms() - 18 * DAY_MS;
    let eu = region("eu");
    let early = [record(&world, at_ms).await];
    world.store.insert_usage("one", &eu, &early).await.unwrap();
    // As if the day had still been far ahead when its first record came.
    world
        .sql(
            "DO $$ DECLARE it text := 'usage_record_' || to_char(current_date - 18, 'YYYYMMDD'); BEGIN
                 EXECUTE format('ALTER TABLE usage_record DETACH PARTITION %I', it);
                 EXECUTE format('INSERT INTO usage_record SELECT * FROM %I', it);
                 EXECUTE format('DROP TABLE %I', it);
                 ASSERT (SELECT count(*) FROM usage_record_default) = 1;
             END $$",
        )
        .await;
    let late = [record(&world, at_ms).await, early[0].clone()];
    let stored = world.store.insert_usage("one", &eu, &late).await.unwrap();
    assert_eq!((stored.stored, stored.duplicates), (1, 1));
    world
        .sql(
            "DO $$ BEGIN
                 ASSERT (SELECT count(*) FROM usage_record_default) = 0;
                 ASSERT (SELECT count(*) FROM usage_record) = 2;
             END $$",
        )
        .await;
}

#[tokio::test]
async fn costs_are_summed_where_they_are_known_and_tags_split_them() {
    let world = World::acme().await;
    let now = now_ms();
    let mut batch = Vec::new();
    for (cost_nano, tags) in [
        (Some(1_000), r#"{"env":"prod","team":"search"}"#),
        (Some(20), r#"{"team":"search"}"#),
        (None, r#"{"team":"ads"}"#),
        (Some(300), ""),
    ] {
        let mut it = record(&world, now).await;
        (it.cost_nano, it.tags) = (cost_nano, tags.to_owned());
        batch.push(it);
    }
    let eu = region("eu");
    world.store.insert_usage("one", &eu, &batch).await.unwrap();
    let by = |tag_key: &str| Query {
        facet: match tag_key {
            "" => Facet::None,
            key => Facet::Tag(key.to_owned()),
        },
        ..question(GroupBy::default(), now, now + 1)
    };
    let ask = |query: Query| {
        let world = &world;
        async move { rows(world, &query).await }
    };
    let all = ask(by("")).await;
    assert_eq!((all[0].cost_nano, all[0].unpriced_requests), (1_320, 1));
    let teams = ask(by("team")).await;
    let teams: Vec<_> = teams
        .iter()
        .map(|row| {
            (
                row.tag.as_deref().unwrap(),
                row.cost_nano,
                row.unpriced_requests,
            )
        })
        .collect();
    assert_eq!(teams, [("", 300, 0), ("ads", 0, 1), ("search", 1_020, 0)]);
}

#[tokio::test]
async fn a_record_is_priced_anew_unless_somebody_else_did_so_since() {
    let world = World::acme().await;
    let now = now_ms();
    let mut batch = vec![
        record(&world, now).await,
        record(&world, now - DAY_MS).await,
    ];
    batch[0].cost_nano = None;
    let eu = region("eu");
    world.store.insert_usage("one", &eu, &batch).await.unwrap();
    let name = organization_name("acme");
    let span = (now - 2 * DAY_MS, now + 1);
    let page = repricing::page(&world.store, &name, span, None)
        .await
        .unwrap();
    let read: Vec<_> = page.iter().map(|it| (it.at_ms, it.cost_nano)).collect();
    assert_eq!(read, [(now - DAY_MS, Some(7)), (now, None)]);
    let rest = repricing::page(&world.store, &name, span, Some(page[0].after())).await;
    assert_eq!(rest.unwrap(), page[1..]);
    let repriced = Repriced {
        of: page[1].clone(),
        cost_nano: Some(70),
        charges: vec![3],
    };
    let write = || repricing::write(&world.store, std::slice::from_ref(&repriced));
    assert_eq!((write().await.unwrap(), write().await.unwrap()), (1, 0));
    let page = repricing::page(&world.store, &name, span, None)
        .await
        .unwrap();
    assert_eq!((page[1].cost_nano, &page[1].charges), (Some(70), &vec![3]));
}
