//! An application written for one API uses models of any provider, and does not notice.

use harness::{
    client,
    provider::{Asked, Provider},
    site::{Plan, Site},
    tenant::{CREDENTIAL, Tenant},
    wait,
};
use proto::admin::{QueryUsageRequest, UsageDimension, UsageRow};
use scenarios::{
    dialects::{self, CALLS, KINDS, TEXT, TOKENS, VECTOR},
    sdk,
};
use serde_json::{Value, json};

/// The SDKs, and whether they are Node's.
pub(crate) const SDKS: [(bool, &str); 7] = [
    (false, "chat"),
    (false, "responses"),
    (false, "messages"),
    (false, "gemini"),
    (true, "chat"),
    (true, "messages"),
    (true, "ai"),
];

/// A provider of every dialect behind one edge, a model for each, and a key.
struct Town {
    site: Site,
    organization: String,
    key: String,
    providers: Vec<Provider>,
}

async fn town() -> Town {
    let site = Site::start(Plan::default()).await;
    let own = Provider::start(scenarios::openai::answer).await;
    let tenant = Tenant::make(&site.admin(), "acme", &own.base_url()).await;
    let mut providers = Vec::new();
    for (name, kind, model) in KINDS {
        let provider = Provider::start(move |asked: &Asked| dialects::answer(kind, asked)).await;
        tenant.provider_of(kind, name, &provider.base_url()).await;
        tenant.model(name, name, model).await;
        providers.push(provider);
    }
    let (_, key) = tenant.key().await;
    site.propagated().await;
    Town {
        site,
        organization: tenant.organization,
        key,
        providers,
    }
}

fn models() -> Vec<&'static str> {
    KINDS.iter().map(|(name, ..)| *name).collect()
}

/// What an SDK must have seen of one model.
pub(crate) fn assert_seen(sdk: &str, model: &str, seen: &Value) {
    let calls: Vec<Value> = CALLS
        .iter()
        .map(|text| {
            json!([
                "weather",
                serde_json::from_str::<Value>(text).expect("JSON")
            ])
        })
        .collect();
    for how in ["plain", "streamed"] {
        assert_eq!(seen[how]["text"], TEXT, "{sdk}, {model}, {how}: {seen}");
        assert_eq!(seen[how]["calls"], json!([]), "{sdk}, {model}, {how}");
    }
    for how in ["tools", "streamed tools"] {
        assert_eq!(
            seen[how]["calls"],
            json!(calls),
            "{sdk}, {model}, {how}: {seen}"
        );
    }
    for how in ["plain", "streamed", "tools", "streamed tools"] {
        let tokens = &seen[how]["tokens"];
        assert!(
            tokens.is_null() || *tokens == json!(TOKENS),
            "{sdk}, {model}, {how}: {tokens}"
        );
    }
    for how in ["error", "streamed error"] {
        assert_eq!(seen[how], 429, "{sdk}, {model}, {how}");
    }
}

#[tokio::test]
async fn official_sdks_of_four_apis_hold_one_conversation_with_providers_of_five_and_their_hosts() {
    let town = town().await;
    let url = town.site.url(0);
    for (node, sdk) in SDKS {
        let seen = sdk::converse(node, sdk, &url, &town.key, &models()).await;
        for model in models() {
            assert_seen(sdk, model, &seen[model]);
        }
    }
    assert_credentials(&town);
    assert_accounted(&town).await;
}

#[tokio::test]
async fn official_sdks_get_vectors_from_other_families() {
    let town = town().await;
    let models = ["by-gemini", "by-cohere", "by-vertex"];
    for (node, sdk) in [(false, "vectors"), (true, "vectors"), (true, "ai_vectors")] {
        let seen = sdk::converse(node, sdk, &town.site.url(0), &town.key, &models).await;
        for model in models {
            // Read as numbers, because Node writes a whole one without its point.
            let vectors = |of: &str| -> Vec<[f64; 3]> {
                serde_json::from_value(seen[model][of].clone()).expect("vectors of three numbers")
            };
            assert_eq!(vectors("two"), [VECTOR, VECTOR], "{sdk}, {model}");
            assert_eq!(vectors("one"), [VECTOR], "{sdk}, {model}");
        }
    }
}

#[tokio::test]
async fn tokens_are_counted_by_whoever_can() {
    let town = town().await;
    let models = [
        "by-anthropic",
        "by-gemini",
        "by-vertex",
        "by-vertex-claude",
        "by-bedrock-claude",
    ];
    let url = town.site.url(0);
    let seen = sdk::converse(false, "counts", &url, &town.key, &models).await;
    for model in models {
        assert_eq!(seen[model], json!([TOKENS[0], TOKENS[0]]), "{model}");
    }
    let body = r#"{"model":"by-cohere","messages":[{"role":"user","content":"hi"}]}"#;
    let refused = client::post(&url, &town.key, "/v1/messages/count_tokens", body).await;
    assert_eq!(refused.status, 400);
    assert_eq!(refused.headers["x-sluice-code"], "unsupported_endpoint");
}

#[tokio::test]
async fn claude_s_own_stream_comes_from_its_hosts_byte_for_byte() {
    let town = town().await;
    let url = town.site.url(0);
    let body = json!({
        "model": "", "max_tokens": 9, "stream": true, "odd": {"kept": 1.50},
        "messages": [{"role": "user", "content": "Say hello."}],
    });
    let expected = String::from_utf8(dialects::anthropic_stream()).expect("UTF-8");
    let hosts = [
        ("by-vertex-claude", "claude-of-tests@1:streamRawPredict"),
        (
            "by-bedrock-claude",
            "us.anthropic.claude-of-tests-v1%3A0/invoke-with-response-stream",
        ),
    ];
    for (model, path) in hosts {
        let body = body
            .to_string()
            .replace("\"model\":\"\"", &format!("\"model\":\"{model}\""));
        let reply = client::post(&url, &town.key, "/v1/messages", body).await;
        assert_eq!(reply.status, 200, "{model}");
        assert_eq!(
            reply.headers["content-type"]
                .to_str()
                .ok()
                .map(|it| &it[..17]),
            Some("text/event-stream")
        );
        let said = reply.bytes().await.expect("the stream ends");
        assert_eq!(String::from_utf8_lossy(&said), expected, "{model}");
        let at = KINDS
            .iter()
            .position(|(name, ..)| *name == model)
            .expect("a kind");
        let asked = town.providers[at].asked().pop().expect("it was asked");
        assert!(asked.path.ends_with(path), "{}", asked.path);
        let text = String::from_utf8_lossy(&asked.body).into_owned();
        assert!(text.starts_with("{\"anthropic_version\":\""), "{text}");
        assert!(
            text.contains("\"odd\":{\"kept\":1.5}") && !text.contains("\"model\""),
            "{text}"
        );
    }
}

/// Whatever stood between, each request is accounted once and as its provider counted.
async fn assert_accounted(town: &Town) {
    let conversations = i64::try_from(SDKS.len()).expect("a few");
    // Whole and streamed, with tools and without; and two that failed, which used nothing.
    let (answered, failed) = (4 * conversations, 2 * conversations);
    let request = QueryUsageRequest {
        parent: town.organization.clone(),
        group_by: vec![UsageDimension::Model.into()],
        ..Default::default()
    };
    let all = KINDS.len();
    let arrived = || async {
        let reply = town.site.admin().usage().query_usage(request.clone()).await;
        let rows = reply.expect("the control plane answers").into_inner().rows;
        let whole = |row: &UsageRow| row.requests == answered + failed;
        (rows.len() == all && rows.iter().all(whole)).then_some(rows)
    };
    let (rows, _) = wait::until("all usage arrived", arrived).await;
    for row in rows {
        let [input, output] = TOKENS.map(|it| answered * i64::try_from(it).expect("a few"));
        assert_eq!(
            (row.input_tokens, row.output_tokens),
            (input, output),
            "{row:?}"
        );
    }
}

/// Each provider was shown its credential where it looks for it, and never the client's key.
fn assert_credentials(town: &Town) {
    for (provider, (name, ..)) in town.providers.iter().zip(KINDS) {
        let header = match name {
            "by-anthropic" => "x-api-key",
            "by-gemini" => "x-goog-api-key",
            _ => "authorization",
        };
        let shown = if header == "authorization" {
            format!("Bearer {CREDENTIAL}")
        } else {
            CREDENTIAL.to_owned()
        };
        let asked = provider.asked();
        assert!(!asked.is_empty(), "{name} was not asked");
        for asked in asked {
            assert_eq!(asked.headers[header], shown, "{name}");
            let told = asked.headers.values().any(|value| {
                value
                    .as_bytes()
                    .windows(town.key.len())
                    .any(|it| it == town.key.as_bytes())
            });
            assert!(!told, "{name} was told a client's key");
        }
    }
}
