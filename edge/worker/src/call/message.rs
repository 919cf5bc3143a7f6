//! A request to a provider, without a credential: what is said to the target, with the headers that go on.
//!
//! Knows which of our and of the client's headers a provider may see; knows nothing of sockets or secrets.

use bytes::Bytes;
use dialect::neutral::Dropped;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use http_body_util::Full;
use payload::transform::headers::{Edit, Headers};

use crate::{
    call::{failure::Failure, origin::Origin},
    request::Request,
    translate::{Forwards, Outgoing, Way},
};

/// The version of Anthropic's API that is asked for where the client names none.
const MESSAGES_VERSION: &str = "2023-06-01";

/// How many headers a request to a provider mostly has.
const HEADERS: usize = 8;

/// What we call ourselves to providers.
pub const USER_AGENT: HeaderValue =
    HeaderValue::from_static(concat!("sluice/", env!("CARGO_PKG_VERSION")));

/// The request, without a credential, what becomes of its answer, and what was left out.
pub(super) fn message(
    request: &Request,
    origin: &Origin,
    outgoing: Outgoing,
) -> Result<(http::Request<Full<Bytes>>, Way, Dropped), Failure> {
    let uri = origin.path(&outgoing.path);
    let uri = uri.map_err(|_| Failure::Misconfigured("base URL"))?;
    let mut message = http::Request::new(Full::new(outgoing.body));
    *message.method_mut() = outgoing.method;
    *message.uri_mut() = uri;
    let headers = message.headers_mut();
    headers.reserve(HEADERS);
    headers.insert(header::HOST, origin.host_header().clone());
    let anthropic = outgoing.forwards == Forwards::Anthropic;
    request.forward_headers(headers, anthropic);
    headers.insert(header::USER_AGENT, USER_AGENT);
    headers.extend(outgoing.headers);
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
    Ok((message, outgoing.way, outgoing.dropped))
}

/// Changes the headers as the version's rules say. None of them may name a credential, the host or the framing.
pub(super) fn edit(headers: &mut HeaderMap, rules: &Headers, request: &Request) {
    for edit in rules.edits(|name| request.spare_header(name)) {
        match edit {
            Edit::Remove(name) => drop(headers.remove(name)),
            Edit::Set(name, value) => {
                let name = HeaderName::from_bytes(name.as_bytes());
                // The rules were checked when they were compiled.
                if let (Ok(name), Ok(value)) = (name, HeaderValue::from_str(value)) {
                    headers.insert(name, value);
                }
            }
        }
    }
}
