//! How a budget stands, by the ledger: what is told of it, and what is watched of it.
//!
//! Knows where the numbers come from; what they mean is said elsewhere.

use domain::budget::Standing;
use policy::{applying::Whose, limit::Allowance, region::Region};
use store::{
    Store, StoreError, limit, organization,
    spent::{self, Counted},
};

/// A budget in its present period, and what was spent in each region.
pub(crate) async fn of(
    store: &Store,
    row: &limit::Row,
    (whose, now_ms): (Option<Whose>, u64),
) -> Result<(Standing, Vec<(Region, u64)>), StoreError> {
    let Allowance::Quota(quota) = row.allowance else {
        let name = row.name.to_string();
        return Err(StoreError::NotFound { name });
    };
    let zone = organization::get(store, &row.name.parent()).await?.zone;
    let span = quota.period().span(&zone, now_ms);
    let counted = Counted {
        limit: row.id,
        period_from_ms: span.from_ms,
        whose,
    };
    let mut spent = Vec::new();
    for region in spent::regions(store).await? {
        let used = store.spent(&region, &counted, now_ms).await?.unwrap_or(0);
        spent.push((region, used));
    }
    let counted_from = row.counted_from.unix_timestamp_nanos() / 1_000_000;
    let standing = Standing {
        amount: quota.amount(),
        span,
        counted_from_ms: u64::try_from(counted_from).unwrap_or(0),
        now_ms,
        spent: spent.iter().map(|it| it.1).collect(),
        together: !row.terms.regions.is_empty(),
    };
    Ok((standing, spent))
}
