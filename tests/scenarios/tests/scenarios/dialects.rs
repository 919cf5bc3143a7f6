//! An application written for one API uses models of any provider, and does not notice.

use harness::{
    provider::{Asked, Provider},
    site::{Plan, Site},
    tenant::{CREDENTIAL, Tenant},
};
use scenarios::{
    dialects::{self, CALLS, KINDS, TEXT, TOKENS},
    sdk,
};
use serde_json::{Value, json};

/// A provider of every dialect behind one edge, a model for each, and a key.
struct Town {
    site: Site,
    key: String,
    providers: Vec<Provider>,
}

async fn town() -> Town {
    let site = Site::start(Plan::default()).await;
    let own = Provider::start(scenarios::openai::answer).await;
    let tenant = Tenant::make(&site.admin(), "acme", &own.base_url()).await;
    let mut providers = Vec::new();
    for (name, kind) in KINDS {
        let provider = Provider::start(move |asked: &Asked| dialects::answer(kind, asked)).await;
        tenant.provider_of(kind, name, &provider.base_url()).await;
        tenant.model(name, name, "model-of-tests").await;
        providers.push(provider);
    }
    let (_, key) = tenant.key().await;
    site.propagated().await;
    Town {
        site,
        key,
        providers,
    }
}

fn models() -> Vec<&'static str> {
    KINDS.iter().map(|(name, _)| *name).collect()
}

/// What an SDK must have seen of one model.
fn assert_seen(sdk: &str, model: &str, seen: &Value) {
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
async fn official_sdks_of_four_apis_hold_one_conversation_with_providers_of_five() {
    let town = town().await;
    let url = town.site.url(0);
    for (node, sdk) in [
        (false, "chat"),
        (false, "responses"),
        (false, "messages"),
        (false, "gemini"),
        (true, "chat"),
        (true, "messages"),
        (true, "ai"),
    ] {
        let seen = sdk::converse(node, sdk, &url, &town.key, &models()).await;
        for model in models() {
            assert_seen(sdk, model, &seen[model]);
        }
    }
    assert_credentials(&town);
}

/// Each provider was shown its credential where it looks for it, and never the client's key.
fn assert_credentials(town: &Town) {
    for (provider, (name, _)) in town.providers.iter().zip(KINDS) {
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
