//! A request is seen from its client to its providers, and nobody waits for whoever watches.

use std::{fs, path::Path};

use harness::{
    client::{self, Client},
    collector::{Collector, Span},
    provider::{Answer, Provider},
    site::{Plan, Site},
    tenant::{CREDENTIAL, Tenant},
    wait,
};
use proto::admin::{CreateModelVersionRequest, GetUsageRecordRequest, ModelVersion, Target};
use scenarios::openai;
use serde_json::{Value, json};

const PATH: &str = "/v1/chat/completions";
const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const CLIENTS_SPAN: &str = "00f067aa0ba902b7";

/// Kinds of spans, as the protocol numbers them, and the code of a failure.
const SERVER: i32 = 2;
const CLIENT: i32 = 3;
const ERROR: i32 = 2;

fn hex(bytes: &[u8]) -> String {
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    let digits = digits.filter_map(|digit| char::from_digit(digit.into(), 16));
    digits.collect()
}

fn is_error(span: &Span) -> bool {
    span.wire.status.as_ref().is_some_and(|it| it.code == ERROR)
}

/// The spans of one trace, once there are so many.
async fn spans(collector: &Collector, trace: &str, many: usize) -> Vec<Span> {
    let there = || async {
        let mut all = collector.spans();
        all.retain(|it| hex(&it.wire.trace_id) == trace);
        (all.len() >= many).then_some(all)
    };
    let what = format!("{many} spans of {trace} have come");
    wait::until(&what, there).await.0
}

/// The line of the access log for a request, once it is there.
async fn line(file: &Path, request: &str) -> Value {
    let there = || async {
        let text = fs::read_to_string(file).ok()?;
        let mut lines = text.lines().filter(|line| line.contains(request));
        let line = lines.next()?;
        assert_eq!(lines.next(), None, "one line for each request");
        serde_json::from_str(line).ok()
    };
    wait::until("the request has its line", there).await.0
}

/// Lets the model `chat` be served by `main`, and by `other` where that does not.
async fn two_targets(site: &Site, tenant: &Tenant, other: &str) {
    tenant.provider("other", other).await;
    let target = |provider: &str| Target {
        provider: format!("{}/providers/{provider}", tenant.organization),
        provider_model: format!("{provider}-chat"),
        ..Target::default()
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
}

/// An edge that tells everything: spans to the collector, and lines to the file.
async fn site(collector: &Collector, file: &Path) -> Site {
    Site::start(Plan {
        edge_settings: vec![
            ("SLUICE_TRACES__ENDPOINT", collector.endpoint()),
            ("SLUICE_TRACES__TRUST_CLIENTS", "true".to_owned()),
            ("SLUICE_ACCESS_LOG__FILE", file.display().to_string()),
        ],
        ..Plan::default()
    })
    .await
}

/// What a provider was told of the trace: the trace and the span that asks.
fn told(provider: &Provider) -> (String, String) {
    let asked = provider.asked();
    let header = asked[0].headers.get("traceparent");
    let header = header.expect("the provider is told of the trace");
    let text = header.to_str().expect("the header is text");
    let parts: Vec<_> = text.split('-').collect();
    assert_eq!((parts[0], parts[3]), ("00", "01"), "{text}");
    (parts[1].to_owned(), parts[2].to_owned())
}

/// The span of the request says what it was and what came of it.
fn tells_of_the_request(root: &Span, request: &str) {
    assert_eq!(hex(&root.wire.parent_span_id), CLIENTS_SPAN);
    assert_eq!(root.service, "sluice-edge");
    assert_eq!(root.wire.name, "chat chat");
    assert!(!is_error(root));
    for (attribute, value) in [
        ("gen_ai.operation.name", "chat"),
        ("gen_ai.request.model", "chat"),
        ("gen_ai.response.model", "other-chat"),
        ("gen_ai.request.stream", "true"),
        ("gen_ai.usage.input_tokens", "11"),
        ("gen_ai.usage.output_tokens", "7"),
        ("http.response.status_code", "200"),
        ("http.route", PATH),
        ("sluice.request.id", request),
        ("sluice.outcome", "completed"),
        ("sluice.attempts", "2"),
        ("error.type", ""),
    ] {
        assert_eq!(root.says(attribute), value, "{attribute}");
    }
    assert_ne!(root.says("gen_ai.response.time_to_first_chunk"), "");
}

/// The trace that the record of a request names, once it is stored.
async fn recorded(site: &Site, tenant: &Tenant, request: &str) -> String {
    let stored = || async {
        let asked = GetUsageRecordRequest {
            parent: tenant.organization.clone(),
            record_id: request.to_owned(),
        };
        let record = site.admin().usage().get_usage_record(asked).await;
        record.ok().map(|it| it.into_inner().trace_id)
    };
    wait::until("the record is stored", stored).await.0
}

/// And so does its line in the access log.
fn lists_the_request(line: &Value) {
    for (name, value) in [
        ("model", json!("chat")),
        ("provider_model", json!("other-chat")),
        ("status", json!(200)),
        ("outcome", json!("completed")),
        ("streamed", json!(true)),
        ("tokens", json!({"input": 11, "output": 7})),
        ("failed_attempts", json!(["upstream_error"])),
    ] {
        assert_eq!(line[name], value, "{line}");
    }
}

#[tokio::test]
async fn a_streamed_request_with_a_fallback_is_one_trace_from_client_to_providers() {
    let overloaded = |_: &_| Answer::json(503, r#"{"error":{"message":"overloaded"}}"#);
    let (main, other) = (
        Provider::start(overloaded).await,
        Provider::start(openai::answer).await,
    );
    let collector = Collector::start().await;
    let folder = tempfile::tempdir().expect("a folder can be made");
    let file = folder.path().join("access.jsonl");
    let site = site(&collector, &file).await;
    let tenant = Tenant::make(&site.admin(), "acme", &main.base_url()).await;
    two_targets(&site, &tenant, &other.base_url()).await;
    let (_, key) = tenant.key().await;
    site.propagated().await;
    let parent = format!("00-{TRACE}-{CLIENTS_SPAN}-01");
    let headers = [
        ("content-type", "application/json"),
        ("traceparent", parent.as_str()),
    ];
    let mut client = Client::connect(&site.url(0), &key).await.expect("connects");
    let asked = client.request("POST", PATH, &headers, openai::streamed("chat"));
    let reply = asked.await.expect("it answers");
    assert_eq!(reply.status, 200);
    let request = reply.headers["x-sluice-request-id"].clone();
    reply.bytes().await.expect("the answer arrives");

    let all = spans(&collector, TRACE, 3).await;
    assert_eq!(all.len(), 3, "{all:?}");
    let request = request.to_str().expect("it is text");
    let root = all.iter().find(|it| it.wire.kind == SERVER);
    let root = root.expect("the request has its span");
    tells_of_the_request(root, request);
    for (attempt, provider, server, error) in [
        ("1", "main", &main, "upstream_error"),
        ("2", "other", &other, ""),
    ] {
        let mut attempts = all.iter().filter(|it| it.wire.kind == CLIENT);
        let span = attempts.find(|it| it.says("sluice.attempt") == attempt);
        let span = span.expect("each attempt has its span");
        assert_eq!(span.wire.parent_span_id, root.wire.span_id);
        assert_eq!(told(server), (TRACE.to_owned(), hex(&span.wire.span_id)));
        assert_eq!(span.says("sluice.provider"), provider);
        assert_eq!(
            span.says("gen_ai.request.model"),
            format!("{provider}-chat")
        );
        assert_eq!(
            (span.says("error.type").as_str(), is_error(span)),
            (error, !error.is_empty())
        );
        let (wire, whole) = (&span.wire, &root.wire);
        assert!(wire.start_time_unix_nano >= whole.start_time_unix_nano);
        assert!(wire.end_time_unix_nano >= wire.start_time_unix_nano);
    }
    let line = line(&file, request).await;
    lists_the_request(&line);
    assert_eq!(recorded(&site, &tenant, request).await, TRACE);
    let said = format!("{all:?} {line}");
    for secret in [
        key.as_str(),
        CREDENTIAL,
        "Say hello",
        "friend",
        "overloaded",
    ] {
        assert!(!said.contains(secret), "{secret} is in {said}");
    }
}

#[tokio::test]
async fn a_refusal_is_traced_under_its_request_and_a_collector_that_is_away_costs_nobody_an_answer()
{
    let provider = Provider::start(openai::answer).await;
    let collector = Collector::start().await;
    let folder = tempfile::tempdir().expect("a folder can be made");
    let file = folder.path().join("access.jsonl");
    let site = site(&collector, &file).await;
    let tenant = Tenant::make(&site.admin(), "acme", &provider.base_url()).await;
    let (_, key) = tenant.key().await;
    site.propagated().await;
    let reply = client::post(&site.url(0), "sk-nobody", PATH, openai::whole("chat")).await;
    let request = reply.headers["x-sluice-request-id"].to_str();
    let request = request.expect("it is text");
    let trace = request.replace('-', "");
    let refused = spans(&collector, &trace, 1).await;
    assert_eq!(refused[0].says("http.response.status_code"), "401");
    assert_eq!(refused[0].says("error.type"), "invalid_api_key");
    assert!(refused[0].wire.parent_span_id.is_empty());
    let line = line(&file, request).await;
    assert_eq!(
        (&line["status"], &line["code"]),
        (&json!(401), &json!("invalid_api_key"))
    );
    let said = format!("{refused:?} {line}");
    assert!(!said.contains("sk-nobody"), "{said}");

    collector.leave();
    for _ in 0..10 {
        let reply = client::post(&site.url(0), &key, PATH, openai::whole("chat")).await;
        assert_eq!(reply.status, 200);
        reply.bytes().await.expect("the answer arrives");
    }
    let gave_up = || async {
        let dropped = site.count(0, "sluice_span_dropped_total", "collector_away");
        (dropped.await >= 20).then_some(())
    };
    wait::until("the spans are counted as dropped", gave_up).await;
}
