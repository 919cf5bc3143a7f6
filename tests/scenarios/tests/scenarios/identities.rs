//! Providers that are met with exchanged credentials: tokens are asked for seldom, renewed in time, and never missed
//! while one is still good.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU16, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use aws_lc_rs::{
    encoding::AsDer,
    rsa::{KeySize, PrivateDecryptingKey},
};
use dialect::base64;
use harness::{
    client,
    provider::{Answer, Asked, Provider, Step},
    site::{Plan, Site},
    tenant::Tenant,
    wait,
};
use proto::admin::{self, ProviderKind};
use scenarios::dialects::{self, TEXT};
use serde_json::{Value, json};

/// An issuer of tokens: it counts them, and answers with another status when it is told to.
struct Issuer {
    server: Provider,
    status: Arc<AtomicU16>,
}

/// Somebody who may ask.
struct Town {
    site: Site,
    tenant: Tenant,
    key: String,
    provider: Provider,
}

const SECRET: &str = "hush-hush-hush";

impl Issuer {
    /// Its tokens last this long, in seconds.
    async fn start(seconds: u64) -> Self {
        let status = Arc::new(AtomicU16::new(200));
        let (told, issued) = (Arc::clone(&status), AtomicU64::new(0));
        let server = Provider::start(move |asked: &Asked| {
            let status = told.load(Ordering::Relaxed);
            if status != 200 {
                return Answer::json(
                    status,
                    r#"{"error":"invalid_client","error_description":"x"}"#,
                );
            }
            let number = issued.fetch_add(1, Ordering::Relaxed) + 1;
            given(asked, number, seconds)
        })
        .await;
        Self { server, status }
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.origin())
    }

    fn origin(&self) -> String {
        self.server.base_url().trim_end_matches("/v1").to_owned()
    }
}

fn given(asked: &Asked, number: u64, seconds: u64) -> Answer {
    if asked.path.ends_with(":generateAccessToken") {
        let far = "2099-01-01T00:00:00Z";
        return Answer::json(
            200,
            json!({"accessToken": format!("own-{number}"), "expireTime": far}).to_string(),
        );
    }
    if asked.path == "/sts" {
        let xml = format!(
            "<R><Credentials><AccessKeyId>ASIA{number}</AccessKeyId><SecretAccessKey>s</SecretAccessKey>\
             <SessionToken>session-{number}</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration></Credentials></R>"
        );
        return Answer {
            status: 200,
            headers: vec![("content-type", "text/xml".to_owned())],
            steps: vec![Step::Send(xml.into())],
        };
    }
    let token = json!({"access_token": format!("token-{number}"), "expires_in": seconds, "token_type": "Bearer"});
    let mut answer = Answer::json(200, token.to_string());
    answer
        .headers
        .push(("metadata-flavor", "Google".to_owned()));
    answer
}

impl Town {
    async fn start(kind: ProviderKind, settings: Vec<(&'static str, String)>) -> Self {
        let plan = Plan {
            edge_settings: settings,
            ..Plan::default()
        };
        let site = Site::start(plan).await;
        let provider = Provider::start(move |asked: &Asked| dialects::answer(kind, asked)).await;
        let tenant = Tenant::make(&site.admin(), "acme", &provider.base_url()).await;
        let (_, key) = tenant.key().await;
        Self {
            site,
            tenant,
            key,
            provider,
        }
    }

    /// Makes a provider that is met with this, and a model of it with its name.
    async fn meet(&self, kind: ProviderKind, name: &str, form: &Value, issuer: &Issuer) {
        let provider = admin::Provider {
            kind: kind.into(),
            base_url: self.provider.base_url(),
            credential: form.to_string(),
            exchange_origins: vec![issuer.origin()],
            ..Default::default()
        };
        self.tenant.provider_like(name, provider).await;
        self.tenant.model(name, name, "gemini-of-tests").await;
        self.site.propagated().await;
    }

    async fn ask(&self, model: &str) -> client::Reply {
        let body = json!({"model": model, "messages": [{"role": "user", "content": "Say hello."}]});
        let path = "/v1/chat/completions";
        client::post(&self.site.url(0), &self.key, path, body.to_string()).await
    }

    /// Asks, and gives what the provider was shown.
    async fn shown(&self, model: &str) -> String {
        let reply = self.ask(model).await;
        assert_eq!(reply.status, 200, "{model}");
        let answer = reply.json().await;
        assert_eq!(answer["choices"][0]["message"]["content"], TEXT);
        let asked = self.provider.asked().pop().expect("it was asked");
        asked.headers["authorization"]
            .to_str()
            .expect("text")
            .to_owned()
    }
}

/// A service account's key, as Google gives it; the key itself is of this run.
fn service_account(token_uri: &str) -> Value {
    let key = PrivateDecryptingKey::generate(KeySize::Rsa2048).expect("a key");
    let der = key.as_der().expect("a key is written");
    let text = base64::encode(der.as_ref());
    json!({
        "type": "service_account", "project_id": "p", "private_key_id": "k1", "client_email": "a@p.iam",
        "private_key": format!("-----BEGIN PRIVATE KEY-----\n{text}\n-----END PRIVATE KEY-----\n"),
        "token_uri": token_uri,
    })
}

#[tokio::test]
async fn a_token_is_asked_for_once_renewed_before_it_ends_and_serves_while_its_issuer_is_away() {
    let town = Town::start(ProviderKind::Vertex, Vec::new()).await;
    let issuer = Issuer::start(4).await;
    let form = service_account(&issuer.url("/token"));
    town.meet(ProviderKind::Vertex, "gemini", &form, &issuer)
        .await;

    let asked_at = Instant::now();
    let at_once = futures_util::future::join_all((0..20).map(|_| town.shown("gemini"))).await;
    assert!(
        at_once.iter().all(|shown| shown == "Bearer token-1"),
        "{at_once:?}"
    );
    for _ in 0..20 {
        assert_eq!(town.shown("gemini").await, "Bearer token-1");
    }
    assert_eq!(issuer.server.count(), 1, "one token serves many requests");
    let asked = issuer.server.asked().remove(0);
    let text = String::from_utf8_lossy(&asked.body).into_owned();
    let grant = "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion=ey";
    assert!(text.starts_with(grant), "{text}");

    let renewed = || async { (town.shown("gemini").await == "Bearer token-2").then_some(()) };
    wait::until("the token is renewed", renewed).await;
    assert!(
        asked_at.elapsed() < Duration::from_secs(4),
        "it was renewed before it ended"
    );

    issuer.status.store(503, Ordering::Relaxed);
    let tried = || async {
        assert_eq!(town.shown("gemini").await, "Bearer token-2");
        (issuer.server.count() > 2).then_some(())
    };
    wait::until("the issuer is asked again, in vain", tried).await;
    assert_eq!(
        town.shown("gemini").await,
        "Bearer token-2",
        "a good token serves on"
    );

    let ended = || async {
        let reply = town.ask("gemini").await;
        (reply.status == 502).then_some(reply)
    };
    let (reply, _) = wait::until("the last token has ended", ended).await;
    assert_eq!(reply.error_code().await, "upstream_identity_unavailable");
    issuer.status.store(200, Ordering::Relaxed);
    let back = || async { (town.ask("gemini").await.status == 200).then_some(()) };
    wait::until("the issuer is back", back).await;
}

#[tokio::test]
async fn a_wrong_secret_is_told_in_the_caller_s_words_and_never_repeated() {
    let town = Town::start(ProviderKind::Openai, Vec::new()).await;
    let issuer = Issuer::start(3_600).await;
    let form = json!({
        "type": "client_secret", "tenant_id": "t-1", "client_id": "c-1", "client_secret": SECRET,
        "authority": issuer.origin(),
    });
    town.meet(ProviderKind::AzureOpenai, "azure", &form, &issuer)
        .await;
    issuer.status.store(401, Ordering::Relaxed);

    let reply = town.ask("azure").await;
    assert_eq!(reply.status, 502);
    assert_eq!(reply.headers["x-should-retry"], "false");
    let said = reply.json().await;
    assert_eq!(said["error"]["code"], "upstream_identity_refused", "{said}");
    let body = r#"{"model":"azure","max_tokens":9,"messages":[{"role":"user","content":"hi"}]}"#;
    let reply = client::post(&town.site.url(0), &town.key, "/v1/messages", body).await;
    assert_eq!(reply.headers["x-sluice-code"], "upstream_identity_refused");
    let said = reply.json().await;
    assert_eq!(
        (said["type"].as_str(), said["error"]["type"].as_str()),
        (Some("error"), Some("api_error"))
    );
    assert_eq!(issuer.server.count(), 1, "a refusal stands for a while");
    assert_eq!(town.provider.count(), 0, "nothing was sent");

    issuer.status.store(200, Ordering::Relaxed);
    let good = || async { (town.ask("azure").await.status == 200).then_some(()) };
    wait::until("the secret is right", good).await;
    let asked = issuer.server.asked().pop().expect("it was asked");
    assert_eq!(asked.path, "/t-1/oauth2/v2.0/token");
    let text = String::from_utf8_lossy(&asked.body).into_owned();
    let scope = "scope=https%3A%2F%2Fcognitiveservices.azure.com%2F.default";
    assert!(
        text.contains(scope) && text.contains(&format!("client_secret={SECRET}")),
        "{text}"
    );
    let shown = town.shown("azure").await;
    assert!(shown.starts_with("Bearer token-"), "{shown}");
    let logs = std::fs::read_dir(town.site.folder())
        .expect("the folder")
        .flatten();
    for log in logs.filter(|it| it.path().is_file()) {
        let text = std::fs::read(log.path()).unwrap_or_default();
        let told = String::from_utf8_lossy(&text).contains(SECRET);
        assert!(!told, "{} tells the secret", log.path().display());
    }
}

#[tokio::test]
async fn a_role_is_assumed_and_its_session_signs() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("proof"), "proof-of-tests\n").expect("a file");
    let opened = format!("[\"{}\"]", folder.path().display());
    let settings = vec![("SLUICE_UPSTREAM__TOKEN_FOLDERS", opened)];
    let town = Town::start(ProviderKind::Bedrock, settings).await;
    let issuer = Issuer::start(3_600).await;
    let role = "arn:aws:iam::123456789012:role/models";
    let by_keys = json!({
        "type": "assume_role", "role_arn": role, "access_key_id": "AKID", "secret_access_key": SECRET,
        "external_id": "e-1", "session_name": "tests", "token_url": issuer.url("/sts"),
    });
    town.meet(ProviderKind::Bedrock, "by-keys", &by_keys, &issuer)
        .await;
    for _ in 0..3 {
        let shown = town.shown("by-keys").await;
        assert!(
            shown.starts_with("AWS4-HMAC-SHA256 Credential=ASIA1/"),
            "{shown}"
        );
        assert!(shown.contains("/bedrock/aws4_request") && shown.contains("x-amz-security-token"));
    }
    let [asked] = &issuer.server.asked()[..] else {
        unreachable!("one session serves many requests")
    };
    let signed = asked.headers["authorization"].to_str().expect("text");
    assert!(
        signed.starts_with("AWS4-HMAC-SHA256 Credential=AKID/")
            && signed.contains("/us-east-1/sts/aws4_request")
    );
    let text = String::from_utf8_lossy(&asked.body).into_owned();
    for field in [
        "Action=AssumeRole",
        "ExternalId=e-1",
        "RoleSessionName=tests",
        "DurationSeconds=3600",
    ] {
        assert!(text.split('&').any(|it| it == field), "{field}: {text}");
    }
    assert!(!text.contains(SECRET), "the secret signs and stays");

    let by_file = |path: &str| json!({"type": "web_identity", "role_arn": role, "token_file": path, "token_url": issuer.url("/sts")});
    let proof = folder.path().join("proof").display().to_string();
    town.meet(ProviderKind::Bedrock, "by-file", &by_file(&proof), &issuer)
        .await;
    assert!(town.shown("by-file").await.contains("Credential=ASIA2/"));
    let asked = issuer.server.asked().pop().expect("it was asked");
    let text = String::from_utf8_lossy(&asked.body).into_owned();
    assert!(
        text.contains("WebIdentityToken=proof-of-tests")
            && !asked.headers.contains_key("authorization")
    );

    town.meet(
        ProviderKind::Bedrock,
        "shut",
        &by_file("/etc/hostname"),
        &issuer,
    )
    .await;
    let reply = town.ask("shut").await;
    assert_eq!(
        (reply.status.as_u16(), reply.error_code().await.as_str()),
        (503, "upstream_misconfigured")
    );
}

#[tokio::test]
async fn a_workload_and_a_machine_prove_themselves_to_google() {
    let provider =
        Provider::start(|asked: &Asked| dialects::answer(ProviderKind::Vertex, asked)).await;
    let origin = provider.base_url().trim_end_matches("/v1").to_owned();
    let settings = vec![(
        "SLUICE_UPSTREAM__METADATA_ORIGINS",
        format!("[\"{origin}\"]"),
    )];
    let mut town = Town::start(ProviderKind::Vertex, settings).await;
    let issuer = Issuer::start(3_600).await;

    let machine = json!({"type": "metadata_server", "url": issuer.origin()});
    town.meet(ProviderKind::Vertex, "elsewhere", &machine, &issuer)
        .await;
    let reply = town.ask("elsewhere").await;
    assert_eq!(
        reply.error_code().await,
        "upstream_misconfigured",
        "this origin was not named"
    );
    assert_eq!(issuer.server.count(), 0);

    town.provider = provider;
    town.meet(ProviderKind::Vertex, "machine", &machine, &issuer)
        .await;
    assert_eq!(town.shown("machine").await, "Bearer token-1");
    let asked = issuer.server.asked().pop().expect("it was asked");
    assert_eq!(
        asked.path,
        "/computeMetadata/v1/instance/service-accounts/default/token"
    );
    assert_eq!(asked.headers["metadata-flavor"], "Google");

    let workload = json!({
        "type": "external_account", "audience": "//iam.googleapis.com/x",
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt", "token_url": issuer.url("/v1/token"),
        "service_account_impersonation_url": issuer.url("/v1/projects/-/serviceAccounts/a@p:generateAccessToken"),
        "credential_source": {
            "url": issuer.url("/proof"), "headers": {"x-proof": "yes"},
            "format": {"type": "json", "subject_token_field_name": "access_token"},
        },
    });
    town.meet(ProviderKind::Vertex, "workload", &workload, &issuer)
        .await;
    assert_eq!(town.shown("workload").await, "Bearer own-4");
    let [_, proof, exchange, own] = &issuer.server.asked()[..] else {
        unreachable!("a proof, a token for it, and one of the account")
    };
    assert_eq!((&*proof.path, &*proof.method), ("/proof", "GET"));
    assert_eq!(proof.headers["x-proof"], "yes");
    let text = String::from_utf8_lossy(&exchange.body).into_owned();
    assert!(
        text.contains("subject_token=token-2") && text.contains("token-exchange"),
        "{text}"
    );
    assert_eq!(own.headers["authorization"], "Bearer token-3");
}
