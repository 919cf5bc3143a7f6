//! What deciding where a request goes allocates, and that a thousand models cost about what one does.
//!
//! Knows counts, and time only where it is generous: `benches/routing` measures it. Its material is the same.

#[path = "../benches/routing/models.rs"]
mod models;

use models::Bench;

/// The most that deciding may allocate for a model without conditions: its list of targets.
const ALLOCATIONS_MAX: f64 = 1.0;

/// How much more a thousand models may cost than one: a hundred times what a quiet machine is held to, because others work here, too,
/// and nothing is optimised.
const MORE_NS_MAX: u128 = 50_000;

#[test]
fn deciding_among_a_thousand_models_allocates_what_deciding_about_one_does() {
    for conditions in [false, true] {
        let (one, many) = (Bench::new(1, conditions), Bench::new(1_000, conditions));
        assert_eq!(one.targets(1), many.targets(1_000)[..1]);
        let counts = (one.allocations(), many.allocations());
        assert!((counts.0 - counts.1).abs() < 0.01, "{counts:?} allocations");
        if !conditions {
            assert!(counts.1 <= ALLOCATIONS_MAX, "{counts:?} allocations");
        }
        let more = many
            .time(3)
            .as_nanos()
            .saturating_sub(one.time(3).as_nanos());
        assert!(more <= MORE_NS_MAX, "{more} ns more");
    }
}
