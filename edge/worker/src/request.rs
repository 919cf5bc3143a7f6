//! Reads the facts of a request, once: which endpoint, the key text, the bounded body and what a scan of it says.
//!
//! Knows HTTP; knows nothing of policy. The key text lives here and in `identify` and nowhere else: it is not
//! `Debug`, and it is gone before the body is read.

pub mod key;
pub mod query;
pub mod endpoint;
pub mod pages;
pub mod address;
pub mod budget;
pub mod bounds;
pub mod body;
pub mod tags;
pub mod whose;
mod held;
mod least;
mod rare;
pub mod for_us;
pub mod passing;
pub mod arrival;
mod refusal;
pub mod content;
pub mod framing;
pub mod tensors;
pub mod prefix;
mod twin;

use std::{borrow::Cow, time::Duration};

use bytes::Bytes;
use dialect::{
    crossing, custom, estimate,
    neutral::Family,
    request::{Endpoint as Inference, Scanned},
};
use http::{HeaderMap, HeaderName, HeaderValue, header, request::Parts};
use hyper::body::Incoming;
use policy::traffic::Class;

pub use self::{arrival::Arrival, bounds::Bounds, held::Held, refusal::Refusal};

use self::{
    budget::Share,
    endpoint::{Asked, Endpoint, Own},
    key::{Credentials, Proof},
    rare::{Rare, spare},
    tags::{InvalidTags, Tags},
    tensors::{Tensors, count_rows},
    whose::Whose,
};

/// The request headers that reach a provider as the client sent them. All others stay here.
const FORWARDED: [HeaderName; 2] = [header::ACCEPT, HeaderName::from_static("openai-beta")];
/// Those that reach a provider of Anthropic's family only.
const FORWARDED_TO_MESSAGES: [HeaderName; 2] = [
    HeaderName::from_static("anthropic-version"),
    HeaderName::from_static("anthropic-beta"),
];

/// The header in which a client may ask for a lower class than its project's.
const PRIORITY: HeaderName = HeaderName::from_static("x-sluice-priority");
/// Where the JSON of a request ends, and tensors begin behind it.
pub const JSON_BYTES: HeaderName = HeaderName::from_static("inference-header-content-length");

/// The head of a request, before its caller is known.
pub struct Head {
    endpoint: Endpoint,
    credentials: Credentials,
    forwarded: HeaderMap,
    content_length: Option<u64>,
    json_bytes: Option<Box<HeaderValue>>,
    class: Option<Class>,
    rare: Option<Box<Rare>>,
}

/// What of a head is kept only where somebody asks for it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Keep {
    /// For whom, and in which session, the client says it asks.
    pub whose: bool,
    /// What is no key, for the rules of versions.
    pub spare: bool,
}

/// What is still needed of a head when its caller is known.
struct Rest {
    forwarded: HeaderMap,
    content_length: Option<u64>,
    class: Option<Class>,
    rare: Option<Box<Rare>>,
    json_bytes: Option<Box<HeaderValue>>,
}

/// A whole request.
pub struct Request {
    endpoint: Inference,
    events: bool,
    forwarded: HeaderMap,
    scanned: Scanned,
    tensors: Option<Box<Tensors>>,
    class: Option<Class>,
    body: Bytes,
    rare: Option<Box<Rare>>,
    tells_cost: bool,
    // Small, because it rides in the future of every request.
    read_after_us: u32,
    // Given back when the request is dropped: when a provider has answered, or nobody will.
    share: Share,
}

/// Why a request keeps the body that it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotReplaced {
    /// There is no room for the other body.
    Full,
    /// The other one is none that we can judge.
    Unfit(&'static str),
}

// === impl Head ===

impl Head {
    /// Takes what is needed of a head and forgets the rest, or keeps of it what is no key where a version may send it on.
    pub fn read(mut parts: Parts, keep: Keep) -> Result<Self, Refusal> {
        let endpoint = Endpoint::at(parts.uri.path(), parts.uri.query());
        let mut endpoint = endpoint.ok_or(Refusal::UnknownPath)?;
        let (method, allowed) = endpoint.method();
        if parts.method != method {
            return Err(Refusal::WrongMethod(allowed));
        }
        if parts.uri.query().is_some_and(query::holds_key) {
            return Err(Refusal::KeyInQuery);
        }
        let mut json_bytes = None;
        match &mut endpoint {
            Endpoint::Inference(asked) => {
                if asked.inference == Inference::Infer {
                    json_bytes = parts.headers.remove(&JSON_BYTES).map(Box::new);
                }
                content::check(&parts.headers, json_bytes.is_some())?;
            }
            Endpoint::Models(listed) => {
                let read = pages::listed(&parts);
                **listed = read.map_err(|pages::Unclear(name)| Refusal::Page(name))?;
            }
            Endpoint::Model(model) => {
                model.1 = endpoint::listing(parts.uri.path(), &parts.headers);
            }
            Endpoint::Own(Own::Feedback) => content::check(&parts.headers, false)?,
            Endpoint::Own(Own::Generation(id)) if id.is_nil() => return Err(Refusal::Page("id")),
            Endpoint::Server(_)
            | Endpoint::TokenIssuers
            | Endpoint::Own(_)
            | Endpoint::Ready { .. } => {}
        }
        let mut forwarded = HeaderMap::with_capacity(FORWARDED.len());
        for name in FORWARDED.into_iter().chain(FORWARDED_TO_MESSAGES) {
            if let Some(value) = parts.headers.remove(&name) {
                forwarded.insert(name, value);
            }
        }
        let tags = Tags::take(&mut parts.headers).map_err(|InvalidTags| Refusal::Tags)?;
        let content_length = parts.headers.get(header::CONTENT_LENGTH);
        let content_length = content_length.and_then(|text| text.to_str().ok()?.parse().ok());
        let credentials = Credentials::take(&mut parts);
        let whose = keep
            .whose
            .then(|| Whose::take(&mut parts.headers))
            .flatten();
        let class = parts.headers.remove(PRIORITY);
        let class = class.map(|it| {
            it.to_str()
                .ok()
                .and_then(Class::parse)
                .ok_or(Refusal::Priority)
        });
        let class = class.transpose()?;
        let preferences = for_us::read(&mut parts.headers)?;
        let rare = Rare {
            preferences,
            whose,
            spare: keep.spare.then(|| spare(parts.headers, &forwarded)),
            tags,
            held: None,
        };
        Ok(Self {
            endpoint,
            credentials,
            forwarded,
            content_length,
            json_bytes,
            class,
            rare: rare.is_any().then(|| Box::new(rare)),
        })
    }

    /// What is asked for.
    pub const fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// All that the client proves itself by.
    pub fn proof(&self) -> Proof<'_> {
        self.credentials.proof()
    }

    /// Reads a body of at most `bytes_max` that is none of a model's. Forgets all else of the head first, the key text too.
    pub fn with_small_body(
        self,
        (incoming, bytes_max): (Incoming, usize),
        bounds: &Bounds,
    ) -> impl Future<Output = Result<Bytes, Refusal>> {
        let announced = self.content_length;
        drop(self);
        async move {
            let bytes_max = bytes_max.min(bounds.bytes_max);
            let mut share = bounds.budget.share();
            let time_max = bounds.time_max;
            let body = body::collect(incoming, announced, bytes_max, time_max, &mut share).await;
            body.map_err(|why| why.of(bytes_max))
        }
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
            json_bytes,
            class,
            rare,
            ..
        } = self;
        let rest = Rest {
            forwarded,
            content_length,
            class,
            rare,
            json_bytes,
        };
        read(rest, asked, incoming, bounds)
    }
}

async fn read(
    rest: Rest,
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
    let announced = rest.content_length;
    let body = body::collect(incoming, announced, *bytes_max, *time_max, &mut share).await;
    let body = body.map_err(|why| why.of(*bytes_max))?;
    let endpoint = asked.inference;
    let mut tensors = None;
    let scanned = match (&asked.model, endpoint) {
        (None, _) => dialect::request::scan(endpoint, &body),
        (Some(model), Inference::Infer | Inference::InferMetadata) => {
            let rows = match endpoint {
                Inference::Infer => count_rows(&body, rest.json_bytes.as_deref())?,
                _ => 0,
            };
            tensors = Some(Box::new(Tensors {
                version: asked.version,
                rows,
                json_bytes: rest.json_bytes,
            }));
            Ok(Scanned::unread(model))
        }
        (Some(model), Inference::Invoke) => custom::invoke::scan(model, &body),
        (Some(model), _) => dialect::request::scan_for(endpoint, model, &body),
    };
    let scanned = scanned.map_err(Refusal::Body)?;
    let (tells_cost, mut rare) = (scanned.for_us.cost, rest.rare);
    let (scanned, body) = for_us::taken_out(endpoint, (scanned, body), &mut rare)?;
    Ok(Request {
        endpoint,
        events: asked.events,
        forwarded: rest.forwarded,
        scanned,
        tensors,
        class: rest.class,
        body,
        rare,
        tells_cost,
        read_after_us: 0,
        share,
    })
}

// === impl Request ===

impl Request {
    /// What is asked for.
    pub const fn endpoint(&self) -> Inference {
        self.endpoint
    }

    /// Notes that the last byte of its body is here.
    pub fn note_read(&mut self, arrival: &Arrival) {
        let after = arrival.started.elapsed().as_micros();
        self.read_after_us = u32::try_from(after).unwrap_or(u32::MAX);
    }

    /// How long after its arrival the last byte of its body was here.
    pub fn read_after(&self) -> Duration {
        Duration::from_micros(self.read_after_us.into())
    }

    /// What the scan of the body said.
    pub const fn scanned(&self) -> &Scanned {
        &self.scanned
    }

    /// The class that the client asks for, if it does.
    pub const fn class(&self) -> Option<Class> {
        self.class
    }

    /// The body, as it came or as the rules of its version made it.
    pub const fn body(&self) -> &Bytes {
        &self.body
    }

    /// Whether the client wants to know what it cost.
    pub const fn tells_cost(&self) -> bool {
        self.tells_cost
    }

    /// What the client says of it.
    pub fn tags(&self) -> Option<&Tags> {
        self.rare.as_ref()?.tags.as_deref()
    }

    /// For whom the client says it asks: in our header, or else in the body; empty when it does not say. Looks through
    /// the body, and so is to be asked only where a limit does.
    pub fn end_user(&self) -> Result<Cow<'_, str>, Refusal> {
        let whose = self.rare.as_ref().and_then(|it| it.whose.as_ref());
        if let Some(value) = whose.and_then(|it| it.end_user.as_ref()) {
            return Ok(String::from_utf8_lossy(value.as_bytes()));
        }
        let found = dialect::end_user::of(self.endpoint, &self.body);
        Ok(found.map_err(Refusal::Body)?.unwrap_or_default())
    }

    /// The session that the client says it belongs to: in our header, or else where it says what it prefers.
    pub fn session(&self) -> Option<&[u8]> {
        let whose = self.rare.as_ref().and_then(|it| it.whose.as_ref());
        let header = whose.and_then(|it| it.session.as_ref());
        let said = || self.preferences()?.session.as_deref().map(str::as_bytes);
        header.map(HeaderValue::as_bytes).or_else(said)
    }

    /// Takes another body in the place of the one that came, and reads its facts anew. It must ask for the same model.
    pub fn replace_body(&mut self, body: Vec<u8>) -> Result<(), NotReplaced> {
        let grown = body.len().saturating_sub(self.body.len());
        self.share.grow(grown).map_err(|_| NotReplaced::Full)?;
        let scanned = match (self.endpoint, self.endpoint.family()) {
            // The path says it there.
            (Inference::Invoke, _) => custom::invoke::scan(&self.scanned.model, &body),
            (_, Some(Family::Gemini)) => {
                dialect::request::scan_for(self.endpoint, &self.scanned.model, &body)
            }
            _ => dialect::request::scan(self.endpoint, &body),
        };
        let unfit = NotReplaced::Unfit("what the rules made is no body of this endpoint");
        let scanned = scanned.map_err(|_| unfit)?;
        if scanned.model != self.scanned.model {
            return Err(NotReplaced::Unfit(
                "the rules made it ask for another model",
            ));
        }
        self.scanned = scanned;
        self.body = Bytes::from(body);
        Ok(())
    }

    /// What the client sent under a name in small letters, among what is kept for the version's rules.
    pub fn spare_header(&self, name: &str) -> Option<&str> {
        self.spare()?.get(name)?.to_str().ok()
    }

    /// All of them that are texts.
    pub fn spare_headers(&self) -> Vec<(String, String)> {
        rare::texts(self.spare())
    }

    /// Of the first `most` of these the last of this name.
    pub fn spare_text(&self, name: &str, most: usize) -> Option<&str> {
        let first = rare::each(self.spare()).take(most);
        first
            .filter(|(it, _)| *it == name)
            .last()
            .map(|(_, text)| text)
    }

    fn spare(&self) -> Option<&HeaderMap> {
        self.rare.as_ref()?.spare.as_ref()
    }

    /// Lets go of what no rule asks for.
    pub fn forget_spare_headers(&mut self) {
        if let Some(rare) = &mut self.rare {
            rare.spare = None;
        }
    }

    /// The version that the path names.
    pub fn version(&self) -> Option<&str> {
        self.tensors.as_ref()?.version.as_deref()
    }

    /// Where the JSON of the body ends, in the client's own words, where tensors stand behind it.
    pub fn json_bytes(&self) -> Option<&HeaderValue> {
        self.tensors.as_ref()?.json_bytes.as_deref()
    }

    /// Holds it to what it says itself that it may generate, and to `each` in each answer where it says nothing.
    pub fn bind(&mut self, each: u64) {
        let held = held::held(self.endpoint, &self.scanned, each);
        self.rare.get_or_insert_default().held = Some(held);
    }

    /// How far it is held to what is reserved for it, where it is.
    pub fn held(&self) -> Option<Held> {
        self.rare.as_ref()?.held
    }

    /// The most tokens that can go in: one for each byte; of tensors their rows.
    pub fn input_tokens_most(&self) -> u64 {
        let bytes = || self.body.len() as u64;
        self.tensors.as_ref().map_or_else(bytes, |it| it.rows)
    }

    /// How many tokens probably go in: of tensors, which have none, their rows.
    pub fn input_tokens_estimate(&self) -> u64 {
        let guess = || estimate::request_tokens(self.body.len(), self.scanned.embedded);
        self.tensors.as_ref().map_or_else(guess, |it| it.rows)
    }

    /// What is asked of a provider of another family, beside the body; `None` where no other family can answer.
    pub fn crossing(&self) -> Option<crossing::Asked<'_>> {
        let scanned = &self.scanned;
        Some(crossing::Asked {
            family: self.endpoint.family()?,
            model: &scanned.model,
            stream: scanned.stream,
            events: self.events,
            input_tokens_estimate: self.input_tokens_estimate(),
            ceiling: self.held().and_then(Held::ceiling),
        })
    }

    /// Whether a stream of Gemini's is to be server-sent events.
    pub const fn wants_events(&self) -> bool {
        self.events
    }

    /// The betas of Anthropic's API that the client asks for by a header, with commas between them.
    pub fn betas(&self) -> &str {
        let value = self.forwarded.get("anthropic-beta");
        value
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    }

    /// Adds the headers that a provider may see: those of Anthropic's API only to one that reads them.
    pub fn forward_headers(&self, to: &mut HeaderMap, anthropic: bool) {
        for (name, value) in &self.forwarded {
            if anthropic || !FORWARDED_TO_MESSAGES.contains(name) {
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
