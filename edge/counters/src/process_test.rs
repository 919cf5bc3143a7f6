//! What the twin forgets and what it does not.

use policy::{applying::Shelf, id::ShelfId, limit::Rate};

use super::*;

const ORGANIZATION: OrganizationId = OrganizationId::from_bytes([1; 16]);

fn line(limit: u8, amount: i64) -> Line {
    let rate = Rate::new(10, 1_000, 10).unwrap();
    Line {
        counter: CounterId::from_bytes([limit; 16]),
        shelf: Shelf {
            id: ShelfId::from_bytes([limit; 16]),
            is_one_of_many: false,
        },
        measure: Measure::Rate(rate),
        amount,
        soft: false,
        counted_from_ms: 0,
        given: 0,
    }
}

fn request(id: u16) -> Request {
    let mut bytes = [0; 16];
    bytes[..2].copy_from_slice(&id.to_be_bytes());
    Request {
        organization: ORGANIZATION,
        id: bytes,
    }
}

#[test]
fn buckets_that_are_full_again_are_swept_and_debt_is_not() {
    let mut process = Process::new();
    for id in 1..u16::try_from(BUCKETS_BEFORE_SWEEP).unwrap() {
        let mut one = line(0, 1);
        let [high, low] = id.to_be_bytes();
        one.counter = CounterId::from_bytes([high, low, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9]);
        process.reserve(&request(id), Wanted::now(&[one]), 1_000, 0);
    }
    process.reserve(&request(60_000), Wanted::now(&[line(1, 5_000)]), 1_000, 0);
    let later = process.reserve(&request(60_001), Wanted::now(&[line(1, 1)]), 1_000, 100_000);
    assert!(
        matches!(later.value, Reserved::Denied { .. }),
        "the debt was forgotten"
    );
    assert_eq!(process.buckets, 1);
}

#[test]
fn a_reservation_that_nobody_renews_is_charged_in_full() {
    let mut process = Process::new();
    process.reserve(&request(1), Wanted::now(&[line(1, 10)]), 1_000, 0);
    assert_eq!(
        process.renew(ORGANIZATION, &[request(1).id, request(2).id], 1_000, 900),
        1
    );
    let other = process.reserve(&request(2), Wanted::now(&[line(1, 1)]), 1_000, 1_899);
    assert_eq!(other.expired, 0, "the lease was renewed");
    let other = process.reserve(&request(3), Wanted::now(&[line(1, 1)]), 1_000, 1_900);
    assert_eq!(other.expired, 1);
    let lines = vec![line(1, 0)];
    let late = Settlement {
        request: request(1),
        lines,
        charge_if_absent: false,
    };
    assert_eq!(process.settle(&late, 1_900).value, Settled::Nothing);
}
