//! Records leave Postgres as files that others read: by hand, and by themselves to a bucket, each of them once.

use std::{collections::BTreeMap, path::Path, process::Command};

use harness::{
    binaries,
    bucket::{BUCKET, Bucket},
    client::Client,
    provider::Provider,
    relay::{Relay, Way},
    site::{self, Plan, Site},
    tenant::Tenant,
    wait,
};
use proto::admin::ProviderKind;
use scenarios::{openai, sdk};
use serde_json::{Value, json};

const PATH: &str = "/v1/chat/completions";
const SECRET: &str = "a-secret-that-is-never-told";

/// A site whose model `priced` is served by a provider with published prices.
async fn site(settings: Vec<(&'static str, String)>) -> (Site, String, Provider) {
    let provider = Provider::start(openai::answer).await;
    let site = Site::start(Plan {
        control_plane_settings: settings,
        ..Plan::default()
    })
    .await;
    let tenant = Tenant::make(&site.admin(), "acme", &provider.base_url()).await;
    let kind = ProviderKind::Openai;
    tenant
        .provider_of(kind, "openai", &provider.base_url())
        .await;
    tenant.model("priced", "openai", "gpt-4o").await;
    let (_, key) = tenant.key().await;
    site.propagated().await;
    (site, key, provider)
}

async fn ask(site: &Site, key: &str, times: usize) {
    for at in 0..times {
        let headers = [
            ("content-type", "application/json"),
            ("x-sluice-tags", ["team=a", "team=b"][at % 2]),
        ];
        let mut client = Client::connect(&site.url(0), key)
            .await
            .expect("it accepts");
        let reply = client
            .request("POST", PATH, &headers, openai::whole("priced"))
            .await;
        let reply = reply.expect("it answers");
        assert_eq!(reply.status, 200);
        reply.bytes().await.expect("the answer arrives");
    }
}

/// Exports everything by the command line; how many records there were.
fn export(site: &Site, file: &Path, format: &str) -> Result<usize, String> {
    let mut command = Command::new(binaries::path("sluice"));
    command.env_clear().env("SLUICE_ORGANIZATION", "acme");
    command.env("SLUICE_OPERATOR_KEY", site.operator_key());
    let address = format!("http://{}", site.control_planes[0].admin);
    command.env("SLUICE_ADDRESS", address);
    command.args(["usage", "export", "--format", format]);
    let ended = command.arg(file).output().expect("the program starts");
    let said = String::from_utf8_lossy(&ended.stderr).into_owned();
    if !ended.status.success() {
        return Err(said);
    }
    let count = said.split(" records").next().unwrap_or_default();
    Ok(count.trim().parse().expect("it tells how many"))
}

/// Exports as lines of JSON, once there are so many, and sums them as the other reader does.
async fn lines(site: &Site, many: usize) -> Value {
    let file = site.folder().join("records.jsonl");
    let there = || async {
        let _gone = std::fs::remove_file(&file);
        (export(site, &file, "jsonl").ok()? == many).then_some(())
    };
    wait::until("all records can be exported", there).await;
    let text = std::fs::read_to_string(&file).expect("it is written");
    let records: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).expect("a line is JSON"))
        .collect();
    let number = |it: &Value| it.as_str().and_then(|it| it.parse().ok()).unwrap_or(0_i64);
    let sum = |field: &str| records.iter().map(|it| number(&it[field])).sum::<i64>();
    let mut teams = BTreeMap::<&str, usize>::new();
    for team in records.iter().filter_map(|it| it["tags"]["team"].as_str()) {
        *teams.entry(team).or_default() += 1;
    }
    let of_charges = |it: &Value| {
        let charges = it["charges"].as_array().into_iter().flatten();
        let counts = charges.flat_map(|it| it["counts"].as_array().into_iter().flatten());
        counts.map(|it| number(&it["costNano"])).sum::<i64>()
    };
    json!({
        "rows": records.len(),
        "ids": records.len(),
        "tokens": sum("inputTokens") + sum("outputTokens"),
        "cost_nano": sum("costNano"),
        "organizations": ["organizations/acme"],
        "teams": teams,
        "charged_nano": records.iter().map(of_charges).sum::<i64>(),
    })
}

/// Fails where the reader of columns found something else than stands in the lines.
fn same(columns: &Value, lines: &Value) {
    for (field, value) in lines.as_object().expect("sums are an object") {
        assert_eq!(columns[field], *value, "{field} of {columns}");
    }
    assert!(lines["cost_nano"].as_i64() > Some(0), "{lines}");
    assert_eq!(lines["cost_nano"], lines["charged_nano"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_export_as_parquet_holds_what_the_lines_hold_and_is_whole_or_not_there() {
    let (site, key, _provider) = site(Vec::new()).await;
    ask(&site, &key, 6).await;
    let lines = lines(&site, 6).await;
    let file = site.folder().join("records.parquet");
    assert_eq!(export(&site, &file, "parquet"), Ok(6));
    let place = file.display().to_string();
    same(&sdk::records(&[&place]).await, &lines);
    let again = export(&site, &file, "parquet").expect_err("what is there is never written into");
    assert!(again.contains("exists"), "{again}");
    let part = site.folder().join("records.parquet.part");
    assert!(!part.exists(), "nothing half is left");
}

/// What the control plane counts of the sink.
async fn counted(site: &Site, name: &str) -> f64 {
    site::metric(site.control_planes[0].ops, name, "sink=\"warehouse\"").await
}

/// Settings of a sink behind a relay.
fn to(relay: &Relay) -> Vec<(&'static str, String)> {
    let endpoint = format!("http://{}", relay.address());
    let settings = [
        ("SLUICE_SINKS__WAREHOUSE__EVERY_MS", "200"),
        ("SLUICE_SINKS__WAREHOUSE__S3__BUCKET", BUCKET),
        ("SLUICE_SINKS__WAREHOUSE__S3__PREFIX", "sluice/"),
        ("SLUICE_SINKS__WAREHOUSE__S3__ENDPOINT", &endpoint),
        ("SLUICE_SINKS__WAREHOUSE__S3__ACCESS_KEY_ID", "someone"),
        ("SLUICE_SINKS__WAREHOUSE__S3__SECRET_ACCESS_KEY", SECRET),
    ];
    settings
        .map(|(name, value)| (name, value.to_owned()))
        .to_vec()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn records_land_in_a_bucket_once_each_though_it_was_away_and_their_sender_died() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let bucket = Bucket::start(folder.path()).await;
    let relay = Relay::start(bucket.address()).await;
    relay.shut(true);
    let (mut site, key, _provider) = site(to(&relay)).await;
    ask(&site, &key, 5).await;
    // The bucket is away: that is told, and records are stored all the same.
    lines(&site, 5).await;
    let failed =
        || async { (counted(&site, "sluice_sink_failure_total").await > 0.0).then_some(()) };
    wait::until("a try has failed", failed).await;
    let late = || async { (counted(&site, "sluice_sink_lag_seconds").await > 0.0).then_some(()) };
    wait::until("the sink is late", late).await;
    // It is there again, and takes what it gets; but the sender dies before it hears of it.
    relay.back(Way::Stalled);
    relay.shut(false);
    let landed = || async { (!bucket.names().await.is_empty()).then_some(()) };
    wait::until("something has landed", landed).await;
    assert!(counted(&site, "sluice_sink_record_total").await < 1.0);
    let said = site.control_planes[0].process.said();
    assert!(!said.contains(SECRET), "{said}");
    site.control_planes[0].process.kill();
    ask(&site, &key, 3).await;
    relay.back(Way::Open);
    relay.reset();
    site.revive_control_plane(0).await;
    let all = || async { (counted(&site, "sluice_sink_record_total").await >= 8.0).then_some(()) };
    wait::until("all records are sent", all).await;
    let lines = lines(&site, 8).await;
    let endpoint = format!("http://{}", bucket.address());
    same(&sdk::records(&[&endpoint, BUCKET]).await, &lines);
    for name in bucket.names().await {
        assert!(name.starts_with("sluice/day=20"), "{name}");
    }
}
