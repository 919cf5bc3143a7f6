//! Embeddings from a provider that is slow now and then: the slowest are as quick as the other provider, at most a fifth of them are asked twice,
//! and what both were sent is accounted for.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use futures_util::{StreamExt, stream};
use harness::{
    client,
    provider::{Provider, Step},
    site::{Plan, Site},
    tenant::Tenant,
    wait,
};
use proto::admin::{
    CreateModelVersionRequest, ExportUsageRequest, ModelVersion, Target, UsageRecord,
};
use scenarios::openai;

use crate::command_line::Shell;

const EMBEDDINGS: &str = "/v1/embeddings";
const ASKING: &str = r#"{"model":"chat","input":"What is a hedge?"}"#;

/// How long the first provider takes where it is slow, and after how long the second is asked.
const SLOW: Duration = Duration::from_secs(4);
const AFTER: Duration = Duration::from_millis(100);

/// Requests, of which every tenth finds the first provider slow.
const REQUESTS: usize = 200;
const SLOW_EVERY: usize = 10;

/// Answers, and every so many questions late.
async fn slow_every(every: Arc<AtomicUsize>) -> Provider {
    let asked = AtomicUsize::new(0);
    Provider::start(move |question| {
        let number = asked.fetch_add(1, Ordering::Relaxed);
        let mut answer = openai::answer(question);
        if number.is_multiple_of(every.load(Ordering::Relaxed)) {
            answer.steps.insert(0, Step::Late(SLOW));
        }
        answer
    })
    .await
}

async fn site(main: &Provider, other: &Provider) -> (Site, Tenant) {
    let plan = Plan {
        // Budgets are each core's own.
        edge_settings: vec![("SLUICE_INFERENCE__THREADS", "1".to_owned())],
        ..Plan::default()
    };
    let site = Site::start(plan).await;
    let tenant = Tenant::make(&site.admin(), "acme", &main.base_url()).await;
    tenant.provider("other", &other.base_url()).await;
    let target = |provider: &str| Target {
        provider: format!("{}/providers/{provider}", tenant.organization),
        provider_model: "embed".to_owned(),
        ..Target::default()
    };
    let version = |targets: Vec<Target>| CreateModelVersionRequest {
        parent: format!("{}/models/chat", tenant.organization),
        model_version_id: "hedged".to_owned(),
        model_version: Some(ModelVersion {
            targets,
            hedge_after: Some(prost_types::Duration {
                seconds: 0,
                nanos: 100_000_000,
            }),
            ..ModelVersion::default()
        }),
        ..CreateModelVersionRequest::default()
    };
    let mut versions = site.admin().versions();
    let alone = version(vec![target("main")]);
    let refused = versions.create_model_version(alone).await;
    let why = refused.expect_err("there is no second").to_string();
    assert!(why.contains("model_version.hedge_after"), "{why}");
    let both = version(vec![target("main"), target("other")]);
    let made = versions.create_model_version(both.clone()).await;
    let made = made.expect("a version is made").into_inner();
    let asked = both.model_version.and_then(|it| it.hedge_after);
    assert_eq!(made.hedge_after, asked);
    tenant.serve("chat", "hedged").await;
    (site, tenant)
}

/// Asks so often, eight at once: how long each answer took, the longest first.
async fn ask(site: &Site, key: &str, count: usize) -> Vec<Duration> {
    let url = site.url(0);
    let one = |_| async {
        let begun = Instant::now();
        let reply = client::post(&url, key, EMBEDDINGS, ASKING).await;
        assert_eq!(reply.status, 200);
        let bytes = reply.bytes().await.expect("it comes whole");
        assert!(bytes.starts_with(b"{"), "one answer, and all of it");
        begun.elapsed()
    };
    let mut took: Vec<_> = stream::iter(0..count)
        .map(one)
        .buffer_unordered(8)
        .collect()
        .await;
    took.sort_unstable();
    took.reverse();
    took
}

async fn records(site: &Site, tenant: &Tenant, count: usize) -> Vec<UsageRecord> {
    let request = ExportUsageRequest {
        parent: tenant.organization.clone(),
        ..ExportUsageRequest::default()
    };
    let all = || async {
        let parts = site.admin().usage().export_usage(request.clone()).await;
        let mut parts = parts.ok()?.into_inner();
        let mut records = Vec::new();
        while let Some(part) = parts.message().await.ok()? {
            records.extend(part.records);
        }
        (records.len() == count).then_some(records)
    };
    wait::until("every record is stored", all).await.0
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_slowest_embeddings_are_as_quick_as_the_other_provider_and_few_are_asked_twice() {
    let every = Arc::new(AtomicUsize::new(SLOW_EVERY));
    let main = slow_every(Arc::clone(&every)).await;
    let other = Provider::start(openai::answer).await;
    let (site, tenant) = site(&main, &other).await;
    let (name, key) = tenant.key().await;
    site.propagated().await;
    let shell = Shell::new(&site);
    let asked = "--model chat --demand embeddings";
    let shown = shell.done(&format!("route explain --key {name} {asked}"));
    assert!(shown.contains("hedge after 100ms"), "{shown}");
    let shown = shell.done(&format!("route explain --key {name} --model chat"));
    assert!(!shown.contains("hedge"), "{shown}");

    let took = ask(&site, &key, REQUESTS).await;
    let p99 = took[REQUESTS / 100];
    println!(
        "p99 {p99:?}, longest {:?}; slow ones take {SLOW:?}",
        took[0]
    );
    assert!(p99 >= AFTER && p99 < SLOW / 2, "{p99:?}");
    let hedges = other.count();
    assert!(hedges >= REQUESTS / SLOW_EVERY, "{hedges}");
    assert!(hedges <= 10 + REQUESTS / 5, "{hedges}");

    // Each is recorded once, with what both were sent.
    let stored = records(&site, &tenant, REQUESTS).await;
    let attempts: Vec<_> = stored.iter().flat_map(|it| &it.attempts).collect();
    assert_eq!(
        attempts.len(),
        hedges,
        "each hedge leaves one that is not waited for"
    );
    assert!(
        attempts
            .iter()
            .all(|it| it.code == "abandoned" && it.tokens > 0)
    );
    let guessed: i64 = attempts.iter().map(|it| it.tokens).sum();
    let total: i64 = stored.iter().map(|it| it.input_tokens).sum();
    let said = i64::try_from(REQUESTS).expect("it is small") * 3;
    assert_eq!(total, said + guessed);
    let won = stored.iter().filter(|it| it.provider.ends_with("/other"));
    let won = won.count() as u64;
    let counted = async |outcome: &str| site.count(0, "sluice_hedge_total", outcome).await;
    assert_eq!(counted("won").await, won);
    assert_eq!(counted("won").await + counted("lost").await, hedges as u64);

    // A provider that is slow whenever it is asked is not asked for by another one each time.
    every.store(1, Ordering::Relaxed);
    let more = 120;
    ask(&site, &key, more).await;
    let hedges = other.count();
    let most = 10 + (REQUESTS + more) / 5;
    assert!(hedges > most / 2 && hedges <= most, "{hedges} of {most}");
    assert!(counted("denied").await > 0);
}
