//! Clients that present a token of an issuer in place of a key: what it opens, what is refused, and what becomes of it when
//! its issuer changes its keys or is away.

use harness::{
    client::{self, Client},
    provider::Provider,
    site::{Plan, Site},
    tenant::Tenant,
    wait,
};
use proto::admin::{
    self, CreateIssuerRequest, DeleteIssuerRequest, Limit, LimitUnit, LimitWindow,
    QueryUsageRequest, UpdateIssuerRequest,
};
use scenarios::{
    openai,
    tokens::{Issuer, encode, now},
};
use serde_json::{Value, json};
use tonic::Code;

/// An organization that trusts an issuer.
struct Town {
    site: Site,
    tenant: Tenant,
    issuer: Issuer,
    name: String,
    _provider: Provider,
}

const PUBLIC: &str = "https://ai.example.com";

impl Town {
    async fn start(spoil: impl FnOnce(&Tenant, &mut admin::Issuer)) -> Self {
        let provider = Provider::start(openai::answer).await;
        let site = Site::start(Plan {
            edge_settings: vec![("SLUICE_INFERENCE__PUBLIC_URL", PUBLIC.to_owned())],
            ..Plan::default()
        })
        .await;
        let tenant = Tenant::make(&site.admin(), "acme", &provider.base_url()).await;
        let issuer = Issuer::start().await;
        let mut wanted = admin::Issuer {
            issuer_url: issuer.url(),
            audiences: vec!["sluice".to_owned()],
            project: tenant.project.clone(),
            ..Default::default()
        };
        spoil(&tenant, &mut wanted);
        let made = trust(&site, &tenant.organization, "corp", wanted).await;
        let name = made.expect("an issuer is made").name;
        site.propagated().await;
        Self {
            site,
            tenant,
            issuer,
            name,
            _provider: provider,
        }
    }

    async fn ask(&self, token: &str) -> client::Reply {
        let body = json!({"model": "chat", "messages": [{"role": "user", "content": "hi"}]});
        let path = "/v1/chat/completions";
        client::post(&self.site.url(0), token, path, body.to_string()).await
    }

    /// The status, and our code of an error.
    async fn outcome(&self, token: &str) -> (u16, String) {
        let reply = self.ask(token).await;
        let code = reply.headers.get("x-sluice-code");
        let code = code.map_or("", |it| it.to_str().expect("text")).to_owned();
        (reply.status.as_u16(), code)
    }

    async fn update(&self, issuer: admin::Issuer, mask: &[&str]) {
        let request = UpdateIssuerRequest {
            issuer: Some(admin::Issuer {
                name: self.name.clone(),
                ..issuer
            }),
            update_mask: Some(prost_types::FieldMask {
                paths: mask.iter().map(ToString::to_string).collect(),
            }),
            ..Default::default()
        };
        let updated = self.site.admin().issuers().update_issuer(request).await;
        updated.expect("the issuer is changed");
        self.site.propagated().await;
    }
}

async fn trust(
    site: &Site,
    organization: &str,
    id: &str,
    issuer: admin::Issuer,
) -> Result<admin::Issuer, tonic::Status> {
    let request = CreateIssuerRequest {
        parent: organization.to_owned(),
        issuer_id: id.to_owned(),
        issuer: Some(issuer),
        ..Default::default()
    };
    let made = site.admin().issuers().create_issuer(request).await;
    made.map(tonic::Response::into_inner)
}

fn refused(status: u16, code: &str) -> (u16, String) {
    (status, code.to_owned())
}

#[tokio::test]
async fn a_token_opens_what_its_issuer_s_tokens_open_and_the_record_says_whose_it_is() {
    let town = Town::start(|_, issuer| {
        issuer.model_patterns = vec!["chat*".to_owned()];
        issuer.end_user_expression = "claims.sub".to_owned();
        issuer.condition = r#""inference" in claims.roles"#.to_owned();
    })
    .await;
    town.tenant.model("secret", "main", "provider-secret").await;
    let each = Limit {
        each: vec![admin::LimitMember::EndUser.into()],
        unit: LimitUnit::Requests.into(),
        amount: 21,
        window: LimitWindow::Hour.into(),
        burst: 21,
        ..Default::default()
    };
    town.tenant.limit_like("each", each).await;
    town.site.propagated().await;
    let with_roles = |subject: &str, roles: Value| {
        let mut claims = town.issuer.claims(subject);
        claims["roles"] = roles;
        town.issuer.token(&claims)
    };
    let alice = with_roles("alice", json!(["inference"]));
    for _ in 0..20 {
        assert_eq!(town.outcome(&alice).await, (200, String::new()));
    }
    assert_eq!(town.issuer.fetches(), 1, "one fetch serves many requests");
    let body = r#"{"model":"secret","messages":[]}"#;
    let reply = client::post(&town.site.url(0), &alice, "/v1/chat/completions", body).await;
    assert_eq!(reply.error_code().await, "model_not_found");
    let listed = client::get(&town.site.url(0), &alice, "/v1/models")
        .await
        .json()
        .await;
    assert_eq!(listed["data"].as_array().map(Vec::len), Some(1), "{listed}");

    // Limits count the end user that the token names, whatever its client says.
    assert_eq!(town.outcome(&alice).await.0, 200);
    assert_eq!(
        town.outcome(&alice).await,
        refused(429, "rate_limit_exceeded")
    );
    let bob = with_roles("bob", json!(["inference"]));
    assert_eq!(town.outcome(&bob).await.0, 200);
    let guest = with_roles("guest", json!(["reader"]));
    assert_eq!(town.outcome(&guest).await, refused(403, "token_not_mapped"));
    let bare = town.issuer.good("bare");
    assert_eq!(town.outcome(&bare).await, refused(403, "token_not_mapped"));

    let query = || async {
        let request = QueryUsageRequest {
            parent: town.tenant.organization.clone(),
            group_by: vec![admin::UsageDimension::Key.into()],
            ..Default::default()
        };
        let usage = town.site.admin().usage().query_usage(request).await;
        let rows = usage.expect("usage is told").into_inner().rows;
        let of = |subject: &str| {
            let name = format!("{}/keys/corp:{subject}", town.tenant.project);
            let row = rows.iter().find(|it| it.key == name)?;
            Some(row.requests)
        };
        (of("alice") == Some(21) && of("bob") == Some(1)).then_some(())
    };
    wait::until("the records name the subjects", query).await;
}

/// Tokens, and the status and code that each gets.
fn cases(issuer: &Issuer) -> Vec<(String, u16, &'static str)> {
    let good = issuer.claims("alice");
    let with = |name: &str, value: Value| {
        let mut claims = good.clone();
        claims[name] = value;
        issuer.token(&claims)
    };
    let headed = |more: Value| {
        let mut head = json!({"alg": "ES256", "kid": "first"});
        for (name, value) in more.as_object().expect("an object") {
            head[name] = value.clone();
        }
        issuer.token_by("first", &head, &good)
    };
    let body = encode(good.to_string().as_bytes());
    let unsigned = format!("{}.{body}.", encode(br#"{"alg":"none"}"#));
    let whole = issuer.good("alice");
    let (start, end) = whole.split_at(whole.len() - 8);
    let forged = format!(
        "{start}{}{}",
        if end.starts_with('A') { 'B' } else { 'A' },
        &end[1..]
    );
    let (key, invalid) = ("token_key_unknown", "token_invalid");
    let elsewhere = format!("{}/", issuer.url());
    vec![
        (with("aud", json!("other")), 401, "token_audience"),
        (with("aud", json!(["a", "sluice"])), 200, ""),
        (with("exp", json!(now() - 60)), 401, "token_expired"),
        (with("exp", json!((now() + 60).to_string())), 401, invalid),
        (with("nbf", json!(now() + 120)), 401, "token_not_yet_valid"),
        (with("iat", json!(now() + 120)), 401, "token_not_yet_valid"),
        (with("iss", json!(elsewhere)), 401, "token_issuer_unknown"),
        (
            with("iss", json!("http://127.0.0.1:1/realm")),
            401,
            "token_issuer_unknown",
        ),
        (headed(json!({"alg": "HS256"})), 401, invalid),
        (headed(json!({"alg": "RS256"})), 401, key),
        (headed(json!({"alg": "EdDSA"})), 401, invalid),
        (headed(json!({"typ": "logout+jwt"})), 401, invalid),
        (headed(json!({"crit": ["b64"], "b64": false})), 401, invalid),
        (headed(json!({"jku": "http://169.254.169.254/"})), 200, ""),
        (headed(json!({"kid": "nobody"})), 401, key),
        (forged, 401, invalid),
        (unsigned, 401, invalid),
        ("ey.ey.ey".to_owned(), 401, invalid),
        (
            format!("eyJhbGciOiJFUzI1NiJ9.{}.AAAA", "e".repeat(9_000)),
            401,
            invalid,
        ),
    ]
}

#[tokio::test]
async fn a_token_that_is_not_good_is_refused_and_told_why_in_the_client_s_words() {
    let town = Town::start(|_, _| {}).await;
    for (at, (token, status, code)) in cases(&town.issuer).iter().enumerate() {
        assert_eq!(
            town.outcome(token).await,
            refused(*status, code),
            "case {at}"
        );
    }
    let mut claims = town.issuer.claims("alice");
    claims["exp"] = json!(now() - 60);
    let expired = town.issuer.token(&claims);
    let reply = town.ask(&expired).await;
    let challenge = reply.headers["www-authenticate"].to_str().expect("text");
    let expected = format!(
        "Bearer error=\"invalid_token\", error_description=\"The token has expired.\", \
         resource_metadata=\"{PUBLIC}/.well-known/oauth-protected-resource\""
    );
    assert_eq!(challenge, expected);
    let body = r#"{"model":"chat","max_tokens":9,"messages":[{"role":"user","content":"hi"}]}"#;
    let reply = client::post(&town.site.url(0), &expired, "/v1/messages", body).await;
    assert_eq!(reply.headers["x-sluice-code"], "token_expired");
    let said = reply.json().await;
    assert_eq!(said["error"]["type"], "authentication_error", "{said}");

    let mut nobody = Client::connect(&town.site.url(0), "")
        .await
        .expect("it accepts");
    let told = nobody.get("/.well-known/oauth-protected-resource").await;
    let told = told.expect("it answers").json().await;
    assert_eq!(told["resource"], PUBLIC);
    assert_eq!(told["authorization_servers"], json!([town.issuer.url()]));
}

#[tokio::test]
async fn an_issuer_changes_its_keys_and_goes_away_while_tokens_are_used() {
    let town = Town::start(|_, _| {}).await;
    let first = town.issuer.good("alice");
    assert_eq!(town.outcome(&first).await.0, 200);
    // Before anybody knows it: the first token of a new key waits for it.
    town.issuer.add_key("second");
    let head = json!({"alg": "ES256", "kid": "second"});
    let second = town
        .issuer
        .token_by("second", &head, &town.issuer.claims("bob"));
    let left_alone = || async { (town.outcome(&second).await.0 == 200).then_some(()) };
    wait::until_within(
        std::time::Duration::from_secs(40),
        "the new key is known",
        left_alone,
    )
    .await;
    let fetches = town.issuer.fetches();
    let flood = (0..50).map(|at| {
        let head = json!({"alg": "ES256", "kid": format!("made-up-{at}")});
        let token = town
            .issuer
            .token_by("first", &head, &town.issuer.claims("eve"));
        let town = &town;
        async move { town.outcome(&token).await }
    });
    for outcome in futures_util::future::join_all(flood).await {
        assert_eq!(outcome, refused(401, "token_key_unknown"));
    }
    assert!(
        town.issuer.fetches() <= fetches + 1,
        "a flood of ids is no flood of fetches"
    );

    town.issuer.set_away(true);
    let carol = town.issuer.good("carol");
    assert_eq!(town.outcome(&carol).await.0, 200, "keys outlive an outage");
    town.update(
        admin::Issuer {
            disabled: true,
            ..Default::default()
        },
        &["disabled"],
    )
    .await;
    for token in [&first, &carol] {
        assert_eq!(
            town.outcome(token).await,
            refused(401, "token_issuer_unknown")
        );
    }
    town.update(admin::Issuer::default(), &["disabled"]).await;
    assert_eq!(
        town.outcome(&carol).await,
        refused(503, "token_issuer_unavailable")
    );
    town.issuer.set_away(false);
    let back = || async { (town.outcome(&carol).await.0 == 200).then_some(()) };
    wait::until("the issuer is back", back).await;
    let request = DeleteIssuerRequest {
        name: town.name.clone(),
        ..Default::default()
    };
    let deleted = town.site.admin().issuers().delete_issuer(request).await;
    deleted.expect("the issuer is deleted");
    town.site.propagated().await;
    assert_eq!(town.outcome(&first).await, refused(401, "invalid_api_key"));
}

#[tokio::test]
async fn a_token_is_for_one_organization_and_for_the_project_that_its_claims_name() {
    let town = Town::start(|_, issuer| {
        issuer.project = String::new();
        issuer.project_expression = "claims.team".to_owned();
        issuer.models_expression = "has(claims.models) ? claims.models : null".to_owned();
    })
    .await;
    let of = |team: &str, models: Option<Value>| {
        let mut claims = town.issuer.claims("alice");
        claims["team"] = json!(team);
        if let Some(models) = models {
            claims["models"] = models;
        }
        town.issuer.token(&claims)
    };
    assert_eq!(town.outcome(&of("web", None)).await.0, 200);
    assert_eq!(
        town.outcome(&of("nobody", None)).await,
        refused(403, "token_not_mapped")
    );
    assert_eq!(town.outcome(&of("web", Some(json!(["ch*"])))).await.0, 200);
    assert_eq!(
        town.outcome(&of("web", Some(json!(["gpt-*"])))).await,
        refused(404, "model_not_found")
    );
    for none in [json!([]), json!("chat"), json!([1])] {
        assert_eq!(
            town.outcome(&of("web", Some(none))).await,
            refused(403, "token_not_mapped")
        );
    }

    let root = town.site.admin();
    let evil = Tenant::make(&root, "evil", "http://127.0.0.1:1/v1").await;
    let same = |audience: &str| admin::Issuer {
        issuer_url: town.issuer.url(),
        audiences: vec![audience.to_owned()],
        project: evil.project.clone(),
        ..Default::default()
    };
    let taken = trust(&town.site, &evil.organization, "corp", same("sluice")).await;
    assert_eq!(
        taken.expect_err("the audience is acme's").code(),
        Code::AlreadyExists
    );
    let theirs = trust(&town.site, &evil.organization, "corp", same("theirs")).await;
    theirs.expect("another audience is theirs");
    let foreign = admin::Issuer {
        project: town.tenant.project.clone(),
        ..same("more")
    };
    let refused = trust(&town.site, &evil.organization, "more", foreign).await;
    assert_eq!(
        refused.expect_err("acme's project").code(),
        Code::InvalidArgument
    );
    let wrong = admin::Issuer {
        condition: "claims.a == ".to_owned(),
        algorithms: vec!["HS256".to_owned()],
        ..same("more")
    };
    let refused = trust(&town.site, &evil.organization, "more", wrong).await;
    let why = refused.expect_err("neither is right").message().to_owned();
    assert!(
        why.contains("issuer.condition") && why.contains("issuer.algorithms[0]"),
        "{why}"
    );
}
