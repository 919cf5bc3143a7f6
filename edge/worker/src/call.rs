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
pub mod upload;
pub mod switch;
pub mod failure;

use std::{cell::RefCell, collections::HashMap, rc::Rc, sync::Arc, task::Context, time::Duration};

use bytes::Bytes;
use dialect::{
    crossing::Back,
    estimate,
    neutral::{Dropped, Family},
};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use http_body_util::Full;
use ipnet::IpNet;
use policy::{
    id::ProviderId,
    provider::{Provider, Speaks},
};
use rustls::ClientConfig;
use serde::{Deserialize, Deserializer, de::Error as _};
use tokio::time::timeout;
use tracing::warn;

use crate::{
    in_force::InForce,
    record::{Entry, Tally},
    request::{Arrival, Request},
    route::{Candidate, Plan},
    translate::{self, Outgoing, Way},
};

use self::{
    client::{Body, Client, Presented, Terms, Unfinished},
    failure::Failure,
    guard::Guard,
    origin::Origin,
    upload::{Pulse, Upload},
};

/// The longest answer that is read whole to be translated, in bytes.
// Full: the provider has failed.
const WHOLE_BYTES_MAX: usize = 32 << 20;

/// How many providers' base URLs are kept taken apart.
// Full: all are forgotten, and taken apart anew when they are needed.
const ORIGINS_MAX: usize = 4_096;

/// The version of Anthropic's API that is asked for where the client names none.
const MESSAGES_VERSION: &str = "2023-06-01";

/// How many headers a request to a provider mostly has.
const HEADERS: usize = 8;

/// What we call ourselves to providers.
pub const USER_AGENT: HeaderValue =
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
}

/// One core's way to providers.
pub struct Call {
    client: Client,
    passing: Client<Upload>,
    answer_max: Duration,
    in_force: InForce,
    // Borrowed for one look-up, never over an await.
    origins: RefCell<HashMap<ProviderId, Known>>,
}

/// A provider as it was when its base URL was taken apart.
type Known = (Arc<Provider>, Rc<Origin>);

/// What a provider answered.
pub struct Answer {
    /// Its status: 2xx, or an error of the request's own.
    pub status: StatusCode,
    /// Its headers, as they came; the media type is that of what the client gets.
    pub headers: HeaderMap,
    /// What the client gets.
    pub content: Content,
    /// What of the request was left out on the way.
    pub dropped: Dropped,
}

/// What a client gets of an answer.
pub enum Content {
    /// A body of which nothing has been read, and what becomes of it.
    Coming(Body, Way),
    /// A translated body, and what was used.
    Whole(Bytes, Tally),
    /// The answer to what is passed through.
    Passed(Box<Passed>),
}

/// The answer to what is passed through, and what is known of the request.
pub struct Passed {
    /// A body of which nothing has been read.
    pub body: client::Body<Upload>,
    /// How far the request's own body is.
    pub pulse: Rc<Pulse>,
    /// What the provider speaks, which says how its usage is read.
    pub speaks: Speaks,
    /// Whether the request's body is text, so that its bytes say how many tokens it has.
    pub is_text: bool,
    /// What was reserved for output: what is charged where the answer does not tell.
    pub output_tokens: u64,
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

// === impl Call ===

impl Call {
    /// A way with an empty pool. `tls` may be shared by all cores.
    pub fn new(config: &Config, tls: Arc<ClientConfig>, in_force: InForce) -> Self {
        let terms = Terms {
            guard: Guard::new(config.private_ranges.clone()),
            connect_max: Duration::from_millis(config.connect_timeout_ms),
            first_byte_max: Duration::from_millis(config.first_byte_timeout_ms),
            rest_max: REST_MAX,
            resting_max: config.idle_connections_max,
        };
        let patient = Terms {
            // Whoever passes something through waits by its own clock: what comes first is the request's body.
            first_byte_max: Duration::from_millis(config.total_timeout_ms),
            ..terms.clone()
        };
        Self {
            passing: Client::new(patient, Arc::clone(&tls)),
            client: Client::new(terms, tls),
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
        self.passing.sweep(cx);
    }

    /// Connections for what is passed through, which are kept apart.
    pub const fn passing(&self) -> &Client<Upload> {
        &self.passing
    }

    /// Whether this provider's credential signs all of a request.
    pub fn signs(&self, provider: &Provider) -> bool {
        let credential = self.in_force.credential(provider.id);
        credential.is_some_and(|it| client::signs(&it, provider.kind))
    }

    async fn attempt(
        &self,
        candidate: &Candidate,
        request: &Request,
        arrival: &Arrival,
        entry: &mut Entry,
    ) -> Result<Answer, Failure> {
        let provider = candidate.provider();
        let origin = self.origin(provider)?;
        let outgoing = translate::outgoing(request, candidate, arrival)?;
        let (mut message, way, dropped) = message(request, &origin, outgoing)?;
        let whole = |body: &Full<Bytes>| body.clone().into_inner().unwrap_or_default();
        self.authenticate(&mut message, (provider, &origin), arrival, whole)?;
        let line = self.client.line(&origin).await.map_err(Failure::from)?;
        entry.reached(candidate);
        let answer = self.client.send(&origin, line, message).await;
        let (parts, body) = answer.map_err(Failure::from)?.into_parts();
        let status = parts.status;
        if !status.is_success() {
            entry.refused();
        }
        if let Some(failure) = no_answer(status) {
            return Err(failure);
        }
        let mut headers = parts.headers;
        let content = match way {
            Way::Across { ref back, stream } => {
                let media_type =
                    HeaderValue::from_static(back.media_type(stream && status.is_success()));
                headers.insert(header::CONTENT_TYPE, media_type);
                if stream && status.is_success() {
                    Content::Coming(body, way)
                } else {
                    // Boxed: rare beside the requests that carry this future's size.
                    Box::pin(self.translated(body, status, back)).await?
                }
            }
            Way::Same { .. } => Content::Coming(body, way),
        };
        Ok(Answer {
            status,
            headers,
            content,
            dropped,
        })
    }

    /// Reads an answer whole, before the client hears of it, and translates it.
    async fn translated(
        &self,
        mut body: Body,
        status: StatusCode,
        back: &Back,
    ) -> Result<Content, Failure> {
        let whole = timeout(self.answer_max, body.whole(WHOLE_BYTES_MAX)).await;
        let whole = whole.map_err(|_| Failure::Slow)?;
        let whole = whole.map_err(|why| match why {
            Unfinished::Broken => Failure::Broken,
            Unfinished::TooLong => Failure::Unreadable,
        })?;
        if !status.is_success() {
            let said = back.error(status.as_u16(), &whole);
            return Ok(Content::Whole(said.into(), Tally::default()));
        }
        let answer = back.whole(&whole).map_err(|_| Failure::Unreadable)?;
        let tally = Tally {
            tokens: answer.tokens,
            output_tokens: estimate::output_tokens(answer.generated_bytes),
        };
        Ok(Content::Whole(answer.body.into(), tally))
    }

    /// Presents the provider's credential, if there is one. `whole` gives the body where it is signed.
    pub fn authenticate<B>(
        &self,
        message: &mut http::Request<B>,
        (provider, origin): (&Provider, &Origin),
        arrival: &Arrival,
        whole: fn(&B) -> Bytes,
    ) -> Result<(), Failure> {
        let Some(credential) = self.in_force.credential(provider.id) else {
            return if provider.credential_required {
                Err(Failure::Misconfigured("credential, which is missing"))
            } else {
                Ok(())
            };
        };
        let presented = Presented {
            credential: &credential,
            kind: provider.kind,
            origin,
            now_seconds: arrival.at_ms / 1_000,
        };
        client::authenticate(message, presented, whole)
            .map_err(|_| Failure::Misconfigured("credential, which is for another origin"))
    }

    /// The provider's base URL, taken apart once for each revision of the provider.
    pub fn origin(&self, provider: &Arc<Provider>) -> Result<Rc<Origin>, Failure> {
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

/// Why a provider's answer with this status is none for a client.
fn no_answer(status: StatusCode) -> Option<Failure> {
    match status {
        StatusCode::UNAUTHORIZED
        | StatusCode::FORBIDDEN
        | StatusCode::PROXY_AUTHENTICATION_REQUIRED => Some(Failure::CredentialRefused(status)),
        _ if status.is_informational() || status.is_redirection() => {
            Some(Failure::Unexpected(status))
        }
        _ => None,
    }
}

/// The same for what is passed through, whose client may have asked whether something was changed.
pub fn no_passed_answer(status: StatusCode) -> Option<Failure> {
    no_answer(status).filter(|_| status != StatusCode::NOT_MODIFIED)
}

/// The request, without a credential, and what becomes of its answer.
fn message(
    request: &Request,
    origin: &Origin,
    outgoing: Outgoing,
) -> Result<(http::Request<Full<Bytes>>, Way, Dropped), Failure> {
    let uri = origin.path(&outgoing.path);
    let uri = uri.map_err(|_| Failure::Misconfigured("base URL"))?;
    let mut message = http::Request::new(Full::new(outgoing.body));
    *message.method_mut() = Method::POST;
    *message.uri_mut() = uri;
    let headers = message.headers_mut();
    headers.reserve(HEADERS);
    headers.insert(header::HOST, origin.host_header().clone());
    request.forward_headers(headers, outgoing.family);
    headers.insert(header::USER_AGENT, USER_AGENT);
    if outgoing.family == Family::Messages {
        let version = HeaderValue::from_static(MESSAGES_VERSION);
        headers.entry("anthropic-version").or_insert(version);
    }
    Ok((message, outgoing.way, outgoing.dropped))
}
