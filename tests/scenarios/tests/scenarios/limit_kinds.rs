//! Every kind of limit, from the command of an operator to the answer of an edge: scopes, units, quotas.

use harness::{
    client,
    provider::Provider,
    site::{Plan, Site},
    tenant::Tenant,
};
use proto::admin::{Limit, LimitMember, LimitUnit, LimitWindow, UpdateOrganizationRequest};
use redis::AsyncCommands;
use scenarios::openai;

const PATH: &str = "/v1/chat/completions";

/// An edge that asks Redis for each request.
fn settings() -> Vec<(&'static str, String)> {
    vec![
        ("SLUICE_LIMITS__AHEAD_MS", "0".to_owned()),
        ("SLUICE_LIMITS__TIMEOUT_MS", "5000".to_owned()),
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
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let there = now.expect("it is later than 1970").as_secs() + 20_700;
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
        let before = scripts_run(&site).await;
        for _ in 0..20 {
            assert_eq!(
                status(&site.url(0), &key, &openai::whole("chat")).await,
                200
            );
        }
        calls.push(scripts_run(&site).await - before);
    }
    // One for each request; what it used is what it reserved, and needs no word.
    assert_eq!(calls, [20, 20]);
}

/// How many scripts Redis has run.
async fn scripts_run(site: &Site) -> u64 {
    let mut redis = site.redis.connect().await;
    let mut info = redis::cmd("INFO");
    let info = info.arg("commandstats").query_async::<String>(&mut redis);
    let info = info.await.expect("Redis answers");
    let line = info
        .lines()
        .find_map(|line| line.strip_prefix("cmdstat_evalsha:calls="));
    let calls = line.and_then(|rest| rest.split(',').next()?.parse().ok());
    calls.unwrap_or(0)
}
