//! Prices and discounts between the wire and the store: what is wanted, what is shown.

use domain::{
    name::{DiscountName, OrganizationName, PriceName},
    price::{self, For},
    segment::Slug,
    text,
    violation::Violations,
};
use policy::{
    glob::Glob,
    id::{DiscountId, PriceId},
    price::{Of, Rates, Row as Published, Tier},
    provider::ProviderKind,
    revision::Revision,
    usage::Counter,
};
use prost_types::Timestamp;
use proto::admin::{self, PriceRate, PriceTier};
use store::{discount, id, price as stored};

use crate::api::{desk, moment};

/// What a price and a discount have in common.
struct Common {
    parent: OrganizationName,
    slug: Slug,
    display_name: String,
    whom: For,
    model: Glob,
    valid_from_ms: u64,
}

/// The fields of [`Common`], as they were given, and by which names.
struct Given<'a> {
    noun: &'static str,
    parent: &'a str,
    id: &'a str,
    display_name: &'a str,
    provider: &'a str,
    kind: i32,
    model: &'a str,
    valid_from: Option<&'a Timestamp>,
}

/// Reads a request for a new price.
pub(crate) fn new(asked: admin::CreatePriceRequest) -> Result<stored::New, Violations> {
    let given = desk::required(asked.price, "price")?;
    let mut violations = Violations::new();
    let common = Given {
        noun: "price",
        parent: &asked.parent,
        id: &asked.price_id,
        display_name: &given.display_name,
        provider: &given.provider,
        kind: given.provider_kind,
        model: &given.provider_model,
        valid_from: given.valid_from.as_ref(),
    };
    let common = common.read(&mut violations);
    let region = violations.take("price.region", price::region(&given.region));
    let tier = violations.take("price.tier", tier(given.tier));
    let above = price::above(given.above_input_tokens);
    let above = violations.take("price.above_input_tokens", above);
    let rates = given.rates.iter().map(|it| (counter(it), it.nano_dollars));
    let rates = price::rates(&rates.collect::<Vec<_>>(), &mut violations);
    let (Some(common), Some(region), Some(tier), Some(above_input_tokens), true) =
        (common, region, tier, above, violations.is_empty())
    else {
        return Err(violations);
    };
    Ok(stored::New {
        id: PriceId::from_bytes(id::draw()),
        name: PriceName {
            organization: common.parent.organization,
            price: common.slug,
        },
        terms: stored::Terms {
            display_name: common.display_name,
            whom: common.whom,
            model: common.model,
            region,
            tier,
            above_input_tokens,
            valid_from_ms: common.valid_from_ms,
            rates,
        },
    })
}

/// Reads a request for a new discount.
pub(crate) fn new_discount(
    asked: admin::CreateDiscountRequest,
) -> Result<discount::New, Violations> {
    let given = desk::required(asked.discount, "discount")?;
    let mut violations = Violations::new();
    let common = Given {
        noun: "discount",
        parent: &asked.parent,
        id: &asked.discount_id,
        display_name: &given.display_name,
        provider: &given.provider,
        kind: given.provider_kind,
        model: &given.provider_model,
        valid_from: given.valid_from.as_ref(),
    };
    let common = common.read(&mut violations);
    let off = price::off(given.basis_points);
    let off = violations.take("discount.basis_points", off);
    let (Some(common), Some(off), true) = (common, off, violations.is_empty()) else {
        return Err(violations);
    };
    Ok(discount::New {
        id: DiscountId::from_bytes(id::draw()),
        name: DiscountName {
            organization: common.parent.organization,
            discount: common.slug,
        },
        terms: discount::Terms {
            display_name: common.display_name,
            whom: common.whom,
            model: common.model,
            off,
            valid_from_ms: common.valid_from_ms,
        },
    })
}

/// The price as it is shown.
pub(crate) fn wire(row: &stored::Row, written: Revision) -> admin::Price {
    let terms = &row.terms;
    let (provider, provider_kind) = whom_shown(&terms.whom);
    admin::Price {
        name: row.name.to_string(),
        uid: row.id.to_string(),
        display_name: terms.display_name.clone(),
        etag: row.etag(),
        create_time: Some(moment::to_wire(row.created_at)),
        revision: desk::latest(row.revision, written),
        provider,
        provider_kind,
        provider_model: terms.model.to_string(),
        region: shown(terms.region.as_ref()),
        tier: tier_shown(terms.tier),
        above_input_tokens: signed(terms.above_input_tokens),
        valid_from: began(terms.valid_from_ms),
        rates: rates_shown(&terms.rates),
    }
}

/// The discount as it is shown.
pub(crate) fn wire_discount(row: &discount::Row, written: Revision) -> admin::Discount {
    let terms = &row.terms;
    let (provider, provider_kind) = whom_shown(&terms.whom);
    admin::Discount {
        name: row.name.to_string(),
        uid: row.id.to_string(),
        display_name: terms.display_name.clone(),
        etag: row.etag(),
        create_time: Some(moment::to_wire(row.created_at)),
        revision: desk::latest(row.revision, written),
        provider,
        provider_kind,
        provider_model: terms.model.to_string(),
        basis_points: terms.off.points().into(),
        valid_from: began(terms.valid_from_ms),
    }
}

/// A published price as it is shown.
pub(crate) fn wire_published(row: &Published) -> admin::PublishedPrice {
    let kind = match row.of {
        Of::Kind(kind) => kind_shown(kind),
        Of::Any | Of::Provider(_) => 0,
    };
    admin::PublishedPrice {
        reference: row.reference.clone(),
        provider_kind: kind,
        provider_model: row.model.to_string(),
        region: shown(row.region.as_ref()),
        tier: tier_shown(row.tier),
        above_input_tokens: signed(row.above_input_tokens),
        valid_from: began(row.valid_from_ms),
        rates: rates_shown(&row.rates),
    }
}

fn counter(rate: &PriceRate) -> Option<Counter> {
    // Both enumerations have the same numbers.
    u8::try_from(rate.counter)
        .ok()
        .and_then(Counter::from_number)
}

fn rates_shown(rates: &Rates) -> Vec<PriceRate> {
    let rate = |(counter, rate): (Counter, u64)| PriceRate {
        counter: i32::from(counter as u8),
        nano_dollars: signed(price::shown(counter, rate)),
    };
    rates.given().map(rate).collect()
}

fn tier(number: i32) -> Result<Option<Tier>, &'static str> {
    match PriceTier::try_from(number) {
        Ok(PriceTier::Unspecified) => Ok(None),
        Ok(PriceTier::Standard) => Ok(Some(Tier::Standard)),
        Ok(PriceTier::Priority) => Ok(Some(Tier::Priority)),
        Ok(PriceTier::Flex) => Ok(Some(Tier::Flex)),
        Ok(PriceTier::Batch) => Ok(Some(Tier::Batch)),
        Err(_) => Err("is not known"),
    }
}

fn tier_shown(tier: Option<Tier>) -> i32 {
    match tier {
        None | Some(Tier::Other) => PriceTier::Unspecified,
        Some(Tier::Standard) => PriceTier::Standard,
        Some(Tier::Priority) => PriceTier::Priority,
        Some(Tier::Flex) => PriceTier::Flex,
        Some(Tier::Batch) => PriceTier::Batch,
    }
    .into()
}

fn kind(number: i32) -> Result<Option<ProviderKind>, &'static str> {
    match u32::try_from(number) {
        Ok(0) => Ok(None),
        Ok(number) => ProviderKind::from_number(number)
            .map(Some)
            .ok_or("is not known"),
        Err(_) => Err("is not known"),
    }
}

/// Both enumerations have the same numbers.
fn kind_shown(kind: ProviderKind) -> i32 {
    i32::try_from(kind as u32).unwrap_or(0)
}

fn whom_shown(whom: &For) -> (String, i32) {
    match whom {
        For::Any => (String::new(), 0),
        For::Kind(kind) => (String::new(), kind_shown(*kind)),
        For::Provider(name) => (name.to_string(), 0),
    }
}

fn shown(glob: Option<&Glob>) -> String {
    glob.map(ToString::to_string).unwrap_or_default()
}

/// What began with time itself has no beginning.
fn began(ms: u64) -> Option<Timestamp> {
    let at = (ms > 0).then(|| moment::from_millis(ms).ok()).flatten();
    at.map(moment::to_wire)
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

// === impl Given ===

impl Given<'_> {
    fn read(&self, violations: &mut Violations) -> Option<Common> {
        let of = |field: &str| format!("{}.{field}", self.noun);
        let parent = violations.take("parent", OrganizationName::parse(self.parent));
        let slug = violations.take(&format!("{}_id", self.noun), Slug::parse(self.id));
        let display_name = text::display_name(self.display_name);
        let display_name = violations.take(&of("display_name"), display_name);
        let kind = violations.take(&of("provider_kind"), kind(self.kind));
        let whom = parent.as_ref().zip(kind);
        let whom = whom.map(|(it, kind)| price::whom(&it.organization, self.provider, kind));
        let whom = whom.and_then(|read| violations.take(&of("provider"), read));
        let model = violations.take(&of("provider_model"), Glob::parse(self.model));
        let valid_from_ms = self.valid_from.map_or(Ok(0), moment::millis);
        let valid_from_ms = violations.take(&of("valid_from"), valid_from_ms);
        Some(Common {
            parent: parent?,
            slug: slug?,
            display_name: display_name?,
            whom: whom?,
            model: model?,
            valid_from_ms: valid_from_ms?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_that_is_wrong_with_a_new_price_is_told_at_once() {
        let asked = admin::CreatePriceRequest {
            parent: "organizations/acme".into(),
            price_id: "Own".into(),
            price: Some(admin::Price {
                provider: "organizations/evil/providers/openai".into(),
                tier: 9,
                above_input_tokens: -1,
                ..Default::default()
            }),
            ..Default::default()
        };
        let violations = new(asked).unwrap_err().into_vec();
        let fields: Vec<_> = violations.into_iter().map(|it| it.field).collect();
        let wrong = [
            "price_id",
            "price.provider",
            "price.provider_model",
            "price.tier",
            "price.above_input_tokens",
            "price.rates",
        ];
        assert_eq!(fields, wrong);
    }

    #[test]
    fn every_published_price_can_be_shown() {
        let shown = policy::published::rows()
            .iter()
            .map(|it| wire_published(it));
        assert!(
            shown
                .clone()
                .all(|it| it.provider_kind > 0 && !it.rates.is_empty())
        );
        assert!(
            shown
                .clone()
                .all(|it| it.tier > 0 && it.valid_from.is_some())
        );
    }
}
