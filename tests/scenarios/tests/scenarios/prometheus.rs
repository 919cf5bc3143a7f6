//! A real Prometheus takes what edges and control planes show, and finds nothing wrong with our rules and dashboards.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use harness::{
    client,
    prometheus::{Prometheus, promtool},
    provider::Provider,
    site::{Plan, Site},
    tenant::Tenant,
    wait,
};
use scenarios::openai;
use serde_json::{Value, json};

/// Where deployments find our rules and dashboards.
fn deploy() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../deploy"))
}

/// What a program shows.
async fn shown(ops: SocketAddr) -> String {
    let reply = client::get(&format!("http://{ops}"), "", "/metrics").await;
    let text = reply.bytes().await.expect("the metrics arrive");
    String::from_utf8(text.to_vec()).expect("they are text")
}

/// The first value that a query has, if it has one.
fn value(answer: &Value) -> Option<f64> {
    answer["data"]["result"][0]["value"][1]
        .as_str()?
        .parse()
        .ok()
}

/// A copy of our rules for a test, in which none waits for half a minute before it is first evaluated.
fn hurried(name: &str, folder: &Path) -> PathBuf {
    let rules = fs::read_to_string(deploy().join("prometheus").join(name)).expect("it is there");
    let copy = folder.join(name);
    let hurried = rules.replace("    interval: 30s\n", "");
    fs::write(&copy, hurried).expect("the folder can be written");
    copy
}

#[tokio::test]
async fn prometheus_takes_our_metrics_and_keeps_to_our_rules() {
    let provider = Provider::start(openai::answer).await;
    let site = Site::start(Plan::default()).await;
    let tenant = Tenant::make(&site.admin(), "acme", &provider.base_url()).await;
    let (_, key) = tenant.key().await;
    site.propagated().await;
    let body = openai::streamed("chat");
    let reply = client::post(&site.url(0), &key, "/v1/chat/completions", body).await;
    reply.bytes().await.expect("the answer arrives");
    let (edge, control_plane) = (site.edges[0].ops, site.control_planes[0].ops);
    for ops in [edge, control_plane] {
        assert_eq!(promtool(&["check", "metrics"], &shown(ops).await), Ok(()));
    }
    let files = ["rules.yml", "alerts.yml"].map(|name| hurried(name, site.folder()));
    let rules = [files[0].as_path(), files[1].as_path()];
    let jobs = [
        ("sluice-edge", edge),
        ("sluice-control-plane", control_plane),
    ];
    let prometheus = Prometheus::start(site.folder(), &jobs, &rules).await;
    wait::until("both jobs are scraped", || async {
        let up = prometheus.ask("/query?query=sum(up)").await;
        (value(&up) == Some(2.0)).then_some(())
    })
    .await;
    wait::until("the request is counted there", || async {
        let query = "/query?query=sum(sluice_request_total%7Bclass=%222xx%22%7D)";
        (value(&prometheus.ask(query).await) == Some(1.0)).then_some(())
    })
    .await;
    // Every rule was evaluated, and none failed.
    let (counted, _) = wait::until("the rules are evaluated", || async {
        let said = prometheus.ask("/rules").await;
        let groups = said["data"]["groups"].as_array()?;
        let rules = groups.iter().filter_map(|it| it["rules"].as_array());
        let health: Vec<_> = rules.flatten().map(|it| it["health"].as_str()).collect();
        let settled = !health.is_empty() && health.iter().all(|it| *it != Some("unknown"));
        assert!(!health.contains(&Some("err")), "{said:#}");
        settled.then_some(health.len())
    })
    .await;
    assert!(counted > 30, "{counted} rules");
}

#[test]
fn promtool_finds_nothing_to_say_of_rules_and_dashboards() {
    for name in ["rules.yml", "alerts.yml"] {
        let file = deploy().join("prometheus").join(name);
        let file = file.to_str().expect("it is text");
        let said = promtool(&["check", "rules", "--lint=all", "--lint-fatal", file], "");
        assert_eq!(said, Ok(()), "{name}");
    }
    // What dashboards ask is asked as rules.
    let mut asked = Vec::new();
    for entry in fs::read_dir(deploy().join("grafana")).expect("it is there") {
        let text = fs::read_to_string(entry.expect("it is listed").path());
        let board = serde_json::from_str(&text.expect("it can be read")).expect("it is JSON");
        expressions(&board, &mut asked);
    }
    assert!(asked.len() > 50, "{} expressions", asked.len());
    let rule = |(at, expression): (usize, &String)| json!({"record": format!("asked:{at}"), "expr": replaced(expression)});
    let each: Vec<_> = asked.iter().enumerate().map(rule).collect();
    let rules =
        |rules: Vec<Value>| json!({"groups": [{"name": "asked", "rules": rules}]}).to_string();
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("asked.yml");
    let path = file.to_str().expect("it is text");
    let said = |rules: String| {
        fs::write(&file, rules).expect("the folder can be written");
        promtool(&["check", "rules", path], "")
    };
    assert_eq!(said(rules(each.clone())), Ok(()));
    // It is no ornament: what is wrong is found.
    let mut wrong = each;
    wrong[0]["expr"] = json!("sum(");
    assert!(said(rules(wrong)).is_err());
}

fn expressions(board: &Value, asked: &mut Vec<String>) {
    match board {
        Value::Object(members) => {
            for (name, value) in members {
                match value {
                    Value::String(text) if name == "expr" => asked.push(text.clone()),
                    _ => expressions(value, asked),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|it| expressions(it, asked)),
        _ => {}
    }
}

/// An expression with what Grafana puts in the place of its variables.
fn replaced(expression: &str) -> String {
    let text = expression
        .replace("$__rate_interval", "5m")
        .replace("$__range", "1h");
    let mut out = String::with_capacity(text.len());
    let mut rest = text.as_str();
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        out.push_str(".+");
        rest = rest[at + 1..]
            .trim_start_matches(|it: char| it.is_ascii_alphanumeric() || "_{}:".contains(it));
    }
    out + rest
}
