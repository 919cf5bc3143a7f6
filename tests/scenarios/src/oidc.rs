//! A real provider of `OpenID` Connect in a process of its own, unmodified, whose tokens say what a test likes.

use std::{path::Path, process::Stdio};

use dialect::base64;
use harness::client::Client;
use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines},
    process::{Child, ChildStdin, ChildStdout, Command},
};

/// It runs; dropped, it is killed.
pub struct Oidc {
    process: Child,
    commands: ChildStdin,
    said: Lines<BufReader<ChildStdout>>,
    /// What its tokens say in `iss`.
    pub url: String,
}

// === impl Oidc ===

impl Oidc {
    /// Starts it, with its first key.
    pub async fn start() -> Self {
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
    pub async fn token(&self) -> String {
        let given = self
            .post("/token", "grant_type=client_credentials&scope=inference")
            .await;
        let token = given["access_token"].as_str().expect("it gives a token");
        token.to_owned()
    }

    /// The same, such as only it can read, for this audience.
    pub async fn opaque_token(&self, audience: &str) -> String {
        let fields = format!(
            "grant_type=client_credentials&scope=inference&resource=https://opaque.example.com/{audience}"
        );
        let given = self.post("/token", &fields).await;
        let token = given["access_token"].as_str().expect("it gives a token");
        token.to_owned()
    }

    /// Takes a token back.
    pub async fn revoke(&self, token: &str) {
        let fields = format!("token={token}");
        self.post("/token/revocation", &fields).await;
    }

    /// What it answers its client.
    async fn post(&self, path: &str, fields: &str) -> Value {
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
        let reply = client
            .request("POST", path, &headers, fields.to_owned())
            .await;
        let reply = reply.expect("it answers");
        assert_eq!(reply.status, 200, "{path}");
        let said = reply.bytes().await.expect("it answers whole");
        serde_json::from_slice(&said).unwrap_or_default()
    }

    /// A token that says this over what it would say.
    pub async fn token_that_says(&mut self, claims: &Value) -> String {
        self.command(&format!("claims {claims}"), "said").await;
        self.token().await
    }

    /// Has it sign with another key and forget the one before.
    pub async fn rotate(&mut self) {
        self.command("rotate", "rotated").await;
    }

    /// Ends it.
    pub async fn kill(&mut self) {
        self.process.kill().await.expect("it is killed");
    }

    /// Tells it something, and waits until it has done it.
    pub async fn command(&mut self, command: &str, done: &str) {
        let line = format!("{command}\n");
        let sent = self.commands.write_all(line.as_bytes()).await;
        sent.expect("it listens");
        let said = self.said.next_line().await.expect("it speaks");
        assert_eq!(said.as_deref(), Some(done));
    }
}
