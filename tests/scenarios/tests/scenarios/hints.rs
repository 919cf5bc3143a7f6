//! What one edge finds out about a target, others of its region go by: they need not fail there themselves, try it before they believe
//! for long, and go by what they see themselves where Redis is away.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use harness::{
    client::{self, Reply},
    provider::{Answer, Provider},
    site::{Plan, Site},
    tenant::{CREDENTIAL, Tenant},
    wait,
};
use proto::admin::{GetUsageRecordRequest, UsageRecord};
use scenarios::openai;

use crate::routes::{ailing, two_targets_of};

/// The edge that meets failures, and the one that is told of them.
const TELLS: usize = 0;
const HEARS: usize = 1;

/// Two edges of one region, whose words put a target behind for so long.
fn two_edges(hint_ms: u32) -> Plan {
    Plan {
        edges: vec!["here", "here"],
        edge_settings: vec![
            ("SLUICE_SHAPING__ASIDE_MS", "60000".to_owned()),
            ("SLUICE_SHAPING__HINT_MS", hint_ms.to_string()),
        ],
        ..Plan::default()
    }
}

async fn ask(site: &Site, edge: usize, key: &str) -> Reply {
    let body = r#"{"model":"chat","messages":[{"role":"user","content":"Hello"}]}"#;
    client::post(&site.url(edge), key, "/v1/chat/completions", body).await
}

/// Asks so often, and each time somebody answers.
async fn served(site: &Site, edge: usize, key: &str, times: usize) {
    for _ in 0..times {
        assert_eq!(ask(site, edge, key).await.status, 200);
    }
}

/// Waits until the edge goes by what others say of so many targets.
async fn believes(site: &Site, edge: usize, (what, targets): (&str, u64)) {
    let what = format!(r#"what="{what}""#);
    let believed = async || {
        let believed = site.count(edge, "sluice_shaping_hints_believed", &what);
        (believed.await == targets).then_some(())
    };
    wait::until("it heard of it", believed).await;
}

/// What the record says of the first and the second target: provider, rules.
async fn decided(site: &Site, tenant: &Tenant, reply: Reply) -> Vec<(String, Vec<String>)> {
    let id = reply.headers["x-sluice-request-id"].to_str();
    let request = GetUsageRecordRequest {
        parent: tenant.organization.clone(),
        record_id: id.expect("it is text").to_owned(),
    };
    reply.bytes().await.expect("the answer arrives");
    let stored = || async {
        let record = site.admin().usage().get_usage_record(request.clone()).await;
        record.ok().map(tonic::Response::into_inner)
    };
    let record: UsageRecord = wait::until("the record is stored", stored).await.0;
    let decision = record.decision.expect("it is told");
    let target = decision.targets.into_iter().map(|it| {
        let provider = it.provider.rsplit('/').next().unwrap_or("").to_owned();
        let rules = it.notes.into_iter().map(|it| it.rule).collect();
        (provider, rules)
    });
    target.collect()
}

#[tokio::test]
async fn an_edge_puts_behind_what_fails_at_another_and_forgets_it_when_nobody_says_so_any_more() {
    let ill = Arc::new(AtomicBool::new(false));
    let (main, other) = (ailing(&ill).await, Provider::start(openai::answer).await);
    let (mut site, tenant) = two_targets_of(two_edges(60_000), &main, &other).await;
    let (_, key) = tenant.key().await;
    site.propagated().await;
    for edge in [TELLS, HEARS] {
        served(&site, edge, &key, 1).await;
    }
    assert_eq!((main.count(), other.count()), (2, 0));

    ill.store(true, Ordering::Relaxed);
    served(&site, TELLS, &key, 6).await;
    assert_eq!((main.count(), other.count()), (7, 6), "five failed");
    believes(&site, HEARS, ("fails", 1)).await;
    let told = site.count(TELLS, "sluice_shaping_hints_told_total", "fails");
    assert!(told.await > 0);
    // The other edge has met no failure, and need not.
    served(&site, HEARS, &key, 9).await;
    let decided = decided(&site, &tenant, ask(&site, HEARS, &key).await).await;
    assert_eq!((main.count(), other.count()), (7, 16), "nobody asked it");
    let behind = vec!["said-by-others".to_owned()];
    let expected = [("other".to_owned(), vec![]), ("main".to_owned(), behind)];
    assert_eq!(decided, expected);
    let own = site.count(HEARS, "sluice_shaping_unwell", "").await;
    assert_eq!(own, 0, "it is a hint, and no judgement");
    let (keys, left, words) = kept(&site).await;
    assert_eq!(keys.len(), 1, "{keys:?}");
    assert!((1..=4_000).contains(&left), "{left}");
    assert!(!words.is_empty() && words.iter().all(|it| !it.contains(CREDENTIAL)));

    // Who told it is gone; what it said ends by itself, and the target is asked first again.
    site.edges[TELLS].process.kill();
    ill.store(false, Ordering::Relaxed);
    believes(&site, HEARS, ("fails", 0)).await;
    served(&site, HEARS, &key, 3).await;
    assert_eq!((main.count(), other.count()), (10, 16));

    // Without Redis each edge goes by what it sees itself, and says so.
    site.redis.stop();
    let alone = async || {
        served(&site, HEARS, &key, 1).await;
        let alone = site.count(HEARS, "sluice_shaping_hints_alone", "").await;
        (alone == 1).then_some(())
    };
    wait::until("it is alone", alone).await;
    ill.store(true, Ordering::Relaxed);
    let before = main.count();
    served(&site, HEARS, &key, 8).await;
    assert_eq!(main.count() - before, 5, "as an edge that has no others");
}

/// The keys of hints in Redis, for how long they are kept in milliseconds, and their words.
async fn kept(site: &Site) -> (Vec<String>, i64, Vec<String>) {
    let mut redis = site.redis.connect().await;
    let mut keys = redis::cmd("KEYS");
    let keys = keys.arg("sluice:5:*:hints").query_async(&mut redis).await;
    let keys: Vec<String> = keys.expect("Redis answers");
    let mut left = redis::cmd("PTTL");
    let left = left.arg(&keys).query_async(&mut redis).await;
    let mut words = redis::cmd("ZRANGE");
    let words = words.arg(&keys).arg(0).arg(-1).query_async(&mut redis);
    let words = words.await.expect("Redis answers");
    (keys, left.expect("Redis answers"), words)
}

#[tokio::test]
async fn an_edge_whose_own_network_is_broken_takes_no_provider_from_others() {
    // What the first edge gets from `main` is broken; the second one gets answers.
    let main = Provider::start(|asked| {
        if String::from_utf8_lossy(&asked.body).contains("broken") {
            return Answer::json(502, r#"{"error":{"message":"oops","type":"server_error"}}"#);
        }
        openai::answer(asked)
    });
    let (main, other) = (main.await, Provider::start(openai::answer).await);
    let (site, tenant) = two_targets_of(two_edges(300), &main, &other).await;
    let (_, key) = tenant.key().await;
    site.propagated().await;
    served(&site, HEARS, &key, 1).await;
    let body = r#"{"model":"chat","messages":[{"role":"user","content":"broken"}]}"#;
    for _ in 0..6 {
        let reply = client::post(&site.url(TELLS), &key, "/v1/chat/completions", body).await;
        assert_eq!(reply.status, 200, "the other one answers");
    }
    believes(&site, HEARS, ("fails", 1)).await;
    // It tries for itself, soon, and believes it no more.
    let tried = async || {
        served(&site, HEARS, &key, 1).await;
        let verdict = r#"verdict="disproved""#;
        let tried = site.count(HEARS, "sluice_shaping_hints_tried_total", verdict);
        (tried.await == 1).then_some(())
    };
    wait::until("it has tried", tried).await;
    let before = (main.count(), other.count());
    served(&site, HEARS, &key, 20).await;
    let after = (main.count(), other.count());
    assert_eq!((after.0 - before.0, after.1 - before.1), (20, 0));
    believes(&site, HEARS, ("fails", 0)).await;
    let unwell = site.count(TELLS, "sluice_shaping_unwell", "").await;
    assert_eq!(unwell, 1, "the first edge goes on saying so");
}

#[tokio::test]
async fn a_provider_that_named_a_time_to_one_edge_is_left_alone_by_all() {
    let full = Arc::new(AtomicBool::new(false));
    let is_full = Arc::clone(&full);
    let main = Provider::start(move |asked| {
        if !is_full.load(Ordering::Relaxed) {
            return openai::answer(asked);
        }
        let mut answer = Answer::json(429, r#"{"error":{"message":"later"}}"#);
        answer.headers.push(("retry-after", "40".to_owned()));
        answer
    });
    let (main, other) = (main.await, Provider::start(openai::answer).await);
    let (site, tenant) = two_targets_of(two_edges(2_000), &main, &other).await;
    let (_, key) = tenant.key().await;
    site.propagated().await;
    served(&site, HEARS, &key, 1).await;
    full.store(true, Ordering::Relaxed);
    served(&site, TELLS, &key, 1).await;
    assert_eq!((main.count(), other.count()), (2, 1), "it was full");
    believes(&site, HEARS, ("parked", 1)).await;
    served(&site, HEARS, &key, 5).await;
    let decided = decided(&site, &tenant, ask(&site, HEARS, &key).await).await;
    assert_eq!((main.count(), other.count()), (2, 7), "it was not asked");
    let rules = ["parked", "said-by-others"].map(str::to_owned).to_vec();
    assert_eq!(decided[0], ("main".to_owned(), rules));
    // To the edge that was told itself it is no news.
    let heard = site.count(TELLS, "sluice_shaping_hints_believed", "parked");
    assert_eq!(heard.await, 0);
}
