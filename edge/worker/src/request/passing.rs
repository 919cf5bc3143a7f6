//! Reads the facts of a request that is passed through: whose API, which path of it, which headers go along, and
//! whether it asks for a WebSocket.
//!
//! Knows HTTP; knows nothing of policy. What it lets through can name nothing outside of a provider's base URL and
//! proves nobody: no dots that climb, no encoded slashes, no credentials, no account's name, no hop's own headers.

mod path;
mod class;

use std::{borrow::Cow, fmt};

use dialect::websocket::handshake;
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Version, header, request::Parts, uri::PathAndQuery,
};
use hyper::upgrade::OnUpgrade;

use crate::request::{
    endpoint::{PASSTHROUGH_PREFIX, REALTIME_PATH},
    for_us::PREFERENCES,
    key::{Credentials, Proof},
    query,
    tags::{InvalidTags, Tags},
    whose::Whose,
};

/// The methods that pass.
const METHODS: [Method; 6] = [
    Method::GET,
    Method::POST,
    Method::PUT,
    Method::PATCH,
    Method::DELETE,
    Method::HEAD,
];

/// The same, as a client is told.
const METHODS_TEXT: &str = "GET, POST, PUT, PATCH, DELETE, HEAD";

/// The request headers that go along. All others stay here.
const FORWARDED: [HeaderName; 18] = [
    header::ACCEPT,
    header::ACCEPT_LANGUAGE,
    header::CONTENT_TYPE,
    header::CONTENT_ENCODING,
    header::CONTENT_LANGUAGE,
    header::CONTENT_DISPOSITION,
    header::CONTENT_RANGE,
    header::RANGE,
    header::IF_MATCH,
    header::IF_NONE_MATCH,
    header::IF_MODIFIED_SINCE,
    header::IF_UNMODIFIED_SINCE,
    header::IF_RANGE,
    HeaderName::from_static("idempotency-key"),
    HeaderName::from_static("openai-beta"),
    HeaderName::from_static("anthropic-version"),
    HeaderName::from_static("anthropic-beta"),
    HeaderName::from_static("prefer"),
];

/// A request to be passed through, before its caller is known.
pub struct Passing {
    /// Where it goes.
    pub aim: Aim,
    /// The method.
    pub method: Method,
    /// The headers that go along.
    pub forwarded: HeaderMap,
    /// How long the body is, if the client says it; zero when there is none.
    pub content_length: Option<u64>,
    /// Whether the body is text, by its own word.
    pub is_text: bool,
    /// The WebSocket that is asked for.
    pub handshake: Option<Handshake>,
    /// What the client says of it.
    pub tags: Option<Box<Tags>>,
    whose: Option<Box<Whose>>,
    credentials: Credentials,
}

/// Where a request goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Aim {
    /// To a path of a provider's API.
    Provider {
        /// The provider's name.
        name: String,
        /// Below its base URL, with the query.
        target: String,
        /// What records call it.
        class: &'static str,
    },
    /// To a model's realtime API.
    Realtime {
        /// The model's name.
        model: String,
        /// The rest of the query.
        rest: String,
    },
}

/// A client's side of a handshake.
pub struct Handshake {
    /// What proves to the client that it was understood.
    pub accept: HeaderValue,
    /// The subprotocols that it offers, without those that only we may see.
    pub offered: Option<HeaderValue>,
    /// Becomes the client's end of the socket.
    pub end: OnUpgrade,
}

/// Why a request cannot be passed through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// There is no such path.
    Path,
    /// The path or the query could be read in two ways, or climbs.
    Unsafe,
    /// The method is none of these.
    Method(&'static str),
    /// A key or a credential stands in the path or the query.
    KeyInQuery,
    /// The query does not name one model.
    Model,
    /// There is only a WebSocket here.
    UpgradeRequired,
    /// The handshake is not one; this is what is wrong with it.
    Handshake(&'static str),
    /// The tags are none.
    Tags,
    /// It says what it prefers, which nobody heeds here.
    Preferences,
}

// === impl Passing ===

impl Passing {
    /// Takes what is needed of a head and forgets the rest.
    pub fn read(mut parts: Parts) -> Result<Self, Refused> {
        let (path, query) = (parts.uri.path(), parts.uri.query());
        if query.is_some_and(query::holds_credential) || query::holds_our_key(path) {
            return Err(Refused::KeyInQuery);
        }
        let aim = Aim::at(path, query)?;
        if !METHODS.contains(&parts.method) {
            return Err(Refused::Method(METHODS_TEXT));
        }
        let headers = &parts.headers;
        let chunked = headers.contains_key(header::TRANSFER_ENCODING);
        let announced = headers.get(header::CONTENT_LENGTH);
        let announced = announced.and_then(|text| text.to_str().ok()?.parse().ok());
        let content_length = announced.or_else(|| (!chunked).then_some(0));
        let asks = asks_for_socket(headers);
        if !asks && matches!(aim, Aim::Realtime { .. }) {
            return Err(Refused::UpgradeRequired);
        }
        let handshake = if asks {
            Some(Handshake::read(&mut parts, content_length)?)
        } else {
            None
        };
        let tags = Tags::take(&mut parts.headers).map_err(|InvalidTags| Refused::Tags)?;
        if parts.headers.contains_key(PREFERENCES) {
            return Err(Refused::Preferences);
        }
        let whose = Whose::take(&mut parts.headers);
        let is_text = is_text(&parts.headers);
        let forwarded = forwarded(&parts.headers);
        let credentials = match &handshake {
            Some(_) => Credentials::take_of_handshake(&mut parts),
            None => Credentials::take(&mut parts),
        };
        Ok(Self {
            aim,
            method: parts.method,
            forwarded,
            content_length,
            is_text,
            handshake,
            tags,
            whose,
            credentials,
        })
    }

    /// All that the client proves itself by.
    pub fn proof(&self) -> Proof<'_> {
        self.credentials.proof()
    }

    /// For whom it asks: who its token says, or else whom its header names.
    pub fn end_user<'a>(&'a self, by_token: Option<&'a str>) -> Option<Cow<'a, str>> {
        let named = || {
            let named = self.whose.as_ref()?.end_user.as_ref()?;
            Some(String::from_utf8_lossy(named.as_bytes()))
        };
        let by_token = by_token.map(Cow::Borrowed);
        by_token.or_else(named)
    }

    /// Forgets the key's text.
    pub fn forget_key(&mut self) {
        self.credentials.forget_key();
    }

    /// Whether there is a body.
    pub fn has_body(&self) -> bool {
        self.content_length != Some(0)
    }
}

/// What of a client's headers goes along.
fn forwarded(headers: &HeaderMap) -> HeaderMap {
    let mut forwarded = HeaderMap::with_capacity(FORWARDED.len());
    for name in FORWARDED {
        if names_hop(headers, name.as_str()) {
            continue;
        }
        for value in headers.get_all(&name) {
            forwarded.append(name.clone(), value.clone());
        }
    }
    forwarded
}

/// Whether `connection` names this header as one of the hop's own.
fn names_hop(headers: &HeaderMap, name: &str) -> bool {
    let hops = headers.get_all(header::CONNECTION).iter();
    hops.filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|hop| hop.trim().eq_ignore_ascii_case(name))
}

fn asks_for_socket(headers: &HeaderMap) -> bool {
    headers
        .get_all(header::UPGRADE)
        .iter()
        .any(|value| value.as_bytes().eq_ignore_ascii_case(b"websocket"))
}

fn is_text(headers: &HeaderMap) -> bool {
    let Some(kind) = headers.get(header::CONTENT_TYPE) else {
        return true;
    };
    let kind = kind.to_str().unwrap_or_default().to_ascii_lowercase();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    kind.starts_with("text/")
        || kind.ends_with("json")
        || kind == "application/x-www-form-urlencoded"
}

// === impl Aim ===

impl Aim {
    /// Where a path and its query lead.
    pub fn at(path: &str, query: Option<&str>) -> Result<Self, Refused> {
        let Some(rest) = path.strip_prefix(PASSTHROUGH_PREFIX) else {
            return if path == REALTIME_PATH {
                Self::realtime(query.unwrap_or_default())
            } else {
                Err(Refused::Path)
            };
        };
        let at = rest.find('/').ok_or(Refused::Path)?;
        let (name, below) = rest.split_at(at);
        if !path::is_name(name) {
            return Err(Refused::Path);
        }
        if !path::is_plain(below) {
            return Err(Refused::Unsafe);
        }
        let target = match query {
            Some(query) => format!("{below}?{query}"),
            None => below.to_owned(),
        };
        // Only what is one target to us may be one to somebody else.
        PathAndQuery::try_from(target.as_str()).map_err(|_| Refused::Unsafe)?;
        Ok(Self::Provider {
            name: name.to_owned(),
            target,
            class: class::of(below),
        })
    }

    /// The word for it, as keys are held to it.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Provider { .. } => "passthrough",
            Self::Realtime { .. } => "realtime",
        }
    }

    /// What records call it.
    pub const fn class(&self) -> &'static str {
        match self {
            Self::Provider { class, .. } => class,
            Self::Realtime { .. } => REALTIME_PATH,
        }
    }

    fn realtime(query: &str) -> Result<Self, Refused> {
        let model = query::only(query, "model").map_err(|query::Unclear| Refused::Model)?;
        let model = model.filter(|it| !it.is_empty()).ok_or(Refused::Model)?;
        Ok(Self::Realtime {
            model: model.into_owned(),
            rest: query::without(query, "model"),
        })
    }
}

// === impl Handshake ===

impl Handshake {
    fn read(parts: &mut Parts, content_length: Option<u64>) -> Result<Self, Refused> {
        let headers = &parts.headers;
        if parts.method != Method::GET || parts.version != Version::HTTP_11 {
            return Err(Refused::Handshake(
                "a WebSocket is asked for with GET, by HTTP/1.1",
            ));
        }
        if content_length != Some(0) {
            return Err(Refused::Handshake("a request for a WebSocket has no body"));
        }
        if !names_hop(headers, "upgrade") {
            return Err(Refused::Handshake("`connection` must say `upgrade`"));
        }
        let version = headers.get(header::SEC_WEBSOCKET_VERSION);
        if version.is_none_or(|version| version.as_bytes() != b"13") {
            return Err(Refused::Handshake("`sec-websocket-version` must be 13"));
        }
        let key = headers.get(header::SEC_WEBSOCKET_KEY);
        let key = key.and_then(|key| key.to_str().ok());
        let key = key.filter(|key| handshake::is_key(key));
        let key = key.ok_or(Refused::Handshake(
            "`sec-websocket-key` must be 16 bytes in base64",
        ))?;
        let accept = HeaderValue::try_from(handshake::accept(key));
        let accept = accept.map_err(|_| Refused::Handshake("`sec-websocket-key` is no key"))?;
        let offered: Vec<&str> = headers
            .get_all(header::SEC_WEBSOCKET_PROTOCOL)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(handshake::offered)
            .collect();
        let offered = (!offered.is_empty()).then(|| HeaderValue::try_from(offered.join(", ")));
        let end = parts.extensions.remove::<OnUpgrade>();
        Ok(Self {
            accept,
            offered: offered.and_then(Result::ok),
            end: end.ok_or(Refused::Handshake(
                "this connection cannot become a WebSocket",
            ))?,
        })
    }
}

// === impl Refused ===

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path => f.write_str(
                "there is nothing at this path: pass through at /passthrough/{provider}/{path}",
            ),
            Self::Unsafe => f.write_str(
                "the path cannot be passed through: write it plainly, without dot segments, empty \
                 segments, or slashes and percent signs that are encoded",
            ),
            Self::Method(allowed) => write!(f, "only {allowed} are passed through"),
            Self::KeyInQuery => f.write_str("send the key in a header, not in the query"),
            Self::Model => f.write_str("name one model in the query: `?model=…`"),
            Self::UpgradeRequired => f.write_str("ask for a WebSocket here: `upgrade: websocket`"),
            Self::Handshake(what) => f.write_str(what),
            Self::Tags => InvalidTags.fmt(f),
            Self::Preferences => f.write_str(
                "`x-sluice-preferences` is not heeded where a request is passed through: leave it out",
            ),
        }
    }
}

impl std::error::Error for Refused {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_leads_below_a_provider_and_nowhere_else() {
        let aim = Aim::at("/passthrough/openai/files/f-1/content", Some("a=b")).unwrap();
        let expected = Aim::Provider {
            name: "openai".to_owned(),
            target: "/files/f-1/content?a=b".to_owned(),
            class: "/passthrough/files",
        };
        assert_eq!(aim, expected);
        for path in [
            "/passthrough/",
            "/passthrough/openai",
            "/passthrough//x",
            "/passthrough/Open%61i/x",
        ] {
            assert_eq!(Aim::at(path, None), Err(Refused::Path), "{path}");
        }
    }

    #[test]
    fn a_realtime_model_is_named_once() {
        let aim = Aim::at("/v1/realtime", Some("intent=x&model=a%20b")).unwrap();
        let expected = Aim::Realtime {
            model: "a b".to_owned(),
            rest: "intent=x".to_owned(),
        };
        assert_eq!(aim, expected);
        for query in [
            None,
            Some("model="),
            Some("model=a&model=b"),
            Some("model=%ff"),
        ] {
            assert_eq!(Aim::at("/v1/realtime", query), Err(Refused::Model));
        }
    }
}
