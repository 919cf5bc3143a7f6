//! That something is deprecated, in headers: `Deprecation` (RFC 9745), `Sunset` (RFC 8594), and a `Link` to what takes its place
//! (`successor-version` of RFC 5829).
//!
//! Knows names and notation; knows nothing of who decides it.

use http::{HeaderMap, HeaderName, HeaderValue, header};
use policy::deprecation::Deprecation;

use crate::http_date;

const DEPRECATION: HeaderName = HeaderName::from_static("deprecation");
const SUNSET: HeaderName = HeaderName::from_static("sunset");

/// Adds them, over what a provider may have said of its own.
pub fn show(headers: &mut HeaderMap, it: &Deprecation) {
    let values = [
        (DEPRECATION, Some(format!("@{}", it.from_seconds))),
        (SUNSET, it.sunset_seconds.and_then(http_date::written)),
        (header::LINK, link(&it.successor)),
    ];
    for (name, value) in values {
        if let Some(value) = value.and_then(|it| HeaderValue::try_from(it).ok()) {
            headers.insert(name, value);
        }
    }
}

/// Where the successor is, if one is named. No name has anything in it that a path would have to write otherwise.
fn link(successor: &str) -> Option<String> {
    let path = match successor.split_once('@') {
        _ if successor.is_empty() => return None,
        Some((model, version)) => format!("/v2/models/{model}/versions/{version}"),
        None => format!("/v1/models/{successor}"),
    };
    Some(format!("<{path}>; rel=\"successor-version\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(sunset_seconds: Option<u64>, successor: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(SUNSET, HeaderValue::from_static("a provider's own"));
        let it = Deprecation {
            from_seconds: 1_688_169_599,
            sunset_seconds,
            successor: successor.to_owned(),
        };
        show(&mut headers, &it);
        headers
    }

    #[test]
    fn they_are_written_as_their_rfcs_have_them() {
        // The examples of RFC 9745, section 2.1, and RFC 8594, section 3.
        let headers = shown(Some(1_546_300_799), "chat-2");
        assert_eq!(headers["deprecation"], "@1688169599");
        assert_eq!(headers["sunset"], "Mon, 31 Dec 2018 23:59:59 GMT");
        let link = "</v1/models/chat-2>; rel=\"successor-version\"";
        assert_eq!(headers["link"], link);
        let headers = shown(None, "chat@v2");
        let link = "</v2/models/chat/versions/v2>; rel=\"successor-version\"";
        assert_eq!(headers["link"], link);
        assert!(!shown(Some(u64::MAX), "").contains_key("link"));
    }
}
