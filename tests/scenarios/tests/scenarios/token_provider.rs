//! A real provider of `OpenID` Connect, unmodified, whose clients ask with the tokens that it gives them: through its change of
//! keys, and while it is gone.

use std::{path::Path, process::Stdio};

use dialect::base64;
use harness::{
    client::{self, Client},
    provider::Provider,
    site::{Plan, Site},
    tenant::Tenant,
};
use proto::admin::{self, CreateIssuerRequest};
use scenarios::{openai, sdk::Sdk};
use serde_json::json;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines},
    process::{Child, ChildStdin, ChildStdout, Command},
};

/// A provider in a process of its own.
struct Running {
    process: Child,
    commands: ChildStdin,
    said: Lines<BufReader<ChildStdout>>,
    url: String,
}

impl Running {
    async fn start() -> Self {
        let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("sdk/issuer.mjs");
        let mut process = Command::new("node")
            .arg(program)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("node runs");
        let commands = process.stdin.take().expect("it listens");
        let said = process.stdout.take().expect("it speaks");
        let mut said = BufReader::new(said).lines();
        let url = said.next_line().await.expect("it speaks");
        Self {
            process,
            commands,
            said,
            url: url.expect("it says its URL"),
        }
    }

    /// A token for its client, by client credentials.
    async fn token(&self) -> String {
        let secret = base64::encode(b"batch:secret-of-the-tests");
        let headers = [
            ("authorization", format!("Basic {secret}")),
            (
                "content-type",
                "application/x-www-form-urlencoded".to_owned(),
            ),
        ];
        let headers: Vec<_> = headers.iter().map(|it| (it.0, it.1.as_str())).collect();
        let mut client = Client::connect(&self.url, "").await.expect("it accepts");
        let body = "grant_type=client_credentials&scope=inference";
        let reply = client.request("POST", "/token", &headers, body).await;
        let given = reply.expect("it answers").json().await;
        let token = given["access_token"].as_str().expect("it gives a token");
        token.to_owned()
    }

    async fn rotate(&mut self) {
        let sent = self.commands.write_all(b"rotate\n").await;
        sent.expect("it listens");
        let said = self.said.next_line().await.expect("it speaks");
        assert_eq!(said.as_deref(), Some("rotated"));
    }
}

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
    let mut issuer = Running::start().await;
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
    issuer.process.kill().await.expect("it is killed");
    for token in [&second, &third] {
        assert_eq!(
            outcome(&site, token).await,
            "",
            "keys outlive their issuer for a while"
        );
    }
}
