//! Requests whose text is counted because a guess of it finds no room: what fits is served, and what does not is refused.

use harness::{
    client,
    provider::Provider,
    site::{Plan, Site},
    tenant::Tenant,
    wait,
};
use proto::admin::{Limit, LimitUnit, LimitWindow, ProviderKind};
use scenarios::openai;
use serde_json::json;

/// Prose of which each time has 52 bytes and some ten tokens.
const PROSE: &str = "The quick brown fox jumps over the lazy dog at noon. ";

async fn ask(site: &Site, key: &str, model: &str, times: usize) -> u16 {
    let message = json!({"role": "user", "content": PROSE.repeat(times)});
    let body = json!({"model": model, "messages": [message], "max_tokens": 16}).to_string();
    let reply = client::post(&site.url(0), key, "/v1/chat/completions", body).await;
    reply.status.as_u16()
}

#[tokio::test]
async fn a_request_that_fits_is_not_refused_by_a_guess_of_its_text() {
    let provider = Provider::start(openai::answer).await;
    let site = Site::start(Plan::default()).await;
    let tenant = Tenant::make(&site.admin(), "acme", &provider.base_url()).await;
    let base_url = provider.base_url();
    tenant
        .provider_of(ProviderKind::Openai, "openai", &base_url)
        .await;
    tenant.model("known", "openai", "gpt-4o-mini").await;
    let (_, key) = tenant.key().await;
    let limit = Limit {
        unit: LimitUnit::Tokens.into(),
        amount: 1_000,
        window: LimitWindow::Day.into(),
        ..Limit::default()
    };
    tenant.limit_like("daily", limit).await;
    site.propagated().await;

    // Some 3,200 bytes: 1,250 tokens by the guess, and 650 by the tokenizer, which is read when it is first asked for.
    let served = async || (ask(&site, &key, "known", 60).await == 200).then_some(());
    wait::until("the text is counted", served).await;
    let admitted = r#"outcome="admitted""#;
    let counted = "sluice_limits_counted_total";
    assert_eq!(site.count(0, counted, admitted).await, 1);
    // Of a model that nobody knows the guess stands.
    assert_eq!(ask(&site, &key, "chat", 60).await, 429);
    assert_eq!(site.count(0, counted, "").await, 1);
    // What is too much by any count is refused.
    assert_eq!(ask(&site, &key, "known", 120).await, 429);
}
