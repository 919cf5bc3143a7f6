//! Questions are answered quickly while records come in as fast as they are taken, and a day goes in an instant.
//!
//! Fifty thousand records, or `SLUICE_TEST_SCALE` times as many; `just prove records` takes ten million, optimised.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use domain::grain::Bucketing;
use policy::{
    calendar::Zone,
    id::{ModelId, ProviderId, VersionId},
    usage::{Counter, Usage},
};
use store::{
    Store, UsageRecord,
    usage_query::{Filter, GroupBy, Query},
};
use tokio::task::JoinSet;

use crate::{
    usage::{DAY_MS, now_ms, question, record, rows},
    world::{World, region},
};

const RECORDS: u64 = 50_000;

/// The days over which they are spread.
const DAYS: u64 = 30;

const BATCH: u64 = 1_000;

const WRITERS: u64 = 4;

/// What 95 of 100 answers may take; more where nothing is optimised and all checks run at once.
const ANSWER_MAX: Duration =
    Duration::from_millis(if cfg!(debug_assertions) { 2_000 } else { 200 });

/// What an instant is, for a day that goes beside writers that are not to be interrupted.
const INSTANT: Duration = Duration::from_secs(2);

/// What all writers share.
struct Writing {
    store: Store,
    one: UsageRecord,
    batches: u64,
    next: AtomicU64,
    /// Whether to go on when all batches are written.
    more: AtomicBool,
    /// Whether to fold.
    folding: AtomicBool,
}

fn scale() -> u64 {
    let scale = std::env::var("SLUICE_TEST_SCALE").ok();
    scale.and_then(|it| it.parse().ok()).unwrap_or(1)
}

/// A batch as an edge sends it: of one time, and of fifty keys and eight models.
fn batch(one: &UsageRecord, at_ms: u64) -> Vec<UsageRecord> {
    let random = |_| {
        let key = fastrand::u8(0..50);
        let model = (key + fastrand::u8(0..3)) % 8 + 1;
        let (input, output) = (fastrand::u64(1..4_000), fastrand::u64(1..800));
        UsageRecord {
            id: store::id::draw(),
            at_ms: at_ms + fastrand::u64(0..60_000),
            key_id: format!("key{key}"),
            model: ModelId::from_bytes([model; 16]),
            version: VersionId::from_bytes([model; 16]),
            provider: Some(ProviderId::from_bytes([model % 3; 16])),
            status: if fastrand::u8(0..20) == 0 { 500 } else { 200 },
            input_tokens: input,
            cached_input_tokens: 0,
            output_tokens: output,
            reasoning_tokens: 0,
            usage: Usage::default()
                .with(Counter::Input, input)
                .with(Counter::Output, output),
            duration_us: fastrand::u64(200_000..20_000_000),
            first_byte_us: fastrand::u64(100_000..1_000_000),
            cost_nano: Some(input * 2_500 + output * 10_000),
            charges: vec![7; 120],
            ..one.clone()
        }
    };
    (0..BATCH).map(random).collect()
}

/// The questions that a console asks.
fn questions(now: u64) -> [(&'static str, Query); 7] {
    let by = |set: fn(&mut GroupBy)| {
        let mut by = GroupBy::default();
        set(&mut by);
        by
    };
    let since = |days: u64, set| question(by(set), now - days * DAY_MS, now + DAY_MS);
    let berlin = Bucketing::Days(Zone::parse("Europe/Berlin").unwrap());
    let key = Filter {
        keys: vec!["key7".to_owned()],
        ..Filter::default()
    };
    let (days_by_model, hours_by_status) = (
        since(DAYS, |it| it.model = true),
        since(2, |it| it.status = true),
    );
    [
        (
            "30 days by day and model",
            Query {
                bucketing: Bucketing::Days(Zone::UTC),
                ..days_by_model.clone()
            },
        ),
        (
            "2 days by hour and status",
            Query {
                bucketing: Bucketing::Hours,
                ..hours_by_status
            },
        ),
        (
            "30 days by key",
            since(DAYS, |it| (it.project, it.key) = (true, true)),
        ),
        (
            "30 days by model, with percentiles",
            Query {
                percentiles: true,
                ..days_by_model.clone()
            },
        ),
        (
            "30 days of another zone by day and model",
            Query {
                bucketing: berlin.clone(),
                ..days_by_model
            },
        ),
        (
            "7 days of another zone by day and provider",
            Query {
                bucketing: berlin,
                ..since(7, |it| it.provider = true)
            },
        ),
        (
            "months of a key by version, with percentiles",
            Query {
                bucketing: Bucketing::Months(Zone::UTC),
                percentiles: true,
                filter: key,
                ..since(DAYS, |it| it.version = true)
            },
        ),
    ]
}

/// Writes, and says how many records were stored.
async fn write(it: Arc<Writing>) -> u64 {
    let (eu, start) = (region("eu"), now_ms() - DAYS * DAY_MS);
    let mut stored = 0;
    loop {
        let at = it.next.fetch_add(1, Ordering::Relaxed);
        if at >= it.batches && !it.more.load(Ordering::Relaxed) {
            return stored;
        }
        // What comes after all days were filled is of today.
        let at_ms = start + DAYS * DAY_MS * at.min(it.batches) / it.batches;
        let batch = batch(&it.one, at_ms);
        let done = it.store.insert_usage("one", &eu, &batch).await;
        stored += u64::from(done.unwrap().stored);
    }
}

/// Folds for as long as anybody writes.
async fn fold(it: Arc<Writing>) {
    while it.folding.load(Ordering::Relaxed) {
        let more = it.store.fold_usage().await.unwrap();
        if !(it.store.shift_usage().await.unwrap() || more) {
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }
    while it.store.fold_usage().await.unwrap() {}
}

/// All writers, each in a task of its own.
async fn written(it: &Arc<Writing>) -> u64 {
    let mut writers = JoinSet::new();
    for _ in 0..WRITERS {
        writers.spawn(write(Arc::clone(it)));
    }
    let stored = writers.join_all().await;
    it.folding.store(false, Ordering::Relaxed);
    stored.iter().sum()
}

fn rate(records: u64, began: Instant) -> u64 {
    records * 1_000 / u64::try_from(began.elapsed().as_millis()).unwrap().max(1)
}

/// Asks everything some times over: of each question what it is called and how long each answer took, sorted.
async fn asked(world: &World, rounds: usize) -> Vec<(&'static str, Vec<Duration>)> {
    let names = questions(now_ms()).map(|(name, _)| name);
    let mut took = names.map(|name| (name, Vec::new())).to_vec();
    for _ in 0..rounds {
        for ((_, query), (_, took)) in questions(now_ms()).iter().zip(&mut took) {
            let began = Instant::now();
            assert!(!rows(world, query).await.is_empty());
            took.push(began.elapsed());
        }
    }
    for (_, took) in &mut took {
        took.sort_unstable();
    }
    took
}

/// What so many of a hundred did not exceed.
fn at(took: &[Duration], hundredths: usize) -> Duration {
    took[(took.len() * hundredths).div_ceil(100) - 1]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn answers_are_quick_while_records_come_in_and_a_day_goes_in_an_instant() {
    let mut world = World::acme().await;
    world.spoil();
    let it = Arc::new(Writing {
        store: world.store.clone(),
        one: record(&world, 0).await,
        batches: RECORDS * scale() / BATCH,
        next: AtomicU64::new(0),
        more: AtomicBool::new(false),
        folding: AtomicBool::new(true),
    });
    let began = Instant::now();
    let folding = tokio::spawn(fold(Arc::clone(&it)));
    let stored = written(&it).await;
    let filled = rate(stored, began);
    folding.await.unwrap();
    println!("{stored} records over {DAYS} days, {filled} a second");
    // Days of a zone are made of hours until somebody has asked for them, which takes longer once.
    let first = asked(&world, 1).await;
    println!("asked for the first time: {:?}", first[4].1);
    while world.store.shift_usage().await.unwrap() {}

    // From here on at full rate for as long as questions are asked.
    it.more.store(true, Ordering::Relaxed);
    it.folding.store(true, Ordering::Relaxed);
    let began = Instant::now();
    let folding = tokio::spawn(fold(Arc::clone(&it)));
    let writing = tokio::spawn({
        let it = Arc::clone(&it);
        async move { written(&it).await }
    });
    let took = asked(&world, if scale() == 1 { 4 } else { 30 }).await;
    let dropping = Instant::now();
    let dropped = world.store.drop_usage_days(29).await.unwrap();
    let gone = dropping.elapsed();
    it.more.store(false, Ordering::Relaxed);
    let more = writing.await.unwrap();
    let beside = rate(more, began);
    folding.await.unwrap();
    for (name, took) in &took {
        println!("{name}: p50 {:?}, p95 {:?}", at(took, 50), at(took, 95));
    }
    let mut took: Vec<Duration> = took.into_iter().flat_map(|(_, took)| took).collect();
    took.sort_unstable();
    println!(
        "{} answers: p50 {:?}, p95 {:?}, p99 {:?}, while {beside} records a second came in; a day went in {gone:?}",
        took.len(),
        at(&took, 50),
        at(&took, 95),
        at(&took, 99)
    );
    assert_eq!(dropped, 1, "one day is old enough");
    assert!(gone < INSTANT, "{gone:?}");
    assert!(at(&took, 95) <= ANSWER_MAX, "{took:?}");
    // Nothing was lost on the way, and what was dropped stays in the sums.
    let query = question(
        GroupBy::default(),
        now_ms() - 40 * DAY_MS,
        now_ms() + DAY_MS,
    );
    let counted = rows(&world, &query).await[0].requests.cast_unsigned();
    assert_eq!(counted, stored + more);
}
