//! What a key may be used for, beside the models that it names: the parts are read once, when policy is applied, so
//! that a request only compares.
//!
//! A part that is empty holds nothing back. Most keys have no scope at all.

use std::net::IpAddr;

use ipnet::IpNet;

use crate::{glob::Glob, id::ProviderId};

/// The most patterns of models.
pub const PATTERNS_MAX: usize = 32;
/// The most endpoints.
pub const ENDPOINTS_MAX: usize = 32;
/// The most providers.
pub const PROVIDERS_MAX: usize = 64;
/// The most ranges of addresses.
pub const RANGES_MAX: usize = 64;

/// The scope of a key.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Scope {
    /// Models that it may ask for by what they are called, beside those that it names.
    pub models: Vec<Glob>,
    /// The words of what it may ask, such as `embeddings`.
    pub endpoints: Vec<String>,
    /// Where its requests may go.
    pub providers: Vec<ProviderId>,
    /// Where its requests may come from.
    pub ranges: Vec<IpNet>,
    /// The most tokens that one request may be expected to use.
    pub request_tokens_max: Option<u64>,
    /// Of the models that it may ask for, those that a token names by itself; `None` means: all, as for keys.
    pub among: Option<Vec<Glob>>,
}

/// A range of addresses, or one; `None` when the text is neither, or has bits behind its prefix.
pub fn range(text: &str) -> Option<IpNet> {
    let one = || text.parse::<IpAddr>().ok().map(IpNet::from);
    let range = text.parse::<IpNet>().ok().or_else(one)?;
    (range.addr() == range.network()).then_some(range)
}

// === impl Scope ===

impl Scope {
    /// Whether it may ask this.
    pub fn takes_endpoint(&self, word: &str) -> bool {
        self.endpoints.is_empty() || self.endpoints.iter().any(|it| it == word)
    }

    /// Whether its requests may go there.
    pub fn takes_provider(&self, provider: ProviderId) -> bool {
        self.providers.is_empty() || self.providers.contains(&provider)
    }

    /// Whether its requests may come from there; `None`, from where nobody can tell, is nowhere.
    pub fn takes_address(&self, address: Option<IpAddr>) -> bool {
        self.ranges.is_empty()
            || address.is_some_and(|it| self.ranges.iter().any(|range| range.contains(&it)))
    }

    /// Whether a request may be as large.
    pub fn takes_tokens(&self, tokens: u64) -> bool {
        self.request_tokens_max.is_none_or(|max| tokens <= max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_empty_holds_nothing_back_and_what_is_not_all_else() {
        let open = Scope::default();
        assert!(open.takes_address(None) && open.takes_endpoint("x") && open.takes_tokens(1 << 60));
        let scope = Scope {
            ranges: vec![
                "10.0.0.0/8".parse().unwrap(),
                "2001:db8::/32".parse().unwrap(),
            ],
            request_tokens_max: Some(10),
            ..Scope::default()
        };
        let from = |text: &str| scope.takes_address(Some(text.parse().unwrap()));
        assert!(from("10.9.8.7") && from("2001:db8::1"));
        assert!(!from("11.0.0.1") && !from("::ffff:10.0.0.1") && !scope.takes_address(None));
        assert!(scope.takes_tokens(10) && !scope.takes_tokens(11));
    }
}
