//! How a document is fetched: HTTP/1.1 by hyper, over TLS that trusts the public authorities, from addresses that may be
//! dialled.
//!
//! The address that was judged is the address that is dialled: a name is resolved once. Redirects are not followed.

use std::{
    future::Future,
    io,
    net::{IpAddr, SocketAddr},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
    vec,
};

use bytes::Bytes;
use credential::endpoint::Endpoint;
use egress::Guard;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::{HeaderMap, Request, header};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{
        Client as Hyper,
        connect::{HttpConnector, dns::Name},
    },
    rt::TokioExecutor,
};
use rustls::{ClientConfig, RootCertStore, crypto::aws_lc_rs};
use tokio::net::lookup_host;
use tower::Service;

use crate::no_keys::NoKeys;

/// How long a connection may take.
const CONNECT_MAX: Duration = Duration::from_secs(5);

/// How many addresses of one name are tried.
// Full: the others are left; the next fetch resolves anew.
const CANDIDATES_MAX: usize = 8;

/// Fetches.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    hyper: Hyper<HttpsConnector<HttpConnector<Resolver>>, Empty<Bytes>>,
    guard: Arc<Guard>,
}

/// Resolves names to addresses that may be dialled.
#[derive(Debug, Clone)]
struct Resolver(Arc<Guard>);

/// What a name resolves to is nothing that may be dialled.
#[derive(Debug)]
struct Forbidden;

// === impl Client ===

impl Client {
    /// One that dials what `guard` allows.
    pub(crate) fn open(guard: Guard) -> Result<Self, rustls::Error> {
        let guard = Arc::new(guard);
        let roots = RootCertStore {
            roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
        };
        let tls = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let mut tcp = HttpConnector::new_with_resolver(Resolver(Arc::clone(&guard)));
        tcp.enforce_http(false);
        tcp.set_connect_timeout(Some(CONNECT_MAX));
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls)
            .https_or_http()
            .enable_http1()
            .wrap_connector(tcp);
        // Keys are asked for every hour or so: no connection is worth keeping.
        let hyper = Hyper::builder(TokioExecutor::new())
            .pool_max_idle_per_host(0)
            .build(connector);
        Ok(Self { hyper, guard })
    }

    /// Gets a document.
    pub(crate) async fn get(
        &self,
        url: &str,
        bytes_max: usize,
    ) -> Result<(HeaderMap, Bytes), NoKeys> {
        let endpoint = Endpoint::read(url).ok_or(NoKeys::Url)?;
        // An address that stands in a URL is resolved by nobody, and so not judged there.
        let literal = endpoint.host().trim_matches(['[', ']']).parse::<IpAddr>();
        if literal.is_ok_and(|it| !self.guard.allows(it)) {
            return Err(NoKeys::Forbidden);
        }
        let request = Request::get(format!("{}{}", endpoint.origin(), endpoint.target()))
            .header(header::ACCEPT, "application/json")
            .header(header::ACCEPT_ENCODING, "identity")
            .header(header::USER_AGENT, "sluice")
            .body(Empty::new())
            .map_err(|_| NoKeys::Url)?;
        let answer = self.hyper.request(request).await.map_err(|why| {
            if is_forbidden(&why) {
                NoKeys::Forbidden
            } else {
                NoKeys::Unreachable
            }
        })?;
        let (head, body) = answer.into_parts();
        if !head.status.is_success() {
            return Err(NoKeys::Status(head.status.as_u16()));
        }
        let body = Limited::new(body, bytes_max).collect().await;
        let body = body.map_err(|_| NoKeys::Broken)?;
        Ok((head.headers, body.to_bytes()))
    }
}

fn is_forbidden(why: &(dyn std::error::Error + 'static)) -> bool {
    let mut at = Some(why);
    while let Some(error) = at {
        let io = error.downcast_ref::<io::Error>();
        let inner = io.and_then(io::Error::get_ref);
        if error.is::<Forbidden>()
            || inner.is_some_and(|it| it.downcast_ref::<Forbidden>().is_some())
        {
            return true;
        }
        at = error.source();
    }
    false
}

// === impl Resolver ===

impl Service<Name> for Resolver {
    type Response = vec::IntoIter<SocketAddr>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let guard = Arc::clone(&self.0);
        Box::pin(async move {
            let found = lookup_host((name.as_str(), 0)).await?;
            let allowed: Vec<_> = found
                .filter(|it| guard.allows(it.ip()))
                .take(CANDIDATES_MAX)
                .collect();
            if allowed.is_empty() {
                return Err(io::Error::other(Forbidden));
            }
            Ok(allowed.into_iter())
        })
    }
}

// === impl Forbidden ===

impl std::fmt::Display for Forbidden {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("no address of this name may be dialled")
    }
}

impl std::error::Error for Forbidden {}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn no_host_of_the_table_is_dialled() {
        let client = Client::open(Guard::new(Vec::new())).unwrap();
        let listener = tokio::net::TcpListener::bind("[::]:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let table = include_str!("../../../shared/egress/hosts.txt");
        let rows = table
            .lines()
            .filter(|row| !row.is_empty() && !row.starts_with('#'));
        for (_, host) in rows.map(|row| row.split_once(" | ").unwrap()) {
            let url = format!("http://{host}:{port}/");
            assert!(client.get(&url, 1).await.is_err(), "{url}");
        }
        let soon = Duration::from_millis(50);
        let visited = tokio::time::timeout(soon, listener.accept()).await;
        assert!(visited.is_err(), "somebody was dialled");
    }

    #[tokio::test]
    async fn what_may_not_be_dialled_is_not_by_its_address_nor_by_its_name() {
        let client = Client::open(Guard::new(Vec::new())).unwrap();
        for url in [
            "http://127.0.0.1:9/",
            "http://[::1]:9/",
            "http://localhost:9/",
            "http://169.254.169.254/",
            "http://127.1:9/",
        ] {
            let got = client.get(url, 1).await.map(drop);
            assert_eq!(got, Err(NoKeys::Forbidden), "{url}");
        }
        let opened = Guard::new(vec!["127.0.0.0/8".parse().unwrap()]);
        let client = Client::open(opened).unwrap();
        let got = client.get("http://127.0.0.1:9/", 1).await.map(drop);
        assert_eq!(
            got,
            Err(NoKeys::Unreachable),
            "it is dialled, and nobody is there"
        );
    }
}
