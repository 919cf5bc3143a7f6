//! What a request leaves, written and read.

use std::{net::IpAddr, time::Instant};

use policy::id::OrganizationId;

use super::*;

fn key(key_id: &str) -> Key {
    Key {
        key_id: key_id.to_owned(),
        organization: OrganizationId::from_bytes([1; 16]),
        project: ProjectId::from_bytes([2; 16]),
        tag: [0; 32],
        pepper_version: 1,
        secret_created_at_ms: 0,
        previous: None,
        models: Vec::new(),
        disabled: false,
        scope: None,
        labels: None,
        expires_at_ms: None,
        config_revision: Revision(1),
    }
}

fn left(key_id: &str, endpoint: &'static str) -> (Bequest, Left) {
    let arrival = Arrival {
        id: uuid::Uuid::from_bytes([7; 16]),
        at_ms: 1_764_243_000_123,
        started: Instant::now(),
        peer: IpAddr::from([127, 0, 0, 1]),
        trace: None,
    };
    let key = key(key_id);
    let facts = Facts {
        key: &key,
        previous_secret: true,
        model: ModelId::from_bytes([3; 16]),
        version: VersionId::from_bytes([4; 16]),
        provider: ProviderId::from_bytes([0; 16]),
        endpoint,
        streamed: true,
        revision: Revision(9),
    };
    let charged = Charged {
        input: 40,
        output: 1_000,
        micro_dollars: Some(120),
    };
    let bequest = Bequest::of(&arrival, &facts, charged);
    let left = Left::read(bequest.bytes()).unwrap();
    (bequest, left)
}

#[test]
fn what_is_left_is_read_as_it_was_written() {
    let (bequest, it) = left("aaaaaaaaaaaa", "/v1/chat/completions");
    let expected = Left {
        id: [7; 16],
        at_ms: 1_764_243_000_123,
        project: ProjectId::from_bytes([2; 16]),
        key_id: "aaaaaaaaaaaa".to_owned(),
        previous_secret: true,
        model: ModelId::from_bytes([3; 16]),
        version: VersionId::from_bytes([4; 16]),
        provider: None,
        endpoint: "/v1/chat/completions".to_owned(),
        streamed: true,
        revision: Revision(9),
        charged: Charged {
            input: 40,
            output: 1_000,
            micro_dollars: Some(120),
        },
    };
    assert_eq!(it, expected);
    let there = ProviderId::from_bytes([5; 16]);
    let there = Left::read(bequest.at(there).bytes()).unwrap();
    assert_eq!(there.provider, Some(ProviderId::from_bytes([5; 16])));
}

#[test]
fn no_name_behind_a_token_is_left_and_all_of_it_has_a_bound() {
    let (_, it) = left("corp:ann@example.com", "/v1/chat/completions");
    assert_eq!(it.key_id, "corp:");
    let long = format!("{}:ann", "i".repeat(300));
    let (bequest, it) = left(&long, "/v1beta/models/{model}:streamGenerateContent");
    assert_eq!(it.key_id.len(), 64);
    assert!(bequest.bytes().len() <= counters::BEQUEST_BYTES_MAX);
}

#[test]
fn what_was_charged_beyond_is_the_larger_of_each() {
    let (bequest, _) = left("aaaaaaaaaaaa", "/v1/messages");
    let used = |input, output| Tokens {
        input,
        output,
        ..Tokens::default()
    };
    let charged = |used: Tokens, micro| Left::read(bequest.raised(&used, micro).bytes());
    let charged = |used, micro| charged(used, micro).unwrap().charged;
    let of = |input, output, micro| Charged {
        input,
        output,
        micro_dollars: Some(micro),
    };
    assert_eq!(charged(used(30, 1_300), Some(150)), of(40, 1_290, 150));
    assert_eq!(charged(used(70, 1_300), None), of(70, 1_300, 120));
    assert_eq!(charged(used(1, 1), Some(1)), of(40, 1_000, 120));
}

#[test]
fn of_another_layout_and_of_what_is_cut_nothing_is_read() {
    let (bequest, _) = left("aaaaaaaaaaaa", "/v1/messages");
    let whole = bequest.bytes();
    for length in 0..whole.len() {
        assert_eq!(Left::read(&whole[..length]), None);
    }
    let mut other = whole.to_vec();
    other[0] = 2;
    assert_eq!(Left::read(&other), None);
}
