//! What tests demand of limits.
//!
//! Knows how a demand is put together; knows nothing of who answers it.

use std::sync::Arc;

use counters::Demand;
use policy::{
    applying::{Applied, Count, Measure, Shelf},
    id::{CounterId, LimitId, OrganizationId, ShelfId},
    limit::{Allowance, AtOnce, Limit, Of, Rate, Scope, Terms, Unit},
};

/// Whose limits they are.
pub(crate) const ORGANIZATION: OrganizationId = OrganizationId::from_bytes([7; 16]);

/// A demand of a limit that refills one unit an hour, so that no test sees it refill.
pub(crate) fn hourly(burst: u64, amount: u64) -> Demand {
    let rate = Rate::new(1, 3_600_000, burst).expect("a rate");
    let limit = Limit {
        id: LimitId::from_bytes([6; 16]),
        organization: ORGANIZATION,
        name: "tokens".to_owned(),
        scope: Scope::all(Of::Organization(ORGANIZATION)),
        unit: Unit::Tokens,
        allowance: Allowance::Rate(rate),
        terms: Terms::default(),
        counted_from_ms: 0,
    };
    let applied = Applied {
        limit: Arc::new(limit),
        counter: CounterId::from_bytes([6; 16]),
        shelf: shelf(6),
        count: Count::Level(Measure::Rate(rate)),
        given: 0,
        whose: None,
    };
    Demand { applied, amount }
}

/// A demand of a slot of so many.
#[allow(dead_code, reason = "not every test has slots")]
pub(crate) fn slot(amount: u64) -> Demand {
    let limit = Limit {
        id: LimitId::from_bytes([8; 16]),
        organization: ORGANIZATION,
        name: "slots".to_owned(),
        scope: Scope::all(Of::Organization(ORGANIZATION)),
        unit: Unit::ConcurrentRequests,
        allowance: Allowance::AtOnce(AtOnce::new(amount).expect("a number")),
        terms: Terms::default(),
        counted_from_ms: 0,
    };
    let applied = Applied {
        limit: Arc::new(limit),
        counter: CounterId::from_bytes([8; 16]),
        shelf: shelf(8),
        count: Count::Slots(amount),
        given: 0,
        whose: None,
    };
    Demand { applied, amount: 1 }
}

/// One with a key of its own.
fn shelf(number: u8) -> Shelf {
    Shelf {
        id: ShelfId::from_bytes([number; 16]),
        is_one_of_many: true,
    }
}
