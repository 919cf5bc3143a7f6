//! How a registry is asked: one document over HTTP/1.1, on a connection of its own, at an address that may be dialled.
//!
//! The address that was judged is the address that is dialled: a name is resolved once. Redirects are not followed, so that a
//! credential goes nowhere else.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use bytes::Bytes;
use egress::{Guard, Unfit, Way, way};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::{Request, Uri, client::conn::http1, header};
use hyper_util::rt::TokioIo;
use rustls_pki_types::ServerName;
use tokio::net::{TcpStream, lookup_host};
use tokio_rustls::{TlsConnector, client::TlsStream};
use tokio_util::either::Either;
use zeroize::Zeroizing;

use crate::{config::Config, unsaid::Unsaid};

/// The longest answer that is read, in bytes.
// Full: it is none.
const ANSWER_BYTES_MAX: usize = 1 << 20;

/// How many addresses of one name are tried.
// Full: the others are left; the next look resolves anew.
const CANDIDATES_MAX: usize = 4;

type Wire = Either<TcpStream, Box<TlsStream<TcpStream>>>;

/// What is asked.
pub(crate) struct Question<'a> {
    /// Where, without a slash at its end.
    pub(crate) url: &'a str,
    /// What: a path and a query behind the URL's own path.
    pub(crate) target: String,
    /// What is presented, if anything.
    pub(crate) authorization: Option<Zeroizing<String>>,
    /// Whose certificates are believed; empty: those of the public authorities.
    pub(crate) ca_pem: &'a str,
}

/// What is answered.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Bytes,
}

/// Asks.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    guard: Guard,
    plaintext_beyond_loopback: bool,
}

// === impl Client ===

impl Client {
    /// One that dials what these settings allow.
    pub(crate) fn new(config: &Config) -> Self {
        Self {
            guard: Guard::new(config.private_ranges.clone()),
            plaintext_beyond_loopback: config.plaintext_beyond_loopback,
        }
    }

    /// Asks once.
    pub(crate) async fn get(&self, question: Question<'_>) -> Result<Answer, Unsaid> {
        let uri: Uri = question.url.parse().map_err(|_| Unsaid::Url)?;
        let authority = uri.authority().ok_or(Unsaid::Url)?.as_str().to_owned();
        let wire = self.dial(&uri, question.ca_pem).await?;
        let path = uri.path().trim_end_matches('/');
        let mut request = Request::get(format!("{path}{}", question.target))
            .header(header::HOST, authority)
            .header(header::ACCEPT, "application/json")
            .header(header::ACCEPT_ENCODING, "identity")
            .header(header::USER_AGENT, "sluice");
        if let Some(presented) = &question.authorization {
            request = request.header(header::AUTHORIZATION, presented.as_str());
        }
        // Not told why: its parts may hold a secret.
        let request = request
            .body(Empty::<Bytes>::new())
            .map_err(|_| Unsaid::Url)?;
        let away = |why: hyper::Error| Unsaid::Unreachable(why.to_string());
        let (mut send, connection) = http1::handshake(TokioIo::new(wire)).await.map_err(away)?;
        let asked = async move {
            let answer = send.send_request(request).await.map_err(away)?;
            let status = answer.status().as_u16();
            let body = Limited::new(answer.into_body(), ANSWER_BYTES_MAX);
            let body = body.collect().await.map_err(|_| Unsaid::Broken)?;
            Ok(Answer {
                status,
                body: body.to_bytes(),
            })
        };
        tokio::pin!(asked);
        let mut connection = std::pin::pin!(connection);
        tokio::select! {
            biased;
            answer = &mut asked => answer,
            // The connection has said its last; what it brought is still to be read.
            _ = &mut connection => asked.await,
        }
    }

    async fn dial(&self, uri: &Uri, ca_pem: &str) -> Result<Wire, Unsaid> {
        let way = way(uri, self.plaintext_beyond_loopback).map_err(|why| match why {
            Unfit::NotAnAddress => Unsaid::Url,
            Unfit::Plaintext => Unsaid::Plaintext,
        })?;
        let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
        let usual = if way == Way::Encrypted { 443 } else { 80 };
        let port = uri.port_u16().unwrap_or(usual);
        let mut last = Unsaid::Unreachable("it has no address".to_owned());
        for address in self.addresses((host, port)).await? {
            match connect((host, address), way, ca_pem).await {
                Ok(wire) => return Ok(wire),
                Err(why) => last = why,
            }
        }
        Err(last)
    }

    /// The addresses of a host that may be dialled.
    async fn addresses(&self, (host, port): (&str, u16)) -> Result<Vec<SocketAddr>, Unsaid> {
        let found: Vec<SocketAddr> = if let Ok(ip) = host.parse::<IpAddr>() {
            vec![SocketAddr::new(ip, port)]
        } else {
            let unresolved = |_| Unsaid::Unreachable("its name does not resolve".to_owned());
            lookup_host((host, port))
                .await
                .map_err(unresolved)?
                .collect()
        };
        let may = |it: &SocketAddr| self.guard.allows(it.ip());
        let open: Vec<_> = found.into_iter().filter(may).take(CANDIDATES_MAX).collect();
        if open.is_empty() {
            return Err(Unsaid::Forbidden);
        }
        Ok(open)
    }
}

async fn connect(
    (host, address): (&str, SocketAddr),
    way: Way,
    ca_pem: &str,
) -> Result<Wire, Unsaid> {
    let away = |why: io::Error| Unsaid::Unreachable(why.to_string());
    let stream = TcpStream::connect(address).await.map_err(away)?;
    if way == Way::Plain {
        return Ok(Either::Left(stream));
    }
    let believed = (!ca_pem.is_empty()).then_some(ca_pem.as_bytes());
    let config = egress::trust_pem(believed).map_err(|_| Unsaid::Authorities)?;
    let name = ServerName::try_from(host.to_owned()).map_err(|_| Unsaid::Url)?;
    let connector = TlsConnector::from(Arc::new(config));
    let stream = Box::pin(connector.connect(name, stream))
        .await
        .map_err(away)?;
    Ok(Either::Right(Box::new(stream)))
}
