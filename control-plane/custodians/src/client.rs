//! How a service is asked: one JSON document posted, one read, over HTTP/1.1 by hyper.
//!
//! Knows how long to wait and how much to read; knows nothing of what is asked. Redirects are not followed.

use std::{io, path::Path, time::Duration};

use bytes::Bytes;
use egress::Unfit;
use http_body_util::{BodyExt, Full, Limited};
use hyper::{Request, Uri, header};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client as Hyper, connect::HttpConnector},
    rt::TokioExecutor,
};
use lifecycle::settings::Secret;
use serde::Deserialize;
use serde_json::Value;
use tokio::time::timeout;

use crate::unopened::{Unopened, said};

/// How long a connection may take.
const CONNECT_MAX: Duration = Duration::from_secs(3);

/// How long an answer may take, with its connection.
const ANSWER_MAX: Duration = Duration::from_secs(5);

/// The longest answer that is read, in bytes: a wrapped key is a few hundred.
// Full: it is none.
const ANSWER_BYTES_MAX: usize = 64 << 10;

/// A service that is asked, at one address.
pub(crate) struct Service {
    hyper: Hyper<HttpsConnector<HttpConnector>, Full<Bytes>>,
    /// As people know it.
    name: &'static str,
    place: Place,
}

/// What was answered.
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) body: Bytes,
}

/// Where a service is asked.
pub(crate) struct Place {
    /// Without a slash at its end.
    address: String,
    /// Host and port, as they were written.
    authority: String,
}

// === impl Place ===

impl Place {
    /// Reads an address: encrypted, on this machine, or when told so.
    pub(crate) fn read(address: &str, is_told: bool) -> Result<Self, &'static str> {
        let invalid = "is not such as `https://keys.example:8200`";
        let address = address.trim_end_matches('/');
        let uri: Uri = address.parse().map_err(|_| invalid)?;
        let authority = uri.authority().ok_or(invalid)?;
        if authority.as_str().contains('@') || uri.query().is_some() {
            return Err(invalid);
        }
        match egress::way(&uri, is_told) {
            Ok(_) => Ok(Self {
                authority: authority.to_string(),
                address: address.to_owned(),
            }),
            Err(Unfit::Plaintext) => Err(
                "would carry the sealing key in plaintext beyond this machine; use https, or set plaintext_beyond_loopback \
                 where the network itself is private",
            ),
            Err(Unfit::NotAnAddress) => Err(invalid),
        }
    }
}

// === impl Service ===

impl Service {
    /// One that trusts the authorities in a file, or else the public ones.
    pub(crate) fn open(
        name: &'static str,
        place: Place,
        ca_file: Option<&Path>,
    ) -> io::Result<Self> {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_connect_timeout(Some(CONNECT_MAX));
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(egress::trust(ca_file)?)
            .https_or_http()
            .enable_http1()
            .wrap_connector(tcp);
        // Asked once at a start and then once a minute: no connection is worth keeping.
        let hyper = Hyper::builder(TokioExecutor::new())
            .pool_max_idle_per_host(0)
            .build(connector);
        Ok(Self { hyper, name, place })
    }

    /// A request that posts a document to a path, which begins with a slash.
    pub(crate) fn posting(&self, path: &str) -> hyper::http::request::Builder {
        Request::post(format!("{}{path}", self.place.address))
            .header(header::HOST, self.authority())
            .header(header::USER_AGENT, "sluice")
    }

    /// A request that posts a document to a path for whoever bears this token; `None` where that can stand in no header. It is not
    /// told why: the parts hold the token.
    pub(crate) fn posting_as(
        &self,
        path: &str,
        token: &Secret,
        asked: &Value,
    ) -> Option<Request<Full<Bytes>>> {
        let request = self
            .posting(path)
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::AUTHORIZATION, format!("Bearer {}", token.expose()));
        request.body(Full::new(Bytes::from(asked.to_string()))).ok()
    }

    /// Posts it and reads what is answered with 200; `judge` says of any other answer what it means.
    pub(crate) async fn post<T: for<'de> Deserialize<'de>>(
        &self,
        request: Request<Full<Bytes>>,
        judge: impl FnOnce(&Reply) -> Unopened,
    ) -> Result<T, Unopened> {
        let reply = self.ask(request).await.map_err(|why| self.away(&why))?;
        if reply.status != 200 {
            return Err(judge(&reply));
        }
        serde_json::from_slice(&reply.body).map_err(|_| self.strange())
    }

    /// What an answer means that is told in a word: where too much is asked, or the service fails, it passes.
    pub(crate) fn judged(&self, status: u16, told: &str) -> Unopened {
        let why = format!("{status} {}", said(told));
        if status == 429 || status >= 500 {
            self.away(&why)
        } else {
            self.refused(&why)
        }
    }

    /// It is not there, or says that it will be.
    pub(crate) fn away(&self, why: &str) -> Unopened {
        let (who, why) = (self.who(), why.trim().to_owned());
        Unopened::Away { who, why }
    }

    /// It says no, and will say it again.
    pub(crate) fn refused(&self, why: &str) -> Unopened {
        let (who, why) = (self.who(), why.trim().to_owned());
        Unopened::Refused { who, why }
    }

    /// It says what no document of it knows.
    pub(crate) fn strange(&self) -> Unopened {
        Unopened::Strange { who: self.who() }
    }

    /// Its host and port.
    pub(crate) fn authority(&self) -> &str {
        &self.place.authority
    }

    /// The error is why there is no answer.
    async fn ask(&self, request: Request<Full<Bytes>>) -> Result<Reply, String> {
        let asked = async {
            let answer = self.hyper.request(request).await;
            let answer = answer.map_err(|why| reason(&why))?;
            let status = answer.status().as_u16();
            let body = Limited::new(answer.into_body(), ANSWER_BYTES_MAX);
            let body = body.collect().await.map_err(|why| why.to_string())?;
            Ok(Reply {
                status,
                body: body.to_bytes(),
            })
        };
        let silent = |_| format!("no answer within {} seconds", ANSWER_MAX.as_secs());
        timeout(ANSWER_MAX, asked).await.map_err(silent)?
    }

    fn who(&self) -> String {
        format!("{} at {}", self.name, self.place.address)
    }
}

/// The innermost reason, which is the one that says something.
fn reason(why: &(dyn std::error::Error + 'static)) -> String {
    let mut at = why;
    while let Some(source) = at.source() {
        at = source;
    }
    at.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_leaves_the_machine_in_plaintext_only_when_told() {
        for (address, told, may) in [
            ("https://vault.example", false, true),
            ("https://vault.example:8200/", false, true),
            ("http://127.0.0.1:8200", false, true),
            ("http://vault:8200", false, false),
            ("http://vault:8200", true, true),
            ("https://user:password@vault", true, false),
            ("https://vault?a=b", true, false),
            ("", true, false),
        ] {
            assert_eq!(Place::read(address, told).is_ok(), may, "{address}");
        }
    }
}
