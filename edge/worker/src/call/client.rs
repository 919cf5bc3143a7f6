//! Sends one request to one provider, on a connection from the pool or a new one.
//!
//! Beside `exchange`, the only file that reads a provider credential. It is attached only to the origin that it is for,
//! and goes nowhere else: it is in no error, no log and no type that can be printed.

use std::{
    future::poll_fn,
    rc::Rc,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use egress::Guard;
use http::{HeaderName, HeaderValue, header};
use http_body_util::Full;
use hyper::{
    Request, Response,
    body::{Body as _, Incoming, SizeHint},
};
use policy::provider::ProviderKind;
use rustls::ClientConfig;
use tls::wire::Wire;
use tokio::time::{Instant, timeout_at};

use crate::{
    call::{
        dial::{CannotDial, Dialler},
        line::{Broken, Line, Sent, Unanswered},
        origin::Origin,
        pool::Pool,
        signature::{self, Service, Unsignable},
    },
    in_force::Credential,
};

/// One core's connections to providers, for requests with bodies of this type.
pub struct Client<B: Sent = Full<Bytes>> {
    dialler: Dialler,
    pool: Rc<Pool<B>>,
}

/// On which terms connections are made and kept.
#[derive(Debug, Clone)]
pub struct Terms {
    /// Which addresses may be dialled.
    pub guard: Guard,
    /// From resolving to the end of the TLS handshake.
    pub connect_max: Duration,
    /// How long a connection may rest.
    pub rest_max: Duration,
    /// How many may rest for each origin.
    pub resting_max: usize,
}

/// The body of an answer. Dropping it before its end closes the connection.
pub struct Body<B: Sent = Full<Bytes>> {
    incoming: Incoming,
    line: Option<Line<B>>,
    pool: Rc<Pool<B>>,
    origin: Rc<Origin>,
}

/// A credential, and whom it is presented to.
#[derive(Clone, Copy)]
pub struct Presented<'a> {
    /// What is presented, or what it was exchanged for.
    pub credential: &'a Credential,
    /// The token that it was exchanged for, if it was.
    pub token: Option<&'a [u8]>,
    /// The kind of provider, which says how.
    pub kind: ProviderKind,
    /// The header that takes it as it is, where the provider's mapping names one.
    pub header: Option<&'a HeaderName>,
    /// Where it stands.
    pub origin: &'a Origin,
    /// Now, in seconds since 1970, for credentials that sign.
    pub now_seconds: u64,
}

/// The credential is for another origin, or cannot be presented.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ForeignCredential;

/// Why a body was not read whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unfinished {
    /// The provider broke off.
    Broken,
    /// It is longer than it may be.
    TooLong,
}

/// Why there is no answer.
#[derive(Debug)]
pub enum NoAnswer {
    /// Nothing was sent.
    Unreachable(CannotDial),
    /// The provider closed the connection, or spoke no HTTP.
    Broken,
    /// The provider did not answer in time.
    Slow,
}

/// Whether this secret, a credential's own or a token, signs what it is presented with, so that all of that must be there
/// before.
pub fn signs(secret: &[u8], kind: ProviderKind) -> bool {
    kind == ProviderKind::Bedrock && secret.contains(&b':')
}

/// Adds the credential to a request, if it is for where the request goes. `whole` gives the body where it is signed.
pub fn authenticate<B>(
    request: &mut Request<B>,
    presented: Presented<'_>,
    whole: fn(&B) -> Bytes,
) -> Result<(), ForeignCredential> {
    let Presented {
        credential,
        token,
        kind,
        header: own,
        origin,
        now_seconds,
    } = presented;
    if credential.allowed_origin != origin.text() {
        return Err(ForeignCredential);
    }
    let secret = token.unwrap_or(credential.secret.as_slice());
    if signs(secret, kind) {
        let body = whole(request.body());
        let service = Service::bedrock(origin.host());
        let signed = signature::sign(request, &body, secret, &service, now_seconds);
        return signed.map_err(|Unsignable| ForeignCredential);
    }
    let (name, text) = match kind {
        _ if token.is_some() => (header::AUTHORIZATION, [b"Bearer ", secret].concat()),
        _ if let Some(own) = own => (own.clone(), secret.to_vec()),
        ProviderKind::Anthropic => (HeaderName::from_static("x-api-key"), secret.to_vec()),
        ProviderKind::Gemini => (HeaderName::from_static("x-goog-api-key"), secret.to_vec()),
        ProviderKind::AzureOpenAi => (HeaderName::from_static("api-key"), secret.to_vec()),
        _ => (header::AUTHORIZATION, [b"Bearer ", secret].concat()),
    };
    let mut value = HeaderValue::try_from(text).map_err(|_| ForeignCredential)?;
    value.set_sensitive(true);
    request.headers_mut().insert(name, value);
    Ok(())
}

// === impl Client ===

impl<B: Sent> Client<B> {
    /// A client with an empty pool.
    pub fn new(terms: Terms, tls: Arc<ClientConfig>) -> Self {
        Self {
            dialler: Dialler::new(terms.guard, tls, terms.connect_max),
            pool: Rc::new(Pool::new(terms.resting_max, terms.rest_max)),
        }
    }

    /// A connection to `origin`, and whether it is new.
    pub async fn line(&self, origin: &Origin) -> Result<(Line<B>, bool), NoAnswer> {
        match poll_fn(|cx| Poll::Ready(self.pool.take(origin.text(), cx))).await {
            Some(line) => Ok((line, false)),
            None => Ok((self.dial(origin).await?, true)),
        }
    }

    /// Sends `request` on `line`. A connection from the pool may turn out to be closed already; then, and only
    /// if nothing of the request was sent, it is sent once more on a new one. The head of the answer is waited for
    /// until `by`.
    pub async fn send(
        &self,
        origin: &Rc<Origin>,
        line: (Line<B>, bool),
        request: Request<B>,
        by: Instant,
    ) -> Result<Response<Body<B>>, NoAnswer> {
        let (mut line, new) = line;
        let waited = timeout_at(by, line.exchange(request)).await;
        let answer = match waited.map_err(|_| NoAnswer::Slow)? {
            Err(Unanswered::Stale(request)) if !new => {
                line = self.dial(origin).await?;
                let waited = timeout_at(by, line.exchange(*request)).await;
                waited.map_err(|_| NoAnswer::Slow)?
            }
            answer => answer,
        };
        let answer = answer.map_err(NoAnswer::from)?;
        let (pool, origin) = (Rc::clone(&self.pool), Rc::clone(origin));
        let mut answer = answer.map(|incoming| Body {
            incoming,
            line: Some(line),
            pool,
            origin,
        });
        let body = answer.body_mut();
        if body.incoming.is_end_stream() {
            // Nobody will ask for bytes, and so nobody else would let the connection rest.
            poll_fn(|cx| {
                body.rest(cx);
                Poll::Ready(())
            })
            .await;
        }
        Ok(answer)
    }

    /// Asks on a connection from the pool or a new one; the head of the answer is waited for until `by`.
    pub async fn ask(
        &self,
        origin: Origin,
        request: Request<B>,
        by: Instant,
    ) -> Result<Response<Body<B>>, NoAnswer> {
        let origin = Rc::new(origin);
        let line = self.line(&origin).await?;
        self.send(&origin, line, request, by).await
    }

    /// Closes connections that have rested too long.
    pub fn sweep(&self, cx: &mut Context<'_>) {
        self.pool.sweep(cx);
    }

    /// A new connection to `origin` on which nothing is spoken yet.
    pub async fn wire(&self, origin: &Origin) -> Result<Wire, NoAnswer> {
        // Boxed: dialling is large, and rare beside the requests that carry this future's size.
        let wire = Box::pin(self.dialler.dial(origin)).await;
        wire.map_err(NoAnswer::Unreachable)
    }

    async fn dial(&self, origin: &Origin) -> Result<Line<B>, NoAnswer> {
        let wire = self.wire(origin).await?;
        let line = Line::open(wire).await;
        line.map_err(|Broken| NoAnswer::Unreachable(CannotDial::Closed))
    }
}

// === impl Body ===

impl<B: Sent> Body<B> {
    /// The next bytes; `None` at the end. The connection goes back to the pool with the last of them.
    pub fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Broken>>> {
        let Some(line) = &mut self.line else {
            return Poll::Ready(None);
        };
        let polled = line.poll_data(&mut self.incoming, cx);
        match &polled {
            Poll::Ready(Some(Err(Broken))) => self.line = None,
            Poll::Ready(None) => self.rest(cx),
            Poll::Ready(Some(Ok(_))) if self.incoming.is_end_stream() => self.rest(cx),
            _ => {}
        }
        polled
    }

    /// All that is left, at most this many bytes.
    pub async fn whole(&mut self, bytes_max: usize) -> Result<Vec<u8>, Unfinished> {
        let mut whole = Vec::new();
        while let Some(bytes) = poll_fn(|cx| self.poll_data(cx)).await {
            let bytes = bytes.map_err(|Broken| Unfinished::Broken)?;
            if whole.len() + bytes.len() > bytes_max {
                return Err(Unfinished::TooLong);
            }
            whole.extend_from_slice(&bytes);
        }
        Ok(whole)
    }

    /// Whether the end has been reached.
    pub fn is_finished(&self) -> bool {
        self.line.is_none() || self.incoming.is_end_stream()
    }

    /// How many bytes are left, as far as the provider has said.
    pub fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }

    fn rest(&mut self, cx: &mut Context<'_>) {
        if let Some(line) = self.line.take() {
            self.pool.put(self.origin.text(), line, cx);
        }
    }
}

// === impl NoAnswer ===

impl<B> From<Unanswered<B>> for NoAnswer {
    fn from(unanswered: Unanswered<B>) -> Self {
        match unanswered {
            Unanswered::Stale(_) => Self::Unreachable(CannotDial::Closed),
            Unanswered::Broken => Self::Broken,
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::{TcpListener, TcpStream};

    use crate::call::dial;

    use super::*;

    #[tokio::test]
    async fn a_new_connection_that_is_closed_before_anything_was_sent_has_reached_nobody() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let stream = TcpStream::connect(address).await.unwrap();
        drop(listener.accept().await.unwrap());
        stream.readable().await.unwrap();
        let line = Line::open(Wire::Tcp(stream)).await.unwrap();
        let terms = Terms {
            guard: Guard::new(Vec::new()),
            connect_max: Duration::from_secs(1),
            rest_max: Duration::from_secs(1),
            resting_max: 1,
        };
        let client = Client::<Full<Bytes>>::new(terms, dial::tls().unwrap());
        let origin = Rc::new(Origin::parse(&format!("http://{address}")).unwrap());
        let request = Request::post("/").body(Full::default()).unwrap();
        let answer = client
            .send(
                &origin,
                (line, true),
                request,
                Instant::now() + Duration::from_secs(1),
            )
            .await;
        assert!(matches!(
            answer.err(),
            Some(NoAnswer::Unreachable(CannotDial::Closed))
        ));
    }
}
