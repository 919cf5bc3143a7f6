//! The state against rows of the log, in order and out of it.

use super::*;
use crate::publish::example::{advance, config, key, only, region, revoke, state_at};

#[test]
fn the_state_moves_on_without_a_gap_or_not_at_all() {
    let mut state = state_at(5);
    advance(&mut state, vec![config(4, "known"), config(6, "a")]).unwrap();
    assert_eq!(state.revision(), Revision(6));
    let gap = advance(&mut state, vec![config(8, "c")]).unwrap_err();
    assert_eq!(
        gap,
        Gap {
            expected: Revision(7),
            found: Revision(8)
        }
    );
    assert_eq!(state.revision(), Revision(6));
}

#[test]
fn the_hash_of_a_region_is_that_of_everybody_and_its_own() {
    let (mut state, east, west) = (state_at(0), region("east"), region("west"));
    let mut row = config(2, "b");
    row.after = Some(only("east"));
    advance(&mut state, vec![config(1, "a"), row]).unwrap();
    let a = StateHash::of_number(1, b"a", Revision(1));
    let b = StateHash::of_number(1, b"b", Revision(2));
    assert_eq!(state.hash(Lane::Config, &east), a.plus(b));
    assert_eq!(state.hash(Lane::Config, &west), a);
    assert_eq!(state.hash_at(Lane::Config, &east, Revision(1)), Some(a));
    assert_eq!(state.hash_at(Lane::Config, &east, Revision(3)), None);
    let mut gone = config(3, "a");
    (gone.operation, gone.after) = (Operation::Delete, None);
    advance(&mut state, vec![gone]).unwrap();
    assert_eq!(state.hash(Lane::Config, &west), StateHash::default());
    assert_eq!(state.hash_at(Lane::Config, &west, Revision(2)), Some(a));
}

#[test]
fn a_difference_to_the_database_is_seen_on_either_side() {
    let mut state = state_at(0);
    advance(&mut state, vec![config(1, "a")]).unwrap();
    let hash = StateHash::of_number(1, b"a", Revision(1));
    let row = |region, hash| HashRow {
        lane: Lane::Config,
        region,
        hash,
    };
    assert!(!state.differs_from(&[row(None, hash)]));
    let zero = row(Some(region("east")), StateHash::default());
    assert!(!state.differs_from(&[row(None, hash), zero]));
    assert!(state.differs_from(&[]));
    assert!(state.differs_from(&[row(Some(region("east")), hash)]));
    assert!(state.differs_from(&[row(None, hash), row(Some(region("east")), hash)]));
}

#[test]
fn tombstones_tell_what_was_revoked_until_they_are_deleted() {
    let (mut state, east) = (state_at(0), region("east"));
    advance(&mut state, vec![key(1, "k", 0), revoke(2, "k")]).unwrap();
    let revoked = Revoked {
        key_id: "k".to_owned(),
        cut_streams: false,
    };
    assert_eq!(state.revoked_after(Revision(0), &east), [revoked]);
    assert!(state.revoked_after(Revision(2), &east).is_empty());
    let mut gone = key(3, "k", 0);
    (gone.operation, gone.after) = (Operation::Delete, None);
    advance(&mut state, vec![gone]).unwrap();
    assert!(state.revoked_after(Revision(0), &east).is_empty());
    assert_eq!(state.hash(Lane::Keys, &east), StateHash::default());
}
