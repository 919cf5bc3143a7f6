//! What an operator may say of a price and of a discount.
//!
//! Owns their rules; knows nothing of what a request costs.

use std::fmt;

use policy::{
    glob::{Glob, InvalidGlob},
    price::{BasisPoints, MILLION, Rates},
    provider::ProviderKind,
    usage::Counter,
};

use crate::{name::ProviderName, segment::Slug, violation::Violations};

/// The most input tokens that a price may begin above.
const ABOVE_MAX: u64 = 1_000_000_000;

/// Whom a price or a discount is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum For {
    /// Every provider.
    Any,
    /// Every provider of this kind.
    Kind(ProviderKind),
    /// This provider.
    Provider(ProviderName),
}

/// The provider is another organization's, or stands beside a kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidFor(String);

/// Reads whom something of `organization` is for. Both may be absent.
pub fn whom(
    organization: &Slug,
    provider: &str,
    kind: Option<ProviderKind>,
) -> Result<For, InvalidFor> {
    match (provider, kind) {
        ("", None) => Ok(For::Any),
        ("", Some(kind)) => Ok(For::Kind(kind)),
        (_, Some(_)) => Err(InvalidFor(
            "must not stand beside `provider_kind`".to_owned(),
        )),
        (text, None) => {
            let name = ProviderName::parse(text).map_err(|why| InvalidFor(why.to_string()))?;
            if &name.organization == organization {
                Ok(For::Provider(name))
            } else {
                Err(InvalidFor("must be of the same organization".to_owned()))
            }
        }
    }
}

/// Reads a pattern that may be absent.
pub fn region(text: &str) -> Result<Option<Glob>, InvalidGlob> {
    if text.is_empty() {
        Ok(None)
    } else {
        Glob::parse(text).map(Some)
    }
}

/// Reads where a context tier begins.
pub fn above(tokens: i64) -> Result<u64, &'static str> {
    u64::try_from(tokens)
        .ok()
        .filter(|it| *it <= ABOVE_MAX)
        .ok_or("must be 0 to 1,000,000,000")
}

/// Reads what is off.
pub fn off(points: i32) -> Result<BasisPoints, &'static str> {
    let points = u16::try_from(points).ok();
    points
        .and_then(BasisPoints::new)
        .ok_or("must be 0 to 10,000, in hundredths of a percent")
}

/// Reads rates: nano-dollars for a million tokens, or for one of anything else.
pub fn rates(given: &[(Option<Counter>, i64)], violations: &mut Violations) -> Rates {
    let mut rates = Rates::default();
    if given.is_empty() {
        violations.add("price.rates", "must hold at least one rate");
    }
    for (at, (counter, nano)) in given.iter().enumerate() {
        let field = format!("price.rates[{at}]");
        let Some(counter) = counter else {
            violations.add(format!("{field}.counter"), "is not a counter");
            continue;
        };
        if rates.given().any(|(stands, _)| stands == *counter) {
            violations.add(field, "stands there twice");
            continue;
        }
        let rate = u64::try_from(*nano).map_err(|_| "must not be negative".to_owned());
        let rate = rate.and_then(|it| {
            let million = it.checked_mul(if counter.is_tokens() { 1 } else { MILLION });
            let million = million.unwrap_or(u64::MAX);
            rates.with(*counter, million).map_err(|why| why.to_string())
        });
        rates = violations
            .take(&format!("{field}.nano_dollars"), rate)
            .unwrap_or(rates);
    }
    rates
}

/// A rate as it was given.
pub const fn shown(counter: Counter, nano_a_million: u64) -> u64 {
    if counter.is_tokens() {
        nano_a_million
    } else {
        nano_a_million / MILLION
    }
}

// === impl InvalidFor ===

impl fmt::Display for InvalidFor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for InvalidFor {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_provider_stands_alone_and_is_of_the_same_organization() {
        let acme = Slug::parse("acme").unwrap();
        let own = "organizations/acme/providers/openai";
        assert!(matches!(whom(&acme, own, None), Ok(For::Provider(_))));
        assert_eq!(whom(&acme, "", None), Ok(For::Any));
        let kind = Some(ProviderKind::OpenAi);
        assert_eq!(whom(&acme, "", kind), Ok(For::Kind(ProviderKind::OpenAi)));
        assert!(whom(&acme, own, kind).is_err());
        assert!(whom(&acme, "organizations/evil/providers/openai", None).is_err());
        assert!(whom(&acme, "openai", None).is_err());
    }

    #[test]
    fn everything_that_is_wrong_with_rates_is_told_at_once() {
        let mut violations = Violations::new();
        let given = [
            (Some(Counter::Input), 5),
            (Some(Counter::Images), 40_000_000),
            (Some(Counter::Input), 6),
            (None, 7),
            (Some(Counter::Output), -1),
            (Some(Counter::Units), 100_000_000_001),
        ];
        let read = rates(&given, &mut violations);
        let stand: Vec<_> = read.given().collect();
        assert_eq!(
            stand,
            [(Counter::Input, 5), (Counter::Images, 40_000_000_000_000)]
        );
        assert_eq!(shown(Counter::Images, 40_000_000_000_000), 40_000_000);
        let fields: Vec<_> = violations
            .into_vec()
            .into_iter()
            .map(|it| it.field)
            .collect();
        assert_eq!(
            fields,
            [
                "price.rates[2]",
                "price.rates[3].counter",
                "price.rates[4].nano_dollars",
                "price.rates[5].nano_dollars"
            ]
        );
        rates(&[], &mut Violations::new());
        assert!(off(10_001).is_err() && off(-1).is_err() && above(-1).is_err());
    }
}
