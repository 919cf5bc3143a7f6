//! What is promised to be seen is seen to move.

use harness::{
    client,
    provider::Provider,
    site::{self, Plan, Site},
    tenant::Tenant,
    wait,
};
use proto::admin::{LimitUnit, LimitWindow, RevokeKeyRequest};
use scenarios::openai;

#[tokio::test]
async fn the_promised_metrics_move() {
    let provider = Provider::start(openai::answer).await;
    let site = Site::start(Plan::default()).await;
    let tenant = Tenant::make(&site.admin(), "acme", &provider.base_url()).await;
    let (name, key) = tenant.key().await;
    tenant
        .limit(
            "rpm",
            &tenant.project,
            LimitUnit::Requests,
            (60, LimitWindow::Hour, 2),
        )
        .await;
    site.propagated().await;
    for _ in 0..4 {
        let body = openai::streamed("chat");
        let reply = client::post(&site.url(0), &key, "/v1/chat/completions", body).await;
        reply.bytes().await.expect("the answer arrives");
    }
    let edge = async |name: &str, labels: &str| site.metric(0, name, labels).await;
    let count = async |name: &str, labels: &str| site.count(0, name, labels).await;
    for lane in ["config", "keys", "secrets"] {
        let labels = format!("lane=\"{lane}\"");
        assert!(
            edge("sluice_config_revision", &labels).await > 0.0,
            "{lane}"
        );
        assert!(
            edge("sluice_config_behind_seconds", &labels).await < 5.0,
            "{lane}"
        );
    }
    assert!(edge("sluice_config_boot", "source=\"fresh\"").await > 0.0);
    let ok = "class=\"2xx\"";
    assert_eq!(count("sluice_request_total", ok).await, 2);
    assert_eq!(
        count("sluice_refusal_total", "code=\"rate_limit_exceeded\"").await,
        2
    );
    assert_eq!(count("sluice_request_in_flight", "").await, 0);
    assert!(edge("sluice_request_duration_seconds_count", "").await >= 4.0);
    assert!(edge("sluice_request_first_byte_seconds_count", "").await >= 2.0);
    assert_eq!(count("sluice_tokens_total", "kind=\"output\"").await, 14);
    assert!(edge("sluice_limits_store_state", "").await > 0.0);

    let request = RevokeKeyRequest {
        name,
        ..Default::default()
    };
    site.admin()
        .keys()
        .revoke_key(request)
        .await
        .expect("the key is revoked");
    site.propagated().await;
    let ops = site.control_planes[0].ops;
    assert!(site::metric(ops, "sluice_control_plane_streams", "").await >= 1.0);
    let measured = || async {
        let count = site::metric(ops, "sluice_revocation_propagation_seconds_count", "").await;
        (count >= 1.0).then_some(())
    };
    wait::until("the propagation of the revocation was measured", measured).await;
}
