//! Sums by two tags at once: equal to what a plain question says of the records, whenever the pair was named and whatever happened meanwhile.

use std::collections::BTreeMap;

use domain::{grain::Bucketing, tag_pair::TagPair};
use policy::{
    calendar::Zone,
    id::ModelId,
    usage::{Counter, Usage},
};
use sqlx::{Connection as _, PgConnection, Row as _};
use store::{
    UsageRecord, organization,
    repricing::{self, Repriced},
    usage_query::{self, Facet, Filter, GroupBy, NoAnswer, Query, Sum},
};

use crate::{
    usage::{DAY_MS, now_ms, question, record},
    world::{World, organization_name, region},
};

/// What is compared of a group: requests, input tokens, output tokens, cost, and how many have none.
type Told = [i64; 5];

/// By model and the values of both tags.
type Groups = BTreeMap<(String, String, String), Told>;

fn counting(_: &[u8], [input, cached, output, reasoning]: [u64; 4]) -> Usage {
    Usage::default()
        .with(Counter::Input, input)
        .with(Counter::CachedInput, cached)
        .with(Counter::Output, output)
        .with(Counter::Reasoning, reasoning)
}

/// So many records over three days, each with some of three tags, or with empty ones.
async fn drawn(world: &World, count: usize) -> Vec<UsageRecord> {
    let (now, one) = (now_ms(), record(world, 0).await);
    let random = |_| {
        let mut tags = Vec::new();
        for (key, values) in [
            ("team", ["red", "blue", ""].as_slice()),
            ("feature", ["chat", "search", "1:x", ""].as_slice()),
            ("env", ["prod"].as_slice()),
        ] {
            if fastrand::u8(0..4) > 0 {
                let value = values[fastrand::usize(0..values.len())];
                tags.push(format!(r#""{key}":"{value}""#));
            }
        }
        let (input, output) = (fastrand::u64(0..1_000), fastrand::u64(0..1_000));
        UsageRecord {
            id: store::id::draw(),
            at_ms: now - fastrand::u64(0..3 * DAY_MS),
            model: ModelId::from_bytes([fastrand::u8(1..3); 16]),
            input_tokens: input,
            cached_input_tokens: 0,
            output_tokens: output,
            reasoning_tokens: 0,
            usage: counting(&[], [input, 0, output, 0]),
            cost_nano: (fastrand::u8(0..5) > 0).then(|| fastrand::u64(0..1_000_000)),
            tags: if tags.is_empty() {
                String::new()
            } else {
                format!("{{{}}}", tags.join(","))
            },
            ..one.clone()
        }
    };
    (0..count).map(random).collect()
}

async fn insert(world: &World, records: &[UsageRecord]) {
    let eu = region("eu");
    for batch in records.chunks(37) {
        let stored = world.store.insert_usage("one", &eu, batch).await;
        stored.expect("it is stored");
    }
}

/// Names these pairs, each `one,other`.
async fn name(world: &World, pairs: &[&str]) {
    let mut write = world.store.write("test").await.unwrap();
    let acme = organization_name("acme");
    let mut row = organization::lock(&mut write, &acme, "").await.unwrap();
    row.tag_pairs = pairs.iter().map(|it| it.parse().unwrap()).collect();
    let row = organization::update(&mut write, &row).await.unwrap();
    let named: Vec<TagPair> = pairs.iter().map(|it| it.parse().unwrap()).collect();
    assert_eq!(row.tag_pairs, named);
    write.commit().await.unwrap();
}

fn by_two(one: &str, other: &str) -> Query {
    let by = GroupBy {
        model: true,
        ..GroupBy::default()
    };
    Query {
        facet: Facet::Tags(one.to_owned(), other.to_owned()),
        ..question(by, now_ms() - 4 * DAY_MS, now_ms() + DAY_MS)
    }
}

fn grouped(rows: &[Sum]) -> Groups {
    let group = |it: &Sum| {
        let of = |counter| i64::try_from(it.usage.of(counter)).unwrap();
        let said = |it: &Option<String>| it.clone().unwrap();
        assert!(!it.other, "there is room for all");
        (
            (said(&it.model), said(&it.tag), said(&it.second_tag)),
            [
                it.requests,
                of(Counter::Input),
                of(Counter::Output),
                it.cost_nano,
                it.unpriced_requests,
            ],
        )
    };
    let groups: Groups = rows.iter().map(group).collect();
    assert_eq!(groups.len(), rows.len(), "each group has one row");
    groups
}

/// The plain question, of the records.
async fn plain(world: &World, one: &str, other: &str) -> Groups {
    let mut connection = PgConnection::connect(&world.url).await.unwrap();
    let rows = sqlx::query(
        "SELECT encode(uuid_send(model), 'hex'),
                coalesce(nullif(tags, '')::jsonb ->> $1, ''), coalesce(nullif(tags, '')::jsonb ->> $2, ''),
                count(*)::bigint, sum(input_tokens)::bigint, sum(output_tokens)::bigint,
                sum(cost_nano)::bigint, count(*) FILTER (WHERE NOT cost_known)::bigint
         FROM usage_record GROUP BY 1, 2, 3",
    )
    .bind(one)
    .bind(other)
    .fetch_all(&mut connection)
    .await
    .unwrap();
    let group = |row: &sqlx::postgres::PgRow| {
        let key = (row.get(0), row.get(1), row.get(2));
        (key, [3, 4, 5, 6, 7].map(|at| row.get(at)))
    };
    rows.iter().map(group).collect()
}

async fn answer(world: &World, query: &Query) -> Vec<Sum> {
    usage_query::query(&world.store, query).await.unwrap().rows
}

/// Sums by both tags are what the records say, in either order, and so are those of each day and of each tag by itself.
async fn compare(world: &World) {
    for (one, other) in [("team", "feature"), ("feature", "team"), ("team", "env")] {
        let query = by_two(one, other);
        let records = plain(world, one, other).await;
        assert_eq!(
            grouped(&answer(world, &query).await),
            records,
            "{one}, {other}"
        );
        let kolkata = Zone::parse("Asia/Kolkata").unwrap();
        let days = Query {
            bucketing: Bucketing::Days(kolkata),
            ..query.clone()
        };
        let mut sum = Groups::new();
        for row in answer(world, &days).await {
            for (key, told) in grouped(&[row]) {
                let all = sum.entry(key).or_default();
                for (all, told) in all.iter_mut().zip(told) {
                    *all += told;
                }
            }
        }
        assert_eq!(sum, records, "{one}, {other} by days");
        only(world, &query, &records).await;
        alone(world, one, &records).await;
    }
}

/// Filters take what they name, the empty value among it.
async fn only(world: &World, query: &Query, records: &Groups) {
    for (labels, second) in [
        (vec!["red"], vec![]),
        (vec![""], vec!["search", "chat", "prod"]),
        (vec![], vec![""]),
        (vec!["", "red", "chat"], vec!["", "blue"]),
    ] {
        let among = |these: &[&str], it: &str| these.is_empty() || these.contains(&it);
        let mut expected = records.clone();
        expected.retain(|(_, one, other), _| among(&labels, one) && among(&second, other));
        let owned = |these: Vec<&str>| these.into_iter().map(str::to_owned).collect();
        let filter = Filter {
            labels: owned(labels),
            second: owned(second),
            ..Filter::default()
        };
        let query = Query {
            filter,
            ..query.clone()
        };
        assert_eq!(grouped(&answer(world, &query).await), expected, "{query:?}");
    }
}

/// By one tag alone it is the same, an empty value and none being one.
async fn alone(world: &World, tag: &str, records: &Groups) {
    let query = Query {
        facet: Facet::Tag(tag.to_owned()),
        ..by_two(tag, "x")
    };
    let mut expected: BTreeMap<(String, String), i64> = BTreeMap::new();
    for ((model, value, _), told) in records {
        *expected.entry((model.clone(), value.clone())).or_default() += told[0];
    }
    let rows = answer(world, &query).await.into_iter();
    let rows = rows.map(|it| ((it.model.unwrap(), it.tag.unwrap()), it.requests));
    assert_eq!(rows.collect::<BTreeMap<_, _>>(), expected, "{tag}");
}

async fn fold(world: &World) {
    while world.store.fold_usage().await.unwrap() {}
}

async fn build(world: &World) {
    while world.store.pair_usage(counting).await.unwrap() {}
    while world.store.shift_usage().await.unwrap() {}
}

/// Gives a part of all records another price.
async fn reprice(world: &World) {
    let (acme, now) = (organization_name("acme"), now_ms());
    let page = repricing::page(&world.store, &acme, (now - 4 * DAY_MS, now + DAY_MS), None).await;
    let page = page.unwrap().into_iter().filter(|_| fastrand::bool());
    let repriced: Vec<Repriced> = page
        .map(|of| Repriced {
            cost_nano: (fastrand::u8(0..5) > 0).then(|| fastrand::u64(0..1_000_000)),
            charges: vec![fastrand::u8(..)],
            of,
        })
        .collect();
    repricing::write(&world.store, &repriced).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sums_by_two_tags_are_what_the_records_say_however_they_came_to_be() {
    let world = World::acme().await;
    let records = drawn(&world, 600).await;
    insert(&world, &records[..200]).await;
    fold(&world).await;
    let missing = usage_query::query(&world.store, &by_two("team", "feature")).await;
    assert!(matches!(missing, Err(NoAnswer::NotPaired)), "{missing:?}");

    // Named when some records are there, folded or not, and before others come.
    insert(&world, &records[200..300]).await;
    name(&world, &["feature,team", "team,env"]).await;
    insert(&world, &records[300..400]).await;
    let missing = usage_query::query(&world.store, &by_two("team", "feature")).await;
    assert!(
        matches!(missing, Err(NoAnswer::Pairing(300))),
        "{missing:?}"
    );
    reprice(&world).await;
    build(&world).await;
    compare(&world).await;
    fold(&world).await;
    compare(&world).await;

    // From then on they are added with the record, and move with its price; what comes twice counts once.
    insert(&world, &records[350..600]).await;
    compare(&world).await;
    reprice(&world).await;
    compare(&world).await;
    fold(&world).await;
    build(&world).await;
    compare(&world).await;

    // What code stores that knows of no pairs is added later, once.
    let more = drawn(&world, 80).await;
    insert(&world, &more).await;
    fold(&world).await;
    world
        .sql("DELETE FROM usage_sum WHERE facet LIKE 'pair:%'; UPDATE usage_batch SET pairs_to = 0")
        .await;
    reprice(&world).await;
    build(&world).await;
    fold(&world).await;
    compare(&world).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn records_that_come_and_prices_that_change_while_sums_are_made_count_once() {
    let world = World::acme().await;
    let records = drawn(&world, 1_200).await;
    insert(&world, &records[..600]).await;
    name(&world, &["feature,team"]).await;
    let builds = async || {
        while world.store.pair_usage(counting).await.unwrap() {
            world.store.fold_usage().await.unwrap();
        }
    };
    let prices = async || {
        for _ in 0..4 {
            reprice(&world).await;
        }
    };
    tokio::join!(
        builds(),
        builds(),
        prices(),
        insert(&world, &records[600..]),
        name(&world, &["feature,team", "team,env"]),
    );
    build(&world).await;
    compare(&world).await;
}

#[tokio::test]
async fn a_pair_that_is_gone_leaves_nothing_and_begins_anew_when_it_is_named_again() {
    let world = World::acme().await;
    let records = drawn(&world, 100).await;
    insert(&world, &records).await;
    name(&world, &["feature,team", "env,team"]).await;
    build(&world).await;
    fold(&world).await;
    compare(&world).await;
    name(&world, &["env,team"]).await;
    let missing = usage_query::query(&world.store, &by_two("team", "feature")).await;
    assert!(matches!(missing, Err(NoAnswer::NotPaired)), "{missing:?}");
    build(&world).await;
    world
        .sql(
            "DO $$ BEGIN ASSERT (SELECT count(DISTINCT facet) FROM usage_sum WHERE facet LIKE 'pair:%') = 1;
             ASSERT (SELECT count(*) FROM usage_pair) = 1; END $$",
        )
        .await;
    name(&world, &["env,team", "feature,team"]).await;
    build(&world).await;
    fold(&world).await;
    compare(&world).await;
}

#[tokio::test]
async fn records_that_were_dropped_are_not_claimed_and_none_is_dropped_before_it_is_added() {
    let world = World::acme().await;
    let now = now_ms();
    let old = UsageRecord {
        at_ms: now - 40 * DAY_MS,
        ..record(&world, now).await
    };
    let tagged = |at_ms| UsageRecord {
        id: store::id::draw(),
        at_ms,
        tags: r#"{"feature":"chat","team":"red"}"#.to_owned(),
        ..old.clone()
    };
    insert(&world, &[tagged(now - 40 * DAY_MS)]).await;
    fold(&world).await;
    name(&world, &["feature,team"]).await;
    let dropped = world.store.drop_usage_days(35).await.unwrap();
    world
        .sql("DO $$ BEGIN ASSERT (SELECT count(*) FROM usage_record) = 1; END $$")
        .await;
    assert_eq!(dropped, 0, "it is not part of the sums yet");
    build(&world).await;
    world.store.drop_usage_days(35).await.unwrap();
    world
        .sql("DO $$ BEGIN ASSERT (SELECT count(*) FROM usage_record) = 0; END $$")
        .await;
    let query = Query {
        range: Bucketing::counted(now - 60 * DAY_MS, now),
        ..by_two("team", "feature")
    };
    let rows = answer(&world, &query).await;
    assert_eq!((rows.len(), rows[0].requests), (1, 1), "its sums stay");

    name(&world, &["feature,team", "env,team"]).await;
    build(&world).await;
    let query = Query {
        facet: Facet::Tags("team".to_owned(), "env".to_owned()),
        ..query
    };
    let refused = usage_query::query(&world.store, &query).await;
    assert!(
        matches!(refused, Err(NoAnswer::PairedSince(_))),
        "{refused:?}"
    );
    let query = Query {
        range: Bucketing::counted(now - 30 * DAY_MS, now),
        ..query
    };
    assert!(answer(&world, &query).await.is_empty());
}

#[tokio::test]
async fn values_beyond_the_first_two_thousand_of_a_month_are_summed_together() {
    let world = World::acme().await;
    name(&world, &["feature,team"]).await;
    let (now, one) = (now_ms(), record(&world, 0).await);
    let each = |number: usize| UsageRecord {
        id: store::id::draw(),
        at_ms: now,
        tags: format!(
            r#"{{"feature":"f{}","team":"t{}"}}"#,
            number / 50,
            number % 50
        ),
        ..one.clone()
    };
    let records: Vec<_> = (0..2_030).map(each).collect();
    let eu = region("eu");
    for batch in records.chunks(1_000) {
        world.store.insert_usage("one", &eu, batch).await.unwrap();
    }
    fold(&world).await;
    let rows = answer(&world, &by_two("feature", "team")).await;
    let (others, apart): (Vec<_>, Vec<_>) = rows.into_iter().partition(|it| it.other);
    assert_eq!(apart.len(), 2_000);
    assert_eq!((others.len(), others[0].requests), (1, 30));
}
