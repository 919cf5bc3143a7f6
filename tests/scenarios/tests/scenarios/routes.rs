//! Where requests go: targets that fail are set aside and come back, and operators are told which and why by the code that
//! decides it.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use harness::{
    client::{self, Reply},
    provider::{Answer, Provider},
    site::{Plan, Site},
    tenant::Tenant,
    wait,
};
use proto::admin::{
    CreateKeyRequest, CreateModelVersionRequest, ExplainRouteRequest, Key, ModelVersion,
    RegionRoute, RevokeKeyRequest, RouteNote, RouteProblem, RouteRule, Target,
};
use scenarios::openai;

/// A provider that fails for as long as it is ill.
async fn ailing(ill: &Arc<AtomicBool>) -> Provider {
    let ill = Arc::clone(ill);
    Provider::start(move |asked| {
        if ill.load(Ordering::Relaxed) {
            return Answer::json(500, r#"{"error":{"message":"oops","type":"server_error"}}"#);
        }
        openai::answer(asked)
    })
    .await
}

/// A site whose model `chat` asks the provider `main` and then `other`.
async fn two_targets(main: &Provider, other: &Provider, aside_ms: u32) -> (Site, Tenant) {
    let plan = Plan {
        edge_settings: vec![("SLUICE_SHAPING__ASIDE_MS", aside_ms.to_string())],
        ..Plan::default()
    };
    let site = Site::start(plan).await;
    let tenant = Tenant::make(&site.admin(), "acme", &main.base_url()).await;
    tenant.provider("other", &other.base_url()).await;
    let target = |provider: &str| Target {
        provider: format!("{}/providers/{provider}", tenant.organization),
        provider_model: format!("{provider}-chat"),
        weight: 0,
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
    (site, tenant)
}

async fn ask(site: &Site, key: &str) -> Reply {
    let body = r#"{"model":"chat","messages":[{"role":"user","content":"Hello"}]}"#;
    client::post(&site.url(0), key, "/v1/chat/completions", body).await
}

async fn explained(site: &Site, tenant: &Tenant, key: &str) -> RegionRoute {
    let request = ExplainRouteRequest {
        key: key.to_owned(),
        model: format!("{}/models/chat", tenant.organization),
        ..Default::default()
    };
    let said = site.admin().models().explain_route(request).await;
    let mut regions = said.expect("edges are asked").into_inner().regions;
    regions.pop().expect("there is one edge")
}

/// Each target's provider, place and rules.
fn places(region: &RegionRoute) -> Vec<(&str, i32, Vec<RouteRule>)> {
    let place = region.targets.iter().map(|it| {
        let provider = it.provider.rsplit('/').next().unwrap_or("");
        let rules = it.notes.iter().map(RouteNote::rule).collect();
        (provider, it.place, rules)
    });
    place.collect()
}

#[tokio::test]
async fn a_target_that_fails_is_set_aside_and_comes_back_by_trials_and_both_are_explained() {
    let ill = Arc::new(AtomicBool::new(true));
    let (main, other) = (ailing(&ill).await, Provider::start(openai::answer).await);
    let (site, tenant) = two_targets(&main, &other, 3_000).await;
    let (name, key) = tenant.key().await;
    site.propagated().await;
    let said = explained(&site, &tenant, &name).await;
    assert!(
        said.version.ends_with("/models/chat/versions/v2"),
        "{said:?}"
    );
    assert_eq!(
        places(&said),
        [("main", 1, vec![]), ("other", 2, vec![])],
        "nothing is known against anybody"
    );
    for _ in 0..8 {
        assert_eq!(ask(&site, &key).await.status, 200, "the other one answers");
    }
    assert_eq!((main.count(), other.count()), (5, 8));
    let said = explained(&site, &tenant, &name).await;
    let expected = [("other", 1, vec![]), ("main", 2, vec![RouteRule::SetAside])];
    assert_eq!(places(&said), expected);
    let lasts = said.targets[1].notes[0]
        .lasts
        .expect("it is told for how long");
    assert!((0..3).contains(&lasts.seconds), "{lasts:?}");
    assert_eq!(site.count(0, "sluice_shaping_set_aside_total", "").await, 1);

    ill.store(false, Ordering::Relaxed);
    let whole = async || {
        assert_eq!(ask(&site, &key).await.status, 200);
        let said = explained(&site, &tenant, &name).await;
        (places(&said) == [("main", 1, vec![]), ("other", 2, vec![])]).then_some(())
    };
    wait::until("it is whole again", whole).await;
    assert_eq!(main.count(), 5 + 16, "by as many trials as it takes");
}

#[tokio::test]
async fn what_a_key_may_not_use_is_named_with_the_rule_that_leaves_it_out() {
    let provider = Provider::start(openai::answer).await;
    let (site, tenant) = two_targets(&provider, &provider, 30_000).await;
    let held = Key {
        providers: vec![format!("{}/providers/other", tenant.organization)],
        ..Key::default()
    };
    let request = CreateKeyRequest {
        parent: tenant.project.clone(),
        key: Some(held),
        ..CreateKeyRequest::default()
    };
    let made = site.admin().keys().create_key(request).await;
    let made = made.expect("a key is made").into_inner();
    let name = made.key.expect("it is told").name;
    site.propagated().await;
    let said = explained(&site, &tenant, &name).await;
    assert_eq!(
        places(&said),
        [("other", 1, vec![]), ("main", 0, vec![RouteRule::Key])]
    );
    assert_eq!(ask(&site, &made.text).await.status, 200);
    let asked = provider.asked().pop().expect("it was asked");
    let body = String::from_utf8_lossy(&asked.body).into_owned();
    assert!(body.contains("other-chat"), "{body}");

    let request = RevokeKeyRequest {
        name: name.clone(),
        ..Default::default()
    };
    let revoked = site.admin().keys().revoke_key(request).await;
    revoked.expect("it is revoked");
    let gone = async || {
        let said = explained(&site, &tenant, &name).await;
        (said.problem() == RouteProblem::KeyRevoked).then_some(())
    };
    wait::until("it is revoked", gone).await;
}
