//! Prices and discounts as policy objects: to their messages and back, checked.
//!
//! Knows the numbers of the wire; knows nothing of the other objects.

use std::sync::Arc;

use policy::{
    glob::Glob,
    id::{PriceId, ProviderId},
    price::{BasisPoints, Discount, Of, Price, Rates, Row, Tier},
    provider::ProviderKind,
    usage::Counter,
};

use crate::{
    malformed::{InvalidObject, filled, id, invalid},
    sync::{DiscountPolicy, PricePolicy, RatePolicy},
};

/// The price as a message.
pub(crate) fn policy(it: &Price) -> PricePolicy {
    let row = &it.row;
    let (provider_id, provider_kind) = of(row.of);
    let rate = |(counter, rate): (Counter, u64)| RatePolicy {
        counter: counter as u32,
        nano_a_million: rate,
    };
    let region = row.region.as_ref().map(|it| it.as_str().to_owned());
    PricePolicy {
        id: it.id.as_bytes().to_vec(),
        organization_id: it.organization.as_bytes().to_vec(),
        name: it.name.clone(),
        provider_id,
        provider_kind,
        provider_model: row.model.as_str().to_owned(),
        region: region.unwrap_or_default(),
        tier: row.tier.map_or(0, |it| it as u32),
        above_input_tokens: row.above_input_tokens,
        valid_from_ms: row.valid_from_ms,
        rates: row.rates.given().map(rate).collect(),
    }
}

/// The discount as a message.
pub(crate) fn discount_policy(it: &Discount) -> DiscountPolicy {
    let (provider_id, provider_kind) = of(it.of);
    DiscountPolicy {
        id: it.id.as_bytes().to_vec(),
        organization_id: it.organization.as_bytes().to_vec(),
        name: it.name.clone(),
        provider_id,
        provider_kind,
        provider_model: it.model.as_str().to_owned(),
        basis_points: it.off.points().into(),
        valid_from_ms: it.valid_from_ms,
    }
}

/// The price that the message holds.
pub(crate) fn read(it: PricePolicy) -> Result<Price, InvalidObject> {
    filled(&it.name, "name")?;
    let own: PriceId = id(&it.id, "id")?;
    let tier = match it.tier {
        0 => None,
        number => {
            let tier = u8::try_from(number).ok().and_then(Tier::from_number);
            Some(tier.ok_or_else(|| invalid("tier is not known"))?)
        }
    };
    let region = match it.region.as_str() {
        "" => None,
        text => Some(Glob::parse(text).map_err(|_| invalid("region is no pattern"))?),
    };
    let row = Row {
        reference: own.to_string(),
        own: true,
        of: read_of(&it.provider_id, it.provider_kind)?,
        model: model(&it.provider_model)?,
        region,
        tier,
        above_input_tokens: it.above_input_tokens,
        valid_from_ms: it.valid_from_ms,
        rates: rates(&it.rates)?,
    };
    Ok(Price {
        id: own,
        organization: id(&it.organization_id, "organization_id")?,
        name: it.name,
        row: Arc::new(row),
    })
}

/// The discount that the message holds.
pub(crate) fn read_discount(it: DiscountPolicy) -> Result<Discount, InvalidObject> {
    filled(&it.name, "name")?;
    let off = u16::try_from(it.basis_points).ok();
    let off = off.and_then(BasisPoints::new);
    Ok(Discount {
        id: id(&it.id, "id")?,
        organization: id(&it.organization_id, "organization_id")?,
        of: read_of(&it.provider_id, it.provider_kind)?,
        model: model(&it.provider_model)?,
        off: off.ok_or_else(|| invalid("basis_points is more than all"))?,
        valid_from_ms: it.valid_from_ms,
        name: it.name,
    })
}

fn of(of: Of) -> (Vec<u8>, u32) {
    match of {
        Of::Any => (Vec::new(), 0),
        Of::Kind(kind) => (Vec::new(), kind as u32),
        Of::Provider(id) => (id.as_bytes().to_vec(), 0),
    }
}

fn read_of(provider: &[u8], kind: u32) -> Result<Of, InvalidObject> {
    if !provider.is_empty() {
        return Ok(Of::Provider(id::<ProviderId>(provider, "provider_id")?));
    }
    match kind {
        0 => Ok(Of::Any),
        number => ProviderKind::from_number(number)
            .map(Of::Kind)
            .ok_or_else(|| invalid("provider_kind is not known")),
    }
}

fn model(text: &str) -> Result<Glob, InvalidObject> {
    Glob::parse(text).map_err(|_| invalid("provider_model is no pattern"))
}

fn rates(given: &[RatePolicy]) -> Result<Rates, InvalidObject> {
    given.iter().try_fold(Rates::default(), |rates, it| {
        let counter = u8::try_from(it.counter).ok().and_then(Counter::from_number);
        let counter = counter.ok_or_else(|| invalid("a counter is not known"))?;
        rates
            .with(counter, it.nano_a_million)
            .map_err(|_| invalid("a rate is too high"))
    })
}

#[cfg(test)]
mod tests {
    use policy::id::{DiscountId, OrganizationId};

    use super::*;

    fn price() -> Price {
        let id = PriceId::from_bytes([1; 16]);
        let rates = Rates::default().with(Counter::Input, 7).unwrap();
        Price {
            id,
            organization: OrganizationId::from_bytes([2; 16]),
            name: "it".to_owned(),
            row: Arc::new(Row {
                reference: id.to_string(),
                own: true,
                of: Of::Kind(ProviderKind::OpenAi),
                model: Glob::parse("gpt-*").unwrap(),
                region: Some(Glob::parse("eu-*").unwrap()),
                tier: Some(Tier::Flex),
                above_input_tokens: 200_000,
                valid_from_ms: 5,
                rates: rates.with(Counter::Units, 0).unwrap(),
            }),
        }
    }

    #[test]
    fn a_price_and_a_discount_come_back_as_they_went() {
        assert_eq!(read(policy(&price())), Ok(price()));
        let discount = Discount {
            id: DiscountId::from_bytes([1; 16]),
            organization: OrganizationId::from_bytes([2; 16]),
            name: "it".to_owned(),
            of: Of::Provider(ProviderId::from_bytes([3; 16])),
            model: Glob::parse("*").unwrap(),
            off: BasisPoints::new(1_250).unwrap(),
            valid_from_ms: 9,
        };
        assert_eq!(read_discount(discount_policy(&discount)), Ok(discount));
    }

    #[test]
    fn what_this_build_does_not_know_is_refused_and_not_left_out() {
        let good = policy(&price());
        let spoilt: [fn(&mut PricePolicy); 5] = [
            |it| it.tier = 9,
            |it| it.provider_kind = 999,
            |it| it.provider_model.clear(),
            |it| it.rates[0].counter = 12,
            |it| it.rates[0].nano_a_million = u64::MAX,
        ];
        for spoil in spoilt {
            let mut it = good.clone();
            spoil(&mut it);
            assert!(read(it.clone()).is_err(), "{it:?}");
        }
    }
}
