//! One lane against states that move on, fall behind and are loaded anew.

use super::*;
use crate::publish::{
    example::{ack, ack_batch, ack_of, advance, claim, config, epoch, key, only, remit, state_at},
    flights::UNACKED_BYTES_MAX,
    gather::BATCH_BYTES_MAX,
    ring::CHANGES_MAX,
};
use policy::revision::Epoch;

fn follow(lane: Lane, state: &State) -> EdgeLane {
    let east = remit("east");
    EdgeLane::open(lane, east.clone(), Some(claim(state, lane, &east)), state)
}

fn batch(lane: &mut EdgeLane, state: &State, gate: Gate) -> Batch {
    match lane.next(state, gate) {
        Some(Parcel::Batch(batch)) => batch,
        other => panic!("no batch but {other:?}"),
    }
}

fn reason(lane: &mut EdgeLane, state: &State) -> &'static str {
    match lane.next(state, Gate::Open) {
        Some(Parcel::NeedSnapshot(reason)) => reason,
        other => panic!("no snapshot is needed but {other:?}"),
    }
}

#[test]
fn an_edge_that_is_here_gets_what_comes_and_each_batch_starts_where_the_last_one_ended() {
    let mut state = state_at(5);
    let mut lane = follow(Lane::Config, &state);
    assert!(lane.next(&state, Gate::Open).is_none());
    advance(&mut state, vec![config(6, "a"), config(7, "b")]).unwrap();
    let first = batch(&mut lane, &state, Gate::Open);
    assert_eq!((first.previous, first.revision), (Revision(5), Revision(7)));
    assert_eq!(first.changes.len(), 2);
    assert_eq!(first.hash, state.hash(Lane::Config, &remit("east")));
    advance(&mut state, vec![config(8, "a")]).unwrap();
    let second = batch(&mut lane, &state, Gate::Open);
    assert_eq!(
        (second.previous, second.revision),
        (Revision(7), Revision(8))
    );
    assert!(lane.ack(ack_batch(&second), &state));
    assert_eq!(lane.acked(), Revision(8));
}

#[test]
fn a_lane_moves_on_with_an_empty_batch_when_nothing_was_for_it() {
    let mut state = state_at(5);
    let mut lane = follow(Lane::Keys, &state);
    let elsewhere = only("west");
    let mut row = key(7, "k", 0);
    row.after = Some(elsewhere);
    advance(&mut state, vec![config(6, "a"), row]).unwrap();
    let batch = batch(&mut lane, &state, Gate::Open);
    assert_eq!((batch.revision, batch.changes.len()), (Revision(7), 0));
    assert_eq!(batch.hash, StateHash::default());
}

#[test]
fn a_key_waits_for_its_configuration_and_holds_what_comes_after_it() {
    let mut state = state_at(5);
    let mut lane = follow(Lane::Keys, &state);
    advance(
        &mut state,
        vec![config(6, "a"), key(7, "k", 6), key(8, "l", 0)],
    )
    .unwrap();
    let before = batch(&mut lane, &state, Gate::Config(Revision(5)));
    assert_eq!((before.revision, before.changes.len()), (Revision(6), 0));
    assert!(lane.next(&state, Gate::Config(Revision(5))).is_none());
    assert!(lane.next(&state, Gate::Shut).is_none());
    let after = batch(&mut lane, &state, Gate::Config(Revision(6)));
    assert_eq!((after.previous, after.revision), (Revision(6), Revision(8)));
    assert_eq!(after.changes.len(), 2);
}

#[test]
fn an_edge_is_resumed_only_where_its_hash_was_true() {
    let mut state = state_at(5);
    let east = remit("east");
    let old = claim(&state, Lane::Config, &east);
    advance(&mut state, vec![config(6, "a")]).unwrap();
    let open = |claim: Claim| EdgeLane::open(Lane::Config, east.clone(), Some(claim), &state);

    assert_eq!(
        batch(&mut open(old.clone()), &state, Gate::Open).previous,
        Revision(5)
    );
    let wrong = Claim {
        hash: StateHash::of_number(1, b"x", Revision(1)),
        ..old.clone()
    };
    assert_eq!(reason(&mut open(wrong), &state), DIFFERS);
    let foreign = Claim {
        epoch: Epoch::new(vec![9]).unwrap(),
        ..old.clone()
    };
    assert_eq!(
        reason(&mut open(foreign), &state),
        "the edge comes from another epoch"
    );
    let older = Claim {
        revision: Revision(4),
        ..old
    };
    assert_eq!(reason(&mut open(older), &state), TOO_OLD);
    let mut nothing = EdgeLane::open(Lane::Config, east.clone(), None, &state);
    assert_eq!(reason(&mut nothing, &state), "the edge has nothing");
    assert!(
        nothing.next(&state, Gate::Open).is_none(),
        "it is told once"
    );
}

#[test]
fn an_edge_that_fell_off_the_ring_goes_on_after_its_snapshot() {
    let mut state = state_at(0);
    let mut lane = follow(Lane::Config, &state);
    let rows = (1..=CHANGES_MAX as u64 + 1)
        .map(|at| config(at, "a"))
        .collect();
    advance(&mut state, rows).unwrap();
    reason(&mut lane, &state);
    assert!(lane.ack(ack_of(&state, Lane::Config, &remit("east")), &state));
    let newest = state.revision().0;
    advance(&mut state, vec![config(newest + 1, "a")]).unwrap();
    assert_eq!(
        batch(&mut lane, &state, Gate::Open).previous,
        Revision(newest)
    );
}

#[test]
fn nothing_is_sent_to_an_edge_that_knows_more_until_this_replica_knows_it_too() {
    let mut ahead = state_at(5);
    advance(&mut ahead, vec![config(6, "a")]).unwrap();
    let east = remit("east");
    let theirs = claim(&ahead, Lane::Config, &east);
    let mut state = state_at(5);
    let mut lane = EdgeLane::open(Lane::Config, east, Some(theirs), &state);
    assert!(lane.next(&state, Gate::Open).is_none() && lane.is_ahead());
    advance(&mut state, vec![config(6, "a"), config(7, "b")]).unwrap();
    assert_eq!(batch(&mut lane, &state, Gate::Open).previous, Revision(6));
    assert!(!lane.is_ahead());
}

#[test]
fn what_is_not_acknowledged_is_bounded() {
    let mut state = state_at(0);
    let mut lane = follow(Lane::Config, &state);
    let big = |at| {
        let mut row = config(at, "a");
        row.value = vec![0; BATCH_BYTES_MAX / 2];
        row
    };
    advance(&mut state, (1..=40).map(big).collect()).unwrap();
    let mut batches = Vec::new();
    while let Some(Parcel::Batch(batch)) = lane.next(&state, Gate::Open) {
        assert_eq!(batch.changes.len(), 1);
        batches.push(batch);
    }
    let sent = batches.len() * (BATCH_BYTES_MAX / 2);
    assert!((UNACKED_BYTES_MAX - BATCH_BYTES_MAX..=UNACKED_BYTES_MAX).contains(&sent));
    lane.ack(ack_batch(batches.last().unwrap()), &state);
    assert!(lane.next(&state, Gate::Open).is_some());
}

#[test]
fn a_wrong_hash_costs_one_snapshot_and_not_one_after_another() {
    let mut state = state_at(5);
    let mut lane = follow(Lane::Config, &state);
    let wrong = StateHash::of_number(9, b"wrong", Revision(9));
    advance(&mut state, vec![config(6, "a")]).unwrap();
    batch(&mut lane, &state, Gate::Open);
    assert!(!lane.ack(ack(6, wrong), &state));
    assert_eq!(reason(&mut lane, &state), DIFFERS);
    lane.ack(ack(6, wrong), &state);
    assert!(lane.next(&state, Gate::Open).is_none(), "it is told once");
    assert!(lane.ack(ack_of(&state, Lane::Config, &remit("east")), &state));

    advance(&mut state, vec![config(7, "b")]).unwrap();
    batch(&mut lane, &state, Gate::Open);
    assert!(!lane.ack(ack(7, wrong), &state));
    assert!(lane.next(&state, Gate::Open).is_none());
}

#[test]
fn what_an_edge_of_another_epoch_says_before_its_snapshot_is_not_believed() {
    let (mut state, east) = (state_at(5), remit("east"));
    advance(&mut state, vec![config(6, "a")]).unwrap();
    let hash = StateHash::of_number(9, b"other", Revision(9));
    for revision in [6, 1_000] {
        let revision = Revision(revision);
        let theirs = Claim {
            epoch: Epoch::new(vec![9]).unwrap(),
            revision,
            hash,
        };
        let mut lane = EdgeLane::open(Lane::Config, east.clone(), Some(theirs), &state);
        reason(&mut lane, &state);
        assert!(lane.ack(ack(revision.0, hash), &state));
        assert!(lane.next(&state, Gate::Open).is_none() && !lane.is_ahead());
        assert_eq!(lane.acked(), Revision(0));
        lane.ack(ack_of(&state, Lane::Config, &east), &state);
        assert_eq!(lane.acked(), Revision(6));
    }
}

#[test]
fn an_edge_that_fetched_a_snapshot_unasked_is_followed_from_there() {
    let mut state = state_at(5);
    let mut lane = follow(Lane::Config, &state);
    advance(&mut state, vec![config(6, "a"), config(7, "b")]).unwrap();
    let snapshot = ack_of(&state, Lane::Config, &remit("east"));
    advance(&mut state, vec![config(8, "c")]).unwrap();
    assert!(lane.ack(snapshot, &state));
    let batch = batch(&mut lane, &state, Gate::Open);
    assert_eq!((batch.previous, batch.revision), (Revision(7), Revision(8)));
}

#[test]
fn a_refusal_counts_as_seen_and_not_as_in_force() {
    let mut state = state_at(5);
    let mut lane = follow(Lane::Config, &state);
    advance(&mut state, vec![config(6, "a")]).unwrap();
    batch(&mut lane, &state, Gate::Open);
    lane.nack(Revision(6));
    assert_eq!((lane.seen(), lane.acked()), (Revision(6), Revision(5)));
}

#[test]
fn a_load_that_agrees_disturbs_nobody_and_one_that_differs_sends_for_a_snapshot() {
    let mut state = state_at(5);
    advance(&mut state, vec![config(6, "a")]).unwrap();
    let mut lane = follow(Lane::Config, &state);
    lane.reloaded(&state, true);
    assert!(lane.next(&state, Gate::Open).is_none());
    lane.reloaded(&state_at(6), true);
    assert_eq!(
        reason(&mut lane, &state),
        "policy was loaded anew and differs"
    );
    let mut lane = follow(Lane::Config, &state);
    lane.reloaded(&state, false);
    assert_eq!(lane.acked(), Revision(0));
    assert_eq!(
        reason(&mut lane, &state),
        "policy was loaded anew and differs"
    );
    assert_eq!(*state.epoch(), epoch());
}
