//! What the twin forgets and what it does not.

use policy::{applying::Shelf, id::ShelfId, limit::Rate};

use super::*;
use crate::reservation::{BEQUEST_TERM_MS, Bequest};

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
        bequest: None,
    };
    let long_ms = 1_900 + LATE_KEEP_MS;
    process.reserve(&request(4), Wanted::now(&[line(1, 1)]), 1_000, long_ms);
    assert_eq!(process.settle(&late, long_ms).value, Settled::Nothing);
}

#[test]
fn what_ends_late_is_charged_what_it_used_and_what_it_left_is_given_until_it_is_taken_care_of() {
    let mut process = Process::new();
    let deep = |amount| Line {
        measure: Measure::Rate(Rate::new(1, 3_600_000, 1_000).unwrap()),
        ..line(1, amount)
    };
    let left = |process: &Process, now_ms| process.levels(ORGANIZATION, &[deep(0)], now_ms);
    let leaving = |process: &mut Process, id: u16, now_ms| {
        let lines = [deep(100)];
        let wanted = Wanted {
            bequest: b"before",
            ..Wanted::now(&lines)
        };
        process.reserve(&request(id), wanted, 1_000, now_ms)
    };
    for id in 1..=3 {
        leaving(&mut process, id, 0);
    }
    let settled = |id, used| Settlement {
        request: request(id),
        lines: vec![deep(used)],
        charge_if_absent: false,
        bequest: None,
    };
    let more = Settlement {
        request: request(100),
        lines: vec![deep(7)],
        charge_if_absent: true,
        bequest: Some(Bequest {
            id: request(3).id,
            text: (*b"after").into(),
        }),
    };
    assert_eq!(process.settle(&more, 500).value, Settled::Charged);
    let text = |reply: &Reply<Settled>| -> Vec<(u8, Vec<u8>)> {
        let texts = reply.bequests.iter();
        texts.map(|it| (it.id[1], it.text.to_vec())).collect()
    };
    let reaped = process.settle(&settled(9, 0), 1_000);
    let all = [(1_u8, "before"), (2, "before"), (3, "after")];
    let all = all.map(|(id, text)| (id, text.as_bytes().to_vec()));
    assert_eq!((reaped.expired, text(&reaped)), (3, all.to_vec()));
    assert_eq!(left(&process, 1_000), [693]);

    // Less than was reserved comes back, and more is charged, once.
    for (used, expected) in [(40, 753), (40, 753)] {
        process.settle(&settled(1, used), 2_000);
        assert_eq!(left(&process, 2_000), [expected]);
    }
    process.settle(&settled(2, 130), 2_000);
    assert_eq!(left(&process, 2_000), [723]);

    // Nobody has said that the last is taken care of, and so it is given again, and not counted again.
    let again = process.settle(&settled(9, 0), 1_000 + BEQUEST_TERM_MS);
    assert_eq!((again.expired, text(&again)), (0, all[2..].to_vec()));
    process.inherited(ORGANIZATION, &[request(3).id], 40_000);
    let never = process.settle(&settled(9, 0), 40_000 + LATE_KEEP_MS - 1);
    assert!(text(&never).is_empty());
    process.settle(&settled(3, 0), 40_000 + LATE_KEEP_MS - 1);
    assert_eq!(left(&process, 40_000), [823]);
}
