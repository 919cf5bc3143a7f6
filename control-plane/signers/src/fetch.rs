//! From an issuer's URL to its keys, and for how long they are fresh.
//!
//! Knows what a discovery document says; knows nothing of who asks, or how often.

use std::time::Duration;

use claims::{
    document,
    key_set::{self, KeySet},
};
use credential::endpoint::Endpoint;
use hyper::{HeaderMap, header};

use crate::{client::Client, no_keys::NoKeys};

/// What stands below an issuer's URL.
const DISCOVERY: &str = "/.well-known/openid-configuration";

/// The longest discovery document, in bytes.
// Full: it is none.
const DISCOVERY_BYTES_MAX: usize = 64 << 10;

/// How long keys are kept before they are fetched again: at least, where nobody says, and at most.
const FRESH: [Duration; 3] = [
    Duration::from_mins(5),
    Duration::from_hours(1),
    Duration::from_hours(24),
];

/// Fetches the keys of the issuer at this URL, from `keys_url` where it says one.
pub(crate) async fn fetch(
    client: &Client,
    issuer_url: &str,
    keys_url: &str,
) -> Result<(KeySet, Duration), NoKeys> {
    let url = match keys_url {
        "" => discovered(client, issuer_url).await?,
        url => url.to_owned(),
    };
    let (headers, body) = client.get(&url, key_set::BYTES_MAX).await?;
    let keys = KeySet::read(&body).map_err(|_| NoKeys::NoDocument)?;
    if keys.is_empty() {
        return Err(NoKeys::NoneFits);
    }
    Ok((keys, fresh_for(&headers)))
}

async fn discovered(client: &Client, issuer_url: &str) -> Result<String, NoKeys> {
    let base = issuer_url.strip_suffix('/').unwrap_or(issuer_url);
    let url = format!("{base}{DISCOVERY}");
    let (_, body) = client.get(&url, DISCOVERY_BYTES_MAX).await?;
    let document = document::read(&body).map_err(|_| NoKeys::NoDiscovery)?;
    let text = |name: &str| document.get(name).and_then(|it| it.as_str());
    // To the letter: what speaks for another issuer must not speak for this one.
    if text("issuer") != Some(issuer_url) {
        return Err(NoKeys::OtherIssuer);
    }
    let url = text("jwks_uri").ok_or(NoKeys::NoDiscovery)?;
    let origin = |url: &str| Endpoint::read(url).map(|it| it.origin().to_owned());
    let same_origin = origin(url).is_some_and(|it| Some(it) == origin(issuer_url));
    if url.starts_with("https://") || same_origin {
        Ok(url.to_owned())
    } else {
        Err(NoKeys::Plaintext)
    }
}

/// How long an answer says that it is fresh, within bounds.
fn fresh_for(headers: &HeaderMap) -> Duration {
    let [min, usual, max] = FRESH;
    let said = headers
        .get(header::CACHE_CONTROL)
        .and_then(|it| it.to_str().ok());
    let age = said.and_then(|text| {
        let mut directives = text.split(',').map(str::trim);
        directives.find_map(|it| it.strip_prefix("max-age=")?.parse().ok())
    });
    age.map_or(usual, Duration::from_secs).clamp(min, max)
}
