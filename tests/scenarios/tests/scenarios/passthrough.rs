//! What Sluice does not model passes through, with its limits and its ledger, and only where an operator said so.

use std::{process::Stdio, sync::Mutex};

use harness::{
    client,
    provider::{Answer, Asked, Provider},
    site::{Plan, Site},
    tenant::Tenant,
    wait,
};
use proto::admin::{
    CreateKeyRequest, Key, Limit, LimitMember, LimitUnit, LimitWindow, Provider as AdminProvider,
    UpdateProviderRequest,
};
use scenarios::{realtime, realtime::Realtime, sdk};
use serde_json::{Value, json};
use sqlx::Row;
use tokio::io::{AsyncBufReadExt, BufReader};

/// Keeps one file, and makes pictures.
fn api(file: &Mutex<Vec<u8>>, asked: &Asked) -> Answer {
    let object = json!({
        "id": "file-1", "object": "file", "bytes": 3, "created_at": 1_700_000_000, "filename": "a.bin",
        "purpose": "batch", "status": "processed",
    });
    match (asked.method.as_str(), asked.path.as_str()) {
        ("POST", "/v1/files") => {
            *file.lock().expect("nobody panicked") = part(&asked.body);
            Answer::json(200, object.to_string())
        }
        ("GET", "/v1/files/file-1/content") => Answer {
            status: 200,
            headers: vec![("content-type", "application/octet-stream".to_owned())],
            steps: vec![harness::provider::Step::Send(
                file.lock().expect("nobody panicked").clone().into(),
            )],
        },
        ("GET", "/v1/files") => Answer::json(
            200,
            json!({"object": "list", "data": [object], "has_more": false}).to_string(),
        ),
        ("DELETE", "/v1/files/file-1") => Answer::json(
            200,
            json!({"id": "file-1", "object": "file", "deleted": true}).to_string(),
        ),
        ("POST", "/v1/images/generations") => Answer::json(
            200,
            json!({
                "created": 1_700_000_000, "data": [{"b64_json": "AAAA"}],
                "usage": {"input_tokens": 9, "output_tokens": 41, "total_tokens": 50},
            })
            .to_string(),
        ),
        _ => Answer::json(404, r#"{"error":{"message":"no such path"}}"#),
    }
}

/// The part of a form that holds a file: it begins with a zero, and ends before the next boundary.
fn part(form: &[u8]) -> Vec<u8> {
    let start = form.windows(5).position(|five| five == b"\r\n\r\n\0");
    let start = start.expect("there is a file") + 4;
    let end = form[start..].windows(4).position(|four| four == b"\r\n--");
    form[start..start + end.expect("it ends")].to_vec()
}

async fn open(site: &Site, tenant: &Tenant) {
    let provider = AdminProvider {
        name: format!("{}/providers/main", tenant.organization),
        passthrough: true,
        ..Default::default()
    };
    let request = UpdateProviderRequest {
        provider: Some(provider),
        ..Default::default()
    };
    let opened = site.admin().providers().update_provider(request).await;
    assert!(opened.expect("it is opened").into_inner().passthrough);
    site.propagated().await;
}

/// What the ledger says of each request, in the order in which they came.
async fn ledger(site: &Site, count: usize) -> Vec<(String, i32, i16, i64, i64, i64)> {
    let pool = sqlx::PgPool::connect(&site.database.url()).await;
    let pool = pool.expect("the database answers");
    let rows = wait::until("the records arrived", async || {
        let rows = sqlx::query(
            "SELECT endpoint, status, outcome, input_tokens, output_tokens, request_bytes
             FROM usage_record ORDER BY at, id",
        );
        let rows = rows.fetch_all(&pool).await.expect("the ledger is read");
        (rows.len() >= count).then_some(rows)
    });
    let rows = rows.await.0;
    let row = |row: &sqlx::postgres::PgRow| {
        (
            row.get(0),
            row.get(1),
            row.get(2),
            row.get(3),
            row.get(4),
            row.get(5),
        )
    };
    rows.iter().map(row).collect()
}

#[tokio::test]
async fn files_and_pictures_pass_by_the_sdk_where_an_operator_opened_it() {
    let file = Mutex::new(Vec::new());
    let provider = Provider::start(move |asked| api(&file, asked)).await;
    let site = Site::start(Plan::default()).await;
    let tenant = Tenant::make(&site.admin(), "acme", &provider.base_url()).await;
    let (_, key) = tenant.key().await;
    site.propagated().await;
    let ask = |key: &str, question: &'static str| {
        let (url, key) = (site.url(0), key.to_owned());
        async move { sdk::pass(&url, &key, question).await }
    };
    let path = "/passthrough/main/files";
    let off = client::get(&site.url(0), &key, path).await;
    assert_eq!(off.error_code().await, "passthrough_not_allowed");
    open(&site, &tenant).await;
    let held = Key {
        models: vec![format!("{}/models/chat", tenant.organization)],
        ..Default::default()
    };
    let request = CreateKeyRequest {
        parent: tenant.project.clone(),
        key: Some(held),
        ..Default::default()
    };
    let held = site.admin().keys().create_key(request).await;
    let held = held.expect("a key is made").into_inner().text;
    site.propagated().await;
    let refused = client::get(&site.url(0), &held, path).await;
    assert_eq!(refused.error_code().await, "passthrough_not_allowed");
    assert_eq!(provider.count(), 0);

    let files = json!({"id": "file-1", "same": true, "deleted": true, "ids": ["file-1"]});
    assert_eq!(ask(&key, "files").await, files);
    let images = json!({"data": "AAAA", "total_tokens": 50});
    assert_eq!(ask(&key, "images").await, images);
    for asked in provider.asked() {
        let credential = format!("Bearer {}", harness::tenant::CREDENTIAL);
        assert_eq!(asked.headers["authorization"], credential);
        assert!(!asked.headers.contains_key("x-stainless-lang"));
    }
    let rows = ledger(&site, 5).await;
    let paths: Vec<&str> = rows.iter().map(|row| row.0.as_str()).collect();
    let files = "/passthrough/files";
    assert_eq!(paths, [files, files, files, files, "/passthrough/images"]);
    assert!(rows.iter().all(|row| (row.1, row.2) == (200, 1)));
    assert!(rows[0].5 > 2_000_000, "its bytes are counted");
    assert_eq!((rows[4].3, rows[4].4), (9, 41));
    // A limit refuses here as everywhere.
    let rate = (1, LimitWindow::Minute, 1);
    tenant
        .limit("few", &tenant.project, LimitUnit::Requests, rate)
        .await;
    site.propagated().await;
    assert_eq!(client::get(&site.url(0), &key, path).await.status, 200);
    let refused = client::get(&site.url(0), &key, path).await;
    assert_eq!(refused.error_code().await, "rate_limit_exceeded");
}

#[tokio::test]
async fn realtime_sessions_run_by_the_sdk_and_are_recorded_with_their_tokens() {
    let provider = Realtime::start().await;
    let mut site = Site::start(Plan::default()).await;
    let tenant = Tenant::make(&site.admin(), "acme", &provider.base_url()).await;
    let (_, key) = tenant.key().await;
    site.propagated().await;
    let url = site.url(0);
    let told = sdk::pass(&url, &key, "realtime").await;
    let one = [
        "response.created",
        "response.output_text.delta",
        "response.done",
    ];
    let mut seen = vec!["session.created"];
    seen.extend([one, one].concat());
    let words = [realtime::WORDS; 2].concat();
    assert_eq!(told, json!({"seen": seen, "text": words}));
    let refused = sdk::pass(&url, &key, "realtime_refused").await;
    assert_eq!(refused, json!({"status": 404, "code": "model_not_found"}));
    let (path, status, outcome, input, output, _) = ledger(&site, 1).await.remove(0);
    assert_eq!((path.as_str(), status, outcome), ("/v1/realtime", 101, 1));
    let tokens = (2 * realtime::INPUT_TOKENS, 2 * realtime::OUTPUT_TOKENS);
    assert_eq!((input.cast_unsigned(), output.cast_unsigned()), tokens);

    // A provider that dies, and an edge that leaves, are told to the client.
    let dying = Realtime::start().await;
    stand(&site, &tenant, &dying).await;
    let ended = ended(&url, &key, || drop(dying)).await;
    assert_eq!(ended, json!({"code": 1_014, "reason": "upstream_broken"}));
    assert_eq!(ledger(&site, 2).await[1].2, 3, "the provider failed");
    let dying = Realtime::start().await;
    stand(&site, &tenant, &dying).await;
    let process = &site.edges[0].process;
    let leave = || process.signal(nix::sys::signal::Signal::SIGTERM);
    let ended = self::ended(&url, &key, leave).await;
    assert_eq!(ended, json!({"code": 1_012, "reason": "restarting"}));
    site.edges[0].process.end().await;
    assert_eq!(ledger(&site, 3).await[2].2, 4, "the edge ended it");
}

/// Lets the tenant's provider be this one.
async fn stand(site: &Site, tenant: &Tenant, provider: &Realtime) {
    let admin = AdminProvider {
        name: format!("{}/providers/main", tenant.organization),
        base_url: provider.base_url(),
        credential: harness::tenant::CREDENTIAL.to_owned(),
        ..Default::default()
    };
    let paths = ["base_url", "credential"].map(str::to_owned).to_vec();
    let request = UpdateProviderRequest {
        provider: Some(admin),
        update_mask: Some(prost_types::FieldMask { paths }),
        ..Default::default()
    };
    let moved = site.admin().providers().update_provider(request).await;
    moved.expect("it moves");
    site.propagated().await;
}

/// How a session of the SDK ends, when `end` is called once it is open.
async fn ended(url: &str, key: &str, end: impl FnOnce()) -> Value {
    let mut command = sdk::passing(url, key, "realtime_ended");
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program runs");
    let mut said = BufReader::new(child.stderr.take().expect("it is piped")).lines();
    let open = tokio::time::timeout(wait::PATIENCE, said.next_line()).await;
    let open = open.expect("it opens in time").expect("it says so");
    assert_eq!(open.as_deref(), Some("open"));
    end();
    let output = tokio::time::timeout(wait::PATIENCE, child.wait_with_output()).await;
    let output = output.expect("it ends in time").expect("it ends");
    serde_json::from_slice(&output.stdout).expect("the program prints JSON")
}

#[tokio::test]
async fn every_sdk_lists_the_models_in_its_own_pages() {
    let provider = Provider::start(|_| Answer::json(404, "{}")).await;
    let site = Site::start(Plan::default()).await;
    let tenant = Tenant::make(&site.admin(), "acme", &provider.base_url()).await;
    tenant.model("draw", "main", "provider-draw").await;
    let (_, key) = tenant.key().await;
    site.propagated().await;
    let told = sdk::pass(&site.url(0), &key, "models").await;
    let expected = json!({
        "anthropic": ["chat", "draw"], "anthropic_one": "chat",
        "gemini": ["models/chat", "models/draw"], "gemini_one": "models/chat",
        "openai": ["chat", "draw"],
    });
    assert_eq!(told, expected);
    for path in ["/v1beta/models?pageSize=0", "/v1beta/models/none"] {
        let reply = client::get(&site.url(0), &key, path).await.json().await;
        assert!(reply["error"]["status"].is_string(), "{reply}");
    }
}

#[tokio::test]
async fn what_passes_counts_for_the_end_user_that_its_header_names() {
    let provider = Provider::start(move |asked| api(&Mutex::default(), asked)).await;
    let settings = vec![("SLUICE_LIMITS__AHEAD_MS", "0".to_owned())];
    let plan = Plan {
        edge_settings: settings,
        ..Plan::default()
    };
    let site = Site::start(plan).await;
    let tenant = Tenant::make(&site.admin(), "acme", &provider.base_url()).await;
    let (_, key) = tenant.key().await;
    let each_user = Limit {
        unit: LimitUnit::Requests.into(),
        amount: 1,
        window: LimitWindow::Hour.into(),
        burst: 2,
        each: vec![LimitMember::EndUser.into()],
        ..Limit::default()
    };
    tenant.limit_like("per-user", each_user).await;
    open(&site, &tenant).await;
    let ask = async |user: &str| {
        let client = client::Client::connect(&site.url(0), &key).await;
        let mut client = client.expect("the edge accepts");
        let named = [("x-sluice-end-user", user)];
        let path = "/passthrough/main/files";
        let reply = client.request("GET", path, &named, "").await;
        reply.expect("the edge answers").status.as_u16()
    };
    for user in ["ann", "bob"] {
        assert_eq!(ask(user).await, 200, "{user}");
        assert_eq!(ask(user).await, 200, "{user}");
        assert_eq!(ask(user).await, 429, "{user}");
    }
    let asked = provider.asked();
    assert!(
        asked
            .iter()
            .all(|it| !it.headers.contains_key("x-sluice-end-user"))
    );
}
