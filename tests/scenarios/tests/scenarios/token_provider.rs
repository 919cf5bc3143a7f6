//! A real provider of `OpenID` Connect, unmodified, whose clients ask with the tokens that it gives them: through its change of
//! keys, and while it is gone.

use harness::{
    client,
    provider::Provider,
    site::{Plan, Site},
    tenant::Tenant,
};
use proto::admin::{self, CreateIssuerRequest};
use scenarios::{oidc::Oidc, openai, sdk::Sdk};
use serde_json::json;

async fn outcome(site: &Site, token: &str) -> String {
    let body = r#"{"model":"chat","messages":[{"role":"user","content":"hi"}]}"#;
    let reply = client::post(&site.url(0), token, "/v1/chat/completions", body).await;
    let code = reply.headers.get("x-sluice-code");
    code.map_or("", |it| it.to_str().expect("text")).to_owned()
}

#[tokio::test]
async fn a_real_provider_s_clients_ask_with_its_tokens_through_a_change_of_keys_and_an_outage() {
    let provider = Provider::start(openai::answer).await;
    let site = Site::start(Plan::default()).await;
    let tenant = Tenant::make(&site.admin(), "acme", &provider.base_url()).await;
    let mut issuer = Oidc::start().await;
    let request = CreateIssuerRequest {
        parent: tenant.organization.clone(),
        issuer_id: "corp".to_owned(),
        issuer: Some(admin::Issuer {
            issuer_url: issuer.url.clone(),
            audiences: vec!["sluice".to_owned()],
            token_types: vec!["at+jwt".to_owned()],
            project: tenant.project.clone(),
            condition: r#"claims.client_id == "batch" && claims.scope == "inference""#.to_owned(),
            ..Default::default()
        }),
        ..Default::default()
    };
    let made = site.admin().issuers().create_issuer(request).await;
    made.expect("an issuer is made");
    site.propagated().await;

    let first = issuer.token().await;
    let answer =
        json!({"text": openai::WORDS.concat(), "model": "provider-chat", "total_tokens": 18});
    for sdk in Sdk::ALL {
        assert_eq!(sdk.ask(&site.url(0), &first, "chat", "chat").await, answer);
    }
    issuer.rotate().await;
    let second = issuer.token().await;
    assert_eq!(
        outcome(&site, &second).await,
        "",
        "a token of the new key waits for it"
    );
    let withdrawn = outcome(&site, &first).await;
    assert_eq!(
        withdrawn, "token_key_unknown",
        "what a withdrawn key has proved is not proved"
    );
    let third = issuer.token().await;
    issuer.kill().await;
    for token in [&second, &third] {
        assert_eq!(
            outcome(&site, token).await,
            "",
            "keys outlive their issuer for a while"
        );
    }
}
