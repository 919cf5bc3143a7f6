//! The state against rows of the log, in order and out of it.

use policy::region::Audience;

use super::*;
use crate::publish::example::{
    advance, config, key, only, organization_id, region, remit, remit_in, revoke, state_at,
};

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
    let (mut state, east, west) = (state_at(0), remit("east"), remit("west"));
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
fn the_hash_of_an_organization_is_that_of_its_own_and_the_installations_objects() {
    let mut state = state_at(0);
    let of = |revision, key, owner, after| ChangeRow {
        owner,
        after: Some(after),
        ..config(revision, key)
    };
    let rows = vec![
        of(
            1,
            "a",
            Owner::Organization(organization_id(1)),
            only("east"),
        ),
        of(
            2,
            "b",
            Owner::Organization(organization_id(2)),
            Audience::everywhere(),
        ),
        of(3, "c", Owner::Installation, Audience::everywhere()),
        of(4, "d", Owner::Unknown, Audience::everywhere()),
    ];
    advance(&mut state, rows).unwrap();
    let sum = |keys: &[(&str, u64)]| {
        let hashes = keys
            .iter()
            .map(|(key, at)| StateHash::of_number(1, key.as_bytes(), Revision(*at)));
        hashes.fold(StateHash::default(), StateHash::plus)
    };
    for (remit, keys) in [
        (remit_in("east", 1), &[("a", 1), ("c", 3)][..]),
        (remit_in("west", 1), &[("c", 3)]),
        (remit_in("east", 2), &[("b", 2), ("c", 3)]),
        (remit_in("east", 3), &[("c", 3)]),
        (remit("west"), &[("b", 2), ("c", 3), ("d", 4)]),
    ] {
        assert_eq!(state.hash(Lane::Config, &remit), sum(keys), "{remit:?}");
        let held = state.objects(Lane::Config, &remit);
        let named = |it: &Arc<Live>| (String::from_utf8_lossy(&it.key).into_owned(), it.revision.0);
        let held: Vec<_> = held.map(named).collect();
        let keys_held: Vec<_> = keys.iter().map(|it| (it.0.to_owned(), it.1)).collect();
        assert_eq!(held, keys_held, "{remit:?}");
        let first = sum(&keys
            .iter()
            .copied()
            .filter(|it| it.1 < 2)
            .collect::<Vec<_>>());
        assert_eq!(
            state.hash_at(Lane::Config, &remit, Revision(1)),
            Some(first)
        );
    }
    // An older build does not say whose it was that it deletes.
    let gone = ChangeRow {
        operation: Operation::Delete,
        ..of(5, "a", Owner::Unknown, Audience::everywhere())
    };
    advance(
        &mut state,
        vec![ChangeRow {
            after: None,
            ..gone
        }],
    )
    .unwrap();
    let told = state.ring().after(Revision(4)).unwrap().next().unwrap();
    let east = remit_in("east", 1);
    assert_eq!(told.operation_for(&east), Some(Operation::Delete));
    assert_eq!(told.operation_for(&remit_in("east", 2)), None);
    assert_eq!(state.hash(Lane::Config, &east), sum(&[("c", 3)]));
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
    let (mut state, east) = (state_at(0), remit("east"));
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
