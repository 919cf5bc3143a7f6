//! What an operator decides holds on every edge, soon.

use std::time::{Duration, Instant};

use harness::{
    client,
    provider::Provider,
    site::{Plan, Site},
    tenant::Tenant,
    wait,
};
use proto::admin::RevokeKeyRequest;
use scenarios::openai;

async fn status(site: &Site, edge: usize, key: &str) -> u16 {
    let url = site.url(edge);
    let reply = client::post(&url, key, "/v1/chat/completions", openai::whole("chat")).await;
    reply.status.as_u16()
}

#[tokio::test]
async fn a_revoked_key_is_refused_by_both_edges_within_a_second() {
    let provider = Provider::start(openai::answer).await;
    let plan = Plan {
        control_planes: 2,
        edges: vec!["here", "there"],
        ..Plan::default()
    };
    let site = Site::start(plan).await;
    let tenant = Tenant::make(&site.admin_of(0), "acme", &provider.base_url()).await;
    let (_, other) = tenant.key().await;
    for replica in [0, 1] {
        let (name, key) = tenant.key().await;
        site.propagated().await;
        for edge in 0..2 {
            assert_eq!(status(&site, edge, &key).await, 200);
        }
        let request = RevokeKeyRequest {
            name,
            ..Default::default()
        };
        let since = Instant::now();
        site.admin_of(replica)
            .keys()
            .revoke_key(request)
            .await
            .expect("the key is revoked");
        for edge in 0..2 {
            let refused = || async { (status(&site, edge, &key).await == 401).then_some(()) };
            wait::until("the revoked key is refused", refused).await;
        }
        assert!(
            since.elapsed() < Duration::from_secs(1),
            "it took {:?}",
            since.elapsed()
        );
        assert_eq!(
            status(&site, 0, &other).await,
            200,
            "another key still works"
        );
    }
}

#[tokio::test]
async fn a_new_project_with_a_new_key_works_everywhere_once_propagated() {
    let provider = Provider::start(openai::answer).await;
    let plan = Plan {
        control_planes: 2,
        edges: vec!["here", "there"],
        ..Plan::default()
    };
    let site = Site::start(plan).await;
    for round in 0..5 {
        let admin = site.admin_of(round % 2);
        let tenant = Tenant::make(&admin, &format!("acme-{round}"), &provider.base_url()).await;
        let (_, key) = tenant.key().await;
        site.propagated().await;
        for edge in 0..2 {
            assert_eq!(
                status(&site, edge, &key).await,
                200,
                "round {round}, edge {edge}"
            );
        }
    }
}
