//! How the command line asks others than a control plane: who issues tokens, over HTTPS, and over HTTP on this machine alone.
//!
//! Knows bounds of time and length; knows nothing of what is asked. Redirects are not followed, and nothing of an answer
//! but its JSON is read.

use std::{fmt::Write, fs, io, path::Path, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{Method, Request, StatusCode, Uri, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use rustls::{ClientConfig, RootCertStore, crypto::aws_lc_rs};
use rustls_pki_types::{CertificateDer, pem::PemObject};
use serde_json::Value;
use tokio::time::timeout;

use crate::failure::{Exit, Failure};

/// How long an answer may take.
const WITHIN: Duration = Duration::from_secs(15);

/// The longest answer, in bytes.
// Full: it is an error.
const ANSWER_BYTES_MAX: usize = 256 << 10;

/// Asks.
pub struct Web(Client<HttpsConnector<HttpConnector>, Full<Bytes>>);

/// An answer.
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// What it says; null where that is no JSON.
    pub said: Value,
}

/// Whether a URL is https, or leads to this machine.
pub fn may_ask(url: &str) -> bool {
    let uri: Result<Uri, _> = url.parse();
    uri.is_ok_and(|it| egress::way(&it, false).is_ok())
}

/// Text as it stands in a query or a form.
pub fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

/// Names and values as a form, or a query.
pub fn form(fields: &[(&str, &str)]) -> String {
    let pair = |(name, value): &(&str, &str)| format!("{}={}", encoded(name), encoded(value));
    fields.iter().map(pair).collect::<Vec<_>>().join("&")
}

// === impl Web ===

impl Web {
    /// One that trusts the public authorities, and those in a file.
    pub fn open(ca_file: Option<&Path>) -> Result<Self, Failure> {
        let mut roots = RootCertStore {
            roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
        };
        if let Some(path) = ca_file {
            let refused = |error| Failure::system(format!("read {}", path.display()), &error);
            let pem = fs::read(path).map_err(refused)?;
            for certificate in CertificateDer::pem_slice_iter(&pem) {
                let added = certificate.map_err(io::Error::other);
                let added = added.and_then(|it| roots.add(it).map_err(io::Error::other));
                added.map_err(refused)?;
            }
        }
        let tls = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(Failure::broken)?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls)
            .https_or_http()
            .enable_http1()
            .build();
        Ok(Self(Client::builder(TokioExecutor::new()).build(connector)))
    }

    /// Gets a document.
    pub async fn get(&self, url: &str, bearer: Option<&str>) -> Result<Answer, Failure> {
        self.ask(Method::GET, url, bearer, None).await
    }

    /// Posts a form.
    pub async fn post(&self, url: &str, fields: &[(&str, &str)]) -> Result<Answer, Failure> {
        self.ask(Method::POST, url, None, Some(form(fields))).await
    }

    async fn ask(
        &self,
        method: Method,
        url: &str,
        bearer: Option<&str>,
        body: Option<String>,
    ) -> Result<Answer, Failure> {
        // A query may hold what nobody else should see.
        let shown = url.split('?').next().unwrap_or_default().to_owned();
        if !may_ask(url) {
            let sentence = format!("{shown} is not an https URL");
            return Err(Failure::new(Exit::Refused, sentence));
        }
        let mut request = Request::builder()
            .method(method)
            .uri(url)
            .header(header::ACCEPT, "application/json")
            .header(header::USER_AGENT, "sluice");
        if body.is_some() {
            request = request.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        }
        if let Some(bearer) = bearer {
            request = request.header(header::AUTHORIZATION, format!("Bearer {bearer}"));
        }
        let request = request.body(Full::from(body.unwrap_or_default()));
        let request = request.map_err(|_| Failure::usage(format!("{shown} is not a URL")))?;
        let unreachable = || Failure::new(Exit::Unavailable, format!("{shown} cannot be asked"));
        let asked = async {
            let answer = self.0.request(request).await.map_err(|_| unreachable())?;
            let (head, body) = answer.into_parts();
            let body = Limited::new(body, ANSWER_BYTES_MAX).collect().await;
            let body = body.map_err(|_| unreachable())?.to_bytes();
            Ok(Answer {
                status: head.status,
                said: serde_json::from_slice(&body).unwrap_or_default(),
            })
        };
        let late = |_| Failure::new(Exit::Unavailable, format!("{shown} did not answer in time"));
        timeout(WITHIN, asked).await.map_err(late)?
    }
}

// === impl Answer ===

impl Answer {
    /// A text in what it says; empty where there is none.
    pub fn text(&self, name: &str) -> &str {
        self.said
            .get(name)
            .and_then(Value::as_str)
            .unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_https_and_this_machine_may_be_asked() {
        for (url, may) in [
            ("https://id.example/x?y=1", true),
            ("http://127.0.0.1:1/", true),
            ("http://[::1]:1/", true),
            ("http://localhost", true),
            ("http://id.example", false),
            ("ftp://127.0.0.1", false),
            ("", false),
        ] {
            assert_eq!(may_ask(url), may, "{url}");
        }
    }

    #[test]
    fn a_form_holds_what_it_is_given() {
        let fields = [("audience", "a b&c=d/é"), ("x", "1-._~")];
        assert_eq!(form(&fields), "audience=a%20b%26c%3Dd%2F%C3%A9&x=1-._~");
    }
}
