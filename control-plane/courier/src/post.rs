//! Posts a notice to a URL: as a webhook, signed, or as Slack takes it.
//!
//! One connection for each notice; no redirect is followed, and of the answer nothing but its status is read.

use bytes::Bytes;
use http_body_util::Full;
use hyper::{Request, client::conn::http1, header};
use hyper_util::rt::TokioIo;
use serde_json::json;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use crate::{
    dial::Dialler, notice::Notice, place::Place, said::Undelivered, signing::SigningSecret,
};

/// Posts a notice as a webhook of Standard Webhooks. `now_s` is the time, seconds since 1970.
pub(crate) async fn webhook(
    dialler: &Dialler,
    (place, secret): (&Place, &SigningSecret),
    notice: &Notice,
    now_s: u64,
) -> Result<(), Undelivered> {
    let body = webhook_body(notice);
    let signature = secret.sign(&notice.id, now_s, &body);
    let signature = signature.map_err(Undelivered::because)?;
    let now_s = now_s.to_string();
    let headers = [
        ("webhook-id", notice.id.as_str()),
        ("webhook-timestamp", now_s.as_str()),
        ("webhook-signature", signature.as_str()),
    ];
    post(dialler, place, &headers, body).await
}

/// Posts a notice as an incoming webhook of Slack takes it.
pub(crate) async fn slack(
    dialler: &Dialler,
    place: &Place,
    notice: &Notice,
) -> Result<(), Undelivered> {
    post(dialler, place, &[], slack_body(notice)).await
}

fn webhook_body(notice: &Notice) -> Vec<u8> {
    let at = i128::from(notice.at_ms) * 1_000_000;
    let at = OffsetDateTime::from_unix_timestamp_nanos(at).ok();
    let at = at.and_then(|it| it.format(&Rfc3339).ok());
    let body = json!({
        "type": notice.event.word(),
        "timestamp": at.unwrap_or_default(),
        "data": {
            "alert": notice.alert,
            "rule": notice.rule,
            "subject": notice.subject,
            "summary": notice.summary,
        },
    });
    body.to_string().into_bytes()
}

/// Three characters mean something to Slack: what could become a link or a mention.
fn slack_body(notice: &Notice) -> Vec<u8> {
    let mut text = String::new();
    for it in notice.headline().chars() {
        match it {
            '&' => text.push_str("&amp;"),
            '<' => text.push_str("&lt;"),
            '>' => text.push_str("&gt;"),
            it => text.push(it),
        }
    }
    json!({ "text": text }).to_string().into_bytes()
}

async fn post(
    dialler: &Dialler,
    place: &Place,
    headers: &[(&str, &str)],
    body: Vec<u8>,
) -> Result<(), Undelivered> {
    let wire = dialler.dial(&place.server, place.is_encrypted).await?;
    let failed = |why: hyper::Error| Undelivered::because(format!("the receiver failed: {why}"));
    let (mut send, connection) = http1::handshake(TokioIo::new(wire)).await.map_err(failed)?;
    let mut request = Request::post(place.target.as_str())
        .header(header::HOST, place.authority())
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::USER_AGENT, "sluice");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Full::new(Bytes::from(body)));
    // Not told why: its parts may hold a secret.
    let request = request.map_err(|_| Undelivered::because("its URL cannot be asked"))?;
    // Ends with the answer: nobody else holds the connection.
    let asked = async move { send.send_request(request).await };
    let (answer, _) = tokio::join!(asked, connection);
    let status = answer.map_err(failed)?.status();
    if status.is_success() {
        Ok(())
    } else {
        let status = status.as_u16();
        Err(Undelivered::because(format!(
            "the receiver answered {status}"
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notice::Event;

    fn notice() -> Notice {
        Notice {
            id: "n1".to_owned(),
            event: Event::Firing,
            alert: "organizations/acme/alerts/1".to_owned(),
            rule: "organizations/acme/alertRules/spend".to_owned(),
            subject: "organizations/acme/budgets/team".to_owned(),
            summary: "80% <!channel> & more".to_owned(),
            at_ms: 1_700_000_000_000,
        }
    }

    #[test]
    fn a_webhook_says_what_happened_to_what_and_when() {
        let body: serde_json::Value = serde_json::from_slice(&webhook_body(&notice())).unwrap();
        assert_eq!(body["type"], "alert.firing");
        assert_eq!(body["timestamp"], "2023-11-14T22:13:20Z");
        assert_eq!(body["data"]["subject"], "organizations/acme/budgets/team");
    }

    #[test]
    fn a_text_for_slack_mentions_nobody() {
        let body: serde_json::Value = serde_json::from_slice(&slack_body(&notice())).unwrap();
        assert_eq!(body["text"], "[Firing] 80% &lt;!channel&gt; &amp; more");
    }
}
