//! Usage: stored once, summed as asked.

use policy::id::{ModelId, OrganizationId, ProviderId, VersionId};
use store::{Stored, UsageRecord, id::draw, organization, usage};
use time::OffsetDateTime;
use usage::{GroupBy, Query, Sum};

use crate::world::{World, organization_name, project_name, region};

const DAY_MS: u64 = 86_400_000;

fn now_ms() -> u64 {
    u64::try_from(OffsetDateTime::now_utc().unix_timestamp()).unwrap() * 1_000
}

async fn record(world: &World, at_ms: u64) -> UsageRecord {
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
            stored: 0,
            duplicates: 4
        }
    );
    assert_eq!(
        world
            .store
            .insert_usage("one", &region("eu"), &[])
            .await
            .unwrap(),
        Stored {
            stored: 0,
            duplicates: 0
        }
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

async fn ask(world: &World, by: GroupBy, start_ms: u64, end_ms: u64) -> Vec<Sum> {
    let query = Query {
        start_ms,
        end_ms,
        by,
    };
    usage::query(&world.store, &organization_name("acme"), &query)
        .await
        .unwrap()
        .rows
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
            all[0].reasoning_tokens
        ),
        (2, 1, 80)
    );
    assert_eq!(
        (&all[0].project, &all[0].key, all[0].day),
        (&None, &None, None)
    );
    assert_eq!(ask(&world, by, now, now + 1).await[0].requests, 1);
    assert_eq!(ask(&world, by, now - 2 * DAY_MS, now).await[0].requests, 1);
    assert!(ask(&world, by, now + 1, now + 2).await.is_empty());
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
        day: true,
        project: true,
        model: true,
        provider: true,
        key: false,
    };
    let days = ask(&world, by, now - 2 * DAY_MS, now + 1).await;
    assert_eq!(days.len(), 2);
    assert!(days[0].day < days[1].day);
    assert_eq!(days[0].project, Some(project.to_string()));
    // What is deleted, or never was, shows its id.
    assert_eq!(days[0].model, Some("01".repeat(16)));
    assert_eq!(
        days[0].provider,
        Some(format!("organizations/acme/providers/{}", "03".repeat(16)))
    );
}
