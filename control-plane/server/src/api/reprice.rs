//! Pricing settled usage anew: what was billed is read from each record, priced, and written back where it differs.
//!
//! Knows the message in which charges are kept and what a book says of them; knows no rows. A charge that cannot be read is
//! left as it is and counted as unpriced.

use domain::{name::OrganizationName, violation::Violations};
use policy::{
    cost::{self, Charge, Cost},
    id::ProviderId,
    price::Tier,
    price_book::{PriceBook, Target},
    provider::ProviderKind,
    usage::{Counter, Usage},
};
use prost::Message;
use proto::{
    admin,
    usage::{self as kept, Charges, CostLine},
};
use store::{
    Store, StoreError, discount,
    repricing::{self, Priceable, Repriced},
};

use crate::api::moment;

/// The longest range, in milliseconds: 31 days.
const RANGE_MAX_MS: u64 = 31 * 24 * 3_600_000;

/// The most records that one call looks at: so few that its audit entry waits a second or two for them, and not ten.
// Full: the reply says where to go on.
const RECORDS_MAX: i64 = 20_000;

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Asked {
    parent: OrganizationName,
    span: (u64, u64),
    /// By the prices of this moment; `None` means: of each request's own.
    at_ms: Option<u64>,
    validate_only: bool,
}

/// A record's charges at new prices, and what they cost; `None` when they cannot be read.
struct Priced {
    charges: Charges,
    cost: Cost,
}

// === impl Asked ===

impl Asked {
    /// Reads a request.
    pub(crate) fn read(
        asked: &admin::RepriceUsageRequest,
        now_ms: u64,
    ) -> Result<Self, Violations> {
        let mut violations = Violations::new();
        let parent = violations.take("parent", OrganizationName::parse(&asked.parent));
        let mut time = |field: &str, at: Option<&prost_types::Timestamp>| {
            let read = at.map(moment::millis);
            if read.is_none() {
                violations.add(field, "is required");
            }
            read.and_then(|read| violations.take(field, read))
        };
        let start = time("start_time", asked.start_time.as_ref());
        let end = time("end_time", asked.end_time.as_ref());
        let span = start.zip(end);
        if span.is_some_and(|(start, end)| start >= end || end - start > RANGE_MAX_MS) {
            violations.add("end_time", "must be after `start_time`, by at most 31 days");
        }
        let at_ms = match admin::PriceBook::try_from(asked.book) {
            Ok(admin::PriceBook::Now) => Some(now_ms),
            Ok(admin::PriceBook::Then | admin::PriceBook::Unspecified) => None,
            Err(_) => {
                violations.add("book", "is not known");
                None
            }
        };
        match (parent, span, violations.is_empty()) {
            (Some(parent), Some(span), true) => Ok(Self {
                parent,
                span,
                at_ms,
                validate_only: asked.validate_only,
            }),
            _ => Err(violations),
        }
    }

    /// Does it.
    pub(crate) async fn run(
        &self,
        store: &Store,
    ) -> Result<admin::RepriceUsageResponse, StoreError> {
        let book = discount::book(store, &self.parent).await?;
        let mut said = admin::RepriceUsageResponse::default();
        let mut after = None;
        loop {
            let page = repricing::page(store, &self.parent, self.span, after).await?;
            let Some(last) = page.last() else {
                return Ok(said);
            };
            after = Some(last.after());
            let (last_ms, full) = (last.at_ms, page.len());
            let changed: Vec<_> = page
                .into_iter()
                .filter_map(|it| self.priced(&book, it, &mut said))
                .collect();
            said.changed += if self.validate_only {
                i64::try_from(changed.len()).unwrap_or(i64::MAX)
            } else {
                let written = repricing::write(store, &changed).await?;
                i64::try_from(written).unwrap_or(i64::MAX)
            };
            if i64::try_from(full).unwrap_or(0) < repricing::PAGE_MAX {
                return Ok(said);
            }
            if said.records >= RECORDS_MAX {
                said.next_start_time = moment::from_millis(last_ms).ok().map(moment::to_wire);
                return Ok(said);
            }
        }
    }

    /// The record as it is to be written; `None` where nothing changes.
    fn priced(
        &self,
        book: &PriceBook,
        of: Priceable,
        said: &mut admin::RepriceUsageResponse,
    ) -> Option<Repriced> {
        said.records += 1;
        let at_ms = self.at_ms.unwrap_or(of.at_ms);
        let priced = priced(book, &of, at_ms);
        let cost_nano = priced.as_ref().and_then(|it| it.cost.nano());
        if cost_nano.is_none() {
            said.unpriced += 1;
        }
        let charges = priced?.charges.encode_to_vec();
        if cost_nano == of.cost_nano && charges == of.charges {
            return None;
        }
        let signed = |nano: Option<u64>| i64::try_from(nano.unwrap_or(0)).unwrap_or(i64::MAX);
        let more = signed(cost_nano) - signed(of.cost_nano);
        said.difference_nano = said.difference_nano.saturating_add(more);
        Some(Repriced {
            of,
            cost_nano,
            charges,
        })
    }
}

fn priced(book: &PriceBook, of: &Priceable, at_ms: u64) -> Option<Priced> {
    // Nothing was billed; or the edge knew no prices, and then nothing is known of what was.
    if of.charges.is_empty() {
        return of.cost_nano.map(|nano| Priced {
            charges: Charges::default(),
            cost: Cost::Known(nano),
        });
    }
    let mut kept = Charges::decode(of.charges.as_slice()).ok()?;
    let charges: Option<Vec<Charge>> = kept
        .charges
        .iter()
        .map(|it| charge(book, it, at_ms))
        .collect();
    let charges = charges?;
    let (cost, lines) = cost::lines(&charges);
    for (at, (kept, charge)) in kept.charges.iter_mut().zip(&charges).enumerate() {
        let row = charge.priced.as_ref().map(|it| it.row.reference.clone());
        kept.price = row.unwrap_or_default();
        kept.discount_basis_points = charge.off().into();
        kept.lines = lines
            .iter()
            .filter(|line| line.charge == at)
            .map(|line| CostLine {
                counter: line.counter as u32,
                nano_a_million: line.rate,
                nano: line.nano,
            })
            .collect();
    }
    Some(Priced {
        charges: kept,
        cost,
    })
}

fn charge(book: &PriceBook, kept: &kept::Charge, at_ms: u64) -> Option<Charge> {
    let counts = <[u64; Counter::ALL.len()]>::try_from(kept.counts.as_slice()).ok()?;
    let usage = Usage::new(counts);
    let target = Target {
        provider: ProviderId::try_from(kept.provider_id.as_slice()).ok()?,
        kind: ProviderKind::from_number(kept.provider_kind)?,
        model: &kept.provider_model,
        region: &kept.region,
    };
    let tier = Tier::from_number(u8::try_from(kept.tier).ok()?)?;
    Some(Charge {
        usage,
        priced: book.quote(&target).price(&usage, tier, at_ms),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_must_be_given_and_is_at_most_a_month() {
        let at = |seconds| Some(prost_types::Timestamp { seconds, nanos: 0 });
        let asked = |start, end| admin::RepriceUsageRequest {
            parent: "organizations/acme".into(),
            start_time: start,
            end_time: end,
            ..Default::default()
        };
        let read = |start, end| Asked::read(&asked(start, end), 7);
        let (month, month_ms) = (31 * 24 * 3_600, RANGE_MAX_MS);
        assert_eq!(
            read(at(1), at(1 + month)).unwrap().span,
            (1_000, 1_000 + month_ms)
        );
        assert!(read(at(1), at(2 + month)).is_err());
        assert!(read(at(2), at(2)).is_err());
        let missing = read(None, None).unwrap_err().into_vec();
        assert_eq!(missing.len(), 2);
    }
}
