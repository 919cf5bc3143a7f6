//! A client asks what became of its own requests and what its key may still use, and learns nothing of others.

use harness::{
    client,
    provider::Provider,
    site::{Plan, Site},
    tenant::Tenant,
    wait,
};
use http::HeaderMap;
use proto::admin::{
    CreateKeyRequest, CreateProjectRequest, Key, Limit, LimitUnit, LimitWindow, Project,
    ProviderKind,
};
use scenarios::openai;
use serde_json::Value;

const PATH: &str = "/v1/chat/completions";

/// What a request to gpt-4o costs, in dollars: 11 tokens at 2.50 and 7 at 10.00 a million.
const DOLLARS: f64 = 0.000_097_5;

/// A tenant whose model `chat` costs money, with a budget of a dollar a month and 60 requests a minute.
async fn site(provider: &Provider) -> (Site, Tenant, String) {
    // Each request asks Redis, so that what is left is exact.
    let plan = Plan {
        edge_settings: vec![("SLUICE_LIMITS__AHEAD_MS", "0".to_owned())],
        ..Plan::default()
    };
    let site = Site::start(plan).await;
    let tenant = Tenant::make(&site.admin(), "acme", &provider.base_url()).await;
    let base_url = provider.base_url();
    tenant
        .provider_of(ProviderKind::Openai, "openai", &base_url)
        .await;
    tenant.model("priced", "openai", "gpt-4o").await;
    let budget = Limit {
        unit: LimitUnit::MicroDollars.into(),
        amount: 1_000_000,
        window: LimitWindow::Month.into(),
        ..Limit::default()
    };
    tenant.limit_like("budget", budget).await;
    let rate = (60, LimitWindow::Minute, 60);
    tenant
        .limit("rate", &tenant.project, LimitUnit::Requests, rate)
        .await;
    let (_, key) = tenant.key().await;
    site.propagated().await;
    (site, tenant, key)
}

/// A key of another project of the same organization.
async fn neighbour(site: &Site, tenant: &Tenant) -> String {
    let request = CreateProjectRequest {
        parent: tenant.organization.clone(),
        project_id: "neighbour".to_owned(),
        project: Some(Project::default()),
        ..Default::default()
    };
    let made = site.admin().projects().create_project(request).await;
    let parent = made.expect("a project is made").into_inner().name;
    let request = CreateKeyRequest {
        parent,
        key: Some(Key::default()),
        ..Default::default()
    };
    let made = site.admin().keys().create_key(request).await;
    made.expect("a key is made").into_inner().text
}

async fn asked(site: &Site, key: &str, body: String) -> String {
    let reply = client::post(&site.url(0), key, PATH, body).await;
    assert_eq!(reply.status, 200);
    let id = reply.headers["x-sluice-request-id"].to_str();
    let id = id.expect("it is text").to_owned();
    reply.bytes().await.expect("the answer arrives");
    id
}

/// Status, headers and what is said.
async fn get(site: &Site, key: &str, path: &str) -> (u16, HeaderMap, Value) {
    let reply = client::get(&site.url(0), key, path).await;
    let (status, headers) = (reply.status.as_u16(), reply.headers.clone());
    (status, headers, reply.json().await)
}

/// What is told of a request, once its record is stored. Until then a client hears when to come back.
async fn generation(site: &Site, key: &str, id: &str) -> Value {
    let path = format!("/api/v1/generation?id={id}");
    let stored = || async {
        let (status, headers, said) = get(site, key, &path).await;
        if status == 404 {
            assert_eq!(said["error"]["code"], "request_not_settled");
            assert_eq!(headers["retry-after"], "1");
            return None;
        }
        assert_eq!(status, 200, "{said}");
        Some(said["data"].clone())
    };
    wait::until("the request is told", stored).await.0
}

#[tokio::test]
async fn a_client_learns_what_its_request_cost_and_what_its_key_has_left() {
    let provider = Provider::start(openai::answer).await;
    let (mut site, tenant, key) = site(&provider).await;
    let (whole, streamed) = (
        asked(&site, &key, openai::whole("priced")).await,
        asked(&site, &key, openai::streamed("priced")).await,
    );
    for (id, stream) in [(&whole, false), (&streamed, true)] {
        let told = generation(&site, &key, id).await;
        assert_eq!(told["id"], **id);
        assert_eq!(told["model"], "priced");
        assert_eq!(told["provider_name"], "openai");
        assert_eq!(told["streamed"], stream);
        assert_eq!(told["cancelled"], false);
        assert_eq!(told["total_cost"], DOLLARS);
        assert_eq!(told["usage"], DOLLARS);
        assert_eq!(told["tokens_prompt"], openai::PROMPT_TOKENS);
        assert_eq!(told["native_tokens_completion"], openai::COMPLETION_TOKENS);
        let at = told["created_at"].as_str().expect("it is text");
        assert!(at.starts_with("20") && at.ends_with('Z'), "{at}");
    }
    own_key(&site, &key).await;
    others(&site, &tenant, &whole).await;

    site.control_planes[0].process.kill();
    for path in [
        format!("/api/v1/generation?id={whole}"),
        "/v1/key".to_owned(),
    ] {
        let (status, headers, said) = get(&site, &key, &path).await;
        assert_eq!(
            (status, &said["error"]["code"]),
            (503, &"usage_unavailable".into())
        );
        assert_eq!(headers["retry-after"], "1");
    }
    // What models answer goes on.
    asked(&site, &key, openai::whole("priced")).await;
}

/// What the key has spent and has left: the budget is charged in millionths of a dollar, rounded up.
async fn own_key(site: &Site, key: &str) {
    let (status, _, told) = get(site, key, "/api/v1/key").await;
    assert_eq!(status, 200, "{told}");
    let told = &told["data"];
    assert_eq!(told["limit"], 1.0);
    let left = told["limit_remaining"].as_f64().expect("it is a number");
    assert!((left - (1.0 - 2.0 * 0.000_098)).abs() < 1e-9, "{left}");
    assert_eq!(told["limit_reset"], "monthly");
    for name in ["usage", "usage_daily", "usage_weekly", "usage_monthly"] {
        assert_eq!(told[name], 2.0 * DOLLARS, "{name}");
    }
    assert_eq!(told["rate_limit"]["requests"], 60);
    assert_eq!(told["rate_limit"]["interval"], "60s");
    assert_eq!(told["is_free_tier"], false);
    let label = told["label"].as_str().expect("it is text");
    assert!(key.contains(label) && label.len() < key.len(), "{label}");
}

/// Nothing is told of another project's requests, of what is no request, or to nobody.
async fn others(site: &Site, tenant: &Tenant, id: &str) {
    let neighbour = neighbour(site, tenant).await;
    site.propagated().await;
    let path = format!("/api/v1/generation?id={id}");
    let old = "/api/v1/generation?id=01890a5d-ac96-774b-bcce-b302099a8057";
    for (key, path, status, code) in [
        (
            neighbour.as_str(),
            path.as_str(),
            404,
            "request_not_settled",
        ),
        (neighbour.as_str(), old, 404, "request_not_found"),
        (
            neighbour.as_str(),
            "/api/v1/generation?id=7",
            400,
            "invalid_query",
        ),
        (
            neighbour.as_str(),
            "/api/v1/generation",
            400,
            "invalid_query",
        ),
        ("", path.as_str(), 401, "missing_api_key"),
        ("", "/api/v1/key", 401, "missing_api_key"),
    ] {
        let told = get(site, key, path).await;
        assert_eq!(
            (told.0, &told.2["error"]["code"]),
            (status, &Value::from(code)),
            "{path}"
        );
    }
}
