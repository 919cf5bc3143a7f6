//! The versions of the API, and the names of its betas.
//!
//! Knows how they are spelled; must never choose among them: a client says its own, a route says the provider's.

/// The version that every recorded client says.
pub const FIRST: &str = "2023-06-01";
/// The version that Anthropic's libraries say since late 2026, on Bedrock and Vertex too.
pub const LATEST: &str = "2026-10-21";
/// What Bedrock wants to read in the body.
pub const BEDROCK: &str = "bedrock-2023-05-31";
/// What Vertex wants to read in the body.
pub const VERTEX: &str = "vertex-2023-10-16";

/// Whether we speak this version of `anthropic-version`.
pub fn is_spoken(version: &str) -> bool {
    matches!(version, FIRST | LATEST)
}

/// Whether a beta is among those that may be asked for. Dates at the end do not count: a list of exact dates would
/// go stale with every release.
pub fn is_allowed(beta: &str, allowed: &[&str]) -> bool {
    let feature = feature(beta);
    allowed
        .iter()
        .any(|allowed| self::feature(allowed) == feature)
}

/// The name of a beta without its date: `prompt-caching` of `prompt-caching-2024-07-31`.
fn feature(beta: &str) -> &str {
    let mut name = beta;
    while let Some((rest, last)) = name.rsplit_once('-') {
        if last.is_empty() || !last.bytes().all(|byte| byte.is_ascii_digit()) {
            break;
        }
        name = rest;
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_beta_is_known_whatever_its_date() {
        let allowed = ["prompt-caching-2024-07-31", "context-1m"];
        assert!(is_allowed("prompt-caching-2026-01-02", &allowed));
        assert!(is_allowed("context-1m-2025-08-07", &allowed));
        assert!(!is_allowed("context-2m-2025-08-07", &allowed));
        assert!(!is_allowed("", &allowed));
    }

    #[test]
    fn both_versions_are_spoken() {
        assert!(is_spoken("2023-06-01") && is_spoken("2026-10-21"));
        assert!(!is_spoken("2023-01-01"));
    }
}
