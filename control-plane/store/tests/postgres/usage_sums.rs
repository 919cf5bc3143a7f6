//! Sums of usage: equal to the sums of the records to the token and the nano-dollar, however they came to be.

use domain::grain::Bucketing;
use policy::{
    calendar::Zone,
    id::{ModelId, ProviderId, VersionId},
    usage::{Counter, Usage},
};
use store::{
    UsageRecord,
    repricing::{self, Repriced},
    usage_partial::PARTIAL,
    usage_query::{Facet, Filter, GroupBy, Query, Sum},
};

use crate::{
    usage::{DAY_MS, now_ms, question, record, rows},
    world::{World, organization_name, region},
};

/// So many records over three days, drawn by chance.
async fn drawn(world: &World, count: usize) -> Vec<UsageRecord> {
    let (now, one) = (now_ms(), record(world, 0).await);
    let mut records = Vec::new();
    for _ in 0..count {
        let of = |count: u8| fastrand::u8(1..=count);
        let counts = [(); 4].map(|()| fastrand::u64(0..1_000));
        let [input, cached, output, reasoning] = counts;
        let writes = fastrand::u64(0..=input);
        records.push(UsageRecord {
            id: store::id::draw(),
            at_ms: now - fastrand::u64(0..3 * DAY_MS),
            key_id: format!("key{}", of(4)),
            model: ModelId::from_bytes([of(3); 16]),
            version: VersionId::from_bytes([of(2); 16]),
            provider: Some(ProviderId::from_bytes([of(2); 16])),
            status: if of(10) == 1 { 500 } else { 200 },
            usage_source: of(3),
            input_tokens: input,
            cached_input_tokens: cached,
            output_tokens: output,
            reasoning_tokens: reasoning,
            usage: Usage::default()
                .with(Counter::Input, input - writes)
                .with(Counter::CacheWrite, writes)
                .with(Counter::CachedInput, cached)
                .with(Counter::Output, output)
                .with(Counter::Reasoning, reasoning),
            duration_us: 1 << fastrand::u32(8..30),
            first_byte_us: fastrand::u64(0..1_000_000),
            overhead_us: fastrand::u64(0..2_000),
            cost_nano: (of(8) > 1).then(|| fastrand::u64(0..1_000_000)),
            end_user: ["", "ann", "bob"][usize::from(of(3)) - 1].to_owned(),
            tags: match of(3) {
                1 => String::new(),
                team => format!(r#"{{"team":"t{team}","x":"y"}}"#),
            },
            ..one.clone()
        });
    }
    records
}

/// What is compared: requests, tokens of three kinds, cost, and how many have none.
type Told = (u64, u64, u64, u64, u64, u64);

fn told(rows: &[Sum]) -> Told {
    rows.iter().fold(Told::default(), |sum, row| {
        let of = |counter| row.usage.of(counter);
        (
            sum.0 + row.requests.cast_unsigned(),
            sum.1 + of(Counter::Input) + of(Counter::CacheWrite),
            sum.2 + of(Counter::CachedInput),
            sum.3 + of(Counter::Output) + of(Counter::Reasoning),
            sum.4 + row.cost_nano.cast_unsigned(),
            sum.5 + row.unpriced_requests.cast_unsigned(),
        )
    })
}

fn told_of<'a>(records: impl Iterator<Item = &'a UsageRecord>) -> Told {
    records.fold(Told::default(), |sum, it| {
        (
            sum.0 + 1,
            sum.1 + it.input_tokens,
            sum.2 + it.cached_input_tokens,
            sum.3 + it.output_tokens + it.reasoning_tokens,
            sum.4 + it.cost_nano.unwrap_or(0),
            sum.5 + u64::from(it.cost_nano.is_none()),
        )
    })
}

/// Every way of grouping: each must add up to all records, and each group to its own.
async fn compare(world: &World, records: &[UsageRecord]) {
    let now = now_ms();
    let (start, end) = (now - 4 * DAY_MS, now + DAY_MS);
    let whole = |by| question(by, start, end);
    let flags: [fn(&mut GroupBy) -> &mut bool; 6] = [
        |it| &mut it.project,
        |it| &mut it.key,
        |it| &mut it.model,
        |it| &mut it.version,
        |it| &mut it.provider,
        |it| &mut it.status,
    ];
    let all = told_of(records.iter());
    for flag in flags {
        let mut by = GroupBy::default();
        *flag(&mut by) = true;
        assert_eq!(told(&rows(world, &whole(by)).await), all, "{by:?}");
    }
    let (kolkata, chatham) = ("Asia/Kolkata", "Pacific/Chatham");
    for bucketing in [
        Bucketing::Hours,
        Bucketing::Days(Zone::UTC),
        Bucketing::Days(Zone::parse(kolkata).unwrap()),
        Bucketing::Months(Zone::parse(chatham).unwrap()),
    ] {
        let query = Query {
            bucketing,
            ..whole(GroupBy::default())
        };
        let rows = rows(world, &query).await;
        for (row, next) in rows.iter().zip(rows.iter().skip(1)) {
            let of = |it: &&UsageRecord| (row.bucket_ms..next.bucket_ms).contains(&it.at_ms);
            let own = told_of(records.iter().filter(of));
            assert_eq!(told(std::slice::from_ref(row)), own, "{query:?}");
        }
        assert_eq!(told(&rows), all, "{query:?}");
    }
    compare_parts(world, records, &whole(GroupBy::default())).await;
}

/// By end users, tags and filters: each part must be what its records are.
async fn compare_parts(world: &World, records: &[UsageRecord], whole: &Query) {
    let all = told_of(records.iter());
    for (facet, label) in [
        (Facet::EndUser, "ann"),
        (Facet::EndUser, ""),
        (Facet::Tag("team".to_owned()), "t2"),
        (Facet::Tag("team".to_owned()), ""),
    ] {
        let has = |it: &&UsageRecord| match facet {
            Facet::EndUser => it.end_user == label,
            _ if label.is_empty() => it.tags.is_empty(),
            _ => it.tags.contains(&format!(r#""{label}""#)),
        };
        let query = Query {
            facet: facet.clone(),
            ..whole.clone()
        };
        assert_eq!(told(&rows(world, &query).await), all, "{facet:?}");
        let filter = Filter {
            labels: vec![label.to_owned()],
            ..Filter::default()
        };
        let only = rows(world, &Query { filter, ..query }).await;
        let own = told_of(records.iter().filter(has));
        assert_eq!(told(&only), own, "{facet:?} {label}");
    }
    let filter = Filter {
        keys: vec!["key1".to_owned(), "key2".to_owned()],
        models: vec!["01".repeat(16)],
        statuses: vec![200],
        ..Filter::default()
    };
    let of = |it: &&UsageRecord| {
        let key = it.key_id == "key1" || it.key_id == "key2";
        key && it.model == ModelId::from_bytes([1; 16]) && it.status == 200
    };
    let query = Query {
        filter,
        ..whole.clone()
    };
    assert_eq!(
        told(&rows(world, &query).await),
        told_of(records.iter().filter(of))
    );
}

async fn fold(world: &World) {
    while world.store.fold_usage().await.unwrap() {}
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_grouping_adds_up_to_the_records_also_over_replays_and_two_replicas() {
    let world = World::acme().await;
    let records = drawn(&world, 600).await;
    let eu = region("eu");
    let deliver = |part: usize| {
        let (store, eu) = (&world.store, &eu);
        let batch = &records[part * 100..(part + 3) * 100];
        async move { store.insert_usage("one", eu, batch).await.unwrap() }
    };
    // Each record is sent up to three times, two batches at once, while two replicas fold.
    let folds = || async {
        for _ in 0..4 {
            world.store.fold_usage().await.unwrap();
        }
    };
    let sent = tokio::join!(deliver(0), deliver(1), folds(), folds());
    let more = tokio::join!(deliver(2), deliver(3), deliver(3), folds());
    let stored = [sent.0, sent.1, more.0, more.1, more.2];
    assert_eq!(stored.iter().map(|it| it.stored).sum::<u32>(), 600);
    compare(&world, &records).await;
    fold(&world).await;
    compare(&world, &records).await;
    deliver(0).await;
    compare(&world, &records).await;
    world
        .sql("DO $$ BEGIN ASSERT (SELECT count(*) FROM usage_delta) = 0; END $$")
        .await;
}

#[tokio::test]
async fn what_is_priced_anew_moves_the_sums_folded_or_not() {
    let world = World::acme().await;
    let mut records = drawn(&world, 60).await;
    let eu = region("eu");
    world
        .store
        .insert_usage("one", &eu, &records[..30])
        .await
        .unwrap();
    fold(&world).await;
    world
        .store
        .insert_usage("one", &eu, &records[30..])
        .await
        .unwrap();
    let (name, now) = (organization_name("acme"), now_ms());
    let page = repricing::page(&world.store, &name, (now - 4 * DAY_MS, now + DAY_MS), None).await;
    let mut repriced = Vec::new();
    for (at, of) in page.unwrap().into_iter().enumerate() {
        let cost_nano = (at % 5 > 0).then(|| of.cost_nano.unwrap_or(7) / 2);
        repriced.push(Repriced {
            of,
            cost_nano,
            charges: vec![9],
        });
    }
    records.sort_by_key(|it| (it.at_ms, it.id));
    for (record, new) in records.iter_mut().zip(&repriced) {
        record.cost_nano = new.cost_nano;
    }
    let written = repricing::write(&world.store, &repriced).await.unwrap();
    assert_eq!(written, 60);
    compare(&world, &records).await;
    // A second time it is somebody else's price, and nothing moves.
    assert_eq!(repricing::write(&world.store, &repriced).await.unwrap(), 0);
    fold(&world).await;
    compare(&world, &records).await;
}

#[tokio::test]
async fn records_of_older_code_are_added_once() {
    let world = World::acme().await;
    let records = drawn(&world, 80).await;
    let eu = region("eu");
    world
        .store
        .insert_usage("one", &eu, &records)
        .await
        .unwrap();
    world
        .sql(
            "UPDATE usage_record SET batch = NULL; DELETE FROM usage_delta; DELETE FROM usage_batch",
        )
        .await;
    let coarse = |_: &[u8], [input, cached, output, reasoning]: [u64; 4]| {
        Usage::default()
            .with(Counter::Input, input)
            .with(Counter::CachedInput, cached)
            .with(Counter::Output, output)
            .with(Counter::Reasoning, reasoning)
    };
    let catch_up = || world.store.catch_up_usage(coarse);
    let (one, two) = tokio::join!(catch_up(), catch_up());
    assert_eq!((one.unwrap(), two.unwrap()), (false, false));
    catch_up().await.unwrap();
    fold(&world).await;
    compare(&world, &records).await;
}

#[tokio::test]
async fn percentiles_are_within_a_64th_of_exact_ones() {
    let world = World::acme().await;
    let records = drawn(&world, 500).await;
    let eu = region("eu");
    for batch in records.chunks(100) {
        world.store.insert_usage("one", &eu, batch).await.unwrap();
        fold(&world).await;
    }
    let now = now_ms();
    let query = Query {
        percentiles: true,
        ..question(GroupBy::default(), now - 4 * DAY_MS, now + DAY_MS)
    };
    let rows = rows(&world, &query).await;
    let [row] = &rows[..] else {
        panic!("one row: {rows:?}")
    };
    let first_bytes = records.iter().map(|it| it.first_byte_us);
    let overheads = records.iter().map(|it| it.overhead_us);
    let durations = records.iter().map(|it| it.duration_us).collect();
    for (mut exact, sketch) in [
        (durations, &row.duration),
        (
            first_bytes.filter(|it| *it > 0).collect::<Vec<_>>(),
            &row.first_byte,
        ),
        (
            overheads.filter(|it| *it > 0).collect::<Vec<_>>(),
            &row.overhead,
        ),
    ] {
        exact.sort_unstable();
        assert_eq!(sketch.len(), exact.len() as u64);
        for hundredths in [50, 90, 95, 99] {
            let rank = (exact.len() * usize::try_from(hundredths).unwrap()).div_ceil(100);
            let (told, exact) = (sketch.percentile(hundredths).unwrap(), exact[rank - 1]);
            assert!(told.abs_diff(exact) * 64 <= exact, "{told} for {exact}");
        }
    }
}

/// What another edge tells of the same request: what was reserved for it.
fn partial(of: &UsageRecord) -> UsageRecord {
    UsageRecord {
        outcome: PARTIAL,
        provider: Some(ProviderId::from_bytes([9; 16])),
        status: 0,
        usage_source: 2,
        input_tokens: 300,
        cached_input_tokens: 0,
        output_tokens: 1_000,
        reasoning_tokens: 0,
        usage: Usage::default()
            .with(Counter::Input, 300)
            .with(Counter::Output, 1_000),
        duration_us: 0,
        first_byte_us: 0,
        overhead_us: 0,
        cost_nano: of.cost_nano.map(|_| 77_000),
        charges: Vec::new(),
        end_user: String::new(),
        tags: String::new(),
        ..of.clone()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_partial_record_gives_way_to_the_requests_own_and_never_the_other_way_round() {
    let world = World::acme().await;
    let records = drawn(&world, 90).await;
    let partials: Vec<UsageRecord> = records.iter().map(partial).collect();
    let eu = region("eu");
    let send = |some: &[UsageRecord]| {
        let (store, eu, some) = (&world.store, &eu, some.to_vec());
        async move { store.insert_usage("one", eu, &some).await.unwrap() }
    };
    let both = |until: usize, to: usize| [&records[..until], &partials[until..to]].concat();
    for _ in 0..2 {
        send(&partials[..60]).await;
        compare(&world, &partials[..60]).await;
    }
    // Before anything is folded, and after.
    assert_eq!(send(&records[..20]).await.stored, 20);
    compare(&world, &both(20, 60)).await;
    fold(&world).await;
    compare(&world, &both(20, 60)).await;
    // Through two replicas at once, which fold meanwhile.
    let fold_some = || async { world.store.fold_usage().await.unwrap() };
    let some = &records[20..40];
    let (one, two, ..) = tokio::join!(send(some), send(some), fold_some(), fold_some());
    assert_eq!(
        (one.stored + two.stored, one.duplicates + two.duplicates),
        (20, 20)
    );
    compare(&world, &both(40, 60)).await;
    // Both at the same time, whichever is first, and in one batch.
    for at in 60..90 {
        tokio::join!(send(&records[at..=at]), send(&partials[at..=at]));
    }
    let last: Vec<UsageRecord> = (40..60)
        .flat_map(|at| [partials[at].clone(), records[at].clone()])
        .collect();
    assert_eq!(send(&last).await.stored, 20);
    compare(&world, &records).await;
    // What comes when the record is there changes nothing.
    assert_eq!(send(&partials).await.duplicates, 90);
    fold(&world).await;
    compare(&world, &records).await;
    world
        .sql(
            "DO $$ BEGIN
                 ASSERT (SELECT count(*) FROM usage_record WHERE outcome = 6) = 0;
                 ASSERT (SELECT sum(records) FROM usage_batch) = 90;
             END $$",
        )
        .await;
    let by = GroupBy {
        provider: true,
        ..GroupBy::default()
    };
    let now = now_ms();
    let left = rows(&world, &question(by, now - 4 * DAY_MS, now + DAY_MS)).await;
    assert_eq!(
        left.len(),
        2,
        "nothing is left of a provider that served none: {left:?}"
    );
}
