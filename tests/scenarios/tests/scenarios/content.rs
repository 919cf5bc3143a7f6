//! What requests and their answers say is kept where a project says so, sealed, and read by whoever may, which is told.

use std::{fs, path::Path, process::Command};

use bytes::Bytes;
use harness::{
    admin::Admin,
    binaries,
    client::{self, Client},
    provider::{Answer, Asked, Provider, Step},
    site::{Plan, Site},
    tenant::Tenant,
    wait,
};
use proto::admin::{
    CreateOperatorKeyRequest, GetUsageContentRequest, GetUsageRecordRequest,
    ListAuditEntriesRequest, OperatorKey, RoleBinding, UsageContent,
};
use scenarios::openai;
use serde_json::json;
use sqlx::Executor;
use tonic::{Code, Status};

const PATH: &str = "/v1/chat/completions";
/// The longest part of a body that is kept, in bytes.
const PART_BYTES_MAX: usize = 256 << 10;
/// What clients say, and nobody is to find.
const ASKED: &str = "canary-of-the-question";
/// What the provider says, likewise.
const TOLD: &str = "canary-of-the-answer";

/// Answers with the canary, at length where it is asked to, and refuses where it is asked to.
fn answer(asked: &Asked) -> Answer {
    let question = String::from_utf8_lossy(&asked.body).into_owned();
    if question.contains("refuse this") {
        let said = json!({"message": TOLD, "type": "invalid_request_error"});
        return Answer::json(400, json!({ "error": said }).to_string());
    }
    let times = if question.contains("at length") {
        40_000
    } else {
        1
    };
    let mut events = openai::events(true);
    let delta = json!({"content": format!("{TOLD} ").repeat(times)});
    let choices = json!([{"index": 0, "delta": delta, "finish_reason": null}]);
    let event = json!({
        "id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1_700_000_000,
        "model": "provider-chat-2026", "choices": choices,
    });
    events.insert(1, Bytes::from(format!("data: {event}\n\n")));
    Answer::events(events.into_iter().map(Step::Send).collect())
}

fn question(more: &str) -> String {
    let message = json!({"role": "user", "content": format!("{ASKED} {more}")});
    json!({"model": "chat", "stream": true, "messages": [message]}).to_string()
}

/// Runs the command line as an operator of the site: whether it went well, and what it said.
fn sluice(site: &Site, line: &str) -> (bool, String) {
    let mut command = Command::new(binaries::path("sluice"));
    command.args(line.split_whitespace()).env_clear();
    command.env("SLUICE_ORGANIZATION", "acme");
    command.env("SLUICE_OPERATOR_KEY", site.operator_key());
    let address = format!("http://{}", site.control_planes[0].admin);
    let ended = command.env("SLUICE_ADDRESS", address).output();
    let ended = ended.expect("the program starts");
    let said = [ended.stdout, ended.stderr].concat();
    (
        ended.status.success(),
        String::from_utf8_lossy(&said).into_owned(),
    )
}

async fn site() -> (Site, Tenant, String, Provider) {
    let provider = Provider::start(answer).await;
    let site = Site::start(Plan::default()).await;
    let tenant = Tenant::make(&site.admin(), "acme", &provider.base_url()).await;
    let (_, key) = tenant.key().await;
    site.propagated().await;
    (site, tenant, key, provider)
}

/// Sets what the project keeps, and waits until edges know.
async fn keep(site: &Site, tenant: &Tenant, flags: &str) {
    let project = tenant.project.rsplit('/').next().expect("it has a name");
    let (good, said) = sluice(site, &format!("projects update {project} {flags}"));
    assert!(good, "{said}");
    site.propagated().await;
}

/// The id, the status and the answer.
async fn ask(site: &Site, key: &str, body: &str) -> (String, u16, Bytes) {
    let reply = client::post(&site.url(0), key, PATH, body.to_owned()).await;
    let id = reply.headers["x-sluice-request-id"].to_str();
    let (id, status) = (id.expect("it is text").to_owned(), reply.status.as_u16());
    (id, status, reply.bytes().await.expect("the answer arrives"))
}

async fn read(admin: &Admin, tenant: &Tenant, id: &str) -> Result<UsageContent, Status> {
    let request = GetUsageContentRequest {
        parent: tenant.project.clone(),
        record_id: id.to_owned(),
    };
    let read = admin.usage().get_usage_content(request).await;
    read.map(tonic::Response::into_inner)
}

/// What is kept of a request, once it is.
async fn kept(site: &Site, tenant: &Tenant, id: &str) -> UsageContent {
    let admin = site.admin();
    let there = || async { read(&admin, tenant, id).await.ok() };
    wait::until("the content is kept", there).await.0
}

/// For whom the record of a request says that it was, once it is stored.
async fn end_user(site: &Site, tenant: &Tenant, id: &str) -> String {
    let request = GetUsageRecordRequest {
        parent: tenant.organization.clone(),
        record_id: id.to_owned(),
    };
    let named = || async {
        let record = site.admin().usage().get_usage_record(request.clone()).await;
        record.ok().map(|it| it.into_inner().end_user)
    };
    wait::until("the record is stored", &named).await.0
}

/// What the audit trail tells of this method.
async fn told(site: &Site, tenant: &Tenant, method: &str) -> Vec<String> {
    let request = ListAuditEntriesRequest {
        parent: tenant.organization.clone(),
        page_size: 1_000,
        ..Default::default()
    };
    let listed = site.admin().audit().list_audit_entries(request).await;
    let entries = listed.expect("the trail is told").into_inner();
    let entries = entries.audit_entries.into_iter().map(|it| it.entry);
    entries.filter(|it| it.contains(method)).collect()
}

/// An operator with this role in acme.
async fn operator(site: &Site, tenant: &Tenant, role: &str) -> Admin {
    let request = CreateOperatorKeyRequest {
        parent: tenant.organization.clone(),
        operator_key: Some(OperatorKey {
            bindings: vec![RoleBinding {
                role: role.to_owned(),
                scope: tenant.organization.clone(),
            }],
            ..Default::default()
        }),
        ..Default::default()
    };
    let made = site.admin().operator_keys();
    let made = { made }.create_operator_key(request).await;
    let made = made.expect("an operator is made").into_inner();
    Admin::new(site.control_planes[0].admin, &made.text)
}

/// How many files below a folder hold this word: of Postgres, of edges, of logs.
fn files_with(folder: &Path, word: &str) -> usize {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let holds = |path: &Path| {
        // Some go while they are looked for.
        let bytes = fs::read(path).unwrap_or_default();
        usize::from(String::from_utf8_lossy(&bytes).contains(word))
    };
    let counts = entries.map(|it| match it.file_type() {
        Ok(kind) if kind.is_dir() => files_with(&it.path(), word),
        Ok(kind) if kind.is_file() => holds(&it.path()),
        _ => 0,
    });
    counts.sum()
}

/// Nothing of what was said stands anywhere, be it a table, a log or the disk of an edge.
async fn nothing_is_told_at_rest(site: &Site) {
    let mut database = site.database.connect().await;
    let tables = "SELECT tablename::text FROM pg_tables WHERE schemaname = 'public'";
    let tables: Vec<String> = sqlx::query_scalar(tables)
        .fetch_all(&mut database)
        .await
        .expect("it answers");
    assert!(tables.iter().any(|it| it.starts_with("usage_content_2")));
    for table in tables {
        for word in [ASKED, TOLD] {
            let holds = format!(
                "SELECT count(*) FROM {table} it WHERE it::text LIKE '%{word}%'
                    OR it::text LIKE '%' || encode('{word}', 'hex') || '%'"
            );
            let rows: i64 = sqlx::query_scalar(sqlx::AssertSqlSafe(holds))
                .fetch_one(&mut database)
                .await
                .expect("it answers");
            assert_eq!(rows, 0, "{table} holds {word}");
        }
    }
    database.execute("CHECKPOINT").await.expect("it is allowed");
    let all = site.folder();
    assert!(
        files_with(all, "provider-chat") > 0,
        "whatever stands there is found"
    );
    assert_eq!((files_with(all, ASKED), files_with(all, TOLD)), (0, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn content_is_kept_as_its_project_says_and_read_by_whoever_may() {
    let (site, tenant, key, _provider) = site().await;
    let (good, bad) = (question("say hello"), question("refuse this"));
    let (before, ..) = ask(&site, &key, &good).await;

    keep(&site, &tenant, "--content errors --content-days 3").await;
    let (fine, ..) = ask(&site, &key, &good).await;
    let (failed, status, answered) = ask(&site, &key, &bad).await;
    assert_eq!(status, 400);
    let of_failed = kept(&site, &tenant, &failed).await;
    assert_eq!(of_failed.request, bad.as_bytes());
    assert_eq!(of_failed.answer, answered);
    assert!(!of_failed.request_truncated && !of_failed.answer_truncated);

    keep(&site, &tenant, "--content all").await;
    let (whole, status, answered) = ask(&site, &key, &good).await;
    assert_eq!(status, 200);
    let of_whole = kept(&site, &tenant, &whole).await;
    assert_eq!(of_whole.request, good.as_bytes());
    assert_eq!(of_whole.answer, answered);
    assert!(String::from_utf8_lossy(&answered).contains(TOLD));
    // Contents come in their order: of those before nothing is to come any more.
    for id in [&before, &fine] {
        let refused = read(&site.admin(), &tenant, id).await;
        assert_eq!(refused.expect_err("it is not kept").code(), Code::NotFound);
    }
    readers(&site, &tenant, &whole).await;
    nothing_is_told_at_rest(&site).await;

    keep(&site, &tenant, "--content none").await;
    let project = tenant.project.rsplit('/').next().expect("it has a name");
    let long = format!("projects update {project} --content-days 91");
    let (good, said) = sluice(&site, &long);
    assert!(!good && said.contains("from 1 to 90"), "{said}");
}

/// Who may read it, that it is told, and that the trail says nothing of it.
async fn readers(site: &Site, tenant: &Tenant, id: &str) {
    for (role, allowed) in [
        ("content-reader", true),
        ("project-admin", false),
        ("viewer", false),
        ("auditor", false),
    ] {
        let operator = operator(site, tenant, role).await;
        let read = read(&operator, tenant, id).await;
        assert_eq!(read.is_ok(), allowed, "{role}");
    }
    let (good, said) = sluice(site, &format!("usage content {id}"));
    assert!(
        good && said.contains(ASKED) && said.contains(TOLD),
        "{said}"
    );
    let (_, request) = sluice(site, &format!("usage content {id} --request"));
    assert_eq!(request, question("say hello"));
    let told = told(site, tenant, "GetUsageContent").await;
    let of_this: Vec<_> = told.iter().filter(|it| it.contains(id)).collect();
    // The test itself, the reader, and the command line twice.
    assert!(of_this.len() >= 4, "{told:?}");
    assert!(told.iter().all(|it| !it.contains("canary")), "{told:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_end_user_is_forgotten_and_whoever_reads_is_told() {
    let (site, tenant, key, _provider) = site().await;
    let limit = "limits create per-user --scope organization --each end-user --unit tokens --amount 1000000 --window day";
    assert!(sluice(&site, limit).0);
    keep(&site, &tenant, "--content all").await;
    let headers = [
        ("content-type", "application/json"),
        ("x-sluice-end-user", "ann-of-zurich"),
    ];
    let mut client = Client::connect(&site.url(0), &key).await.expect("connects");
    let asked = client.request("POST", PATH, &headers, question("it is me"));
    let reply = asked.await.expect("it answers");
    let id = reply.headers["x-sluice-request-id"].to_str();
    let id = id.expect("it is text").to_owned();
    reply.bytes().await.expect("the answer arrives");
    let (other, ..) = ask(&site, &key, &question("it is somebody else")).await;
    kept(&site, &tenant, &id).await;
    kept(&site, &tenant, &other).await;
    assert_eq!(end_user(&site, &tenant, &id).await, "ann-of-zurich");

    let erase = "usage erase --end-user ann-of-zurich";
    let (good, said) = sluice(&site, &format!("{erase} --validate-only"));
    let would = said.starts_with("1 contents would be deleted");
    assert!(good && would, "{said}");
    kept(&site, &tenant, &id).await;
    let (good, said) = sluice(&site, erase);
    let are = said.starts_with("1 contents are deleted; 1 records");
    assert!(good && are, "{said}");

    assert_eq!(end_user(&site, &tenant, &id).await, "(erased)");
    let refused = read(&site.admin(), &tenant, &id).await;
    let refused = refused.expect_err("it is gone");
    assert_eq!(refused.code(), Code::NotFound);
    assert!(refused.message().contains("was erased"), "{refused}");
    let (good, said) = sluice(&site, &format!("usage content {id}"));
    assert!(!good && said.contains("was erased"), "{said}");
    kept(&site, &tenant, &other).await;
    let erased = told(&site, &tenant, "EraseUsage").await;
    assert_eq!(erased.len(), 1);
    assert!(!erased[0].contains("ann-of-zurich"), "{erased:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_long_is_cut_and_survives_a_control_plane_and_goes_with_its_day() {
    let (mut site, tenant, key, _provider) = site().await;
    keep(&site, &tenant, "--content all").await;
    site.control_planes[0].process.kill();
    let long = question(&"at length ".repeat(40_000));
    let mut asked = Vec::new();
    for _ in 0..6 {
        let (id, status, answered) = ask(&site, &key, &long).await;
        assert_eq!(status, 200);
        asked.push((id, answered));
    }
    site.revive_control_plane(0).await;
    for (id, answered) in &asked {
        assert_eq!(end_user(&site, &tenant, id).await, "");
        let it = kept(&site, &tenant, id).await;
        assert!(it.request_truncated && it.answer_truncated);
        assert_eq!(it.request, &long.as_bytes()[..PART_BYTES_MAX]);
        assert_eq!(it.answer, &answered[..PART_BYTES_MAX]);
    }
    let lost = site.count(0, "sluice_content_lost_total", "").await;
    let unsent = site.count(0, "sluice_record_lost_total", "").await;
    assert_eq!((lost, unsent), (0, 0));
    nothing_is_told_at_rest(&site).await;

    // A day that is over goes at once, when a control plane looks.
    let mut database = site.database.connect().await;
    let yesterday = "SELECT ensure_content_partition((now() AT TIME ZONE 'UTC')::date - 1)";
    database.execute(yesterday).await.expect("it is made");
    let older = "INSERT INTO usage_content
        SELECT (now() AT TIME ZONE 'UTC')::date - 1, id, organization, project, end_user, sealed FROM usage_content";
    let older = database.execute(older).await.expect("it is copied");
    assert_eq!(older.rows_affected(), 6);
    site.control_planes[0].process.kill();
    site.revive_control_plane(0).await;
    let days = "SELECT count(*) FROM pg_inherits WHERE inhparent = 'usage_content'::regclass";
    let left = async || {
        let days: i64 = sqlx::query_scalar(days)
            .fetch_one(&mut database)
            .await
            .ok()?;
        (days == 1).then_some(())
    };
    wait::until("the day that is over is dropped", left).await;
    kept(&site, &tenant, &asked[0].0).await;
}
