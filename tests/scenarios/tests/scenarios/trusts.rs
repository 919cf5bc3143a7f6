//! A CI job gets in by the token that its forge gives it, through a real provider of `OpenID` Connect, and keeps no secret.

use harness::{
    provider::{Answer, Asked, Provider},
    site::{Plan, Site},
    tenant::Tenant,
};
use proto::admin::{
    ClaimPattern, CreateTrustRequest, DeleteTrustRequest, ExchangeTokenRequest, GetKeyRequest,
    GetModelRequest, OperatorKey, Trust, TrustGrant, UpdateOperatorKeyRequest,
    login_service_client::LoginServiceClient,
};
use scenarios::{oidc::Oidc, openai, tokens};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, raw_sql};
use tonic::{Code, Status};
use tonic_types::StatusExt;

use crate::command_line::Shell;

const SUBJECT: &str = "repo:acme/chat:ref:refs/heads/main";

/// A site without edges, which may ask issuers on this machine.
async fn site() -> Site {
    let ranges = r#"["127.0.0.0/8"]"#.to_owned();
    Site::start(Plan {
        edges: Vec::new(),
        control_plane_settings: vec![("SLUICE_ISSUERS__PRIVATE_RANGES", ranges)],
        ..Plan::default()
    })
    .await
}

fn job() -> Value {
    json!({"sub": SUBJECT, "aud": "sluice", "environment": "production"})
}

/// What a job's token says, but for this.
fn but(claim: &str, value: Value) -> Value {
    let mut claims = job();
    claims[claim] = value;
    claims
}

fn trust(issuer_url: &str, grants: Vec<TrustGrant>) -> Trust {
    Trust {
        issuer_url: issuer_url.to_owned(),
        audiences: vec!["sluice".to_owned()],
        subject: "repo:acme/chat:ref:refs/heads/*".to_owned(),
        claims: vec![ClaimPattern {
            claim: "environment".to_owned(),
            pattern: "production".to_owned(),
        }],
        grants,
        ..Default::default()
    }
}

fn grant(role: &str, scope: &str) -> TrustGrant {
    TrustGrant {
        role: role.to_owned(),
        scope: scope.to_owned(),
        claims: Vec::new(),
    }
}

async fn make(site: &Site, parent: &str, id: &str, trust: Trust) -> String {
    let request = CreateTrustRequest {
        parent: parent.to_owned(),
        trust_id: id.to_owned(),
        trust: Some(trust),
        ..Default::default()
    };
    let made = site.admin().trusts().create_trust(request).await;
    made.expect("a trust is made").into_inner().name
}

async fn exchange(site: &Site, trust: &str, token: &str) -> Result<(OperatorKey, String), Status> {
    let address = format!("http://{}", site.control_planes[0].admin);
    let client = LoginServiceClient::connect(address).await;
    let mut client = client.expect("the control plane accepts");
    let request = ExchangeTokenRequest {
        trust: trust.to_owned(),
        token: token.to_owned(),
    };
    let reply = client.exchange_token(request).await?.into_inner();
    Ok((reply.operator_key.expect("it holds the key"), reply.text))
}

/// Why a token is refused: the word, after a look that the sentence tells nothing of what would be taken.
async fn refusal(site: &Site, trust: &str, token: &str) -> String {
    let why = exchange(site, trust, token).await;
    let why = why.map(|(key, _)| key.name).expect_err("it is refused");
    for secret in ["refs/heads", "production", "127.0.0.1", "acme/chat"] {
        assert!(!why.message().contains(secret), "{}", why.message());
    }
    let info = why.get_details_error_info();
    info.map_or_else(|| why.message().to_owned(), |it| it.reason)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_pushes_a_version_with_what_its_token_was_exchanged_for() {
    let provider = Provider::start(openai::answer).await;
    let (site, mut issuer) = tokio::join!(site(), Oidc::start());
    Tenant::make(&site.admin(), "acme", &provider.base_url()).await;
    let shell = Shell::new(&site);
    let line = format!(
        "trusts create forge --issuer-url {} --subject repo:acme/chat:ref:refs/heads/* --claim environment=production \
         --role model-publisher@organization --lifetime 1m",
        issuer.url
    );
    shell.done(&line);
    assert!(shell.done("trust list").contains("environment=production"));

    let token = issuer.token_that_says(&job()).await;
    let logins = site.folder().join("logins.json").display().to_string();
    let job = Shell::stranger(
        &site,
        vec![
            ("SLUICE_ID_TOKEN", token.clone()),
            ("SLUICE_TRUST", "forge".to_owned()),
            ("SLUICE_LOGINS_FILE", logins),
        ],
    );
    let early = job.run("models list");
    assert_eq!(early.code, 5, "{}", early.err);
    assert!(early.err.contains("sluice login"), "{}", early.err);
    let shown = job.done("login --ci");
    assert!(
        shown.contains(SUBJECT) && !shown.contains("slo_"),
        "{shown}"
    );
    let file = site.folder().join("chat.toml");
    let text = "model = 'chat'\n[[target]]\nprovider = 'main'\nmodel = 'next'\n";
    std::fs::write(&file, text).expect("the file can be written");
    let pushed = job.done(&format!("models push -f {}", file.display()));
    assert!(pushed.contains("organizations/acme/models/chat/versions/"));
    let beyond = job.run("keys list");
    assert_eq!(beyond.code, 5, "its role is all it has: {}", beyond.err);

    let again = job.run("login --ci");
    assert_eq!(again.code, 5, "{}", again.err);
    assert!(again.err.contains("exchanged before"), "{}", again.err);
    let told = shell.done("audit list --since 1h -o json");
    assert!(told.contains("ExchangeToken") && told.contains(&format!("forge:{SUBJECT}")));
    assert!(!told.contains("slo_") && !told.contains(&token), "{told}");

    // A minute is longer than a test may be.
    let mut database = site.database.connect().await;
    let end = "UPDATE operator_key SET expires_at = now() WHERE subject <> ''";
    let ended = raw_sql(AssertSqlSafe(end)).execute(&mut database).await;
    assert_eq!(ended.expect("it ends").rows_affected(), 1);
    let late = job.run("models list");
    assert_eq!(late.code, 5, "{}", late.err);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_the_job_s_own_is_refused_and_not_told_what_would_be() {
    let provider = Provider::start(openai::answer).await;
    let (site, mut issuer, mut foreign) = tokio::join!(site(), Oidc::start(), Oidc::start());
    let acme = Tenant::make(&site.admin(), "acme", &provider.base_url()).await;
    let grants = vec![grant("model-publisher", &acme.organization)];
    let name = make(
        &site,
        &acme.organization,
        "forge",
        trust(&issuer.url, grants),
    )
    .await;
    let now = tokens::now();
    let cases = [
        (but("aud", json!("another")), "TOKEN_UNPROVED"),
        (
            but("sub", json!("repo:acme/chat:ref:refs/heads/a/b")),
            "TOKEN_UNFIT",
        ),
        (
            but("sub", json!("repo:evil/chat:ref:refs/heads/main")),
            "TOKEN_UNFIT",
        ),
        (but("environment", json!("staging")), "TOKEN_UNFIT"),
        (but("environment", Value::Null), "TOKEN_UNFIT"),
        (but("exp", json!(now - 120)), "TOKEN_TIME_REFUSED"),
        (but("nbf", json!(now + 600)), "TOKEN_UNPROVED"),
        (but("exp", json!(now + 2 * 86_400)), "TOKEN_TIME_REFUSED"),
        (but("iss", json!("https://id.example")), "TOKEN_NOT_TRUSTED"),
    ];
    for (claims, expected) in cases {
        let token = issuer.token_that_says(&claims).await;
        assert_eq!(refusal(&site, &name, &token).await, expected, "{claims}");
    }
    let good = issuer.token_that_says(&job()).await;
    let elsewhere = format!("{}/trusts/other", acme.organization);
    assert_eq!(refusal(&site, &elsewhere, &good).await, "TOKEN_NOT_TRUSTED");
    // Another issuer signs in the name of ours, with a key that it calls the same.
    let forged = foreign
        .token_that_says(&but("iss", json!(issuer.url)))
        .await;
    assert_eq!(refusal(&site, &name, &forged).await, "TOKEN_UNPROVED");
    let (signed, _) = good.rsplit_once('.').expect("three parts");
    let (_, claims) = signed.split_once('.').expect("three parts");
    let unsigned = format!("{}.{claims}.AA", tokens::encode(br#"{"alg":"none"}"#));
    assert_eq!(refusal(&site, &name, &unsigned).await, "TOKEN_UNPROVED");
    for text in ["", "slo_x", signed] {
        assert_eq!(refusal(&site, &name, text).await, "TOKEN_MALFORMED");
    }
    assert!(
        exchange(&site, &name, &good).await.is_ok(),
        "it was good all the time"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_issuer_changes_its_keys_and_goes_away_while_jobs_come() {
    let provider = Provider::start(openai::answer).await;
    let (site, mut issuer) = tokio::join!(site(), Oidc::start());
    let acme = Tenant::make(&site.admin(), "acme", &provider.base_url()).await;
    let grants = || vec![grant("viewer", &acme.project)];
    let name = make(
        &site,
        &acme.organization,
        "forge",
        trust(&issuer.url, grants()),
    )
    .await;
    let first = issuer.token_that_says(&job()).await;
    let withdrawn = issuer.token().await;
    assert!(exchange(&site, &name, &first).await.is_ok());
    issuer.rotate().await;
    let second = issuer.token().await;
    assert!(
        exchange(&site, &name, &second).await.is_ok(),
        "its new key is asked for"
    );
    assert_eq!(refusal(&site, &name, &withdrawn).await, "TOKEN_UNPROVED");
    let third = issuer.token().await;
    issuer.kill().await;
    assert!(
        exchange(&site, &name, &third).await.is_ok(),
        "its keys outlive it for a while"
    );

    let away = trust(&format!("{}/away", issuer.url), grants());
    let away = make(&site, &acme.organization, "away", away).await;
    let part = |value: Value| tokens::encode(value.to_string().as_bytes());
    let head = part(json!({"alg": "RS256", "kid": "first"}));
    let claims = part(json!({"iss": format!("{}/away", issuer.url), "sub": SUBJECT}));
    let unknown = format!("{head}.{claims}.AAAA");
    assert_eq!(
        refusal(&site, &away, &unknown).await,
        "TOKEN_ISSUER_UNAVAILABLE"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_trust_gives_what_its_maker_holds_and_takes_it_back_with_itself() {
    let provider = Provider::start(openai::answer).await;
    let (site, mut issuer) = tokio::join!(site(), Oidc::start());
    let acme = Tenant::make(&site.admin(), "acme", &provider.base_url()).await;
    let evil = Tenant::make(&site.admin(), "evil", &provider.base_url()).await;
    let own = vec![grant("owner", &acme.organization)];
    let name = make(&site, &acme.organization, "owners", trust(&issuer.url, own)).await;
    let token = issuer.token_that_says(&job()).await;
    let (key, text) = exchange(&site, &name, &token).await.expect("it is taken");
    let owner = harness::admin::Admin::new(site.control_planes[0].admin, &text);

    for (parent, scope, expected) in [
        (
            acme.organization.as_str(),
            evil.organization.as_str(),
            Code::InvalidArgument,
        ),
        (&acme.organization, "", Code::InvalidArgument),
        (
            &evil.organization,
            &evil.organization,
            Code::PermissionDenied,
        ),
        ("", &acme.organization, Code::PermissionDenied),
    ] {
        let request = CreateTrustRequest {
            parent: parent.to_owned(),
            trust_id: "more".to_owned(),
            trust: Some(trust(&issuer.url, vec![grant("owner", scope)])),
            ..Default::default()
        };
        let made = owner.trusts().create_trust(request).await;
        assert_eq!(
            made.expect_err("it is refused").code(),
            expected,
            "{parent} {scope}"
        );
    }
    let change = UpdateOperatorKeyRequest {
        operator_key: Some(OperatorKey {
            display_name: "for ever".to_owned(),
            ..key
        }),
        update_mask: Some(prost_types::FieldMask {
            paths: vec!["expire_time".to_owned()],
        }),
        ..Default::default()
    };
    let changed = owner.operator_keys().update_operator_key(change).await;
    let why = changed.expect_err("what was given stays as it was given");
    assert_eq!(why.code(), Code::FailedPrecondition, "{why:?}");

    let seen = || async {
        let name = format!("{}/models/chat", acme.organization);
        let seen = owner.models().get_model(GetModelRequest { name }).await;
        seen.map_or_else(|why| why.code(), |_| Code::Ok)
    };
    assert_eq!(seen().await, Code::Ok);
    let request = DeleteTrustRequest {
        name,
        ..Default::default()
    };
    let gone = site.admin().trusts().delete_trust(request).await;
    assert_eq!(gone.expect("it is deleted").into_inner().revoked, 1);
    assert_eq!(seen().await, Code::Unauthenticated);
    let strange = GetKeyRequest::default();
    let strange = owner.keys().get_key(strange).await;
    assert_eq!(
        strange.expect_err("it is revoked").code(),
        Code::Unauthenticated
    );
}

/// GitHub's door for the tokens of jobs: gives these in turn to who brings the job's own word.
async fn forge(tokens: Vec<String>) -> Provider {
    let left = std::sync::Mutex::new(tokens);
    Provider::start(move |asked: &Asked| {
        let bearer = asked.headers.get("authorization");
        if bearer.is_none_or(|it| it != "Bearer the-job-s-own") {
            return Answer::json(401, "{}");
        }
        let next = left.lock().expect("nobody panicked").pop();
        Answer::json(200, json!({"value": next, "count": 1}).to_string())
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_template_of_a_job_logs_in_with_the_token_that_github_gives_it() {
    let provider = Provider::start(openai::answer).await;
    let (site, mut issuer) = tokio::join!(site(), Oidc::start());
    let acme = Tenant::make(&site.admin(), "acme", &provider.base_url()).await;
    let grants = vec![grant("model-publisher", &acme.organization)];
    make(
        &site,
        &acme.organization,
        "github",
        trust(&issuer.url, grants),
    )
    .await;
    let forge = forge(vec![issuer.token_that_says(&job()).await]).await;
    let file = site.folder().join("chat.toml");
    let text = "model = 'chat'\n[[target]]\nprovider = 'main'\nmodel = 'next'\n";
    std::fs::write(&file, text).expect("the file can be written");
    let shell = Shell::new(&site);
    let pushed = shell.done(&format!("models push -f {}", file.display()));
    let (_, version) = pushed.trim().rsplit_once('/').expect("a whole name");
    shell.done(&format!("models update chat --stable {version}"));

    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../deploy/ci/release");
    let program = harness::binaries::path("sluice");
    let folder = program.parent().expect("a program is in a folder");
    let variables = [
        ("PATH", format!("{}:/usr/bin:/bin", folder.display())),
        (
            "SLUICE_ADDRESS",
            format!("http://{}", site.control_planes[0].admin),
        ),
        ("SLUICE_ORGANIZATION", "acme".to_owned()),
        ("SLUICE_OPERATOR_KEY", String::new()),
        ("SLUICE_TRUST", "github".to_owned()),
        (
            "SLUICE_LOGINS_FILE",
            site.folder().join("logins.json").display().to_string(),
        ),
        (
            "ACTIONS_ID_TOKEN_REQUEST_URL",
            format!("{}/token?api-version=2.0", forge.base_url()),
        ),
        ("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "the-job-s-own".to_owned()),
        ("RELEASE_FILE", file.display().to_string()),
        ("RELEASE_STEPS", "50%".to_owned()),
    ];
    let mut command = std::process::Command::new(script);
    command.env_clear().envs(variables);
    let ended = tokio::task::block_in_place(|| command.output());
    let ended = ended.expect("the script starts");
    let said = String::from_utf8_lossy(&ended.stderr);
    assert!(ended.status.success(), "{said}");
    assert!(said.contains("it serves already"), "{said}");
    assert!(said.contains(SUBJECT) && !said.contains("slo_"), "{said}");
}
