//! Which price is whose: an organization's own rows before the published ones, and the narrower before the wider.
//!
//! A [`Quote`] is what can be said of a target before it has served: the rows for it, the best first. What was used
//! and when then picks one. Pure; what it is asked about is as bounded as the books are.

use std::{cmp::Reverse, sync::Arc};

use crate::{
    cost::Priced,
    glob::Glob,
    id::{DiscountId, ProviderId},
    price::{BasisPoints, Discount, Of, Price, Row, Tier},
    provider::ProviderKind,
    published,
    usage::Usage,
};

/// An organization's own prices and discounts.
#[derive(Debug, Clone, Default)]
pub struct PriceBook {
    rows: Vec<Arc<Row>>,
    discounts: Vec<Arc<Discount>>,
}

/// What is to be priced.
#[derive(Debug, Clone, Copy)]
pub struct Target<'a> {
    /// The provider.
    pub provider: ProviderId,
    /// Its kind.
    pub kind: ProviderKind,
    /// Its name for the model.
    pub model: &'a str,
    /// Its region, by its own name; empty where it has none.
    pub region: &'a str,
}

/// Every price of one target, the best first.
#[derive(Debug, Clone, Default)]
pub struct Quote {
    rows: Vec<Arc<Row>>,
    discounts: Vec<Arc<Discount>>,
}

/// Every published price of a target; for an organization that has none of its own.
pub fn published(target: &Target<'_>) -> Quote {
    PriceBook::default().quote(target)
}

/// The region that a provider's address names, as its price list calls it; empty where it names none.
pub fn region_of(kind: ProviderKind, base_url: &str) -> &str {
    let host = base_url.split("://").nth(1).unwrap_or(base_url);
    let host = host.split(['/', ':']).next().unwrap_or(host);
    match kind {
        ProviderKind::Bedrock => host
            .strip_prefix("bedrock-runtime.")
            .or_else(|| host.strip_prefix("bedrock-runtime-fips."))
            .and_then(|rest| rest.split('.').next())
            .unwrap_or(""),
        _ => host
            .strip_suffix("-aiplatform.googleapis.com")
            .unwrap_or(""),
    }
}

// === impl PriceBook ===

impl PriceBook {
    /// Adds or replaces a price.
    pub fn put(&mut self, price: &Price) {
        self.remove(&price.row.reference);
        self.rows.push(Arc::clone(&price.row));
    }

    /// Takes the price out that records call so.
    pub fn remove(&mut self, reference: &str) {
        self.rows.retain(|row| row.reference != reference);
    }

    /// Adds or replaces a discount.
    pub fn put_discount(&mut self, discount: Arc<Discount>) {
        self.remove_discount(discount.id);
        self.discounts.push(discount);
    }

    /// Takes a discount out.
    pub fn remove_discount(&mut self, id: DiscountId) {
        self.discounts.retain(|it| it.id != id);
    }

    /// Whether there is nothing in it.
    pub const fn is_empty(&self) -> bool {
        self.rows.is_empty() && self.discounts.is_empty()
    }

    /// Every price of a target, own and published, and what is off it.
    pub fn quote(&self, target: &Target<'_>) -> Quote {
        let all = self.rows.iter().chain(published::rows());
        let mut rows: Vec<_> = all.filter(|it| it.is_for(target)).cloned().collect();
        rows.sort_by(|one, other| precedence(other).cmp(&precedence(one)));
        let discounts = self.discounts.iter().filter(|it| {
            it.of.includes(target.provider, target.kind) && it.model.matches(target.model)
        });
        let mut discounts: Vec<_> = discounts.cloned().collect();
        discounts
            .sort_by_key(|it| Reverse((narrowness(it.of, &it.model), it.valid_from_ms, it.id)));
        Quote { rows, discounts }
    }
}

// === impl Quote ===

impl Quote {
    /// The price of what was used at a moment, served in this tier.
    pub fn price(&self, usage: &Usage, tier: Tier, at_ms: u64) -> Option<Priced> {
        let input = usage.input_total();
        let row = self.rows.iter().find(|row| {
            row.valid_from_ms <= at_ms
                && row.tier.is_none_or(|it| it == tier)
                && (row.above_input_tokens == 0 || input > row.above_input_tokens)
        })?;
        let discount = self.discounts.iter().find(|it| it.valid_from_ms <= at_ms);
        Some(Priced {
            row: Arc::clone(row),
            off: discount.map_or(BasisPoints::default(), |it| it.off),
        })
    }
}

// === impl Row ===

impl Row {
    fn is_for(&self, target: &Target<'_>) -> bool {
        self.of.includes(target.provider, target.kind)
            && self.model.matches(target.model)
            && self
                .region
                .as_ref()
                .is_none_or(|it| it.matches(target.region))
    }
}

/// How narrow the models are: one name before every pattern, and a pattern that says more before one that says less.
type Narrowness = (u8, bool, usize);

fn narrowness(of: Of, model: &Glob) -> Narrowness {
    let stars = model.as_str().bytes().filter(|byte| *byte == b'*').count();
    (of.rank(), stars == 0, model.as_str().len() - stars)
}

/// Who speaks first is greatest. Rows that differ in their context tier alone stand together by the day on which they
/// begin, so that a newer list replaces all of an older one.
fn precedence(row: &Row) -> (bool, Narrowness, usize, bool, u64, u64, &str) {
    let region = row.region.as_ref().map_or(0, |it| it.as_str().len());
    (
        row.own,
        narrowness(row.of, &row.model),
        region,
        row.tier.is_some(),
        row.valid_from_ms,
        row.above_input_tokens,
        &row.reference,
    )
}

#[cfg(test)]
#[path = "price_book_test.rs"]
mod tests;
