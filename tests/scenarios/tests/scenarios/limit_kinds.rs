//! Every kind of limit, from the command of an operator to the answer of an edge: scopes, units, quotas.

use harness::{
    client,
    provider::Provider,
    site::{Plan, Site},
    tenant::Tenant,
};
use proto::admin::{
    Limit, LimitMember, LimitMode, LimitOnStoreLoss, LimitOverride, LimitUnit, LimitWindow,
    UpdateOrganizationRequest,
};
use redis::AsyncCommands;
use scenarios::openai;

const PATH: &str = "/v1/chat/completions";

/// An edge that asks Redis for each request.
fn settings() -> Vec<(&'static str, String)> {
    vec![
        ("SLUICE_LIMITS__AHEAD_MS", "0".to_owned()),
        ("SLUICE_LIMITS__TIMEOUT_MS", "5000".to_owned()),
        // What edges tell each other takes calls of its own, which no request waits for.
        ("SLUICE_SHAPING__HINT_MS", "0".to_owned()),
    ]
}

/// So many of something, at once and then nearly never again.
fn few(amount: i64) -> Limit {
    Limit {
        unit: LimitUnit::Requests.into(),
        amount: 1,
        window: LimitWindow::Hour.into(),
        burst: amount,
        ..Limit::default()
    }
}

async fn status(url: &str, key: &str, body: &str) -> u16 {
    let reply = client::post(url, key, PATH, body.to_owned()).await;
    reply.status.as_u16()
}

#[tokio::test]
async fn members_of_a_scope_have_counts_of_their_own_over_every_edge() {
    let provider = Provider::start(openai::answer).await;
    let plan = Plan {
        edges: vec!["here"; 2],
        edge_settings: settings(),
        ..Plan::default()
    };
    let site = Site::start(plan).await;
    let tenant = Tenant::make(&site.admin(), "acme", &provider.base_url()).await;
    tenant.model("other", "main", "provider-other").await;
    let ((_, one), (_, two)) = (tenant.key().await, tenant.key().await);
    let each_user = Limit {
        each: vec![LimitMember::EndUser.into()],
        ..few(2)
    };
    tenant.limit_like("per-user", each_user).await;
    let each_key = Limit {
        scope: tenant.project.clone(),
        model: format!("{}/models/other", tenant.organization),
        each: vec![LimitMember::Key.into()],
        ..few(1)
    };
    tenant.limit_like("per-key", each_key).await;
    site.propagated().await;
    let ask = |edge: usize, key: &str, model: &str, user: &str| {
        let body = format!(r#"{{"model":"{model}","user":"{user}","messages":[]}}"#);
        let (url, key) = (site.url(edge), key.to_owned());
        async move { status(&url, &key, &body).await }
    };
    // An end user is one over both edges and both keys.
    assert_eq!(ask(0, &one, "chat", "ann").await, 200);
    assert_eq!(ask(1, &two, "chat", "ann").await, 200);
    assert_eq!(ask(0, &two, "chat", "ann").await, 429);
    assert_eq!(ask(1, &one, "chat", "bob").await, 200);
    // A key is one over both edges, for the one model alone.
    assert_eq!(ask(0, &one, "other", "cyd").await, 200);
    assert_eq!(ask(1, &one, "other", "dan").await, 429);
    assert_eq!(ask(1, &two, "other", "eve").await, 200);
    assert_eq!(ask(1, &one, "chat", "dan").await, 200);
    // What clients call their users is nowhere in Redis.
    let mut redis = site.redis.connect().await;
    let keys: Vec<String> = redis.keys("*").await.expect("Redis answers");
    assert!(keys.iter().all(|key| !key.contains("ann")), "{keys:?}");
}

#[tokio::test]
async fn a_quota_is_exact_over_every_edge_and_ends_at_the_organizations_midnight() {
    let provider = Provider::start(openai::answer).await;
    let plan = Plan {
        edges: vec!["here"; 2],
        edge_settings: settings(),
        ..Plan::default()
    };
    let site = Site::start(plan).await;
    let admin = site.admin();
    let tenant = Tenant::make(&admin, "acme", &provider.base_url()).await;
    let (_, key) = tenant.key().await;
    let organization = proto::admin::Organization {
        name: tenant.organization.clone(),
        time_zone: "Asia/Kathmandu".to_owned(),
        ..Default::default()
    };
    let request = UpdateOrganizationRequest {
        organization: Some(organization),
        ..Default::default()
    };
    let updated = admin.organizations().update_organization(request).await;
    let updated = updated.expect("the zone is known").into_inner();
    assert_eq!(updated.time_zone, "Asia/Kathmandu");
    let daily = Limit {
        scope: tenant.project.clone(),
        amount: 30,
        window: LimitWindow::Day.into(),
        burst: 0,
        ..few(0)
    };
    tenant.limit_like("daily", daily).await;
    site.propagated().await;

    let mut asked = tokio::task::JoinSet::new();
    for at in 0..60 {
        let (url, key) = (site.url(at % 2), key.clone());
        asked.spawn(async move { status(&url, &key, &openai::whole("chat")).await });
    }
    let statuses = asked.join_all().await;
    let admitted = statuses.iter().filter(|status| **status == 200).count();
    assert_eq!(admitted, 30, "{statuses:?}");

    let refused = client::post(&site.url(0), &key, PATH, openai::whole("chat")).await;
    let header = |name| refused.headers.get(name).and_then(|it| it.to_str().ok());
    let wait: u64 = header("retry-after")
        .and_then(|it| it.parse().ok())
        .expect("a number");
    // Kathmandu is a quarter to six hours ahead.
    let there = time::OffsetDateTime::now_utc().unix_timestamp() + 20_700;
    let there = u64::try_from(there).expect("it is later than 1970");
    let left = 86_400 - there % 86_400;
    assert!(wait.abs_diff(left) <= 5, "{wait} of {left}");
    assert_eq!(
        header("ratelimit-policy"),
        Some(r#""daily";q=30;w=86400;qu="requests""#)
    );
}

#[tokio::test]
async fn ten_limits_ask_redis_as_often_as_one() {
    let provider = Provider::start(openai::answer).await;
    let plan = Plan {
        edge_settings: settings(),
        ..Plan::default()
    };
    let site = Site::start(plan).await;
    let tenant = Tenant::make(&site.admin(), "acme", &provider.base_url()).await;
    let (_, key) = tenant.key().await;
    let mut calls = Vec::new();
    for count in [1, 10] {
        for number in calls.len()..count {
            let limit = Limit {
                window: LimitWindow::Day.into(),
                amount: 1_000,
                burst: 0,
                each: vec![LimitMember::EndUser.into(), LimitMember::Key.into()],
                ..few(0)
            };
            tenant.limit_like(&format!("limit-{number}"), limit).await;
        }
        site.propagated().await;
        let before = site.redis.scripts_run().await;
        for _ in 0..20 {
            assert_eq!(
                status(&site.url(0), &key, &openai::whole("chat")).await,
                200
            );
        }
        calls.push(site.redis.scripts_run().await - before);
    }
    // One to reserve and one to settle, for each request.
    assert_eq!(calls, [40, 40]);
}

#[tokio::test]
async fn a_limit_may_warn_or_watch_and_have_other_numbers_for_a_key_and_a_time() {
    let provider = Provider::start(openai::answer).await;
    let plan = Plan {
        edge_settings: settings(),
        ..Plan::default()
    };
    let site = Site::start(plan).await;
    let admin = site.admin();
    let tenant = Tenant::make(&admin, "acme", &provider.base_url()).await;
    let ((_, one), (vip_name, vip)) = (tenant.key().await, tenant.key().await);
    let soft = Limit {
        mode: LimitMode::Soft.into(),
        ..few(1)
    };
    tenant.limit_like("soft", soft).await;
    let shadow = Limit {
        mode: LimitMode::Shadow.into(),
        ..few(1)
    };
    tenant.limit_like("shadow", shadow).await;
    let in_hours = |hours: i64| {
        let now = time::OffsetDateTime::now_utc().unix_timestamp();
        prost_types::Timestamp {
            seconds: now + 3_600 * hours,
            nanos: 0,
        }
    };
    let other = |hours, amount| LimitOverride {
        key: vip_name.clone(),
        amount: 1,
        burst: amount,
        expire_time: Some(in_hours(hours)),
        ..LimitOverride::default()
    };
    let each = Limit {
        each: vec![LimitMember::Key.into()],
        // The first has ended an hour ago.
        overrides: vec![other(-1, 9), other(1, 3)],
        ..few(2)
    };
    tenant.limit_like("each", each).await;
    site.propagated().await;

    let ask = |key: &str| {
        let (url, key) = (site.url(0), key.to_owned());
        async move { client::post(&url, &key, PATH, openai::whole("chat")).await }
    };
    let first = ask(&one).await;
    assert_eq!(first.status, 200);
    assert!(!first.headers.contains_key("x-sluice-limit-warning"));
    let second = ask(&one).await;
    assert_eq!(second.status, 200, "neither refuses");
    assert_eq!(second.headers["x-sluice-limit-warning"], r#""soft""#);
    let said = second.headers["ratelimit"].to_str().expect("text");
    assert!(!said.contains("shadow"), "{said}");
    assert_eq!(ask(&one).await.status, 429);
    for status in [200, 200, 200, 429] {
        assert_eq!(ask(&vip).await.status, status, "three for this key");
    }
    for mode in ["soft", "shadow"] {
        let over = site.metric(0, "sluice_limits_over_total", mode).await;
        assert!(over >= 4.0, "{over} over {mode}");
    }
}

#[tokio::test]
async fn without_redis_a_limit_denies_or_allows_by_its_own_word() {
    let provider = Provider::start(openai::answer).await;
    let mut site = Site::start(Plan::default()).await;
    let tenant = Tenant::make(&site.admin(), "acme", &provider.base_url()).await;
    tenant.model("strict", "main", "provider-strict").await;
    let (_, key) = tenant.key().await;
    let allows = Limit {
        on_store_loss: LimitOnStoreLoss::Allow.into(),
        ..few(2)
    };
    tenant.limit_like("allows", allows).await;
    let denies = Limit {
        model: format!("{}/models/strict", tenant.organization),
        on_store_loss: LimitOnStoreLoss::Deny.into(),
        ..few(1_000)
    };
    tenant.limit_like("denies", denies).await;
    site.propagated().await;
    site.redis.stop();
    for _ in 0..6 {
        assert_eq!(
            status(&site.url(0), &key, &openai::whole("chat")).await,
            200
        );
    }
    let reply = client::post(&site.url(0), &key, PATH, openai::whole("strict")).await;
    assert_eq!(reply.status, 503);
    assert_eq!(reply.headers["x-sluice-code"], "limit_unknown");
    assert!(reply.headers.contains_key("retry-after"));
    site.redis.restart().await;
    let back = || async {
        let reply = client::post(&site.url(0), &key, PATH, openai::whole("chat")).await;
        (reply.status == 429).then_some(())
    };
    // What was allowed meanwhile is charged, so that nothing is left.
    harness::wait::until("what was allowed is counted", back).await;
}
