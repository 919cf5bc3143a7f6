//! A collector gets what Prometheus would and what is logged, of both planes; and nobody waits for it.

use std::collections::HashMap;

use harness::{
    client,
    collector::{Collector, Line},
    provider::Provider,
    site::{Plan, Site},
    tenant::{CREDENTIAL, Tenant},
    wait,
};
use opentelemetry_proto::tonic::metrics::v1::{Metric, metric::Data, number_data_point::Value};
use scenarios::openai;

const PATH: &str = "/v1/chat/completions";

/// The programs, by `service.name`.
const EDGE: &str = "sluice-edge";
const CONTROL_PLANE: &str = "sluice-control-plane";

async fn site(collector: &Collector) -> (Site, String, Provider) {
    let provider = Provider::start(openai::answer).await;
    let settings = vec![
        ("SLUICE_TELEMETRY__ENDPOINT", collector.endpoint()),
        ("SLUICE_TELEMETRY__METRICS_EVERY_MS", "200".to_owned()),
        (
            "SLUICE_TELEMETRY__AUTHORIZATION",
            "Bearer hidden".to_owned(),
        ),
    ];
    let site = Site::start(Plan {
        control_plane_settings: settings.clone(),
        edge_settings: settings,
        ..Plan::default()
    })
    .await;
    let tenant = Tenant::make(&site.admin(), "acme", &provider.base_url()).await;
    let (_, key) = tenant.key().await;
    site.propagated().await;
    (site, key, provider)
}

async fn ask(site: &Site, key: &str) {
    let reply = client::post(&site.url(0), key, PATH, openai::whole("chat")).await;
    assert_eq!(reply.status, 200);
    reply.bytes().await.expect("the answer arrives");
}

/// The sum of a counter over its labels; zero where it was not read.
fn counted(metrics: &HashMap<String, Metric>, name: &str) -> i64 {
    let Some(Data::Sum(sum)) = metrics.get(name).and_then(|it| it.data.as_ref()) else {
        return 0;
    };
    assert!(
        sum.is_monotonic && sum.aggregation_temporality == 2,
        "{name}"
    );
    let values = sum.data_points.iter().filter_map(|it| it.value);
    values
        .map(|it| match it {
            Value::AsInt(count) => count,
            Value::AsDouble(_) => 0,
        })
        .sum()
}

/// How many times a histogram counted, and in how many buckets.
fn timed(metrics: &HashMap<String, Metric>, name: &str) -> (u64, usize) {
    let Some(Data::Histogram(it)) = metrics.get(name).and_then(|it| it.data.as_ref()) else {
        return (0, 0);
    };
    let points = &it.data_points;
    let counts = points.iter().map(|it| it.count).sum();
    (
        counts,
        points
            .iter()
            .map(|it| it.bucket_counts.len())
            .max()
            .unwrap_or(0),
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_collector_is_told_what_is_measured_and_logged_by_both_planes() {
    let collector = Collector::start().await;
    let (mut site, key, _provider) = site(&collector).await;
    for _ in 0..3 {
        ask(&site, &key).await;
    }
    let read = || async {
        let metrics = collector.metrics();
        let (edge, control_plane) = (metrics.get(EDGE)?, metrics.get(CONTROL_PLANE)?);
        let all = counted(edge, "sluice_request_total") == 3
            && timed(edge, "sluice_request_duration_seconds").0 == 3
            && counted(control_plane, "sluice_ingest_record_total") == 3;
        all.then(|| edge.clone())
    };
    let edge = wait::until("both were read after the requests", read)
        .await
        .0;
    // Eighteen bounds, and what is beyond.
    assert_eq!(timed(&edge, "sluice_request_duration_seconds").1, 19);
    // The same as is shown, by name.
    let shown = client::get(&format!("http://{}", site.edges[0].ops), "", "/metrics").await;
    let shown = shown.bytes().await.expect("the metrics arrive");
    let shown = String::from_utf8_lossy(&shown).into_owned();
    for name in shown.lines().filter_map(|it| it.strip_prefix("# TYPE ")) {
        let name = name.split(' ').next().unwrap_or_default();
        assert!(edge.contains_key(name), "{name} was not read");
    }
    let logged = |service: &'static str, words: &'static str| {
        let lines = collector.lines();
        lines
            .into_iter()
            .find(move |it: &Line| it.service == service && it.words() == words)
    };
    let line = wait::until("the edge's start is told", async || {
        logged(EDGE, "starting")
    })
    .await
    .0;
    assert_eq!(line.wire.severity_text, "INFO");
    assert!(!line.says("build").is_empty());
    assert_eq!(line.says("target"), "sluice_edge");
    wait::until("the control plane's start is told", async || {
        logged(CONTROL_PLANE, "starting")
    })
    .await;
    let said = format!("{:?}", collector.lines());
    for secret in ["hidden", CREDENTIAL, &key, site.operator_key()] {
        assert!(!said.contains(secret), "a line tells {secret}");
    }
    // Who leaves says so last.
    site.edges[0]
        .process
        .signal(nix::sys::signal::Signal::SIGTERM);
    assert!(site.edges[0].process.end().await.success());
    wait::until("the edge's leaving is told", async || {
        logged(EDGE, "draining")
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_collector_that_is_away_costs_requests_nothing_and_what_it_misses_is_counted() {
    let collector = Collector::start().await;
    let (site, key, _provider) = site(&collector).await;
    collector.leave();
    let dropped = async |signal: &str| {
        let labels = format!("signal=\"{signal}\"");
        site.metric(0, "sluice_telemetry_dropped_total", &labels)
            .await
    };
    let missed = || async { (dropped("metrics").await > 0.0).then_some(()) };
    wait::until("a reading was dropped", missed).await;
    ask(&site, &key).await;
    let said = site.edges[0].process.said();
    assert!(said.contains("the collector takes no metrics"), "{said}");
    assert!(!said.contains("hidden"), "{said}");
}
