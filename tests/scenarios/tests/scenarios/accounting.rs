//! What is used is counted once, wherever the control plane was at the time.

use harness::{
    client,
    provider::Provider,
    site::{Plan, Site},
    tenant::Tenant,
    wait,
};
use proto::admin::{QueryUsageRequest, UsageDimension, UsageRow};
use scenarios::openai;

async fn ask(site: &Site, key: &str, count: usize) {
    for at in 0..count {
        let body = if at % 2 == 0 {
            openai::streamed("chat")
        } else {
            openai::whole("chat")
        };
        let reply = client::post(&site.url(0), key, "/v1/chat/completions", body).await;
        assert_eq!(reply.status, 200);
        reply.bytes().await.expect("the answer arrives");
    }
}

async fn sums(site: &Site, parent: &str) -> Vec<UsageRow> {
    let by = [
        UsageDimension::Project,
        UsageDimension::Model,
        UsageDimension::Provider,
    ];
    let request = QueryUsageRequest {
        parent: parent.to_owned(),
        group_by: by.map(Into::into).to_vec(),
        ..Default::default()
    };
    let reply = site.admin().usage().query_usage(request).await;
    reply.expect("the control plane answers").into_inner().rows
}

#[tokio::test]
async fn usage_arrives_also_from_before_an_outage_and_a_restart_exactly_once() {
    let provider = Provider::start(openai::answer).await;
    let mut site = Site::start(Plan::default()).await;
    let tenant = Tenant::make(&site.admin(), "acme", &provider.base_url()).await;
    let (_, key) = tenant.key().await;
    site.propagated().await;

    ask(&site, &key, 10).await;
    site.control_planes[0].process.kill();
    ask(&site, &key, 10).await;
    // Nobody to report to: the records go to the disk, and with it through the edge's restart.
    site.edges[0]
        .process
        .signal(nix::sys::signal::Signal::SIGTERM);
    site.edges[0].process.end().await;
    // The edge knows the control plane by its address, so it must come back there.
    site.revive_control_plane(0).await;
    site.restart_edge(0).await;
    site.ready(0).await;
    ask(&site, &key, 10).await;

    let arrived = || async {
        let rows = sums(&site, &tenant.organization).await;
        (rows.iter().map(|row| row.requests).sum::<i64>() >= 30).then_some(rows)
    };
    let (rows, _) = wait::until("all usage arrived", arrived).await;
    let [row] = &rows[..] else {
        panic!("one group: {rows:?}")
    };
    assert_eq!(row.requests, 30);
    assert_eq!(
        row.input_tokens,
        30 * i64::try_from(openai::PROMPT_TOKENS).expect("small")
    );
    assert_eq!(
        row.output_tokens,
        30 * i64::try_from(openai::COMPLETION_TOKENS).expect("small")
    );
    assert_eq!(row.estimated_requests, 0, "the provider said what was used");
    assert_eq!(row.project, tenant.project);
    assert_eq!(
        row.provider,
        format!("{}/providers/main", tenant.organization)
    );
}
