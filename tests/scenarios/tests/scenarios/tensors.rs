//! A client of the Open Inference Protocol asks an edge as it would ask the server of tensors behind it.

use harness::{
    client::Client,
    provider::{Answer, Asked, Provider, Step},
    site::{Plan, Site},
    tenant::{CREDENTIAL, Tenant},
    wait,
};
use proto::admin::{LimitUnit, LimitWindow, ProviderKind, QueryUsageRequest};
use serde_json::{Value, json};

const JSON_BYTES: &str = "inference-header-content-length";
const DESCRIPTION: &str = r#"{"name":"resnet","platform":"tests","inputs":[{"name":"x","datatype":"FP32","shape":[-1,2]}],"outputs":[]}"#;
const ANSWER: &str = r#"{"model_name":"resnet", "model_version":"3","outputs":[{"name":"y","shape":[1],"datatype":"FP32","data":[0.50]}]}"#;

/// Answers as a server of tensors: in binary where it was asked so.
fn tensors(asked: &Asked) -> Answer {
    if asked.method == "GET" {
        return Answer::json(200, DESCRIPTION);
    }
    if asked.path.contains("broken") {
        return Answer::json(500, r#"{"error":"out of memory"}"#);
    }
    if !asked.headers.contains_key(JSON_BYTES) {
        return Answer::json(200, ANSWER);
    }
    let json = ANSWER.replace(r#""data":[0.50]"#, r#""parameters":{"binary_data_size":4}"#);
    let mut body = json.clone().into_bytes();
    body.extend([0, 0, 0, 0x3f]);
    Answer {
        status: 200,
        headers: vec![
            ("content-type", "application/octet-stream".to_owned()),
            (JSON_BYTES, json.len().to_string()),
        ],
        steps: vec![Step::Send(body.into())],
    }
}

struct Hall {
    site: Site,
    provider: Provider,
    tenant: Tenant,
    key: String,
}

async fn hall() -> Hall {
    let site = Site::start(Plan::default()).await;
    let provider = Provider::start(tensors).await;
    let base_url = provider.base_url();
    let tenant = Tenant::make(&site.admin(), "acme", &base_url).await;
    let base_url = base_url.trim_end_matches("/v1");
    tenant
        .provider_of(ProviderKind::OpenInference, "gpu", base_url)
        .await;
    tenant.model("vision", "gpu", "resnet/versions/3").await;
    tenant.model("sick", "gpu", "broken").await;
    let (_, key) = tenant.key().await;
    site.propagated().await;
    Hall {
        site,
        provider,
        tenant,
        key,
    }
}

fn request(rows: usize) -> String {
    let data = vec![1; rows * 2];
    json!({"id": "r1", "inputs": [{"name": "x", "shape": [rows, 2], "datatype": "FP32", "data": data}]}).to_string()
}

#[tokio::test]
async fn tensors_go_through_as_they_are_in_json_and_in_bytes() {
    let hall = hall().await;
    let mut client = Client::connect(&hall.site.url(0), &hall.key)
        .await
        .expect("it accepts");
    let reply = client
        .post("/v2/models/vision/infer", request(2))
        .await
        .expect("it answers");
    assert_eq!(reply.headers["x-sluice-model"], "vision@v1");
    assert_eq!(reply.bytes().await.expect("a body"), ANSWER);

    let json = r#"{"inputs":[{"name":"x","shape":[3,2],"datatype":"FP32","parameters":{"binary_data_size":24}}],"parameters":{"binary_data_output":true}}"#;
    let body = [json.as_bytes(), &[0x80; 24]].concat();
    let length = json.len().to_string();
    let headers = [
        (JSON_BYTES, length.as_str()),
        ("content-type", "application/octet-stream"),
    ];
    let path = "/v2/models/vision/versions/v1/infer";
    let reply = client
        .request("POST", path, &headers, body.clone())
        .await
        .expect("it answers");
    assert_eq!(reply.headers["content-type"], "application/octet-stream");
    let answered: usize = reply.headers[JSON_BYTES]
        .to_str()
        .expect("text")
        .parse()
        .expect("a number");
    let bytes = reply.bytes().await.expect("a body");
    assert_eq!(bytes[answered..], [0, 0, 0, 0x3f]);

    let asked = hall.provider.asked();
    assert_eq!(asked.len(), 2);
    assert_eq!(
        (asked[0].body.as_ref(), asked[1].body.as_ref()),
        (request(2).as_bytes(), &body[..])
    );
    for asked in asked {
        assert_eq!(asked.path, "/v2/models/resnet/versions/3/infer");
        assert_eq!(
            asked.headers["authorization"],
            format!("Bearer {CREDENTIAL}")
        );
    }
    assert_counted(&hall, 2, 5).await;
}

/// Requests and rows stand in the ledger, as estimates.
async fn assert_counted(hall: &Hall, requests: i64, rows: i64) {
    let query = QueryUsageRequest {
        parent: hall.tenant.organization.clone(),
        ..Default::default()
    };
    let arrived = || async {
        let reply = hall.site.admin().usage().query_usage(query.clone()).await;
        let found = reply.expect("the control plane answers").into_inner().rows;
        found.into_iter().find(|row| row.requests == requests)
    };
    let (row, _) = wait::until("the usage arrived", arrived).await;
    assert_eq!(
        (row.input_tokens, row.output_tokens, row.estimated_requests),
        (rows, 0, requests)
    );
}

#[tokio::test]
async fn a_server_of_tensors_says_what_its_clients_look_for() {
    let hall = hall().await;
    let mut client = Client::connect(&hall.site.url(0), &hall.key)
        .await
        .expect("it accepts");
    for (path, says) in [
        ("/v2/health/live", json!({"live": true})),
        ("/v2/health/ready", json!({"ready": true})),
        (
            "/v2/models/vision/ready",
            json!({"name": "vision", "ready": true}),
        ),
        (
            "/v2/models/vision/versions/v1/ready",
            json!({"name": "vision", "ready": true}),
        ),
    ] {
        let reply = client.get(path).await.expect("it answers");
        assert_eq!(
            (reply.status.as_u16(), reply.json().await),
            (200, says),
            "{path}"
        );
    }
    let server = client.get("/v2").await.expect("it answers").json().await;
    assert_eq!(
        server["extensions"],
        json!(["binary_tensor_data"]),
        "{server}"
    );
    assert_eq!(
        hall.provider.count(),
        0,
        "none of that is the provider's to say"
    );
    let described = client.get("/v2/models/vision").await.expect("it answers");
    assert_eq!(described.bytes().await.expect("a body"), DESCRIPTION);
    assert_eq!(
        hall.provider.asked()[0].path,
        "/v2/models/resnet/versions/3"
    );
}

#[tokio::test]
async fn what_is_wrong_is_told_in_the_protocols_own_words() {
    let hall = hall().await;
    let mut client = Client::connect(&hall.site.url(0), &hall.key)
        .await
        .expect("it accepts");
    let misfit = request(2).replace("[2,2]", "[2,3]");
    let chat = r#"{"model":"vision","messages":[]}"#.to_owned();
    for (path, body, status, code) in [
        ("/v2/models/vision/infer", misfit, 400, "invalid_body"),
        (
            "/v2/models/vision/infer",
            "[]".to_owned(),
            400,
            "invalid_body",
        ),
        ("/v2/models/other/infer", request(1), 404, "model_not_found"),
        (
            "/v2/models/vision/versions/v2/infer",
            request(1),
            404,
            "version_not_served",
        ),
        (
            "/v2/models/chat/infer",
            request(1),
            400,
            "unsupported_endpoint",
        ),
        ("/v2/repository/index", "{}".to_owned(), 404, "unknown_path"),
        (
            "/models/vision:invoke",
            request(1),
            400,
            "unsupported_endpoint",
        ),
        ("/v1/chat/completions", chat, 400, "unsupported_endpoint"),
    ] {
        let reply = client.post(path, body).await.expect("it answers");
        assert_eq!(reply.status, status, "{path}");
        assert_eq!(reply.headers["x-sluice-code"], code, "{path}");
        let said: Value = reply.json().await;
        assert_eq!(
            said["error"].is_string(),
            path.starts_with("/v2"),
            "{path}: {said}"
        );
    }
    let reply = client
        .get("/v2/models/other/ready")
        .await
        .expect("it answers");
    assert_eq!(reply.status, 404);
    drop(reply.bytes().await);
    let reply = client
        .post("/v2/models/sick/infer", request(1))
        .await
        .expect("it answers");
    assert_eq!(
        (reply.status.as_u16(), reply.json().await),
        (500, json!({"error": "out of memory"}))
    );
    let mut stranger = Client::connect(&hall.site.url(0), "")
        .await
        .expect("it accepts");
    let reply = stranger.get("/v2/health/live").await.expect("it answers");
    assert_eq!(
        reply.status, 401,
        "whether it runs is told on the ops listener"
    );
}

#[tokio::test]
async fn a_limit_on_tokens_counts_the_rows_of_tensors() {
    let hall = hall().await;
    let rate = (60, LimitWindow::Hour, 4);
    hall.tenant
        .limit("rows", &hall.tenant.project, LimitUnit::Tokens, rate)
        .await;
    hall.site.propagated().await;
    let mut client = Client::connect(&hall.site.url(0), &hall.key)
        .await
        .expect("it accepts");
    let mut statuses = Vec::new();
    for rows in [3, 1, 1] {
        let reply = client
            .post("/v2/models/vision/infer", request(rows))
            .await
            .expect("it answers");
        statuses.push(reply.status.as_u16());
        drop(reply.bytes().await);
    }
    assert_eq!(statuses, [200, 200, 429]);
}
