//! A real provider of `OpenID` Connect, unmodified, whose clients ask with the tokens that it gives them: through its change of
//! keys, and while it is gone; with such as only it can read, until it takes them back.

use harness::{
    client,
    provider::Provider,
    site::{Plan, Site},
    tenant::Tenant,
    wait,
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

/// Trusts the issuer, whose clients may ask whatever their tokens are for.
async fn trust(site: &Site, tenant: &Tenant, url: &str) {
    let request = CreateIssuerRequest {
        parent: tenant.organization.clone(),
        issuer_id: "corp".to_owned(),
        issuer: Some(admin::Issuer {
            issuer_url: url.to_owned(),
            audiences: vec!["sluice".to_owned()],
            project: tenant.project.clone(),
            condition: r#"claims.scope == "inference""#.to_owned(),
            ..Default::default()
        }),
        ..Default::default()
    };
    let made = site.admin().issuers().create_issuer(request).await;
    made.expect("an issuer is made");
    site.propagated().await;
}

#[tokio::test]
async fn a_token_that_only_its_issuer_can_read_opens_what_that_says_until_it_is_taken_back() {
    let provider = Provider::start(openai::answer).await;
    let mut issuer = Oidc::start().await;
    let site = Site::start(Plan {
        edge_settings: vec![
            (
                "SLUICE_INTROSPECTION__CORP__ISSUER",
                "organizations/acme/issuers/corp".to_owned(),
            ),
            (
                "SLUICE_INTROSPECTION__CORP__URL",
                format!("{}/token/introspection", issuer.url),
            ),
            ("SLUICE_INTROSPECTION__CORP__CLIENT_ID", "batch".to_owned()),
            (
                "SLUICE_INTROSPECTION__CORP__CLIENT_SECRET",
                "secret-of-the-tests".to_owned(),
            ),
            ("SLUICE_INTROSPECTION__CORP__KEEP_MS", "1000".to_owned()),
        ],
        ..Plan::default()
    })
    .await;
    let tenant = Tenant::make(&site.admin(), "acme", &provider.base_url()).await;
    trust(&site, &tenant, &issuer.url).await;

    let token = issuer.opaque_token("sluice").await;
    let answer =
        json!({"text": openai::WORDS.concat(), "model": "provider-chat", "total_tokens": 18});
    for sdk in Sdk::ALL {
        assert_eq!(sdk.ask(&site.url(0), &token, "chat", "chat").await, answer);
    }
    let signed = issuer.token().await;
    assert_eq!(
        outcome(&site, &signed).await,
        "",
        "a signed one is good beside it"
    );
    let other = issuer.opaque_token("mail").await;
    assert_eq!(outcome(&site, &other).await, "token_audience");
    assert_eq!(
        outcome(&site, "made-up-by-somebody-else").await,
        "token_inactive"
    );

    issuer.revoke(&token).await;
    wait::until("what its issuer takes back opens nothing", async || {
        (outcome(&site, &token).await == "token_inactive").then_some(())
    })
    .await;
    let third = issuer.opaque_token("sluice").await;
    issuer.kill().await;
    let unheard = outcome(&site, &third).await;
    assert_eq!(unheard, "token_issuer_unavailable");
    for outcome in ["active", "inactive", "failed"] {
        let labels = format!("outcome=\"{outcome}\"");
        let asked = site.metric(0, "sluice_introspection_total", &labels).await;
        assert!(asked >= 1.0, "{outcome}");
    }
}
