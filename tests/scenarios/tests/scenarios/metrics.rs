//! What is promised to be seen is seen to move.

use std::{collections::BTreeMap, net::SocketAddr};

use harness::{
    client,
    provider::Provider,
    site::{self, Plan, Site},
    tenant::Tenant,
    wait,
};
use proto::admin::{LimitUnit, LimitWindow, RevokeKeyRequest};
use scenarios::{exposition, openai};

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

/// What a program shows, read strictly.
async fn shown(ops: SocketAddr) -> BTreeMap<String, exposition::Family> {
    let reply = client::get(&format!("http://{ops}"), "", "/metrics").await;
    let text = reply.bytes().await.expect("the metrics arrive");
    let text = String::from_utf8(text.to_vec()).expect("they are text");
    let parsed = exposition::parse(&text);
    assert!(parsed.is_ok(), "{:?}\n{text}", parsed.err());
    parsed.expect("it was looked at")
}

fn count(families: &BTreeMap<String, exposition::Family>) -> usize {
    families.values().map(|it| it.samples.len()).sum()
}

#[tokio::test]
async fn what_is_shown_is_well_formed_and_documented_and_no_client_can_make_series() {
    let provider = Provider::start(openai::answer).await;
    let site = Site::start(Plan::default()).await;
    let tenant = Tenant::make(&site.admin(), "acme", &provider.base_url()).await;
    let (_, key) = tenant.key().await;
    site.propagated().await;
    let mut client = client::Client::connect(&site.url(0), &key).await;
    let client = client.as_mut().expect("the edge takes connections");
    let mut ask = async |body: String| {
        let reply = client.post("/v1/chat/completions", body).await;
        let reply = reply.expect("it answers");
        let status = reply.status.as_u16();
        reply.bytes().await.expect("the answer arrives");
        status
    };
    assert_eq!(ask(openai::streamed("chat")).await, 200);
    assert_eq!(ask(openai::whole("chat")).await, 200);
    assert_eq!(ask(openai::whole("hostile")).await, 404);
    let ops = site.edges[0].ops;
    let counted = async || {
        let all = shown(ops).await;
        let name = "sluice_model_output_token_seconds";
        (all.contains_key(name) && all[name].samples.len() > 2).then(|| count(&all))
    };
    let (before, _) = wait::until("the streams are counted", counted).await;
    for number in 0..300 {
        let hostile = format!("hostile-{number}\"}} 1\nsluice_request_total{{x=\"y");
        assert_eq!(ask(openai::whole(&hostile)).await, 404);
    }
    let edge = shown(ops).await;
    assert_eq!(count(&edge), before);
    assert!(!format!("{edge:?}").contains("hostile"));
    let document = include_str!("../../../../docs/metrics.md");
    let control_plane = shown(site.control_planes[0].ops).await;
    assert!(edge.len() > 25 && control_plane.len() > 7);
    for (name, family) in edge.iter().chain(&control_plane) {
        let row = format!("| `{name}` | {} |", family.kind);
        assert!(document.contains(&row), "docs/metrics.md lacks {row}");
    }
    let labels = [("model", "chat"), ("provider", "main"), ("kind", "output")];
    let labels = labels.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let tokens = &edge["sluice_model_tokens_total"].samples;
    let output = tokens
        .iter()
        .find(|it| it.labels == BTreeMap::from(labels.clone()));
    assert_eq!(output.map(|it| it.value), Some(14.0));
    let calls = &control_plane["sluice_admin_call_total"].samples;
    let made = calls
        .iter()
        .find(|it| it.labels["method"] == "KeyService/CreateKey");
    assert_eq!(made.map(|it| it.labels["code"].as_str()), Some("ok"));
}
