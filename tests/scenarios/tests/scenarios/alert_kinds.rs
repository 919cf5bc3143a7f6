//! What else is watched, and the other ways to people: silent edges, errors and keys, by Slack and by e-mail.

use harness::{
    client,
    mail::Mail,
    provider::{Answer, Provider},
    site::{Plan, Site},
    tenant::Tenant,
    wait,
};
use proto::admin::{
    AlertChannel, AlertChannelKind, AlertEdgeStale, AlertEmail, AlertEmailSecurity,
    AlertErrorSpike, AlertKeyAge, AlertRule, AlertState, CreateAlertRuleRequest,
    CreateOperatorKeyRequest, OperatorKey, RoleBinding, TestAlertChannelRequest,
};
use scenarios::alerts::{self, ACME, alerts, channel, receiver, rule, signed, webhook};
use serde_json::Value;
use tonic::Code;

async fn site(edges: &[&'static str]) -> Site {
    Site::start(Plan {
        edges: edges.to_vec(),
        control_plane_settings: alerts::settings(),
        ..Plan::default()
    })
    .await
}

fn silent(seconds: i64) -> AlertRule {
    let silent = Some(prost_types::Duration { seconds, nanos: 0 });
    AlertRule {
        edge_stale: Some(AlertEdgeStale { silent }),
        ..Default::default()
    }
}

#[tokio::test]
async fn an_edge_that_is_silent_is_told_of_and_so_is_its_return() {
    let ops = receiver().await;
    let mut site = site(&["here"]).await;
    Tenant::make(&site.admin(), "acme", "http://127.0.0.1:9").await;
    channel(&site, "ops", webhook(&ops)).await;
    rule(&site, "edges", &["ops"], silent(5)).await;
    site.edges[0].process.kill();
    wait::until("its silence is told", || async {
        (ops.count() > 0).then_some(())
    })
    .await;
    let (_, kind, data) = signed(&ops.asked()[0]);
    assert_eq!(
        (kind.as_str(), &data["subject"]),
        ("alert.firing", &Value::from("edges/edge-0"))
    );
    site.restart_edge(0).await;
    wait::until("its return is told", || async {
        (ops.count() > 1).then_some(())
    })
    .await;
    assert_eq!(signed(&ops.asked()[1]).1, "alert.resolved");
    assert_eq!(ops.count(), 2);
}

#[tokio::test]
async fn edges_are_watched_only_by_who_may_see_them() {
    let ops = receiver().await;
    let site = site(&[]).await;
    Tenant::make(&site.admin(), "acme", "http://127.0.0.1:9").await;
    channel(&site, "ops", webhook(&ops)).await;
    let request = CreateOperatorKeyRequest {
        parent: ACME.to_owned(),
        operator_key: Some(OperatorKey {
            bindings: vec![RoleBinding {
                role: "owner".to_owned(),
                scope: ACME.to_owned(),
            }],
            ..Default::default()
        }),
        ..Default::default()
    };
    let made = site
        .admin()
        .operator_keys()
        .create_operator_key(request)
        .await;
    let text = made.expect("an owner of acme").into_inner().text;
    let owner = harness::admin::Admin::new(site.control_planes[0].admin, &text);
    let request = CreateAlertRuleRequest {
        parent: ACME.to_owned(),
        alert_rule_id: "edges".to_owned(),
        alert_rule: Some(AlertRule {
            channels: vec![format!("{ACME}/alertChannels/ops")],
            ..silent(10)
        }),
        ..Default::default()
    };
    let refused = owner.alerts().create_alert_rule(request).await;
    assert_eq!(
        refused.expect_err("edges are not acme's").code(),
        Code::PermissionDenied
    );
}

fn mailed(mail: &Mail, security: AlertEmailSecurity) -> AlertChannel {
    AlertChannel {
        kind: AlertChannelKind::Email.into(),
        credential: "a password".to_owned(),
        email: Some(AlertEmail {
            server: mail.server(),
            security: security.into(),
            username: "sluice".to_owned(),
            sender: "Sluice <sluice@example.com>".to_owned(),
            recipients: vec!["ops@example.com".to_owned(), "b@example.com".to_owned()],
        }),
        ..Default::default()
    }
}

#[tokio::test]
async fn errors_and_keys_are_told_by_slack_and_by_mail() {
    let provider = Provider::start(|_| Answer::json(500, r#"{"error":{"message":"no"}}"#)).await;
    let slack = receiver().await;
    let mail = Mail::start().await;
    let site = site(&["here"]).await;
    let tenant = Tenant::make(&site.admin(), "acme", &provider.base_url()).await;
    let (key_name, key) = tenant.key().await;
    let by_slack = AlertChannel {
        kind: AlertChannelKind::Slack.into(),
        credential: format!("{}/T0/B0/secret", slack.base_url()),
        ..Default::default()
    };
    let made = channel(&site, "slack", by_slack).await;
    assert!(!made.url.contains("secret") && made.url.starts_with("http://127.0.0.1:"));
    channel(&site, "mail", mailed(&mail, AlertEmailSecurity::None)).await;
    let spike = AlertRule {
        error_spike: Some(AlertErrorSpike {
            min_requests: 3,
            error_percent: 50,
            // Of one quarter of an hour alone, some could be in the next.
            window: Some(prost_types::Duration {
                seconds: 1_800,
                nanos: 0,
            }),
            ..Default::default()
        }),
        ..Default::default()
    };
    rule(&site, "errors", &["slack", "mail"], spike).await;
    site.propagated().await;
    for _ in 0..3 {
        let body = r#"{"model":"chat","messages":[{"role":"user","content":"hi"}]}"#;
        let path = "/v1/chat/completions";
        let reply = client::post(&site.url(0), &key, path, body.to_owned()).await;
        assert!(reply.status.as_u16() >= 500, "{}", reply.status);
    }
    wait::until("both ways were gone", || async {
        (slack.count() == 1 && mail.messages().len() == 1).then_some(())
    })
    .await;
    let said = "[Firing] 3 of 3 requests for the model chat failed in 30 minutes";
    let posted = slack.asked().remove(0);
    let text: Value = serde_json::from_slice(&posted.body).expect("JSON");
    assert_eq!(
        (posted.path.as_str(), &text["text"]),
        ("/v1/T0/B0/secret", &Value::from(said))
    );
    let message = mail.messages().remove(0);
    let told = |line: &str| message.said.iter().any(|it| it.starts_with(line));
    assert!(told("AUTH PLAIN") && told("MAIL FROM:<sluice@example.com>"));
    assert!(told("RCPT TO:<ops@example.com>") && told("RCPT TO:<b@example.com>"));
    let text = message.text.join("\n");
    assert!(text.contains("Message-ID: <") && text.contains(&format!("About: {ACME}/models/chat")));
    keys(&site, &key_name, &slack).await;
}

/// A key whose secret is old is an alert.
async fn keys(site: &Site, key_name: &str, slack: &Provider) {
    let span = Some(prost_types::Duration {
        seconds: 60,
        nanos: 0,
    });
    let old = AlertRule {
        key_age: Some(AlertKeyAge {
            age: span,
            unused: None,
            rotation_due: false,
        }),
        ..Default::default()
    };
    rule(site, "keys", &["slack"], old).await;
    let mut database = site.database.connect().await;
    let sql = "UPDATE key SET secret_created_at = now() - interval '3 days'";
    sqlx::query(sql)
        .execute(&mut database)
        .await
        .expect("it is older");
    wait::until("its age was told", || async {
        (slack.count() == 2).then_some(())
    })
    .await;
    let told = alerts(site).await;
    assert_eq!(told[0].subject, format!("{key_name} is old"));
    assert_eq!(told[0].state(), AlertState::Firing);
    assert!(
        told[0].summary.ends_with("is 3 days old"),
        "{}",
        told[0].summary
    );
}

#[tokio::test]
async fn a_server_of_mail_without_tls_is_told_nothing() {
    let mail = Mail::start().await;
    let site = site(&[]).await;
    Tenant::make(&site.admin(), "acme", "http://127.0.0.1:9").await;
    for (id, security) in [
        ("starttls", AlertEmailSecurity::Starttls),
        ("tls", AlertEmailSecurity::Tls),
    ] {
        let made = channel(&site, id, mailed(&mail, security)).await;
        let request = TestAlertChannelRequest { name: made.name };
        let tried = site.admin().alerts().test_alert_channel(request).await;
        let tried = tried.expect("it is tried").into_inner();
        assert!(
            !tried.delivered && !tried.error.contains("password"),
            "{}",
            tried.error
        );
    }
    assert!(mail.messages().is_empty());
}
