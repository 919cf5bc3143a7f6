//! What an edge is told, and in which order, when it connects and while it lives.

use super::*;
use crate::publish::example::{
    ack_batch, ack_of, advance, claim, config, key, remit, revoke, secret, state_at,
};

fn claims(state: &State) -> Vec<(Lane, Claim)> {
    Lane::ALL
        .map(|lane| (lane, claim(state, lane, &remit("east"))))
        .to_vec()
}

fn connected(state: &State) -> Follower {
    Follower::open(remit("east"), &claims(state), state)
}

/// Of each message: its lane, or `None` for revocations.
fn order(messages: &[Message]) -> Vec<Option<Lane>> {
    let lane = |message: &Message| match message {
        Message::Batch(lane, ..) | Message::NeedSnapshot(lane, _) => Some(*lane),
        Message::Revocations(_) => None,
    };
    messages.iter().map(lane).collect()
}

fn take(messages: Vec<Message>, wanted: Lane) -> Batch {
    let batch = messages.into_iter().find_map(|message| match message {
        Message::Batch(lane, _, batch) if lane == wanted => Some(batch),
        _ => None,
    });
    batch.unwrap()
}

fn revoked(messages: &[Message]) -> Vec<&str> {
    let ids = messages.iter().filter_map(|message| match message {
        Message::Revocations(revoked) => Some(revoked),
        _ => None,
    });
    ids.flatten().map(|it| it.key_id.as_str()).collect()
}

#[test]
fn a_fresh_edge_gets_secrets_and_configuration_before_keys() {
    let mut state = state_at(1);
    advance(
        &mut state,
        vec![config(2, "a"), secret(3, "s"), key(4, "k", 2)],
    )
    .unwrap();
    let mut edge = Follower::open(remit("east"), &[], &state);
    let first = edge.next(&state);
    assert_eq!(order(&first), [Some(Lane::Secrets), Some(Lane::Config)]);
    edge.ack(
        Lane::Config,
        ack_of(&state, Lane::Config, &remit("east")),
        &state,
    );
    assert!(edge.next(&state).is_empty());
    edge.ack(
        Lane::Secrets,
        ack_of(&state, Lane::Secrets, &remit("east")),
        &state,
    );
    assert_eq!(order(&edge.next(&state)), [Some(Lane::Keys)]);
}

#[test]
fn an_edge_that_has_everything_hears_nothing_and_then_only_news() {
    let mut state = state_at(5);
    let mut edge = connected(&state);
    assert!(edge.next(&state).is_empty());
    advance(&mut state, vec![config(6, "a")]).unwrap();
    let lanes = [Some(Lane::Secrets), Some(Lane::Config), Some(Lane::Keys)];
    assert_eq!(order(&edge.next(&state)), lanes);
}

#[test]
fn a_revocation_overtakes_the_key_that_waits() {
    let mut state = state_at(5);
    advance(&mut state, vec![key(6, "old", 0)]).unwrap();
    let mut edge = connected(&state);
    edge.next(&state);
    let rows = vec![config(7, "a"), key(8, "new", 7), revoke(9, "old")];
    advance(&mut state, rows).unwrap();
    let messages = edge.next(&state);
    assert_eq!(revoked(&messages), ["old"]);
    assert_eq!(order(&messages)[0], None, "revocations come first");
    let config_batch = match &messages[2] {
        Message::Batch(Lane::Config, _, batch) => ack_batch(batch),
        other => panic!("not the configuration but {other:?}"),
    };
    assert_eq!(
        take(messages, Lane::Keys).revision,
        Revision(7),
        "the key waits"
    );
    assert!(edge.next(&state).is_empty(), "it is said once");
    edge.ack(Lane::Config, config_batch, &state);
    let keys = take(edge.next(&state), Lane::Keys);
    assert_eq!((keys.revision, keys.changes.len()), (Revision(9), 2));
}

#[test]
fn a_revocation_says_whose_streams_are_cut() {
    let mut state = state_at(5);
    let (away, mut connected) = (claims(&state), connected(&state));
    let cutting = store::ChangeRow {
        value: proto::object::encode_edit(&policy::change::Edit::Revoke {
            key_id: "cut".to_owned(),
            cut_streams: true,
        }),
        ..revoke(8, "cut")
    };
    let rows = vec![key(6, "k", 0), revoke(7, "k"), cutting];
    advance(&mut state, rows).unwrap();
    let mut back = Follower::open(remit("east"), &away, &state);
    for edge in [&mut connected, &mut back] {
        let said = edge.next(&state).into_iter().find_map(|it| match it {
            Message::Revocations(revoked) => Some(revoked),
            _ => None,
        });
        let said: Vec<_> = said.unwrap().into_iter().map(|it| it.cut_streams).collect();
        assert_eq!(said, [false, true]);
    }
}

#[test]
fn an_edge_that_was_away_hears_first_what_was_revoked() {
    let mut state = state_at(5);
    advance(&mut state, vec![key(6, "k", 0)]).unwrap();
    let away = claims(&state);
    advance(&mut state, vec![config(7, "a"), revoke(8, "k")]).unwrap();
    let mut edge = Follower::open(remit("east"), &away, &state);
    let messages = edge.next(&state);
    assert_eq!(revoked(&messages), ["k"]);
    let lanes = [None, Some(Lane::Secrets), Some(Lane::Config)];
    assert_eq!(order(&messages), lanes, "keys wait for the others");

    let foreign = |(lane, claim): (Lane, Claim)| {
        (
            lane,
            Claim {
                epoch: Epoch::new(vec![9]).unwrap(),
                ..claim
            },
        )
    };
    let foreign: Vec<_> = away.into_iter().map(foreign).collect();
    let mut edge = Follower::open(remit("east"), &foreign, &state);
    assert_eq!(
        revoked(&edge.next(&state)),
        ["k"],
        "a tombstone counts in every epoch"
    );
}

#[test]
fn the_time_of_a_revocation_comes_back_with_the_ack_of_a_connected_edge() {
    let mut state = state_at(5);
    advance(
        &mut state,
        vec![key(6, "k", 0), key(7, "l", 0), revoke(8, "l")],
    )
    .unwrap();
    let mut edge = connected(&state);
    advance(&mut state, vec![revoke(9, "k")]).unwrap();
    let keys = take(edge.next(&state), Lane::Keys);
    let learned = edge.ack(Lane::Keys, ack_batch(&keys), &state);
    assert_eq!(
        learned,
        Learned {
            differs: false,
            revoked_at_ms: vec![9]
        }
    );
    assert_eq!(edge.progress().map(|it| it.applied.0), [8, 9, 8]);
}
