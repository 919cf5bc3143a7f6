//! Tokens of Google's: for a service account, for a workload that another issuer vouches for, for this machine.
//!
//! Owns what is asked and how the answer is read; knows nothing of sockets.

use std::time::Duration;

use credential::google::{Account, Federated, Machine, Place};
use http::{HeaderName, HeaderValue, Method, header};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use crate::call::exchange::{
    issued::Given,
    issuer::{Issuer, posted, request},
    moment,
    no_token::NoToken,
};

/// What a token may be used for.
const SCOPE: &str = "https://www.googleapis.com/auth/cloud-platform";

/// How long an assertion is good, in seconds.
const ASSERTED_SECONDS: u64 = 3_600;

/// How far an issuer's clock may be behind ours, in seconds.
const SKEW_SECONDS: u64 = 10;

/// How long a token lasts of which nobody said it.
const LASTS: Duration = Duration::from_mins(5);

/// What Google's metadata server is told, and says of itself.
const FLAVOR: (HeaderName, HeaderValue) = (
    HeaderName::from_static("metadata-flavor"),
    HeaderValue::from_static("Google"),
);

/// The token in an answer of OAuth's.
pub(super) fn access_token(body: &[u8]) -> Result<Given, NoToken> {
    let answer: Value = serde_json::from_slice(body).map_err(|_| NoToken::Unreadable)?;
    let expires = &answer["expires_in"];
    // Some write the number as a text.
    let seconds = expires
        .as_u64()
        .or_else(|| expires.as_str()?.parse().ok())
        .map(Duration::from_secs);
    Ok(Given {
        secret: bearer(&answer["access_token"])?,
        lasts: seconds.unwrap_or(LASTS),
    })
}

/// A service account's.
pub(super) async fn account(
    issuer: &Issuer,
    account: &Account,
    now_seconds: u64,
) -> Result<Given, NoToken> {
    let url = &account.token_url;
    let issued_at = now_seconds.saturating_sub(SKEW_SECONDS);
    let audience = format!("{}{}", url.origin().trim_end_matches(":443"), url.target());
    let claims = json!({
        "iss": account.email,
        "scope": SCOPE,
        "aud": audience,
        "iat": issued_at,
        "exp": issued_at + ASSERTED_SECONDS,
    });
    let assertion = account.key.token(account.key_id.as_deref(), &claims);
    let assertion = assertion.map_err(|_| NoToken::Unsigned)?;
    let fields = [
        ("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer"),
        ("assertion", &**assertion),
    ];
    let said = issuer.ask(url, posted(url, &fields)?).await?;
    access_token(&said.body)
}

/// A federated workload's.
pub(super) async fn federated(
    issuer: &Issuer,
    workload: &Federated,
    now_seconds: u64,
) -> Result<Given, NoToken> {
    let proof = proof(issuer, workload).await?;
    let fields = [
        (
            "grant_type",
            "urn:ietf:params:oauth:grant-type:token-exchange",
        ),
        ("audience", &*workload.audience),
        ("scope", SCOPE),
        (
            "requested_token_type",
            "urn:ietf:params:oauth:token-type:access_token",
        ),
        ("subject_token_type", &*workload.subject_token_type),
        ("subject_token", &**proof),
    ];
    let url = &workload.token_url;
    let said = issuer.ask(url, posted(url, &fields)?).await?;
    let own = access_token(&said.body)?;
    let Some(url) = &workload.impersonation_url else {
        return Ok(own);
    };
    let lifetime = format!("{}s", workload.lifetime_seconds);
    let body = json!({"scope": [SCOPE], "lifetime": lifetime}).to_string();
    let mut asked = request(Method::POST, url, body.into_bytes())?;
    let headers = asked.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    let mut shown = HeaderValue::try_from([b"Bearer ", own.secret.as_slice()].concat())
        .map_err(|_| NoToken::Unreadable)?;
    shown.set_sensitive(true);
    headers.insert(header::AUTHORIZATION, shown);
    let said = issuer.ask(url, asked).await?;
    let answer: Value = serde_json::from_slice(&said.body).map_err(|_| NoToken::Unreadable)?;
    let ends = answer["expireTime"].as_str().and_then(moment::seconds);
    let left = ends.map(|ends| Duration::from_secs(ends.saturating_sub(now_seconds)));
    let most = Duration::from_secs(workload.lifetime_seconds);
    Ok(Given {
        secret: bearer(&answer["accessToken"])?,
        lasts: left.unwrap_or(LASTS).min(most),
    })
}

/// This machine's, for a provider at this origin.
pub(super) async fn machine(
    issuer: &Issuer,
    machine: &Machine,
    presented_to: &str,
) -> Result<Given, NoToken> {
    if !issuer.may_present_machine(presented_to) {
        return Err(NoToken::MachineClosed);
    }
    let path = format!(
        "/computeMetadata/v1/instance/service-accounts/{}/token",
        machine.account
    );
    let mut asked = request(Method::GET, &machine.url, Vec::new())?;
    *asked.uri_mut() = path.parse().map_err(|_| NoToken::Unknown)?;
    let (name, value) = FLAVOR;
    asked.headers_mut().insert(name.clone(), value.clone());
    let said = issuer.ask(&machine.url, asked).await?;
    // Whoever else answers there does not say so.
    if said.headers.get(name) != Some(&value) {
        return Err(NoToken::Unreadable);
    }
    access_token(&said.body)
}

async fn proof(issuer: &Issuer, workload: &Federated) -> Result<Zeroizing<String>, NoToken> {
    let text = match &workload.source.place {
        Place::File(path) => issuer.file(path).await?,
        Place::Url(url, headers) => {
            let mut asked = request(Method::GET, url, Vec::new())?;
            for (name, value) in headers {
                let name = HeaderName::try_from(name).map_err(|_| NoToken::Unknown)?;
                let mut value = HeaderValue::try_from(value).map_err(|_| NoToken::Unknown)?;
                value.set_sensitive(true);
                asked.headers_mut().insert(name, value);
            }
            let said = issuer.ask(url, asked).await?;
            let text = str::from_utf8(&said.body).map_err(|_| NoToken::Unreadable)?;
            Zeroizing::new(text.trim().to_owned())
        }
    };
    let Some(member) = &workload.source.member else {
        return Ok(text);
    };
    let object: Value = serde_json::from_str(&text).map_err(|_| NoToken::Unreadable)?;
    let proof = object[member].as_str().ok_or(NoToken::Unreadable)?;
    Ok(Zeroizing::new(proof.to_owned()))
}

/// A text that can stand in a header.
fn bearer(value: &Value) -> Result<Zeroizing<Vec<u8>>, NoToken> {
    let text = value.as_str().unwrap_or_default();
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(NoToken::Unreadable);
    }
    Ok(Zeroizing::new(text.as_bytes().to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_a_token_and_its_time_or_none() {
        let seconds = |body: &str| {
            access_token(body.as_bytes())
                .ok()
                .map(|it| it.lasts.as_secs())
        };
        assert_eq!(seconds(r#"{"access_token":"t","expires_in":60}"#), Some(60));
        assert_eq!(
            seconds(r#"{"access_token":"t","expires_in":"60"}"#),
            Some(60)
        );
        assert_eq!(seconds(r#"{"access_token":"t"}"#), Some(300));
        for none in ["", "[]", r#"{"access_token":"a b"}"#, r#"{"id_token":"t"}"#] {
            assert_eq!(seconds(none), None, "{none}");
        }
    }
}
