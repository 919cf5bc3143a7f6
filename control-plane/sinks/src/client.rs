//! How a server of others is asked: HTTP/1.1 by hyper, with TLS by the one provider of cryptography.
//!
//! Knows whom to trust, how long to wait and how much to read. Knows nothing of what is asked.

use std::{io, path::Path, time::Duration};

use egress::Unfit;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::Uri;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client as Hyper, connect::HttpConnector as Tcp},
    rt::{TokioExecutor, TokioTimer},
};
use object_store::{
    ClientOptions,
    client::{
        HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpRequestBody,
        HttpResponse, HttpService,
    },
};
use tokio::time::timeout;

/// How long a connection may take.
const CONNECT_MAX: Duration = Duration::from_secs(5);

/// How long an answer may take.
const ANSWER_MAX: Duration = Duration::from_secs(30);

/// How long a connection is kept that nobody uses.
const IDLE_MAX: Duration = Duration::from_mins(1);

/// The longest answer that is read, in bytes. Full: it is an error.
const ANSWER_BYTES_MAX: usize = 1 << 20;

/// Asks.
#[derive(Debug, Clone)]
pub(crate) struct Client(Hyper<HttpsConnector<Tcp>, HttpRequestBody>);

/// Whether an address may be asked as it is: encrypted, on this machine, or when told so.
pub(crate) fn may_ask(address: &str, is_told: bool) -> Result<(), &'static str> {
    let uri: Result<Uri, _> = address.parse();
    let uri = uri.map_err(|_| Unfit::NotAnAddress);
    match uri.and_then(|it| egress::way(&it, is_told)) {
        Ok(_) => Ok(()),
        Err(Unfit::Plaintext) => Err(
            "would carry records in plaintext beyond this machine; use https, or set plaintext_beyond_loopback where the \
             network itself is private",
        ),
        Err(Unfit::NotAnAddress) => Err("is not such as `https://minio.example:9000`"),
    }
}

// === impl Client ===

impl Client {
    /// One that trusts the authorities in a file, or else the public ones.
    pub(crate) fn open(ca_file: Option<&Path>) -> io::Result<Self> {
        let mut tcp = Tcp::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(CONNECT_MAX));
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(egress::trust(ca_file)?)
            .https_or_http()
            .enable_http1()
            .wrap_connector(tcp);
        let hyper = Hyper::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE_MAX)
            // One thing is sent after another.
            .pool_max_idle_per_host(1)
            .build(connector);
        Ok(Self(hyper))
    }
}

impl HttpConnector for Client {
    fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(self.clone()))
    }
}

#[tonic::async_trait]
impl HttpService for Client {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let asked = async {
            let answer = self.0.request(request).await.map_err(|why| {
                let kind = if why.is_connect() {
                    HttpErrorKind::Connect
                } else {
                    HttpErrorKind::Request
                };
                HttpError::new(kind, why)
            })?;
            let (head, body) = answer.into_parts();
            let body = Limited::new(body, ANSWER_BYTES_MAX).collect().await;
            let body = body.map_err(|why| {
                let kind = if why.is::<LengthLimitError>() {
                    HttpErrorKind::Decode
                } else {
                    HttpErrorKind::Interrupted
                };
                HttpError::new_boxed(kind, why)
            })?;
            Ok(HttpResponse::from_parts(head, body.to_bytes().into()))
        };
        let silent = |why| HttpError::new(HttpErrorKind::Timeout, why);
        timeout(ANSWER_MAX, asked).await.map_err(silent)?
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_leave_the_machine_in_plaintext_only_when_told() {
        for (address, told, may) in [
            ("https://s3.example", false, true),
            ("http://127.0.0.1:9000", false, true),
            ("http://minio:9000", false, false),
            ("http://minio:9000", true, true),
            ("", true, false),
        ] {
            assert_eq!(may_ask(address, told).is_ok(), may, "{address}");
        }
    }
}
