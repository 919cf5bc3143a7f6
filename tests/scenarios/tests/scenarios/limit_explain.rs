//! An operator sees which limits concern a request and how much of each is left, as the edges see it that hold them.

use harness::{
    client::{self, Client, Reply},
    provider::{Answer, Provider, Step},
    site::{Plan, Site},
    tenant::Tenant,
    wait,
};
use proto::admin::{
    CreateKeyRequest, ExplainLimitsRequest, Key, Limit, LimitMember, LimitMode, LimitOverride,
    LimitProblem, LimitUnit, LimitWindow, RegionLimits, RevokeKeyRequest,
};
use scenarios::openai;

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

/// Five limits that concern the requests of the first key for the model `chat`, and two that do not.
async fn limit(tenant: &Tenant, other_key: &str) {
    let for_ann = LimitOverride {
        end_user: "ann".to_owned(),
        amount: 1,
        burst: 20_000,
        ..LimitOverride::default()
    };
    let of_project = Limit {
        scope: tenant.project.clone(),
        ..few(LimitUnit::Requests, 5)
    };
    let each_user = Limit {
        each: vec![LimitMember::EndUser.into()],
        overrides: vec![for_ann],
        ..few(LimitUnit::Tokens, 10_000)
    };
    let watched = Limit {
        window: LimitWindow::Lifetime.into(),
        amount: 1_000,
        mode: LimitMode::Shadow.into(),
        ..few(LimitUnit::InputTokens, 0)
    };
    let at_main = Limit {
        provider: format!("{}/providers/main", tenant.organization),
        each: vec![LimitMember::Key.into()],
        ..few(LimitUnit::Requests, 9)
    };
    let at_once = Limit {
        unit: LimitUnit::ConcurrentRequests.into(),
        amount: 4,
        ..Limit::default()
    };
    let other_model = Limit {
        model: format!("{}/models/other", tenant.organization),
        ..few(LimitUnit::Requests, 1)
    };
    let other_key = Limit {
        scope: other_key.to_owned(),
        ..few(LimitUnit::Requests, 1)
    };
    for (name, limit) in [
        ("project", of_project),
        ("each-user", each_user),
        ("watched", watched),
        ("at-main", at_main),
        ("at-once", at_once),
        ("other-model", other_model),
        ("other-key", other_key),
    ] {
        tenant.limit_like(name, limit).await;
    }
}

/// What is said of the end user `ann`.
async fn explained(site: &Site, tenant: &Tenant, key: &str) -> Vec<RegionLimits> {
    let request = ExplainLimitsRequest {
        key: key.to_owned(),
        model: format!("{}/models/chat", tenant.organization),
        end_user: "ann".to_owned(),
        region: String::new(),
    };
    let said = site.admin().limits().explain_limits(request).await;
    said.expect("edges are asked").into_inner().regions
}

/// Each limit's own id and what is left of it, in the order of the ids.
fn left(region: &RegionLimits) -> Vec<(&str, Option<i64>)> {
    let mut left: Vec<_> = region
        .limits
        .iter()
        .map(|it| (it.limit.rsplit('/').next().unwrap_or(""), it.remaining))
        .collect();
    left.sort_unstable();
    left
}

/// An edge in each of two regions, which ask Redis for each request.
async fn two_regions() -> Site {
    let plan = Plan {
        edges: vec!["here", "there"],
        edge_settings: vec![
            ("SLUICE_LIMITS__AHEAD_MS", "0".to_owned()),
            ("SLUICE_LIMITS__TIMEOUT_MS", "5000".to_owned()),
        ],
        ..Plan::default()
    };
    Site::start(plan).await
}

async fn ask(site: &Site, key: &str) -> Reply {
    let body = r#"{"model":"chat","user":"ann","max_tokens":16,"messages":[]}"#;
    client::post(&site.url(0), key, "/v1/chat/completions", body).await
}

#[tokio::test]
async fn what_is_explained_is_what_requests_are_held_to_and_nothing_is_taken() {
    let provider = Provider::start(openai::answer).await;
    let mut site = two_regions().await;
    let tenant = Tenant::make(&site.admin(), "acme", &provider.base_url()).await;
    tenant.model("other", "main", "provider-other").await;
    let ((name, key), (other, _)) = (tenant.key().await, tenant.key().await);
    limit(&tenant, &other).await;
    site.propagated().await;

    let said = explained(&site, &tenant, &name).await;
    let regions: Vec<&str> = said.iter().map(|it| it.region.as_str()).collect();
    assert_eq!(regions, ["here", "there"]);
    let whole = [
        ("at-main", Some(9)),
        ("at-once", Some(4)),
        ("each-user", Some(20_000)),
        ("project", Some(5)),
        ("watched", Some(1_000)),
    ];
    for region in &said {
        assert_eq!(left(region), whole, "{region:?}");
        let last = region.limits.last().expect("there are five");
        assert_eq!(
            last.provider,
            format!("{}/providers/main", tenant.organization)
        );
    }
    assert_eq!(ask(&site, &key).await.status, 200);
    let reply = ask(&site, &key).await;
    let header = reply.headers["ratelimit"]
        .to_str()
        .expect("text")
        .to_owned();
    assert!(header.contains(r#""project";r=3"#), "{header}");
    // Both edges ask one Redis here, and say the same once the requests are settled.
    let used = [
        ("at-main", Some(7)),
        ("at-once", Some(4)),
        ("each-user", Some(20_000 - 2 * 18)),
        ("project", Some(3)),
        ("watched", Some(1_000 - 2 * 11)),
    ];
    let settled = async || {
        let said = explained(&site, &tenant, &name).await;
        let all = said.iter().all(|region| left(region) == used);
        (all && said.len() == 2).then_some(())
    };
    wait::until("what was used is told", settled).await;
    let changes = changes(&site).await;
    for _ in 0..3 {
        assert_eq!(left(&explained(&site, &tenant, &name).await[0]), used);
    }
    assert_eq!(self::changes(&site).await, changes, "nothing is written");

    site.redis.stop();
    let alone = async || {
        let said = explained(&site, &tenant, &name).await;
        said.iter().all(|region| region.local_share).then_some(())
    };
    wait::until("each edge tells of its share", alone).await;
    let request = RevokeKeyRequest {
        name: name.clone(),
        ..Default::default()
    };
    let revoked = site.admin().keys().revoke_key(request).await;
    revoked.expect("it is revoked");
    let gone = async || {
        let said = explained(&site, &tenant, &name).await;
        let revoked = |it: &RegionLimits| it.problem() == LimitProblem::KeyRevoked;
        said.iter().all(revoked).then_some(())
    };
    wait::until("it is revoked everywhere", gone).await;
}

/// A provider that begins an answer and never ends it.
async fn endless() -> Provider {
    Provider::start(|_| {
        let begins = openai::events(true).into_iter().take(3);
        let mut steps: Vec<Step> = begins.map(Step::Send).collect();
        steps.push(Step::Never);
        Answer::events(steps)
    })
    .await
}

#[tokio::test]
async fn requests_under_way_are_told_and_a_key_that_may_not_ask_has_no_limits_to_show() {
    let provider = endless().await;
    let site = two_regions().await;
    let tenant = Tenant::make(&site.admin(), "acme", &provider.base_url()).await;
    tenant.model("other", "main", "provider-other").await;
    let (name, key) = tenant.key().await;
    let at_once = Limit {
        unit: LimitUnit::ConcurrentRequests.into(),
        amount: 4,
        ..Limit::default()
    };
    tenant.limit_like("at-once", at_once).await;
    let held = Key {
        models: vec![format!("{}/models/other", tenant.organization)],
        ..Key::default()
    };
    let request = CreateKeyRequest {
        parent: tenant.project.clone(),
        key: Some(held),
        ..CreateKeyRequest::default()
    };
    let held = site.admin().keys().create_key(request).await;
    let held = held.expect("a key is made").into_inner().key;
    let held = held.expect("it is told").name;
    site.propagated().await;

    let left_are = async |slots: i64| {
        let said = async || {
            let said = explained(&site, &tenant, &name).await;
            let told = |region: &RegionLimits| left(region) == [("at-once", Some(slots))];
            (said.len() == 2 && said.iter().all(told)).then_some(())
        };
        wait::until(&format!("{slots} slots are left"), said).await;
    };
    left_are(4).await;
    let mut streams = Vec::new();
    for edge in [0, 1, 0] {
        let mut client = Client::connect(&site.url(edge), &key)
            .await
            .expect("it is there");
        let asked = client
            .post("/v1/chat/completions", openai::streamed("chat"))
            .await;
        let mut reply = asked.expect("the edge answers");
        assert_eq!(reply.status, 200);
        reply.next().await.expect("something comes").expect("whole");
        streams.push((client, reply));
    }
    left_are(1).await;
    drop(streams);
    left_are(4).await;

    for region in explained(&site, &tenant, &held).await {
        assert_eq!(region.problem(), LimitProblem::KeyForbidden, "{region:?}");
        assert!(region.limits.is_empty());
    }
}

/// How often Redis was written to.
async fn changes(site: &Site) -> String {
    let mut redis = site.redis.connect().await;
    let mut info = redis::cmd("INFO");
    let info = info.arg("persistence").query_async::<String>(&mut redis);
    let info = info.await.expect("Redis answers");
    let mut lines = info.lines();
    let line = lines.find(|line| line.starts_with("rdb_changes_since_last_save"));
    line.expect("Redis counts them").to_owned()
}

#[tokio::test]
async fn whichever_replica_is_asked_edges_of_all_regions_answer() {
    let provider = Provider::start(openai::answer).await;
    let plan = Plan {
        control_planes: 2,
        edges: vec!["here", "there"],
        ..Plan::default()
    };
    let site = Site::start(plan).await;
    let tenant = Tenant::make(&site.admin(), "acme", &provider.base_url()).await;
    let (name, _) = tenant.key().await;
    let limit = few(LimitUnit::Requests, 5);
    tenant.limit_like("few", limit).await;
    site.propagated().await;
    // An edge is connected to one of both, so that one replica at least has to ask by way of the other.
    for replica in [0, 1] {
        for (region, expected) in [("", &["here", "there"][..]), ("there", &["there"])] {
            let request = ExplainLimitsRequest {
                key: name.clone(),
                model: format!("{}/models/chat", tenant.organization),
                region: region.to_owned(),
                ..Default::default()
            };
            let admin = site.admin_of(replica);
            let said = admin.limits().explain_limits(request).await;
            let said = said.expect("edges are asked").into_inner().regions;
            let regions: Vec<&str> = said.iter().map(|it| it.region.as_str()).collect();
            assert_eq!(regions, expected, "by replica {replica}");
            for region in &said {
                assert_eq!(left(region), [("few", Some(5))], "{region:?}");
            }
        }
    }
}
