//! What the account and the measures of one request allocate.
//!
//! Knows counts and no time: `benches/account` measures that. Its material is the same.

#[path = "../benches/account/request.rs"]
#[expect(dead_code, reason = "times are measured elsewhere")]
mod request;

use request::{Bench, Traced};

/// The most that one request may allocate where it is not traced.
const ALLOCATIONS_MAX: f64 = 5.0;

#[test]
fn the_account_and_the_measures_of_a_request_allocate_little() {
    let each = Bench::new(Traced::No).allocations();
    assert!(each <= ALLOCATIONS_MAX, "{each} allocations");
}
