//! Usage can be asked: sums that equal the records, one request with what failed in it, and all of them, each once.

use std::process::Command;

use harness::{
    admin::Admin,
    binaries,
    client::Client,
    provider::{Answer, Provider},
    site::{Plan, Site},
    tenant::Tenant,
    wait,
};
use proto::admin::{
    CreateModelVersionRequest, CreateOperatorKeyRequest, ExportUsageRequest, GetUsageRecordRequest,
    ModelVersion, OperatorKey, ProviderKind, QueryUsageRequest, QueryUsageResponse, RoleBinding,
    Target, UsageBucket, UsageDimension, UsageFilter, UsagePercentiles, UsageRecord, UsageRow,
};
use scenarios::openai;
use tonic::{Code, Status};

const REQUESTS: usize = 12;

/// A site whose model `chat` is served by a provider with published prices, after one that always fails.
async fn site() -> (Site, Tenant, String, [Provider; 2]) {
    let broken = Provider::start(|_| {
        Answer::json(
            500,
            r#"{"error":{"message":"broken","type":"server_error"}}"#,
        )
    })
    .await;
    let provider = Provider::start(openai::answer).await;
    // The provider that is down is asked first all the same.
    let plan = Plan {
        edge_settings: vec![("SLUICE_SHAPING__ASIDE_MS", "0".to_owned())],
        ..Plan::default()
    };
    let site = Site::start(plan).await;
    let tenant = Tenant::make(&site.admin(), "acme", &broken.base_url()).await;
    let kind = ProviderKind::Openai;
    tenant
        .provider_of(kind, "openai", &provider.base_url())
        .await;
    let target = |provider: &str, model: &str| Target {
        provider: format!("{}/providers/{provider}", tenant.organization),
        provider_model: model.to_owned(),
        ..Target::default()
    };
    let request = CreateModelVersionRequest {
        parent: format!("{}/models/chat", tenant.organization),
        model_version_id: "v2".to_owned(),
        model_version: Some(ModelVersion {
            targets: vec![target("main", "any"), target("openai", "gpt-4o")],
            ..Default::default()
        }),
        ..Default::default()
    };
    let made = site.admin().versions().create_model_version(request).await;
    made.expect("a version is made");
    tenant.serve("chat", "v2").await;
    tenant.model("plain", "openai", "gpt-4o").await;
    // End users are told of organizations that limit them.
    let limit = "limits create per-user --scope organization --each end-user --unit tokens --amount 1000000 --window day";
    sluice(&site, limit);
    let (_, key) = tenant.key().await;
    site.propagated().await;
    (site, tenant, key, [broken, provider])
}

/// Runs the command line as an operator of the site, and gives what it printed.
fn sluice(site: &Site, line: &str) -> String {
    let mut command = Command::new(binaries::path("sluice"));
    command.args(line.split_whitespace()).env_clear();
    command.env("SLUICE_ORGANIZATION", "acme");
    command.env("SLUICE_OPERATOR_KEY", site.operator_key());
    let address = format!("http://{}", site.control_planes[0].admin);
    let ended = command.env("SLUICE_ADDRESS", address).output();
    let ended = ended.expect("the program starts");
    let said = String::from_utf8_lossy(&ended.stderr);
    assert!(ended.status.success(), "`sluice {line}`: {said}");
    String::from_utf8_lossy(&ended.stdout).into_owned()
}

/// Asks, and gives the id of the last request.
async fn ask(site: &Site, key: &str) -> String {
    let mut id = String::new();
    for at in 0..REQUESTS {
        let model = ["chat", "plain"][at % 2];
        let body = if at % 3 == 0 {
            openai::streamed(model)
        } else {
            openai::whole(model)
        };
        let (user, tags) = (["ann", "bob", "cy"][at % 3], ["team=a", "team=b"][at / 6]);
        let headers = [
            ("content-type", "application/json"),
            ("x-sluice-end-user", user),
            ("x-sluice-tags", tags),
        ];
        let mut client = Client::connect(&site.url(0), key)
            .await
            .expect("it accepts");
        let path = "/v1/chat/completions";
        let reply = client.request("POST", path, &headers, body).await;
        let reply = reply.expect("it answers");
        assert_eq!(reply.status, 200);
        if model == "chat" {
            let told = reply.headers.get("x-sluice-request-id");
            let told = told.expect("it names the request").to_str();
            told.expect("a text").clone_into(&mut id);
        }
        reply.bytes().await.expect("the answer arrives");
    }
    id
}

async fn query(admin: &Admin, request: QueryUsageRequest) -> Result<QueryUsageResponse, Status> {
    let reply = admin.usage().query_usage(request).await?;
    Ok(reply.into_inner())
}

fn by(parent: &str, group_by: &[UsageDimension]) -> QueryUsageRequest {
    QueryUsageRequest {
        parent: parent.to_owned(),
        group_by: group_by.iter().map(|it| i32::from(*it)).collect(),
        ..Default::default()
    }
}

/// Every record, and the cursor behind them.
async fn export(admin: &Admin, parent: &str, cursor: &str) -> (Vec<UsageRecord>, String) {
    let request = ExportUsageRequest {
        parent: parent.to_owned(),
        cursor: cursor.to_owned(),
        ..Default::default()
    };
    let parts = admin.usage().export_usage(request).await;
    let mut parts = parts.expect("it exports").into_inner();
    let (mut records, mut cursor) = (Vec::new(), cursor.to_owned());
    while let Some(part) = parts.message().await.expect("it goes on") {
        records.extend(part.records);
        cursor = part.cursor;
    }
    (records, cursor)
}

type Told = (i64, i64, i64, i64);

fn told(rows: &[UsageRow]) -> Told {
    rows.iter().fold(Told::default(), |sum, it| {
        (
            sum.0 + it.requests,
            sum.1 + it.input_tokens,
            sum.2 + it.output_tokens,
            sum.3 + it.cost_nano,
        )
    })
}

fn told_of(records: &[UsageRecord]) -> Told {
    records.iter().fold(Told::default(), |sum, it| {
        (
            sum.0 + 1,
            sum.1 + it.input_tokens,
            sum.2 + it.output_tokens,
            sum.3 + it.cost_nano,
        )
    })
}

#[tokio::test]
async fn sums_equal_the_records_and_a_request_is_found_with_what_failed_in_it() {
    let (site, tenant, key, _providers) = site().await;
    let (admin, parent) = (site.admin(), tenant.organization.as_str());
    let id = ask(&site, &key).await;
    let arrived = || async {
        let (records, cursor) = export(&admin, parent, "").await;
        (records.len() >= REQUESTS).then_some((records, cursor))
    };
    let ((records, cursor), _) = wait::until("all records are exported", arrived).await;
    assert_eq!(records.len(), REQUESTS);
    assert_eq!(export(&admin, parent, &cursor).await.0, []);
    let all = told_of(&records);
    assert!(all.3 > 0, "gpt-4o has a published price");
    compare(&admin, parent, &records).await;

    let request = GetUsageRecordRequest {
        parent: tenant.project.clone(),
        record_id: id.clone(),
    };
    let record = admin.usage().get_usage_record(request).await;
    let record = record.expect("it is there").into_inner();
    assert_eq!(records.iter().find(|it| it.id == id), Some(&record));
    let [attempt] = &record.attempts[..] else {
        panic!("one attempt failed: {record:?}")
    };
    assert_eq!(attempt.provider, format!("{parent}/providers/main"));
    assert_eq!(
        (attempt.code.as_str(), attempt.status),
        ("upstream_error", 500)
    );
    assert_eq!(record.version, format!("{parent}/models/chat/versions/v2"));
    let lines = record.charges.iter().flat_map(|it| &it.counts);
    assert_eq!(lines.map(|it| it.cost_nano).sum::<i64>(), record.cost_nano);
    shown(&site, &id);
    bounded(&site, &tenant).await;
}

/// Every grouping adds up to all records, and each group to its own.
async fn compare(admin: &Admin, parent: &str, records: &[UsageRecord]) {
    use UsageDimension as D;
    let all = told_of(records);
    let of = |wanted: &dyn Fn(&UsageRecord) -> bool| {
        let own: Vec<_> = records.iter().filter(|it| wanted(it)).cloned().collect();
        told_of(&own)
    };
    let rows = query(admin, by(parent, &[D::Model, D::Version, D::Status])).await;
    let rows = rows.expect("it answers").rows;
    assert_eq!((rows.len(), told(&rows)), (2, all));
    for row in &rows {
        let own = of(&|it| it.version == row.version);
        assert_eq!(told(std::slice::from_ref(row)), own, "{row:?}");
        assert_eq!((row.status, row.other), (200, false));
    }
    let rows = query(admin, by(parent, &[D::EndUser])).await;
    let rows = rows.expect("it answers").rows;
    assert_eq!((rows.len(), told(&rows)), (3, all));
    for row in &rows {
        assert_eq!(
            told(std::slice::from_ref(row)),
            of(&|it| it.end_user == row.end_user)
        );
    }
    let request = QueryUsageRequest {
        tag_key: "team".to_owned(),
        bucket: UsageBucket::Month.into(),
        time_zone: "Asia/Kolkata".to_owned(),
        percentiles: true,
        filters: vec![
            UsageFilter {
                dimension: D::Tag.into(),
                values: vec!["b".to_owned()],
            },
            UsageFilter {
                dimension: D::Model.into(),
                values: vec!["plain".to_owned()],
            },
        ],
        ..by(parent, &[D::Key])
    };
    let rows = query(admin, request).await.expect("it answers").rows;
    let team = |it: &UsageRecord| it.model == "plain" && it.tags["team"] == "b";
    assert_eq!(told(&rows), of(&team));
    let own: Vec<_> = records.iter().filter(|it| team(it)).collect();
    let durations = own.iter().map(|it| it.duration_us).collect();
    near(rows[0].duration, durations);
    near(
        rows[0].overhead,
        own.iter().map(|it| it.overhead_us).collect(),
    );
    assert_eq!(paged(admin, parent).await, all);
}

/// The percentiles of three requests are those of their records.
fn near(told: Option<UsagePercentiles>, mut exact: Vec<i64>) {
    let told = told.expect("it was asked for");
    exact.sort_unstable();
    assert_eq!((told.count, exact.len()), (3, 3));
    assert!(exact[0] > 0, "{exact:?}");
    for (told, exact) in [(told.p50_us, exact[1]), (told.p99_us, exact[2])] {
        assert!((told - exact).abs() * 64 <= exact, "{told} for {exact}");
    }
}

/// Page by page it is the same.
async fn paged(admin: &Admin, parent: &str) -> Told {
    let mut request = QueryUsageRequest {
        page_size: 2,
        ..by(parent, &[UsageDimension::EndUser])
    };
    let first = query(admin, request.clone()).await.expect("it answers");
    request.page_token = first.next_page_token;
    let second = query(admin, request).await.expect("it answers");
    assert_eq!((first.rows.len(), second.rows.len()), (2, 1));
    assert_eq!(second.next_page_token, "");
    told(&[first.rows, second.rows].concat())
}

/// The command line shows the same.
fn shown(site: &Site, id: &str) {
    let text = sluice(
        site,
        "usage query --group-by model,end-user --by day --percentiles",
    );
    assert_eq!(text.lines().count(), 7, "{text}");
    assert!(
        text.contains("MODEL") && text.contains("FIRST P99") && text.contains("OWN P99"),
        "{text}"
    );
    let json = sluice(
        site,
        "usage query --group-by organization --everywhere --json",
    );
    assert!(json.contains(r#""organizations/acme""#), "{json}");
    let text = sluice(site, &format!("usage get {id}"));
    assert!(
        text.contains("providers/main any: upstream_error (500)"),
        "{text}"
    );
    let (file, cursor) = (
        site.folder().join("records.csv"),
        site.folder().join("cursor"),
    );
    let line = format!(
        "usage export {} --format csv --cursor-file {}",
        file.display(),
        cursor.display()
    );
    sluice(site, &line);
    // Nothing is there since, and the file stays as it is.
    sluice(site, &line);
    let text = std::fs::read_to_string(&file).expect("it is written");
    assert_eq!(text.lines().count(), REQUESTS + 1, "{text}");
    let lines = sluice(site, "usage export --since 1h");
    assert_eq!(lines.lines().count(), REQUESTS, "{lines}");
    assert!(lines.lines().all(|it| it.starts_with('{')), "{lines}");
}

/// Who sees a project sees its usage and no other; and what cannot be answered says what to do.
async fn bounded(site: &Site, tenant: &Tenant) {
    let request = CreateOperatorKeyRequest {
        parent: tenant.organization.clone(),
        operator_key: Some(OperatorKey {
            bindings: vec![RoleBinding {
                role: "viewer".to_owned(),
                scope: tenant.project.clone(),
            }],
            ..Default::default()
        }),
        ..Default::default()
    };
    let made = site
        .admin()
        .operator_keys()
        .create_operator_key(request)
        .await;
    let made = made.expect("a viewer is made").into_inner();
    let viewer = Admin::new(site.control_planes[0].admin, &made.text);
    let own = query(&viewer, by(&tenant.project, &[])).await;
    assert_eq!(own.expect("it answers").rows[0].requests, 12);
    for parent in [tenant.organization.as_str(), "organizations/-"] {
        let refused = query(&viewer, by(parent, &[])).await;
        let code = refused.expect_err("it is refused").code();
        assert_eq!(code, Code::PermissionDenied, "{parent}");
    }
    let request = QueryUsageRequest {
        bucket: UsageBucket::Hour.into(),
        start_time: Some(prost_types::Timestamp {
            seconds: 1_600_000_000,
            nanos: 0,
        }),
        ..by(&tenant.organization, &[])
    };
    let refused = query(&site.admin(), request).await;
    let refused = refused.expect_err("it is refused");
    assert_eq!(refused.code(), Code::InvalidArgument);
    assert!(refused.message().contains("narrow it"), "{refused:?}");
}
