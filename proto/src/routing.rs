//! How a version chooses among its targets, as edges are told it.

use policy::{
    adapt::{Adapt, Measure},
    hedge::Hedge,
    model::Version,
    routing::{Balance, FailureClasses, Routing},
};

use crate::{
    malformed::{InvalidObject, invalid},
    sync as wire,
};

/// The message of a version that says nothing but how it routes.
pub(crate) fn policy(it: &Version) -> wire::VersionPolicy {
    let routing = &it.routing;
    let (hedge_after_ms, hedge_percentile) = Hedge::numbers(routing.hedge);
    wire::VersionPolicy {
        balance: routing.balance as u32,
        fallback_on: routing.fallback_on.bits().into(),
        no_fallback_on: routing.no_fallback_on.bits().into(),
        adapt_by: routing.adapt.map_or(0, |it| it.by as u32),
        adapt_low_percent: routing.adapt.map_or(0, |it| it.percents().0.into()),
        adapt_high_percent: routing.adapt.map_or(0, |it| it.percents().1.into()),
        hedge_after_ms,
        hedge_percentile,
        ..wire::VersionPolicy::default()
    }
}

/// What a version says of how it routes.
pub(crate) fn read(it: &wire::VersionPolicy) -> Result<Routing, InvalidObject> {
    let balance = Balance::from_number(it.balance);
    let classes = |bits| {
        let classes = FailureClasses::from_bits(bits);
        classes.ok_or_else(|| invalid("a class of failures is not known"))
    };
    let hedge = Hedge::new((it.hedge_after_ms, it.hedge_percentile));
    Ok(Routing {
        balance: balance.ok_or_else(|| invalid("balance is not known"))?,
        fallback_on: classes(it.fallback_on)?,
        no_fallback_on: classes(it.no_fallback_on)?,
        adapt: adapt(it.adapt_by, (it.adapt_low_percent, it.adapt_high_percent))?,
        hedge: hedge.map_err(|_| invalid("when a second target is asked is not known"))?,
    })
}

fn adapt(by: u32, (low, high): (u32, u32)) -> Result<Option<Adapt>, InvalidObject> {
    if by == 0 {
        return Ok(None);
    }
    let by = Measure::from_number(by).ok_or_else(|| invalid("adapt_by is not known"))?;
    let percents = |number: u32| u16::try_from(number).unwrap_or(u16::MAX);
    let adapt = Adapt::new(by, percents(low), percents(high));
    adapt
        .map(Some)
        .map_err(|_| invalid("bounds of weights do not hold the weights"))
}
