//! What edges decide about requests stands in the audit trail where an organization asks for that: once, signed, and whole.

use std::{collections::BTreeSet, fs, path::Path, process::Command};

use harness::{
    binaries, client,
    provider::Provider,
    site::{Plan, Site},
    tenant::Tenant,
    wait,
};
use proto::admin::{CreateKeyRequest, Key, ListAuditEntriesRequest};
use scenarios::openai;
use serde_json::Value;
use sqlx::{Connection, PgConnection};

const CHAIN: &str = "access/edge-0";

/// Runs `sluice`: whether it went well, and what it said.
fn sluice(site: &Site, words: &[&str]) -> (bool, String) {
    let mut command = Command::new(binaries::path("sluice"));
    command.env_clear().args(words);
    let address = format!("http://{}", site.control_planes[0].admin);
    command.env("SLUICE_ADDRESS", address);
    command.env("SLUICE_OPERATOR_KEY", site.operator_key());
    let output = command.output().expect("the program runs");
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    (output.status.success(), said)
}

/// Has decisions of acme told, by every edge.
async fn audit(site: &Site, which: &str) {
    let words = ["organizations", "update", "acme", "--audit-access", which];
    let (done, told) = sluice(site, &words);
    assert!(done, "{told}");
    site.propagated().await;
}

async fn ask(site: &Site, key: &str) -> u16 {
    let body = openai::whole("chat");
    let reply = client::post(&site.url(0), key, "/v1/chat/completions", body).await;
    let status = reply.status.as_u16();
    reply.bytes().await.expect("the answer arrives");
    status
}

/// What edges told, as it stands in the trail.
async fn told(site: &Site, organization: &str) -> Vec<Value> {
    let request = ListAuditEntriesRequest {
        parent: organization.to_owned(),
        page_size: 1_000,
        ..Default::default()
    };
    let listed = site.admin().audit().list_audit_entries(request).await;
    let listed = listed.expect("the trail is told").into_inner();
    let all = listed.audit_entries.iter();
    let said = all.filter(|it| it.chain.starts_with("access/"));
    said.map(|it| serde_json::from_str(&it.entry).expect("an entry is JSON"))
        .collect()
}

/// Waits until so many are told, and gives them.
async fn told_many(site: &Site, organization: &str, many: usize) -> Vec<Value> {
    let all = async || {
        let told = told(site, organization).await;
        (told.len() >= many).then_some(told)
    };
    let (all, _) = wait::until("it is told", all).await;
    assert_eq!(all.len(), many, "{all:?}");
    all
}

/// Waits until the edge keeps so many that nobody has taken.
async fn waiting(site: &Site, many: u64) {
    let kept = async || {
        let kept = site.count(0, "sluice_audit_access_waiting", "").await;
        (kept == many).then_some(())
    };
    wait::until("the edge keeps them", kept).await;
}

/// Mints a key that may use no model that there is: its id and its text.
async fn held(site: &Site, tenant: &Tenant) -> (String, String) {
    let request = CreateKeyRequest {
        parent: tenant.project.clone(),
        key: Some(Key {
            model_patterns: vec!["gpt-*".to_owned()],
            ..Key::default()
        }),
        ..Default::default()
    };
    let made = site.admin().keys().create_key(request).await;
    let made = made.expect("a key is made").into_inner();
    let name = made.key.expect("the reply holds the key").name;
    let id = name.rsplit('/').next().expect("a name has a last segment");
    (id.to_owned(), made.text)
}

#[tokio::test]
async fn what_edges_decide_is_told_as_an_organization_asks_and_verified_offline() {
    let provider = Provider::start(openai::answer).await;
    let site = Site::start(Plan {
        control_plane_settings: vec![("SLUICE_AUDIT__CHECKPOINT_EVERY_MS", "200".to_owned())],
        ..Plan::default()
    })
    .await;
    let acme = Tenant::make(&site.admin(), "acme", &provider.base_url()).await;
    let other = Tenant::make(&site.admin(), "other", &provider.base_url()).await;
    let (_, free) = acme.key().await;
    let (id, held_to) = held(&site, &acme).await;
    let (_, others) = held(&site, &other).await;

    audit(&site, "denied").await;
    assert_eq!(
        (ask(&site, &free).await, ask(&site, &held_to).await),
        (200, 404)
    );
    let denied = told_many(&site, &acme.organization, 1).await;
    let denied = &denied[0];
    for (name, value) in [
        ("chain", CHAIN),
        ("actor", &id),
        ("object", &acme.project),
        ("method", "/v1/chat/completions"),
        ("model", "chat"),
        ("result", "denied"),
        ("reason", "model_forbidden"),
        ("source", "127.0.0.1"),
        ("edge", "edge-0"),
    ] {
        assert_eq!(denied[name], value, "{name}: {denied}");
    }
    audit(&site, "all").await;
    assert_eq!(
        (ask(&site, &free).await, ask(&site, &held_to).await),
        (200, 404)
    );
    assert_eq!(ask(&site, &others).await, 404);
    let all = told_many(&site, &acme.organization, 3).await;
    let results: Vec<&str> = all.iter().filter_map(|it| it["result"].as_str()).collect();
    assert_eq!(results, ["denied", "allowed", "denied"]);
    assert!(told(&site, &other.organization).await.is_empty());
    let words = ["audit", "list", "--organization", "acme", "--actor", &id];
    let (done, shown) = sluice(&site, &words);
    let line = "denied: model_forbidden (chat)";
    assert!(done && shown.matches(line).count() == 2, "{shown}");

    audit(&site, "none").await;
    assert_eq!(
        (ask(&site, &free).await, ask(&site, &held_to).await),
        (200, 404)
    );
    verified(&site).await;
    told_many(&site, &acme.organization, 3).await;
}

/// The chain is signed and whole, and shows it where a byte is altered.
async fn verified(site: &Site) {
    let mut connection = PgConnection::connect(&site.database.url())
        .await
        .expect("it connects");
    let is_signed =
        "SELECT EXISTS (SELECT 1 FROM audit_checkpoint WHERE chain = $1 AND length = 3)";
    let signed = async || {
        let asked = sqlx::query_scalar::<_, bool>(is_signed).bind(CHAIN);
        let signed = asked.fetch_one(&mut connection).await;
        signed.expect("it is told").then_some(())
    };
    wait::until("its head is signed", signed).await;
    let shown = |path: &Path| path.display().to_string();
    let whole = site.folder().join("trail.jsonl");
    let (done, told) = sluice(site, &["audit", "export", &shown(&whole)]);
    assert!(done, "{told}");
    let (done, told) = sluice(site, &["audit", "verify", &shown(&whole)]);
    let line = told.lines().find(|it| it.starts_with(CHAIN));
    let line = line.expect("the chain is there");
    assert!(done && line.contains("signed up to 3"), "{told}");

    let text = fs::read_to_string(&whole).expect("the export is there");
    let touched = site.folder().join("touched.jsonl");
    for (one, another) in [
        ("model_forbidden", "model_forbiddem"),
        ("allowed", "denied"),
    ] {
        assert!(text.contains(one));
        fs::write(&touched, text.replacen(one, another, 1)).expect("a file is written");
        let (done, told) = sluice(site, &["audit", "verify", &shown(&touched)]);
        assert!(!done && told.contains("was changed"), "{told}");
    }
}

#[tokio::test]
async fn an_edge_that_is_killed_while_nobody_takes_decisions_loses_none_and_tells_none_twice() {
    let provider = Provider::start(openai::answer).await;
    let mut site = Site::start(Plan::default()).await;
    let acme = Tenant::make(&site.admin(), "acme", &provider.base_url()).await;
    let (_, key) = acme.key().await;
    audit(&site, "all").await;
    for _ in 0..3 {
        ask(&site, &key).await;
    }
    told_many(&site, &acme.organization, 3).await;
    site.control_planes[0].process.kill();
    for _ in 0..5 {
        ask(&site, &key).await;
    }
    waiting(&site, 5).await;
    site.restart_edge(0).await;
    site.ready(0).await;
    waiting(&site, 5).await;
    for _ in 0..5 {
        ask(&site, &key).await;
    }
    waiting(&site, 10).await;
    site.revive_control_plane(0).await;
    told_many(&site, &acme.organization, 13).await;
    waiting(&site, 0).await;
    ask(&site, &key).await;
    let all = told_many(&site, &acme.organization, 14).await;
    let requests: BTreeSet<&str> = all.iter().filter_map(|it| it["request"].as_str()).collect();
    assert_eq!(requests.len(), 14);
    let places: Vec<u64> = all
        .iter()
        .filter_map(|it| it["sequence"].as_u64())
        .collect();
    assert_eq!(places, (1..=14).collect::<Vec<u64>>());
    assert!(all.iter().all(|it| it["lost_before"].is_null()));
    assert_eq!(site.count(0, "sluice_audit_access_lost_total", "").await, 0);
}
