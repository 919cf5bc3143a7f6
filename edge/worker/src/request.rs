//! Reads the facts of a request, once: which endpoint, the key text, the bounded body and what a scan of it says.
//!
//! Knows HTTP; knows nothing of policy. The key text lives here and in `identify` and nowhere else: it is not
//! `Debug`, and it is gone before the body is read.

pub mod endpoint;
pub mod address;
pub mod budget;
pub mod body;

use std::{
    fmt,
    net::IpAddr,
    rc::Rc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use dialect::{
    crossing, estimate,
    neutral::Family,
    request::{Endpoint as Inference, Scanned},
};
use http::{HeaderMap, HeaderName, HeaderValue, header, request::Parts};
use hyper::body::Incoming;
use ipnet::IpNet;
use lifecycle::clock::Clock;

use crate::accept;

use self::{
    body::NoBody,
    budget::{Budget, Share},
    endpoint::{Asked, Endpoint},
};

/// The request headers that reach a provider as the client sent them. All others stay here.
const FORWARDED: [HeaderName; 2] = [header::ACCEPT, HeaderName::from_static("openai-beta")];
/// Those that reach a provider of Anthropic's family only.
const FORWARDED_TO_MESSAGES: [HeaderName; 2] = [
    HeaderName::from_static("anthropic-version"),
    HeaderName::from_static("anthropic-beta"),
];

/// When a request came, and its id.
#[derive(Debug, Clone, Copy)]
pub struct Arrival {
    /// `UUIDv7`: the id of the request and of its record.
    pub id: uuid::Uuid,
    /// Milliseconds since 1970.
    pub at_ms: u64,
    /// For measuring how long it takes.
    pub started: Instant,
    /// Who connected.
    pub peer: IpAddr,
}

/// The head of a request, before its caller is known.
pub struct Head {
    endpoint: Endpoint,
    key: Option<Key>,
    client: Option<IpAddr>,
    forwarded: HeaderMap,
    content_length: Option<u64>,
}

/// Where a key stands. Not `Debug`.
enum Key {
    /// In `authorization`.
    Bearer(HeaderValue),
    /// In `x-api-key` or `x-goog-api-key`.
    Plain(HeaderValue),
}

/// A whole request.
pub struct Request {
    endpoint: Inference,
    events: bool,
    forwarded: HeaderMap,
    scanned: Scanned,
    body: Bytes,
    // Given back when the request is dropped: when a provider has answered, or nobody will.
    _share: Share,
}

/// What bodies are held to.
pub struct Bounds {
    /// The longest, in bytes.
    bytes_max: usize,
    /// How long one may take.
    time_max: Duration,
    /// All of one core.
    budget: Rc<Budget>,
}

/// Why a request is not one we can judge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// No such path.
    UnknownPath,
    /// The path takes other methods: this one.
    WrongMethod(&'static str),
    /// A key stands in the query, where it would be logged on the way.
    KeyInQuery,
    /// The body is compressed.
    Encoded,
    /// The body is not JSON by its own word.
    NotJson,
    /// The body is longer than this many bytes.
    TooLarge(usize),
    /// The body did not come in time.
    Slow,
    /// The body broke off.
    Broken,
    /// There is no room for the body beside the others that this core holds.
    Full,
    /// The body was scanned and refused.
    Body(dialect::request::Refused),
}

// === impl Arrival ===

impl Arrival {
    /// A request of `peer` that comes now.
    pub fn now(clock: &Clock, peer: IpAddr) -> Self {
        let at_ms = clock.now_ms();
        let mut random = [0; 10];
        fastrand::fill(&mut random);
        let id = uuid::Builder::from_unix_timestamp_millis(at_ms, &random).into_uuid();
        Self {
            id,
            at_ms,
            started: Instant::now(),
            peer,
        }
    }
}

// === impl Head ===

impl Head {
    /// Takes what is needed of a head and forgets the rest. `peer` is whoever connected, `proxies` are who is believed
    /// when they tell of somebody else.
    pub fn read(mut parts: Parts, peer: IpAddr, proxies: &[IpNet]) -> Result<Self, Refusal> {
        let endpoint = Endpoint::at(parts.uri.path(), parts.uri.query());
        let endpoint = endpoint.ok_or(Refusal::UnknownPath)?;
        let (method, allowed) = endpoint.method();
        if parts.method != method {
            return Err(Refusal::WrongMethod(allowed));
        }
        if parts.uri.query().is_some_and(holds_key) {
            return Err(Refusal::KeyInQuery);
        }
        if let Endpoint::Inference(_) = endpoint {
            check_content(&parts.headers)?;
        }
        let client = address::client(peer, &parts.headers, proxies);
        let mut forwarded = HeaderMap::with_capacity(FORWARDED.len());
        for name in FORWARDED.into_iter().chain(FORWARDED_TO_MESSAGES) {
            if let Some(value) = parts.headers.remove(&name) {
                forwarded.insert(name, value);
            }
        }
        let content_length = parts.headers.get(header::CONTENT_LENGTH);
        let content_length = content_length.and_then(|text| text.to_str().ok()?.parse().ok());
        let bearer = parts.headers.remove(header::AUTHORIZATION).map(Key::Bearer);
        let mut plain = |name: &str| parts.headers.remove(name).map(Key::Plain);
        let key = bearer.or_else(|| plain("x-api-key").or_else(|| plain("x-goog-api-key")));
        Ok(Self {
            endpoint,
            key,
            client,
            forwarded,
            content_length,
        })
    }

    /// What is asked for.
    pub const fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// The client's address; `None` when it cannot be told.
    pub const fn client(&self) -> Option<IpAddr> {
        self.client
    }

    /// The key text, without the word `Bearer`.
    pub fn key_text(&self) -> Option<&str> {
        let text = match self.key.as_ref()? {
            Key::Bearer(value) => {
                let (scheme, text) = value.to_str().ok()?.split_once(' ')?;
                scheme
                    .eq_ignore_ascii_case("Bearer")
                    .then_some(text.trim())?
            }
            Key::Plain(value) => value.to_str().ok()?,
        };
        (!text.is_empty()).then_some(text)
    }

    /// Reads the body and scans it. Forgets all else of the head first, the key text too, so that a request which waits
    /// for its body carries nothing of it.
    pub fn with_body(
        self,
        asked: Asked,
        incoming: Incoming,
        bounds: &Bounds,
    ) -> impl Future<Output = Result<Request, Refusal>> {
        let Self {
            forwarded,
            content_length,
            ..
        } = self;
        read(forwarded, content_length, asked, incoming, bounds)
    }
}

async fn read(
    forwarded: HeaderMap,
    content_length: Option<u64>,
    asked: Asked,
    incoming: Incoming,
    bounds: &Bounds,
) -> Result<Request, Refusal> {
    let Bounds {
        bytes_max,
        time_max,
        budget,
    } = bounds;
    let mut share = budget.share();
    let body = body::collect(incoming, content_length, *bytes_max, *time_max, &mut share).await;
    let body = body.map_err(|why| match why {
        NoBody::TooLarge => Refusal::TooLarge(*bytes_max),
        NoBody::Slow => Refusal::Slow,
        NoBody::Broken => Refusal::Broken,
        NoBody::Full => Refusal::Full,
    })?;
    let endpoint = asked.inference;
    let scanned = match &asked.model {
        Some(model) => dialect::request::scan_for(endpoint, model, &body),
        None => dialect::request::scan(endpoint, &body),
    };
    let scanned = scanned.map_err(Refusal::Body)?;
    Ok(Request {
        endpoint,
        events: asked.events,
        forwarded,
        scanned,
        body,
        _share: share,
    })
}

// === impl Bounds ===

impl Bounds {
    /// As the settings say, for one core. A single longest body always has room.
    pub fn new(config: &accept::Config) -> Self {
        Self {
            bytes_max: config.body_bytes_max,
            time_max: Duration::from_millis(config.body_timeout_ms),
            budget: Budget::new(config.bodies_bytes_max.max(config.body_bytes_max)),
        }
    }
}

// === impl Request ===

impl Request {
    /// What is asked for.
    pub const fn endpoint(&self) -> Inference {
        self.endpoint
    }

    /// What the scan of the body said.
    pub const fn scanned(&self) -> &Scanned {
        &self.scanned
    }

    /// The body, as it came.
    pub const fn body(&self) -> &Bytes {
        &self.body
    }

    /// What is asked of a provider of another family, beside the body; `None` where no other family can answer.
    pub fn crossing(&self) -> Option<crossing::Asked<'_>> {
        let scanned = &self.scanned;
        Some(crossing::Asked {
            family: self.endpoint.family()?,
            model: &scanned.model,
            stream: scanned.stream,
            events: self.events,
            input_tokens_estimate: estimate::request_tokens(self.body.len(), scanned.embedded),
        })
    }

    /// Whether a stream of Gemini's is to be server-sent events.
    pub const fn wants_events(&self) -> bool {
        self.events
    }

    /// Adds the headers that a provider of this family may see.
    pub fn forward_headers(&self, to: &mut HeaderMap, family: Family) {
        for (name, value) in &self.forwarded {
            if family == Family::Messages || !FORWARDED_TO_MESSAGES.contains(name) {
                to.insert(name.clone(), value.clone());
            }
        }
        to.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/json"),
        );
        to.insert(
            header::ACCEPT_ENCODING,
            HeaderValue::from_static("identity"),
        );
    }
}

// === impl Refusal ===

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownPath => f.write_str("there is nothing at this path"),
            Self::WrongMethod(allowed) => write!(f, "this path only takes {allowed}"),
            Self::KeyInQuery => f.write_str("send the key in a header, not in the query"),
            Self::Encoded => f.write_str("send the body without content-encoding"),
            Self::NotJson => f.write_str("send the body as application/json"),
            Self::TooLarge(bytes) => write!(f, "the body is longer than {bytes} bytes"),
            Self::Slow => f.write_str("the body did not come in time"),
            Self::Broken => f.write_str("the body broke off"),
            Self::Full => f.write_str("too many bodies are being held here; try again"),
            Self::Body(refused) => refused.fmt(f),
        }
    }
}

impl std::error::Error for Refusal {}

fn holds_key(query: &str) -> bool {
    query.split('&').any(|pair| {
        let name = pair.split_once('=').map_or(pair, |(name, _)| name);
        ["key", "api_key", "api-key"]
            .iter()
            .any(|word| name.eq_ignore_ascii_case(word))
    })
}

fn check_content(headers: &HeaderMap) -> Result<(), Refusal> {
    let encoded = headers
        .get_all(header::CONTENT_ENCODING)
        .iter()
        .any(|value| !value.as_bytes().eq_ignore_ascii_case(b"identity"));
    if encoded {
        return Err(Refusal::Encoded);
    }
    // A client that says nothing is believed to send JSON; the scan finds out.
    let Some(kind) = headers.get(header::CONTENT_TYPE) else {
        return Ok(());
    };
    let kind = kind
        .as_bytes()
        .split(|byte| *byte == b';')
        .next()
        .unwrap_or_default();
    let kind = kind.trim_ascii();
    let json = kind.eq_ignore_ascii_case(b"application/json")
        || kind.len() > 5 && kind[kind.len() - 5..].eq_ignore_ascii_case(b"+json");
    if json { Ok(()) } else { Err(Refusal::NotJson) }
}
