//! How large what every request carries is.

use super::*;

fn size_of_future<'a, F: Future>(_: fn(&'a Pipeline, &'a Arrival, Parts, Incoming) -> F) -> usize {
    size_of::<F>()
}

#[test]
fn the_future_of_a_request_stays_small() {
    // Every request in flight carries one. What makes it larger must be worth it, or be boxed.
    let bytes = size_of_future(Pipeline::run);
    assert!(bytes <= 3_648, "{bytes} bytes");
}
