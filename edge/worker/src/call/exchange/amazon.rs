//! Sessions of Amazon's: a role that is assumed for a time.
//!
//! Owns what is asked and how the answer is read; knows nothing of sockets.

use std::time::Duration;

use credential::{
    amazon::{Proof, Role},
    endpoint::Endpoint,
};
use zeroize::Zeroizing;

use crate::call::{
    exchange::{
        issued::Given,
        issuer::{Issuer, posted},
        moment,
        no_token::NoToken,
    },
    signature::{self, Service},
};

/// The version of the API.
const VERSION: &str = "2011-06-15";

/// A session of a role, for a provider at this origin.
pub(super) async fn role(
    issuer: &Issuer,
    role: &Role,
    presented_to: &str,
    now_seconds: u64,
) -> Result<Given, NoToken> {
    let url = match &role.token_url {
        Some(url) => url.clone(),
        None => usual(presented_to).ok_or(NoToken::Unknown)?,
    };
    let duration = role.duration_seconds.to_string();
    let mut fields = vec![
        ("Version", VERSION),
        ("RoleArn", &*role.arn),
        ("RoleSessionName", &*role.session_name),
        ("DurationSeconds", &*duration),
    ];
    if let Some(id) = &role.external_id {
        fields.push(("ExternalId", id));
    }
    let asked = match &role.proof {
        Proof::Keys(keys) => {
            fields.push(("Action", "AssumeRole"));
            let mut asked = posted(&url, &fields)?;
            let service = Service::sts(url.host());
            let body = asked.body().clone().into_inner().unwrap_or_default();
            let keys = keys.as_bytes();
            let signed = signature::sign(&mut asked, &body, keys, &service, now_seconds);
            signed.map_err(|_| NoToken::Unsigned)?;
            asked
        }
        Proof::File(path) => {
            let proof = issuer.file(path).await?;
            fields.push(("Action", "AssumeRoleWithWebIdentity"));
            fields.push(("WebIdentityToken", &proof));
            posted(&url, &fields)?
        }
    };
    let said = issuer.ask(&url, asked).await?;
    let text = str::from_utf8(&said.body).map_err(|_| NoToken::Unreadable)?;
    session(text, now_seconds, role.duration_seconds).ok_or(NoToken::Unreadable)
}

/// Where sessions are given in the region of a provider.
fn usual(presented_to: &str) -> Option<Endpoint> {
    let host = Endpoint::read(presented_to)?.host().to_owned();
    let region = signature::region(&host);
    let china = if region.starts_with("cn-") { ".cn" } else { "" };
    Endpoint::read(&format!("https://sts.{region}.amazonaws.com{china}/"))
}

/// The session in an answer. Its end is by Amazon's clock, and so no more than the time that was asked for is believed.
fn session(text: &str, now_seconds: u64, duration_seconds: u64) -> Option<Given> {
    let credentials = element(text, "Credentials")?;
    let word = |name| {
        let text = element(credentials, name)?.trim();
        let fits = !text.is_empty()
            && text
                .bytes()
                .all(|byte| byte.is_ascii_graphic() && !b"<>&:".contains(&byte));
        fits.then_some(text)
    };
    let secret = [
        word("AccessKeyId")?,
        word("SecretAccessKey")?,
        word("SessionToken")?,
    ];
    let ends = moment::seconds(element(credentials, "Expiration")?.trim())?;
    let left = ends.saturating_sub(now_seconds).min(duration_seconds);
    Some(Given {
        secret: Zeroizing::new(secret.join(":").into_bytes()),
        lasts: Duration::from_secs(left),
    })
}

/// What stands in the first element of this name.
fn element<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(&format!("<{name}>"))?;
    Some(rest.split_once(&format!("</{name}>"))?.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANSWER: &str = "<AssumeRoleResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><AssumeRoleResult>\
        <AssumedRoleUser><Arn>arn:aws:sts::1:x</Arn></AssumedRoleUser><Credentials>\
        <AccessKeyId>ASIA1</AccessKeyId> <SecretAccessKey>se/cr+et=</SecretAccessKey>\
        <SessionToken>to/ken==</SessionToken><Expiration>2015-08-30T13:36:00Z</Expiration>\
        </Credentials></AssumeRoleResult></AssumeRoleResponse>";

    #[test]
    fn a_session_is_read_with_the_time_that_it_has_left() {
        let given = session(ANSWER, 1_440_938_160, 3_600).unwrap();
        assert_eq!(given.secret.as_slice(), b"ASIA1:se/cr+et=:to/ken==");
        assert_eq!(given.lasts.as_secs(), 3_600);
        assert_eq!(
            session(ANSWER, 1_440_938_160, 900).unwrap().lasts.as_secs(),
            900
        );
        assert_eq!(
            session(ANSWER, 1_440_941_700, 3_600)
                .unwrap()
                .lasts
                .as_secs(),
            60
        );
        for broken in [
            "",
            "<Credentials></Credentials>",
            &ANSWER.replace("ASIA1", "A&amp;"),
        ] {
            assert!(session(broken, 0, 3_600).is_none());
        }
    }

    #[test]
    fn a_session_is_asked_for_in_the_provider_s_region() {
        for (provider, expected) in [
            (
                "https://bedrock-runtime.eu-west-1.amazonaws.com:443",
                "https://sts.eu-west-1.amazonaws.com:443",
            ),
            (
                "https://bedrock-runtime.cn-north-1.amazonaws.com.cn:443",
                "https://sts.cn-north-1.amazonaws.com.cn:443",
            ),
            (
                "http://127.0.0.1:1",
                "https://sts.us-east-1.amazonaws.com:443",
            ),
        ] {
            let url = usual(provider).unwrap();
            assert_eq!(url.origin(), expected);
            assert!(credential::amazon::is_usual(&url));
        }
    }
}
