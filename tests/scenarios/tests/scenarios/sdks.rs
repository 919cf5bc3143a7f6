//! The official SDKs work, unmodified, through any edge.

use harness::{
    provider::Provider,
    site::{Plan, Site},
    tenant::Tenant,
};
use scenarios::{openai, sdk::Sdk};
use serde_json::json;

#[tokio::test]
async fn official_sdks_list_chat_stream_and_embed_through_two_edges() {
    let provider = Provider::start(openai::answer).await;
    let plan = Plan {
        control_planes: 2,
        edges: vec!["here", "there"],
        ..Plan::default()
    };
    let site = Site::start(plan).await;
    let tenant = Tenant::make(&site.admin_of(0), "acme", &provider.base_url()).await;
    let (_, key) = tenant.key().await;
    site.propagated().await;

    for (edge, sdk) in [
        (0, Sdk::Python),
        (1, Sdk::Python),
        (0, Sdk::Node),
        (1, Sdk::Node),
    ] {
        let ask = |question: &'static str| {
            let (url, key) = (site.url(edge), key.clone());
            async move { sdk.ask(&url, &key, "chat", question).await }
        };
        let text = openai::WORDS.concat();
        assert_eq!(ask("models").await, json!({"ids": ["chat"], "one": "chat"}));
        let chat = json!({"text": text, "model": "provider-chat", "total_tokens": 18});
        assert_eq!(ask("chat").await, chat);
        assert_eq!(
            ask("stream").await,
            json!({"text": text, "usage_seen": false})
        );
        let streamed = json!({"text": text, "total_tokens": 18});
        assert_eq!(ask("stream_with_usage").await, streamed);
        assert_eq!(ask("complete").await, json!({"text": text}));
        let embedded = ask("embed").await;
        // Python says 1.0 where Node says 1.
        let first: Vec<Option<f64>> = (0..3).map(|at| embedded["first"][at].as_f64()).collect();
        assert_eq!(first, [Some(1.0), Some(2.0), Some(3.0)]);
        assert_eq!(embedded["count"], 1);
        let errors = json!({"wrong_key": "invalid_api_key", "unknown_model": "model_not_found"});
        assert_eq!(ask("errors").await, errors);
    }

    for asked in provider.asked() {
        assert_eq!(
            asked.headers["authorization"],
            format!("Bearer {}", harness::tenant::CREDENTIAL)
        );
        assert_eq!(asked.headers["accept-encoding"], "identity");
        assert!(
            !asked.headers.contains_key("x-stainless-lang"),
            "a client's header came through"
        );
    }
}
