//! Weights of targets follow how those do, within the bounds that a version sets, and the edge says what they are now.

use std::sync::{Arc, atomic::AtomicBool};

use harness::{provider::Provider, site::Site, tenant::Tenant, wait};
use proto::admin::{
    CreateModelVersionRequest, CreatePriceRequest, ModelVersion, Price, PriceRate, Target,
    TargetAdaptation, TargetBalance, TargetMeasure, UsageCounter,
};
use scenarios::openai;

use crate::{
    command_line::Shell,
    routes::{ailing, ask, explained, two_targets},
    town::PATIENCE,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn weights_follow_how_targets_do_and_the_edge_says_what_they_are_now() {
    let ill = Arc::new(AtomicBool::new(true));
    let (main, other) = (ailing(&ill).await, Provider::start(openai::answer).await);
    // Nothing is set aside, so that what is seen is the weights' doing.
    let (site, tenant) = two_targets(&main, &other, 0).await;
    let target = |provider: &str| Target {
        provider: format!("{}/providers/{provider}", tenant.organization),
        provider_model: format!("{provider}-chat"),
        weight: 1,
        capabilities: None,
    };
    let version = ModelVersion {
        targets: vec![target("main"), target("other")],
        adapt: Some(TargetAdaptation {
            by: TargetMeasure::Errors.into(),
            low_percent: 96,
            high_percent: 104,
        }),
        ..Default::default()
    };
    let request = |version| CreateModelVersionRequest {
        parent: format!("{}/models/chat", tenant.organization),
        model_version_id: "v3".to_owned(),
        model_version: Some(version),
        ..Default::default()
    };
    let mut versions = site.admin().versions();
    let sorted = ModelVersion {
        balance: TargetBalance::LowestCost.into(),
        ..version.clone()
    };
    let refused = versions.create_model_version(request(sorted)).await;
    let why = refused.expect_err("there is nothing to weigh").to_string();
    assert!(why.contains("model_version"), "{why}");
    let made = versions
        .create_model_version(request(version.clone()))
        .await;
    let made = made.expect("a version is made").into_inner();
    assert_eq!(made.adapt, version.adapt);
    tenant.serve("chat", "v3").await;
    let (name, key) = tenant.key().await;
    site.propagated().await;

    let now = async || weights(&site, &tenant, &name).await;
    assert!(now().await.iter().all(|it| (it - 1.0).abs() < 1e-9));
    let (low, high) = (0.96, 1.04);
    let at_bounds = wait::until_within(PATIENCE, "the weights are at their bounds", async || {
        assert_eq!(ask(&site, &key).await.status, 200);
        let [main, other] = now().await;
        assert!((low..=1.0).contains(&main) && (1.0..=high).contains(&other));
        (main <= low && other >= high).then_some(())
    });
    at_bounds.await;
    let shown = Shell::new(&site).done(&format!("route explain --key {name} --model chat"));
    assert!(shown.contains("1, now 1.0"), "{shown}");
}

/// What the weights of `main` and `other` are now.
async fn weights(site: &Site, tenant: &Tenant, key: &str) -> [f64; 2] {
    let region = explained(site, tenant, key).await;
    let weight = |provider: &str| {
        let mut targets = region.targets.iter();
        let target = targets.find(|it| it.provider.ends_with(provider));
        target.and_then(|it| it.weight_now).unwrap_or(0.0)
    };
    ["/main", "/other"].map(weight)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn weights_follow_what_answers_cost() {
    let main = Provider::start(openai::answer).await;
    let other = Provider::start(openai::answer).await;
    let (site, tenant) = two_targets(&main, &other, 0).await;
    for (provider, nano_dollars) in [("main", 4_000_000_000), ("other", 1_000_000_000)] {
        let rate = |counter: UsageCounter| PriceRate {
            counter: counter.into(),
            nano_dollars,
        };
        let request = CreatePriceRequest {
            parent: tenant.organization.clone(),
            price_id: format!("of-{provider}"),
            price: Some(Price {
                provider: format!("{}/providers/{provider}", tenant.organization),
                provider_model: "*".to_owned(),
                rates: vec![rate(UsageCounter::Input), rate(UsageCounter::Output)],
                ..Price::default()
            }),
            ..CreatePriceRequest::default()
        };
        let made = site.admin().prices().create_price(request).await;
        made.expect("a price is made");
    }
    let target = |provider: &str| Target {
        provider: format!("{}/providers/{provider}", tenant.organization),
        provider_model: format!("{provider}-chat"),
        weight: 1,
        capabilities: None,
    };
    let request = CreateModelVersionRequest {
        parent: format!("{}/models/chat", tenant.organization),
        model_version_id: "v3".to_owned(),
        model_version: Some(ModelVersion {
            targets: vec![target("main"), target("other")],
            adapt: Some(TargetAdaptation {
                by: TargetMeasure::Cost.into(),
                low_percent: 96,
                high_percent: 104,
            }),
            ..Default::default()
        }),
        ..Default::default()
    };
    let made = site.admin().versions().create_model_version(request).await;
    made.expect("a version is made");
    tenant.serve("chat", "v3").await;
    let (name, key) = tenant.key().await;
    site.propagated().await;
    let begins = weights(&site, &tenant, &name).await;
    assert!(
        begins.iter().all(|it| (it - 1.0).abs() < 1e-9),
        "{begins:?}"
    );
    let at_bounds = wait::until_within(PATIENCE, "the cheap one weighs more", async || {
        assert_eq!(ask(&site, &key).await.status, 200);
        let [main, other] = weights(&site, &tenant, &name).await;
        (main <= 0.96 && other >= 1.04).then_some(())
    });
    at_bounds.await;
}
