//! What a reader finds in a file is what was written.

use std::collections::HashMap;

use bytes::Bytes;
use parquet::{
    file::reader::{FileReader, SerializedFileReader},
    record::{Row, RowAccessor},
};
use proto::admin::{
    UsageAttempt, UsageCharge, UsageCount, UsageDecision, UsageTarget, UsageTargetNote,
};

use super::*;

fn count(counter: &str, count: i64) -> UsageCount {
    UsageCount {
        counter: counter.to_owned(),
        count,
        nano_dollars: 5,
        cost_nano: 7,
    }
}

/// One in which every list has more than one item, and one in which all are empty.
fn records() -> [UsageRecord; 2] {
    let tags = [("team", "a"), ("app", "\u{e4}b")];
    let attempt = |code: &str| UsageAttempt {
        code: code.to_owned(),
        status: 503,
        tokens: 9,
        ..UsageAttempt::default()
    };
    let charge = |price: &str, counts: Vec<UsageCount>| UsageCharge {
        price: price.to_owned(),
        counts,
        ..UsageCharge::default()
    };
    let target = |provider: &str, reached, rules: &[&str]| UsageTarget {
        provider: provider.to_owned(),
        reached,
        notes: rules
            .iter()
            .map(|rule| UsageTargetNote {
                rule: (*rule).to_owned(),
                lasts_ms: 6,
            })
            .collect(),
        ..UsageTarget::default()
    };
    let full = UsageRecord {
        id: "01890a5d-ac96-774b-bcce-b302099a8057".to_owned(),
        time: Some(prost_types::Timestamp {
            seconds: 1_700_000_000,
            nanos: 123_000_000,
        }),
        project: "organizations/acme/projects/web".to_owned(),
        status: 200,
        streamed: true,
        input_tokens: i64::MAX,
        cost_nano: 12,
        cost_known: true,
        answer_bytes: 3,
        overhead_us: 41,
        finish: "whole".to_owned(),
        tags: HashMap::from(tags.map(|(key, value)| (key.to_owned(), value.to_owned()))),
        attempts: vec![attempt("upstream_error"), attempt("upstream_timeout")],
        decision: Some(UsageDecision {
            chosen_by: "rule".to_owned(),
            rule: 2,
            targets: vec![
                target("p1", true, &[]),
                target("p2", false, &["parked", "key"]),
            ],
            ..UsageDecision::default()
        }),
        charges: vec![
            charge("p1", vec![count("input", 1), count("output", 2)]),
            charge("p2", vec![]),
            charge("p3", vec![count("images", 3)]),
        ],
        ..UsageRecord::default()
    };
    [full, UsageRecord::default()]
}

fn read(bytes: Vec<u8>) -> Vec<Row> {
    let reader = SerializedFileReader::new(Bytes::from(bytes)).expect("it is a file of Parquet");
    let rows = reader.get_row_iter(None).expect("it has rows");
    rows.map(|row| row.expect("a row can be read")).collect()
}

#[test]
fn every_column_is_read_back_as_it_was_lists_within_lists_too() {
    let mut writer = Writer::new(Vec::new()).expect("a file begins");
    for record in records() {
        writer.push(&record).expect("a record is taken");
    }
    let rows = read(writer.finish().expect("the file ends"));
    let [full, empty] = &rows[..] else {
        panic!("{rows:?}");
    };
    assert_eq!(full.get_column_iter().count(), 38);
    assert_eq!(full.get_string(2).expect("a text"), "organizations/acme");
    assert_eq!(
        full.get_timestamp_micros(1).expect("a time"),
        1_700_000_000_123_000
    );
    assert_eq!(full.get_long(14).expect("a number"), i64::MAX);
    let text = said(full);
    for part in [
        "tags: {app -> äb, team -> a}",
        "code: upstream_timeout",
        "chosen_by: rule, rule: 2,",
        "reached: true, notes: []",
        "rule: key, lasts_ms: 6",
        "cost_nano: 12,",
        "overhead_us: 41, queue_us: 0,",
        "finish: whole,",
        "price: p2, discount_basis_points: 0, counts: []",
        "counter: images, count: 3",
    ] {
        assert!(text.contains(part), "{part} is missing from {text}");
    }
    let text = said(empty);
    for part in [
        "tags: {}",
        "attempts: []",
        "targets: []",
        "charges: []",
        "cost_nano: null",
    ] {
        assert!(text.contains(part), "{part} is missing from {text}");
    }
}

/// What a row prints.
fn said(row: &Row) -> String {
    let columns = row.get_column_iter();
    let columns = columns.map(|(name, field)| format!("{name}: {field}, "));
    columns.collect::<String>().replace('"', "")
}

#[test]
fn groups_follow_each_other_and_nothing_is_lost_between_them() {
    let mut writer = Writer::new(Vec::new()).expect("a file begins");
    let many = GROUP_MAX * 2 + 1;
    for number in 0..many {
        let record = UsageRecord {
            input_tokens: i64::try_from(number).expect("it is small"),
            ..UsageRecord::default()
        };
        writer.push(&record).expect("a record is taken");
    }
    let bytes = writer.finish().expect("the file ends");
    let reader = SerializedFileReader::new(Bytes::from(bytes.clone())).expect("it is one");
    assert_eq!(reader.metadata().num_row_groups(), 3);
    let numbers = read(bytes);
    let numbers = numbers
        .iter()
        .map(|row| row.get_long(14).expect("a number"));
    assert!(numbers.eq(0..i64::try_from(many).expect("it is small")));
}

#[test]
fn a_file_without_records_can_be_read() {
    let writer = Writer::new(Vec::new()).expect("a file begins");
    assert!(read(writer.finish().expect("it ends")).is_empty());
}
