//! Pictures, answers in a form, thoughts over two turns and limits, through official SDKs and any provider.

use harness::{
    provider::{Asked, Provider},
    site::{Plan, Site},
    tenant::Tenant,
};
use scenarios::{
    dialects::KINDS,
    richer::{self, FORMED, PICTURE, RETRY_AFTER, THOUGHT},
    sdk,
};
use serde_json::{Value, json};

/// Whose proofs an SDK of this API brings back: all of them have a place for them.
const PROVING: [&str; 5] = [
    "by-anthropic",
    "by-gemini",
    "by-bedrock-claude",
    "by-vertex",
    "by-vertex-claude",
];

/// The SDKs of Node's, of which `ai` is everybody's.
const OF_NODE: [&str; 4] = ["chat", "responses", "messages", "ai"];

/// Asks every model by each of these SDKs.
async fn ask_all(node: bool, sdks: [&str; 4]) {
    assert!(richer::are_base64());
    let site = Site::start(Plan::default()).await;
    let own = Provider::start(scenarios::openai::answer).await;
    let tenant = Tenant::make(&site.admin(), "acme", &own.base_url()).await;
    let mut providers = Vec::new();
    for (name, kind, model) in KINDS {
        let provider = Provider::start(move |asked: &Asked| richer::answer(kind, asked)).await;
        tenant.provider_of(kind, name, &provider.base_url()).await;
        tenant.model(name, name, model).await;
        providers.push(provider);
    }
    let (_, key) = tenant.key().await;
    site.propagated().await;
    let models: Vec<&str> = KINDS.iter().map(|(name, ..)| *name).collect();
    for sdk in sdks {
        let seen = sdk::richer((node, sdk), &site.url(0), &key, PICTURE, &models).await;
        for model in &models {
            assert_seen(sdk, model, &seen[*model]);
        }
    }
}

#[tokio::test]
async fn official_sdks_send_pictures_and_forms_and_bring_thoughts_back_to_providers_of_five_apis() {
    ask_all(false, ["chat", "responses", "messages", "gemini"]).await;
}

#[tokio::test]
async fn official_sdks_of_node_do_the_same() {
    ask_all(true, OF_NODE).await;
}

fn assert_seen(sdk: &str, model: &str, seen: &Value) {
    let at = format!("{sdk}, {model}: {seen}");
    // Converse has no words for a form at these models, and the client is told so.
    let refused = model.starts_with("by-bedrock") && seen["form"] == json!(400);
    assert!(refused || seen["form"] == FORMED, "{at}");
    assert_eq!(seen["limit"][0], 429, "{at}");
    if sdk != "gemini" {
        assert_eq!(seen["limit"][1], RETRY_AFTER, "{at}");
    }
    assert_eq!(seen["thoughts"][0], THOUGHT, "{at}");
    // It keeps the words of a thought and lets its proof go.
    let forgets = sdk == "ai";
    let proves = !forgets && PROVING.contains(&model) || model == "by-openai" && sdk == "responses";
    let expected = if proves { "I remember." } else { "I forgot." };
    assert_eq!(seen["thoughts"][1], expected, "{at}");
    // A model that sees nothing is not asked.
    if model != "by-cohere" {
        assert_eq!(seen["picture"], "I see it.", "{at}");
        let looks = seen["link"] == json!("I look there.") || seen["link"] == json!(400);
        assert!(looks, "{at}");
    }
}
