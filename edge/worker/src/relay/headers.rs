//! Which of a provider's response headers a client may see.
//!
//! Takes out what belongs to the connection, what names the account or the servers behind it, and what only we
//! may say.

use dialect::neutral::Dropped;
use http::{HeaderMap, HeaderName, HeaderValue, header};

/// What of the request was left out on its way to the provider.
const DROPPED: HeaderName = HeaderName::from_static("x-sluice-dropped");

/// The longest list of what was left out, in bytes.
// Full: the rest is not named.
const DROPPED_BYTES_MAX: usize = 1_024;

/// The headers that go on, in their order.
pub fn kept(headers: HeaderMap) -> HeaderMap {
    let named = named_by_connection(&headers);
    let mut kept = HeaderMap::with_capacity(headers.len() + 8);
    let mut current: Option<HeaderName> = None;
    for (name, value) in headers {
        // A name stands only with the first of its values.
        if name.is_some() {
            current = name;
        }
        if let Some(name) = &current
            && goes_on(name.as_str())
            && !named
                .iter()
                .any(|it| it.eq_ignore_ascii_case(name.as_str()))
        {
            kept.append(name, value);
        }
    }
    kept
}

/// Adds what of the request was left out.
pub fn name_dropped(headers: &mut HeaderMap, dropped: &Dropped) {
    if let Some(dropped) = named(dropped) {
        headers.insert(DROPPED, dropped);
    }
}

/// What was left out, for people: as many names as a header may hold.
fn named(dropped: &Dropped) -> Option<HeaderValue> {
    let mut names = String::new();
    for path in dropped.paths() {
        let plain = path.bytes().all(|byte| byte.is_ascii_graphic());
        if plain && names.len() + path.len() + 2 <= DROPPED_BYTES_MAX {
            if !names.is_empty() {
                names.push_str(", ");
            }
            names.push_str(path);
        }
    }
    (!names.is_empty()).then_some(HeaderValue::try_from(names).ok()?)
}

fn goes_on(name: &str) -> bool {
    let connection = matches!(
        name,
        "connection"
            | "keep-alive"
            | "proxy-connection"
            | "proxy-authenticate"
            | "te"
            | "trailer"
            | "transfer-encoding"
            | "upgrade"
            | "content-length"
            | "date"
    );
    // A client that obeyed these would change what it does towards us because of someone else.
    let authority = matches!(
        name,
        "set-cookie"
            | "alt-svc"
            | "strict-transport-security"
            | "www-authenticate"
            | "location"
            | "nel"
            | "report-to"
            | "reporting-endpoints"
            | "clear-site-data"
            | "x-should-retry"
            // An address at the provider that takes an upload from whoever knows it.
            | "x-goog-upload-url"
            | "x-goog-upload-control-url"
            | "operation-location"
    );
    let account = matches!(name, "server" | "via" | "x-powered-by" | "openai-project")
        || name.contains("organization")
        || name.starts_with("x-ratelimit-");
    !(connection || authority || account || name.starts_with("x-sluice-"))
}

fn named_by_connection(headers: &HeaderMap) -> Vec<String> {
    let values = headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok());
    values
        .flat_map(|value| value.split(','))
        .map(|name| name.trim().to_owned())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_concerns_the_answer_goes_on() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("content-type", "application/json"),
            ("x-request-id", "req_1"),
            ("retry-after", "3"),
            ("x-two", "1"),
            ("x-two", "2"),
            ("connection", "X-Hop, close"),
            ("x-hop", "1"),
            ("keep-alive", "timeout=5"),
            ("transfer-encoding", "chunked"),
            ("set-cookie", "a=b"),
            ("alt-svc", "h3"),
            ("server", "x"),
            ("openai-organization", "org"),
            ("openai-project", "proj"),
            ("anthropic-organization-id", "org"),
            ("x-ratelimit-limit-requests", "9"),
            ("x-sluice-model", "spoofed"),
            ("location", "http://x"),
        ] {
            headers.append(HeaderName::from_static(name), value.parse().unwrap());
        }
        let kept = kept(headers);
        let names: Vec<_> = kept.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(
            names,
            [
                "content-type",
                "x-request-id",
                "retry-after",
                "x-two",
                "x-two"
            ]
        );
    }
}
