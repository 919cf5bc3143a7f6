//! Asks the targets of a plan, in order, until one answers: a [`Plan`] and an [`Entry`] become an [`Answer`].
//!
//! Knows HTTP towards providers; knows nothing of clients. Moves on to the next target only while nothing was
//! sent, and never retries what a provider may have begun to work on.

pub mod guard;
pub mod origin;
pub mod dial;
pub mod line;
pub mod pool;
pub mod signature;
pub mod client;
pub mod exchange;
pub mod failure;

use std::{
    cell::RefCell, collections::HashMap, convert::Infallible, path::PathBuf, rc::Rc, sync::Arc,
    task::Context, time::Duration,
};

use bytes::Bytes;
use dialect::{
    crossing::{self, Back},
    estimate,
    neutral::Dropped,
};
use futures_util::{FutureExt, future::LocalBoxFuture};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use http_body_util::Full;
use ipnet::IpNet;
use policy::{id::ProviderId, provider::Provider};
use rustls::ClientConfig;
use serde::{Deserialize, Deserializer, de::Error as _};
use tokio::time::timeout;
use tracing::warn;

use crate::{
    in_force::{Credential, InForce},
    record::{Entry, Tally},
    request::{Arrival, Request},
    route::{Candidate, Plan},
    translate::{self, Forwards, Outgoing, Way},
};

use self::{
    client::{Body, Client, Presented, Terms, Unfinished},
    exchange::{
        Exchange,
        issued::Issued,
        issuer::{Issuer, Opened},
        no_token::NoToken,
    },
    failure::Failure,
    guard::Guard,
    origin::Origin,
};

/// The longest answer that is read whole to be translated, in bytes.
// Full: the provider has failed.
const WHOLE_BYTES_MAX: usize = 32 << 20;

/// How many providers' base URLs are kept taken apart.
// Full: all are forgotten, and taken apart anew when they are needed.
const ORIGINS_MAX: usize = 4_096;

/// The version of Anthropic's API that is asked for where the client names none.
const MESSAGES_VERSION: &str = "2023-06-01";

/// Where Amazon names an error.
const AMAZON_ERROR: &str = "x-amzn-errortype";

/// How many headers a request to a provider mostly has.
const HEADERS: usize = 8;

/// What we call ourselves to providers.
const USER_AGENT: HeaderValue =
    HeaderValue::from_static(concat!("sluice/", env!("CARGO_PKG_VERSION")));

/// The section `[upstream]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Ranges beyond the public internet that providers may stand in, such as `10.0.0.0/8`. Default none. The
    /// addresses of cloud metadata services stay closed.
    #[serde(deserialize_with = "ranges")]
    pub private_ranges: Vec<IpNet>,
    /// From resolving a provider's name to the end of the TLS handshake, in milliseconds. Default 5,000.
    pub connect_timeout_ms: u64,
    /// From sending a request to the head of its answer, in milliseconds. Default 600,000: an answer that is not
    /// streamed may take as long as its generation.
    pub first_byte_timeout_ms: u64,
    /// How long a provider may say nothing in the middle of an answer, in milliseconds. Default 300,000.
    pub idle_timeout_ms: u64,
    /// How long a request may take from its arrival, in milliseconds. Default 3,600,000.
    pub total_timeout_ms: u64,
    /// How many connections to each origin each core keeps at rest. Default 64.
    pub idle_connections_max: usize,
    /// How long the exchange of a credential for a token may take, in milliseconds. Default 10,000.
    pub token_timeout_ms: u64,
    /// Folders whose files may be read where a provider's credential names one that proves who this edge is, such as
    /// `/var/run/secrets/tokens`. Default none.
    pub token_folders: Vec<PathBuf>,
    /// The origins of providers to which this machine's own identity may be presented, which Google's metadata server
    /// gives, such as `https://us-central1-aiplatform.googleapis.com`. Default none.
    #[serde(deserialize_with = "origins")]
    pub metadata_origins: Vec<String>,
}

/// One core's way to providers.
pub struct Call {
    client: Rc<Client>,
    exchange: Exchange,
    answer_max: Duration,
    in_force: InForce,
    // Borrowed for one look-up, never over an await.
    origins: RefCell<HashMap<ProviderId, Known>>,
}

/// A provider as it was when its base URL was taken apart.
type Known = (Arc<Provider>, Rc<Origin>);

/// A request for a provider, what becomes of its answer, and what was left out of it.
type Message = (http::Request<Full<Bytes>>, Way, Option<Box<Dropped>>);

/// What a provider answered.
pub struct Answer {
    /// Its status: 2xx, or an error of the request's own.
    pub status: StatusCode,
    /// Its headers, as they came; the media type is that of what the client gets.
    pub headers: HeaderMap,
    /// What the client gets.
    pub content: Content,
    /// What of the request was left out on the way, if anything was.
    pub dropped: Option<Box<Dropped>>,
}

/// What is presented to a provider.
enum ToPresent {
    /// There is no credential.
    Nothing,
    /// The credential.
    Itself(Arc<Credential>),
    /// What the credential was exchanged for.
    Token(Arc<Credential>, Rc<Issued>),
    /// The credential could not be exchanged.
    NoToken(Box<NoToken>),
}

/// What a client gets of an answer.
pub enum Content {
    /// A body of which nothing has been read, and what becomes of it.
    Coming(Body, Way),
    /// A translated body, and what was used.
    Whole(Bytes, Tally),
}

// === impl Config ===

impl Default for Config {
    fn default() -> Self {
        Self {
            private_ranges: Vec::new(),
            connect_timeout_ms: 5_000,
            first_byte_timeout_ms: 600_000,
            idle_timeout_ms: 300_000,
            total_timeout_ms: 3_600_000,
            idle_connections_max: 64,
            token_timeout_ms: 10_000,
            token_folders: Vec::new(),
            metadata_origins: Vec::new(),
        }
    }
}

/// How long a connection may rest: less than most servers keep theirs, so that few are found closed.
const REST_MAX: Duration = Duration::from_secs(55);

fn ranges<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<IpNet>, D::Error> {
    let texts = Vec::<String>::deserialize(from)?;
    let parse = |text: String| {
        text.parse()
            .map_err(|_| D::Error::custom(format!("`{text}` is not a range like 10.0.0.0/8")))
    };
    texts.into_iter().map(parse).collect()
}

fn origins<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    let parse = |text: String| {
        let origin = Origin::parse(&text).map(|origin| origin.text().to_owned());
        origin.map_err(|_| D::Error::custom(format!("`{text}` is not an origin like https://a.b")))
    };
    let texts = Vec::<String>::deserialize(from)?;
    texts.into_iter().map(parse).collect()
}

// === impl Call ===

impl Call {
    /// A way with an empty pool. `tls` may be shared by all cores.
    pub fn new(config: &Config, tls: Arc<ClientConfig>, in_force: InForce) -> Self {
        let terms = |guard| Terms {
            guard,
            connect_max: Duration::from_millis(config.connect_timeout_ms),
            first_byte_max: Duration::from_millis(config.first_byte_timeout_ms),
            rest_max: REST_MAX,
            resting_max: config.idle_connections_max,
        };
        let metadata = Client::new(terms(Guard::google_metadata()), Arc::clone(&tls));
        let guard = Guard::new(config.private_ranges.clone());
        let client = Rc::new(Client::new(terms(guard), tls));
        let opened = Opened {
            token_folders: config.token_folders.clone(),
            metadata_origins: config.metadata_origins.clone(),
        };
        let issuer = Issuer::new(Rc::clone(&client), metadata, opened);
        Self {
            client,
            exchange: Exchange::new(issuer, Duration::from_millis(config.token_timeout_ms)),
            answer_max: Duration::from_millis(config.total_timeout_ms),
            in_force,
            origins: RefCell::default(),
        }
    }

    /// The first answer that one of the plan's targets gives.
    pub async fn first_good(
        &self,
        plan: &Plan,
        request: &Request,
        arrival: &Arrival,
        entry: &mut Entry,
    ) -> Result<Answer, Failure> {
        let mut last = Failure::Misconfigured("target");
        for candidate in plan.candidates() {
            match self.attempt(candidate, request, arrival, entry).await {
                Ok(answer) => return Ok(answer),
                Err(failure) => last = failure,
            }
            warn!(provider = %candidate.provider().name, failure = %last, "a provider did not answer");
            if last.was_sent() {
                break;
            }
            entry.missed();
        }
        Err(last)
    }

    /// Closes connections that have rested too long.
    pub fn sweep(&self, cx: &mut Context<'_>) {
        self.client.sweep(cx);
        self.exchange.sweep(cx);
    }

    /// Has tokens renewed before they end. Never ends.
    pub async fn renew(&self) -> Infallible {
        self.exchange.renew().await
    }

    async fn attempt(
        &self,
        candidate: &Candidate,
        request: &Request,
        arrival: &Arrival,
        entry: &mut Entry,
    ) -> Result<Answer, Failure> {
        let origin = self.origin(candidate.provider())?;
        let presented = match self.at_hand(candidate, arrival) {
            Ok(at_hand) => at_hand,
            Err(to_come) => to_come.await,
        };
        // What the client can mend is told before what it cannot.
        let outgoing = translate::outgoing(request, candidate, arrival)?;
        let (mut message, way, dropped) = message(request, &origin, outgoing)?;
        let to = (&**candidate.provider(), &*origin);
        present(&mut message, presented, to, arrival)?;
        let line = self.client.line(&origin).await.map_err(Failure::from)?;
        entry.reached(candidate);
        let answer = self.client.send(&origin, line, message).await;
        let (parts, body) = answer.map_err(Failure::from)?.into_parts();
        let status = parts.status;
        if !status.is_success() {
            entry.refused();
        }
        match status {
            StatusCode::UNAUTHORIZED
            | StatusCode::FORBIDDEN
            | StatusCode::PROXY_AUTHENTICATION_REQUIRED => {
                self.exchange.doubt(candidate.provider().id);
                return Err(Failure::CredentialRefused(status));
            }
            _ if status.is_informational() || status.is_redirection() => {
                return Err(Failure::Unexpected(status));
            }
            _ => {}
        }
        let mut headers = parts.headers;
        let good = status.is_success();
        if let Some(media_type) = way.media_type(good) {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
        }
        let content = if way.is_read_whole(good) {
            // Boxed: rare beside the requests that carry this future's size.
            Box::pin(self.told(body, status, &way, &headers)).await?
        } else {
            Content::Coming(body, way)
        };
        Ok(Answer {
            status,
            headers,
            content,
            dropped,
        })
    }

    /// Reads an answer whole, before the client hears of it, and tells it anew.
    async fn told(
        &self,
        mut body: Body,
        status: StatusCode,
        way: &Way,
        headers: &HeaderMap,
    ) -> Result<Content, Failure> {
        let whole = timeout(self.answer_max, body.whole(WHOLE_BYTES_MAX)).await;
        let whole = whole.map_err(|_| Failure::Slow)?;
        let whole = whole.map_err(|why| match why {
            Unfinished::Broken => Failure::Broken,
            Unfinished::TooLong => Failure::Unreadable,
        })?;
        let said = match way {
            Way::Across { back, .. } if status.is_success() => return translated(&whole, back),
            Way::Across { back, .. } => back.error(status.as_u16(), &whole),
            Way::Hosted { .. } => {
                let name = headers.get(AMAZON_ERROR).and_then(|it| it.to_str().ok());
                crossing::hosted_error(name, status.as_u16(), &whole)
            }
            Way::Same { .. } => whole,
        };
        Ok(Content::Whole(said.into(), Tally::default()))
    }

    /// What is presented to a provider, or, where a token may have to be waited for, its coming. That is boxed: it is rare
    /// beside the requests that carry this future's size.
    fn at_hand<'a>(
        &'a self,
        candidate: &'a Candidate,
        arrival: &Arrival,
    ) -> Result<ToPresent, LocalBoxFuture<'a, ToPresent>> {
        let provider = candidate.provider();
        let Some(credential) = self.in_force.credential(provider.id) else {
            return Ok(ToPresent::Nothing);
        };
        if !credential.is_exchanged() {
            return Ok(ToPresent::Itself(credential));
        }
        let now_seconds = arrival.at_ms / 1_000;
        let coming = async move {
            let token = self.exchange.token(provider, &credential, now_seconds);
            match token.await {
                Ok(token) => ToPresent::Token(credential, token),
                Err(why) => ToPresent::NoToken(Box::new(why)),
            }
        };
        Err(coming.boxed_local())
    }

    /// The provider's base URL, taken apart once for each revision of the provider.
    fn origin(&self, provider: &Arc<Provider>) -> Result<Rc<Origin>, Failure> {
        let mut origins = self.origins.borrow_mut();
        if let Some((known, origin)) = origins.get(&provider.id)
            && Arc::ptr_eq(known, provider)
        {
            return Ok(Rc::clone(origin));
        }
        let origin = Origin::parse(&provider.base_url);
        let origin = Rc::new(origin.map_err(|_| Failure::Misconfigured("base URL"))?);
        if origins.len() >= ORIGINS_MAX {
            origins.clear();
        }
        origins.insert(provider.id, (Arc::clone(provider), Rc::clone(&origin)));
        Ok(origin)
    }
}

/// Presents what is to be presented, and lets it go.
fn present(
    message: &mut http::Request<Full<Bytes>>,
    to_present: ToPresent,
    (provider, origin): (&Provider, &Origin),
    arrival: &Arrival,
) -> Result<(), Failure> {
    let (credential, token) = match to_present {
        ToPresent::Nothing if provider.credential_required => {
            return Err(Failure::Misconfigured("credential, which is missing"));
        }
        ToPresent::Nothing => return Ok(()),
        ToPresent::Itself(credential) => (credential, None),
        ToPresent::Token(credential, token) => (credential, Some(token)),
        ToPresent::NoToken(why) => return Err(Failure::NoToken(why)),
    };
    let presented = Presented {
        credential: &credential,
        token: token.as_deref().map(Issued::secret),
        kind: provider.kind,
        origin,
        now_seconds: arrival.at_ms / 1_000,
    };
    client::authenticate(message, presented)
        .map_err(|_| Failure::Misconfigured("credential, which is for another origin"))
}

/// A whole answer in the client's dialect.
fn translated(whole: &[u8], back: &Back) -> Result<Content, Failure> {
    let answer = back.whole(whole).map_err(|_| Failure::Unreadable)?;
    let tally = Tally {
        tokens: answer.tokens,
        output_tokens: estimate::output_tokens(answer.generated_bytes),
    };
    Ok(Content::Whole(answer.body.into(), tally))
}

/// The request, without a credential, and what becomes of its answer.
fn message(request: &Request, origin: &Origin, outgoing: Outgoing) -> Result<Message, Failure> {
    let uri = origin.path(&outgoing.path);
    let uri = uri.map_err(|_| Failure::Misconfigured("base URL"))?;
    let mut message = http::Request::new(Full::new(outgoing.body));
    *message.method_mut() = Method::POST;
    *message.uri_mut() = uri;
    let headers = message.headers_mut();
    headers.reserve(HEADERS);
    headers.insert(header::HOST, origin.host_header().clone());
    let anthropic = outgoing.forwards == Forwards::Anthropic;
    request.forward_headers(headers, anthropic);
    headers.insert(header::USER_AGENT, USER_AGENT);
    if anthropic {
        let version = HeaderValue::from_static(MESSAGES_VERSION);
        headers.entry("anthropic-version").or_insert(version);
    }
    if let Forwards::Betas(betas) = outgoing.forwards
        && let Ok(betas) = HeaderValue::try_from(betas)
        && !betas.is_empty()
    {
        headers.insert("anthropic-beta", betas);
    }
    // Boxed: most lose nothing, and each request in flight carries it.
    let dropped = (!outgoing.dropped.is_empty()).then(|| Box::new(outgoing.dropped));
    Ok((message, outgoing.way, dropped))
}
