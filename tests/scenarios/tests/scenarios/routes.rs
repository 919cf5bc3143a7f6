//! Where requests go: targets that fail are set aside and come back, and operators are told which and why by the code that
//! decides it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use harness::{
    client::{self, Reply},
    provider::{Answer, Provider, Step},
    site::{Plan, Site},
    tenant::Tenant,
    wait,
};
use proto::admin::{
    CreateKeyRequest, CreateModelVersionRequest, DeleteModelVersionRequest, ExplainRouteRequest,
    Key, Model, ModelRule, ModelVersion, RegionRoute, RevokeKeyRequest, RouteNote, RouteProblem,
    RouteRule, Target, TargetBalance, UpdateModelRequest,
};
use scenarios::openai;
use tokio::sync::Semaphore;

/// A provider that fails for as long as it is ill.
pub(crate) async fn ailing(ill: &Arc<AtomicBool>) -> Provider {
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
pub(crate) async fn two_targets(
    main: &Provider,
    other: &Provider,
    aside_ms: u32,
) -> (Site, Tenant) {
    let plan = Plan {
        edge_settings: vec![("SLUICE_SHAPING__ASIDE_MS", aside_ms.to_string())],
        ..Plan::default()
    };
    two_targets_of(plan, main, other).await
}

/// The same, of a site that is planned so.
pub(crate) async fn two_targets_of(
    plan: Plan,
    main: &Provider,
    other: &Provider,
) -> (Site, Tenant) {
    let site = Site::start(plan).await;
    let tenant = Tenant::make(&site.admin(), "acme", &main.base_url()).await;
    tenant.provider("other", &other.base_url()).await;
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
    (site, tenant)
}

/// What is answered to a short question.
pub(crate) async fn ask(site: &Site, key: &str) -> Reply {
    let body = r#"{"model":"chat","messages":[{"role":"user","content":"Hello"}]}"#;
    client::post(&site.url(0), key, "/v1/chat/completions", body).await
}

/// Where such a question would go, as the one edge says.
pub(crate) async fn explained(site: &Site, tenant: &Tenant, key: &str) -> RegionRoute {
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

/// Makes the model `chat` serve a version of these providers, which chooses so.
async fn balanced(site: &Site, tenant: &Tenant, providers: &[Provider], version: ModelVersion) {
    let mut targets = Vec::new();
    for (number, provider) in providers.iter().enumerate() {
        let id = format!("p{number}");
        tenant.provider(&id, &provider.base_url()).await;
        targets.push(Target {
            provider: format!("{}/providers/{id}", tenant.organization),
            provider_model: "m".to_owned(),
            weight: 0,
            capabilities: None,
        });
    }
    let request = CreateModelVersionRequest {
        parent: format!("{}/models/chat", tenant.organization),
        model_version_id: "balanced".to_owned(),
        model_version: Some(ModelVersion { targets, ..version }),
        ..Default::default()
    };
    let made = site.admin().versions().create_model_version(request).await;
    made.expect("a version is made");
    tenant.serve("chat", "balanced").await;
    site.propagated().await;
}

async fn one_edge() -> Site {
    let plan = Plan {
        edge_settings: vec![("SLUICE_INFERENCE__THREADS", "2".to_owned())],
        ..Plan::default()
    };
    Site::start(plan).await
}

#[tokio::test]
async fn a_hot_beginning_spreads_and_none_has_more_than_a_quarter_above_the_others() {
    let gate = Arc::new(Semaphore::new(0));
    let mut providers = Vec::new();
    for _ in 0..4 {
        let gate = Arc::clone(&gate);
        let held = Provider::start(move |asked| {
            let mut answer = openai::answer(asked);
            answer.steps.insert(0, Step::Wait(Arc::clone(&gate)));
            answer
        });
        providers.push(held.await);
    }
    let site = one_edge().await;
    let tenant = Tenant::make(&site.admin(), "acme", &providers[0].base_url()).await;
    let (name, key) = tenant.key().await;
    let by_prefix = ModelVersion {
        balance: TargetBalance::Prefix.into(),
        ..Default::default()
    };
    balanced(&site, &tenant, &providers, by_prefix).await;
    let counts = || providers.iter().map(Provider::count);
    let mut asked = Vec::new();
    for number in 1..=40_u32 {
        let (url, key) = (site.url(0), key.clone());
        asked.push(tokio::spawn(async move {
            let body = r#"{"model":"chat","messages":[{"role":"user","content":"Hello"}]}"#;
            let reply = client::post(&url, &key, "/v1/chat/completions", body).await;
            let status = reply.status;
            // Who does not wait for all of it has hung up.
            reply.bytes().await.expect("it is whole");
            status
        }));
        let there = async || (counts().sum::<usize>() == number as usize).then_some(());
        wait::until("it is under way", there).await;
        let most = counts().max().expect("there are four");
        // At most a quarter and one request more than the mean of four.
        let are: Vec<_> = counts().collect();
        assert!(16 * (most - 1) <= 5 * number as usize, "{are:?}");
    }
    println!("of 40 at once: {:?}", counts().collect::<Vec<_>>());
    gate.add_permits(40);
    for reply in asked {
        assert_eq!(reply.await.expect("it ends"), 200);
    }
    // At rest all go where they belong.
    let before: Vec<_> = counts().collect();
    gate.add_permits(10);
    for _ in 0..10 {
        let rests = async || {
            let said = explained(&site, &tenant, &name).await;
            said.targets
                .iter()
                .all(|it| it.under_way == 0)
                .then_some(())
        };
        wait::until("nothing is under way", rests).await;
        assert_eq!(ask(&site, &key).await.status, 200);
    }
    let more: Vec<_> = counts().zip(before).map(|(now, was)| now - was).collect();
    assert!(more.contains(&10), "{more:?}");
}

#[tokio::test]
async fn an_outage_of_all_targets_is_not_multiplied_and_is_over_when_it_is_over() {
    let ill = Arc::new(AtomicBool::new(true));
    let busy = async || {
        let ill = Arc::clone(&ill);
        Provider::start(move |asked| {
            if ill.load(Ordering::Relaxed) {
                return Answer::json(503, r#"{"error":{"message":"overloaded"}}"#);
            }
            openai::answer(asked)
        })
        .await
    };
    let providers = [busy().await, busy().await, busy().await];
    let site = one_edge().await;
    let tenant = Tenant::make(&site.admin(), "acme", &providers[0].base_url()).await;
    let (_, key) = tenant.key().await;
    balanced(&site, &tenant, &providers, ModelVersion::default()).await;
    let offered = 1_000;
    let clients = (0..4).map(|_| {
        let (url, key) = (site.url(0), key.clone());
        tokio::spawn(async move {
            let mut client = client::Client::connect(&url, &key)
                .await
                .expect("it connects");
            for _ in 0..offered / 4 {
                let reply = client
                    .post("/v1/chat/completions", openai::whole("chat"))
                    .await;
                let reply = reply.expect("it is answered");
                assert!(reply.status.as_u16() == 503, "{}", reply.status);
                reply.bytes().await.expect("it is whole");
            }
        })
    });
    for client in clients.collect::<Vec<_>>() {
        client.await.expect("nothing else is answered");
    }
    let load: usize = providers.iter().map(Provider::count).sum();
    println!("{offered} requests while all three failed: {load} attempts");
    assert!(load * 10 <= offered * 12, "{load}");

    ill.store(false, Ordering::Relaxed);
    let over = Instant::now();
    let mut in_a_row = 0;
    while in_a_row < 20 {
        let status = ask(&site, &key).await.status;
        in_a_row = if status == 200 { in_a_row + 1 } else { 0 };
        assert!(over.elapsed() < Duration::from_secs(5), "it is not over");
    }
    println!("over after {:?}", over.elapsed());
}

#[tokio::test]
async fn a_condition_chooses_the_version_and_explain_says_which_rule_it_was() {
    let (one, other) = (
        Provider::start(openai::answer).await,
        Provider::start(openai::answer).await,
    );
    let (site, tenant) = two_targets(&one, &other, 30_000).await;
    let (name, key) = tenant.key().await;
    let model = format!("{}/models/chat", tenant.organization);
    let rules = |condition: &str| UpdateModelRequest {
        model: Some(Model {
            name: model.clone(),
            rules: vec![ModelRule {
                condition: condition.to_owned(),
                version: format!("{model}/versions/v1"),
            }],
            ..Default::default()
        }),
        ..Default::default()
    };
    let wrong = rules("model.name == 'chat'");
    let refused = site.admin().models().update_model(wrong).await;
    let refused = refused.expect_err("there is no such name");
    assert!(
        refused.message().contains("rules[0].condition"),
        "{refused}"
    );
    let wanted = rules("headers['x-team'] == 'red' && input_tokens < 5000");
    let made = site.admin().models().update_model(wanted).await;
    let made = made.expect("the model has a rule").into_inner();
    assert_eq!(made.rules.len(), 1);
    assert!(made.stable_version.ends_with("/v2"), "the rest stays");
    site.propagated().await;

    let explained = async |team: &str| {
        let request = ExplainRouteRequest {
            key: name.clone(),
            model: model.clone(),
            headers: [("X-Team".to_owned(), team.to_owned())].into(),
            ..Default::default()
        };
        let said = site.admin().models().explain_route(request).await;
        let mut regions = said.expect("edges are asked").into_inner().regions;
        let region = regions.pop().expect("there is one edge");
        (region.rule, region.version)
    };
    assert_eq!(explained("red").await, (1, format!("{model}/versions/v1")));
    assert_eq!(explained("blue").await, (0, format!("{model}/versions/v2")));
    for (team, version) in [("red", "chat@v1"), ("blue", "chat@v2")] {
        let headers = [("content-type", "application/json"), ("x-team", team)];
        let client = client::Client::connect(&site.url(0), &key).await;
        let mut client = client.expect("it connects");
        let path = "/v1/chat/completions";
        let reply = client.request("POST", path, &headers, openai::whole("chat"));
        let reply = reply.await.expect("it is answered");
        assert_eq!(reply.headers["x-sluice-model"], version, "{team}");
    }
    let request = DeleteModelVersionRequest {
        name: format!("{model}/versions/v1"),
        ..Default::default()
    };
    let refused = site.admin().versions().delete_model_version(request).await;
    let refused = refused.expect_err("a rule names it");
    assert!(refused.message().contains("rule"), "{refused}");
}
