//! Limits of who serves and of members of a scope: over several targets, what is passed through, and sockets.

use std::sync::Arc;

use harness::{
    client::{self, Client, Reply},
    provider::{Answer, Provider, Step},
    site::{Plan, Site},
    tenant::Tenant,
    wait,
};
use proto::admin::{
    CreateModelVersionRequest, GetLimitRequest, Limit, LimitMember, LimitUnit, LimitWindow,
    ModelVersion, Provider as AdminProvider, Target, UpdateProviderRequest,
};
use redis::AsyncCommands;
use scenarios::{openai, realtime, realtime::Realtime, sdk};
use serde_json::json;
use tokio::sync::Semaphore;

const PATH: &str = "/v1/chat/completions";

/// What a provider counts for one answer.
const USED: u64 = openai::PROMPT_TOKENS + openai::COMPLETION_TOKENS;

/// One edge that asks Redis for each request.
async fn one_edge() -> Site {
    let settings = [
        ("SLUICE_LIMITS__AHEAD_MS", "0"),
        ("SLUICE_LIMITS__TIMEOUT_MS", "5000"),
    ];
    let plan = Plan {
        edge_settings: settings.map(|(name, it)| (name, it.to_owned())).to_vec(),
        ..Plan::default()
    };
    Site::start(plan).await
}

/// So much of something, at once and then nearly never again.
fn few(unit: LimitUnit, burst: i64) -> Limit {
    Limit {
        unit: unit.into(),
        amount: 1,
        window: LimitWindow::Hour.into(),
        burst,
        ..Limit::default()
    }
}

/// The same at one provider.
fn few_at(tenant: &Tenant, provider: &str, (unit, burst): (LimitUnit, i64)) -> Limit {
    Limit {
        provider: format!("{}/providers/{provider}", tenant.organization),
        ..few(unit, burst)
    }
}

/// Lets the model `chat` be served by `main`, and by `other` where that does not.
async fn two_targets(site: &Site, tenant: &Tenant, other: &str) {
    tenant.provider("other", other).await;
    let target = |provider: &str| Target {
        provider: format!("{}/providers/{provider}", tenant.organization),
        provider_model: format!("{provider}-chat"),
        weight: 0,
        capabilities: None,
    };
    let request = CreateModelVersionRequest {
        parent: format!("{}/models/chat", tenant.organization),
        model_version_id: "v2".to_owned(),
        model_version: Some(ModelVersion {
            targets: vec![target("main"), target("other")],
            ..Default::default()
        }),
        ..Default::default()
    };
    let made = site.admin().versions().create_model_version(request).await;
    made.expect("a version is made");
    tenant.serve("chat", "v2").await;
}

async fn ask(site: &Site, key: &str) -> Reply {
    client::post(&site.url(0), key, PATH, openai::whole("chat")).await
}

/// What Redis holds of a limit that has one count.
async fn level(site: &Site, tenant: &Tenant, limit: &str) -> Option<i64> {
    let request = GetLimitRequest {
        name: format!("{}/limits/{limit}", tenant.organization),
    };
    let limit = site.admin().limits().get_limit(request).await;
    let uid = limit.expect("it stands there").into_inner().uid;
    let mut redis = site.redis.connect().await;
    let id: Vec<u8> = (0..uid.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&uid[at..at + 2], 16).expect("hex"))
        .collect();
    let hashes: Vec<String> = redis.keys("sluice:5:*:shelves").await.ok()?;
    for hash in hashes {
        let shelves: Vec<Vec<u8>> = redis.hvals(hash).await.ok()?;
        if let Some(level) = shelves.iter().find_map(|shelf| on_shelf(shelf, &id)) {
            return Some(level);
        }
    }
    None
}

/// What is left in the count of this id: a shelf is until when it is kept, and then how many counts, their ids, three numbers
/// that each is measured by, and three of what is in it.
fn on_shelf(shelf: &[u8], id: &[u8]) -> Option<i64> {
    let count = usize::from(u16::from_le_bytes(shelf.get(8..10)?.try_into().ok()?));
    let place = (0..count).find(|it| shelf.get(10 + 16 * it..26 + 16 * it) == Some(id))?;
    let number = |at: usize| {
        let bytes = shelf.get(10 + 16 * count + 8 * at..18 + 16 * count + 8 * at)?;
        Some(f64::from_le_bytes(bytes.try_into().ok()?))
    };
    let (window_ms, burst) = (number(3 * place + 1)?, number(3 * place + 2)?);
    let missing = number(3 * (count + place))?;
    let level = burst - (missing / window_ms).ceil();
    format!("{level:.0}").parse().ok()
}

/// Waits until Redis holds this of each limit, and no more than so many reservations.
async fn levels(site: &Site, tenant: &Tenant, expected: &[(&str, i64)], reservations: usize) {
    let there = async || {
        let mut redis = site.redis.connect().await;
        let held: Vec<String> = redis.keys("sluice:5:*:held").await.ok()?;
        let count: usize = match held.first() {
            Some(held) => redis.hlen(held).await.ok()?,
            None => 0,
        };
        for (limit, level) in expected {
            if self::level(site, tenant, limit).await? != *level {
                return None;
            }
        }
        (count == reservations).then_some(())
    };
    let what = format!("{expected:?} is left, with {reservations} reservations");
    wait::until(&what, there).await;
}

#[tokio::test]
async fn a_target_without_room_at_its_provider_is_passed_over() {
    let (main, other) = (
        Provider::start(openai::answer).await,
        Provider::start(openai::answer).await,
    );
    let site = one_edge().await;
    let tenant = Tenant::make(&site.admin(), "acme", &main.base_url()).await;
    two_targets(&site, &tenant, &other.base_url()).await;
    let (_, key) = tenant.key().await;
    for provider in ["main", "other"] {
        let limit = few_at(&tenant, provider, (LimitUnit::Requests, 1));
        tenant.limit_like(&format!("at-{provider}"), limit).await;
    }
    site.propagated().await;
    assert_eq!(ask(&site, &key).await.status, 200);
    assert_eq!((main.count(), other.count()), (1, 0));
    assert_eq!(ask(&site, &key).await.status, 200);
    assert_eq!((main.count(), other.count()), (1, 1), "the next answers");
    let refused = ask(&site, &key).await;
    assert_eq!(refused.status, 429, "and then nobody does");
    assert!(refused.headers.contains_key("retry-after"));
    let said = refused.json().await;
    let message = said["error"]["message"].as_str().expect("a sentence");
    assert!(message.contains("`at-other`"), "{message}");
    assert_eq!((main.count(), other.count()), (1, 1));
    // Nobody has failed: a provider that was spared is well.
    let failed = "sluice_attempt_failed_total";
    assert!(site.metric(0, failed, "").await < 1.0);
}

#[tokio::test]
async fn the_room_of_a_failed_attempt_is_settled_when_the_next_target_answers() {
    let main = Provider::start(|_| Answer::json(503, r#"{"error":{"message":"busy"}}"#)).await;
    let gate = Arc::new(Semaphore::new(0));
    let held_up = Arc::clone(&gate);
    let other = Provider::start(move |asked| {
        let mut answer = openai::answer(asked);
        answer.steps.insert(0, Step::Wait(Arc::clone(&held_up)));
        answer
    });
    let other = other.await;
    let site = one_edge().await;
    let tenant = Tenant::make(&site.admin(), "acme", &main.base_url()).await;
    two_targets(&site, &tenant, &other.base_url()).await;
    let (_, key) = tenant.key().await;
    tenant
        .limit_like("all", few(LimitUnit::Tokens, 10_000))
        .await;
    for provider in ["main", "other"] {
        let requests = few_at(&tenant, provider, (LimitUnit::Requests, 10));
        tenant
            .limit_like(&format!("requests-{provider}"), requests)
            .await;
        let tokens = few_at(&tenant, provider, (LimitUnit::Tokens, 10_000));
        tenant
            .limit_like(&format!("tokens-{provider}"), tokens)
            .await;
    }
    site.propagated().await;

    let answer = tokio::spawn({
        let (url, key) = (site.url(0), key.clone());
        async move {
            let reply = client::post(&url, &key, PATH, openai::whole("chat")).await;
            (reply.status, reply.bytes().await.expect("the body arrives"))
        }
    });
    wait::until("the next is asked", async || {
        (other.count() == 1).then_some(())
    })
    .await;
    // While it works, the request and its second attempt are held. The first attempt was one request, and used no token.
    let at_main = [("requests-main", 9), ("tokens-main", 10_000)];
    levels(&site, &tenant, &at_main, 2).await;
    assert_eq!(level(&site, &tenant, "requests-other").await, Some(9));
    gate.add_permits(1);
    assert_eq!(answer.await.expect("it is answered").0, 200);
    let left = 10_000 - i64::try_from(USED).expect("it is little");
    let after = [
        ("requests-main", 9),
        ("tokens-main", 10_000),
        ("requests-other", 9),
        ("tokens-other", left),
        ("all", left),
    ];
    levels(&site, &tenant, &after, 0).await;
}

/// Opens a provider for what is not modelled.
async fn open(site: &Site, tenant: &Tenant) {
    let provider = AdminProvider {
        name: format!("{}/providers/main", tenant.organization),
        passthrough: true,
        ..Default::default()
    };
    let request = UpdateProviderRequest {
        provider: Some(provider),
        ..Default::default()
    };
    let opened = site.admin().providers().update_provider(request).await;
    opened.expect("it is opened");
}

/// Limits on each key, on each end user and on each provider, and one on tokens at the provider `main`.
async fn limit_members(tenant: &Tenant, (each_key, each_provider): (i64, i64)) {
    let each = |member: LimitMember, burst| Limit {
        each: vec![member.into()],
        ..few(LimitUnit::Requests, burst)
    };
    for (name, limit) in [
        ("per-key", each(LimitMember::Key, each_key)),
        ("per-provider", each(LimitMember::Provider, each_provider)),
        ("per-user", each(LimitMember::EndUser, 1)),
        (
            "at-main",
            few_at(tenant, "main", (LimitUnit::Tokens, 100_000)),
        ),
    ] {
        tenant.limit_like(name, limit).await;
    }
}

/// Which limit refused.
async fn refusal(reply: Reply) -> String {
    assert_eq!(reply.status, 429);
    let said = reply.json().await;
    let message = said["error"]["message"].as_str().unwrap_or_default();
    message.split('`').nth(1).unwrap_or_default().to_owned()
}

#[tokio::test]
async fn what_is_passed_through_is_held_to_the_limits_of_providers_and_members() {
    let main = Provider::start(|_| {
        let usage = json!({"input_tokens": 9, "output_tokens": 41, "total_tokens": 50});
        Answer::json(200, json!({"usage": usage}).to_string())
    })
    .await;
    let site = one_edge().await;
    let tenant = Tenant::make(&site.admin(), "acme", &main.base_url()).await;
    open(&site, &tenant).await;
    let ((_, one), (_, two)) = (tenant.key().await, tenant.key().await);
    limit_members(&tenant, (2, 3)).await;
    site.propagated().await;
    let ask = |key: &str| {
        let (url, key) = (site.url(0), key.to_owned());
        let path = "/passthrough/main/images/generations";
        async move { client::post(&url, &key, path, r#"{"prompt":"a cat"}"#).await }
    };
    // It names no end user, so that the limit on each of them, which admits one request, does not concern it.
    for left in [100_000 - 50, 100_000 - 100] {
        assert_eq!(ask(&one).await.status, 200);
        levels(&site, &tenant, &[("at-main", left)], 0).await;
    }
    assert_eq!(refusal(ask(&one).await).await, "per-key");
    assert_eq!(ask(&two).await.status, 200, "the other key has its own");
    assert_eq!(refusal(ask(&two).await).await, "per-provider");
    assert_eq!(main.count(), 3);
}

#[tokio::test]
async fn sockets_are_held_to_the_limits_of_providers_and_members() {
    let main = Realtime::start().await;
    let site = one_edge().await;
    let tenant = Tenant::make(&site.admin(), "acme", &main.base_url()).await;
    let ((_, one), (_, two)) = (tenant.key().await, tenant.key().await);
    limit_members(&tenant, (1, 2)).await;
    site.propagated().await;
    let told = sdk::pass(&site.url(0), &one, "realtime").await;
    assert!(told["seen"].is_array(), "{told}");
    // Two answers, each charged at the provider when it was told.
    let used = 2 * (realtime::INPUT_TOKENS + realtime::OUTPUT_TOKENS);
    let left = 100_000 - i64::try_from(used).expect("it is little");
    levels(&site, &tenant, &[("at-main", left)], 0).await;
    assert_eq!(refusal(knock(&site, &one).await.1).await, "per-key");
    let (client, open) = knock(&site, &two).await;
    assert_eq!(open.status, 101, "the other key has its own");
    drop(client);
    let (_, three) = tenant.key().await;
    site.propagated().await;
    assert_eq!(refusal(knock(&site, &three).await.1).await, "per-provider");
}

/// Asks for a socket; it ends when the client is dropped.
async fn knock(site: &Site, key: &str) -> (Client, Reply) {
    let client = Client::connect(&site.url(0), key).await;
    let mut client = client.expect("the edge accepts");
    let headers = [
        ("connection", "Upgrade"),
        ("upgrade", "websocket"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ];
    let path = "/v1/realtime?model=chat";
    let reply = client.request("GET", path, &headers, "").await;
    let reply = reply.expect("the edge answers");
    (client, reply)
}
