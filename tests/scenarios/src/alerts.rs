//! Channels and rules of alerts of a test, and what their receivers are to find.

use aws_lc_rs::hmac;
use base64::{Engine, engine::general_purpose::STANDARD};
use harness::{
    provider::{Answer, Asked, Provider},
    site::Site,
};
use proto::admin::{
    Alert, AlertChannel, AlertChannelKind, AlertRule, CreateAlertChannelRequest,
    CreateAlertRuleRequest, ListAlertsRequest,
};
use serde_json::Value;

/// What signs notices.
pub const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// The name of every organization here.
pub const ACME: &str = "organizations/acme";

/// Settings of a control plane that looks often, and tells receivers on this machine.
pub fn settings() -> Vec<(&'static str, String)> {
    vec![
        ("SLUICE_ALERTS__EVERY_MS", "200".to_owned()),
        (
            "SLUICE_ALERTS__PRIVATE_RANGES",
            r#"["127.0.0.0/8"]"#.to_owned(),
        ),
        ("SLUICE_ALERTS__PLAINTEXT_ON_LOOPBACK", "true".to_owned()),
    ]
}

/// A receiver that takes everything.
pub async fn receiver() -> Provider {
    Provider::start(|_| Answer::json(200, "ok")).await
}

/// A webhook at this receiver.
pub fn webhook(receiver: &Provider) -> AlertChannel {
    AlertChannel {
        kind: AlertChannelKind::Webhook.into(),
        url: format!("{}/notices?to=ops", receiver.base_url()),
        credential: SECRET.to_owned(),
        ..Default::default()
    }
}

/// Makes a channel.
pub async fn channel(site: &Site, id: &str, channel: AlertChannel) -> AlertChannel {
    let request = CreateAlertChannelRequest {
        parent: ACME.to_owned(),
        alert_channel_id: id.to_owned(),
        alert_channel: Some(channel),
        ..Default::default()
    };
    let made = site.admin().alerts().create_alert_channel(request).await;
    made.expect("a channel is made").into_inner()
}

/// Makes a rule that tells these channels.
pub async fn rule(site: &Site, id: &str, channels: &[&str], rule: AlertRule) -> AlertRule {
    let channels = channels
        .iter()
        .map(|it| format!("{ACME}/alertChannels/{it}"));
    let request = CreateAlertRuleRequest {
        parent: ACME.to_owned(),
        alert_rule_id: id.to_owned(),
        alert_rule: Some(AlertRule {
            channels: channels.collect(),
            ..rule
        }),
        ..Default::default()
    };
    let made = site.admin().alerts().create_alert_rule(request).await;
    made.expect("a rule is made").into_inner()
}

/// What has fired, the latest first.
pub async fn alerts(site: &Site) -> Vec<Alert> {
    let request = ListAlertsRequest {
        parent: ACME.to_owned(),
        ..Default::default()
    };
    let listed = site.admin().alerts().list_alerts(request).await;
    listed.expect("a list").into_inner().alerts
}

/// The notice that a webhook was posted, whose signature is right: its id, its type and its data.
pub fn signed(asked: &Asked) -> (String, String, Value) {
    let header = |name: &str| {
        let value = asked.headers.get(name).expect("it is signed");
        value.to_str().expect("it is text").to_owned()
    };
    let (id, at) = (header("webhook-id"), header("webhook-timestamp"));
    let secret = SECRET.trim_start_matches("whsec_");
    let key = hmac::Key::new(hmac::HMAC_SHA256, &STANDARD.decode(secret).expect("base64"));
    let message = [format!("{id}.{at}.").as_bytes(), &asked.body].concat();
    let signature = header("webhook-signature");
    let signature = signature.strip_prefix("v1,").expect("version 1");
    let signature = STANDARD.decode(signature).expect("base64");
    hmac::verify(&key, &message, &signature).expect("the signature is right");
    let body: Value = serde_json::from_slice(&asked.body).expect("JSON");
    let kind = body["type"].as_str().unwrap_or_default().to_owned();
    (id, kind, body["data"].clone())
}
