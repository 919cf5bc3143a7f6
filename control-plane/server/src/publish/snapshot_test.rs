//! Snapshots of states that move on while they are fetched.

use super::*;
use crate::publish::example::{advance, config, only, remit, state_at};
use proto::sync::Change;
use seal::{Ring, SealingKey};

fn snapshots(rows: Vec<store::ChangeRow>) -> Snapshots {
    let hub = Arc::new(Hub::new());
    hub.write(|state| {
        *state = state_at(0);
        advance(state, rows).unwrap();
    });
    let sealing = Ring::from(SealingKey::parse(&SealingKey::generate_text()).unwrap());
    Snapshots::new(hub, Values::new(sealing))
}

fn fetch(snapshots: &Snapshots, snapshot: &Snapshot) -> Vec<Change> {
    let chunks = (0..).map_while(|index| snapshots.chunk(snapshot, index));
    let changes = chunks.flat_map(|chunk| {
        let chunk = chunk.unwrap();
        assert!(chunk.data.len() <= CHUNK_BYTES_MAX);
        assert_eq!(chunk.sha256, Sha256::digest(&chunk.data).to_vec());
        SnapshotData::decode(chunk.data.as_slice()).unwrap().changes
    });
    changes.collect()
}

#[test]
fn a_snapshot_can_be_gone_on_with_after_the_state_has_moved() {
    let large = |at: u64| {
        let mut row = config(at, &format!("{at:03}"));
        row.value = vec![7; 100_000];
        row
    };
    let snapshots = snapshots((1..=30).map(large).collect());
    let first = snapshots.find(Lane::Config, &remit("east"), b"").unwrap();
    assert!(first.chunks.len() > 2);
    snapshots
        .hub
        .write(|state| advance(state, vec![config(31, "new")]))
        .unwrap();
    let again = snapshots
        .find(Lane::Config, &remit("east"), &first.id)
        .unwrap();
    let changes = fetch(&snapshots, &again);
    assert_eq!(changes.len(), 30);
    assert!(changes.is_sorted_by_key(|it| it.key.clone()));
    let newest = snapshots.find(Lane::Config, &remit("east"), b"").unwrap();
    assert_eq!(fetch(&snapshots, &newest).len(), 31);
    assert!(
        snapshots
            .find(Lane::Config, &remit("east"), b"no such")
            .is_none()
    );
}

#[test]
fn nobody_gets_another_regions_snapshot_by_naming_it() {
    let mut row = config(1, "a");
    row.after = Some(only("east"));
    let snapshots = snapshots(vec![row]);
    let east = snapshots.find(Lane::Config, &remit("east"), b"").unwrap();
    assert_eq!(fetch(&snapshots, &east).len(), 1);
    assert!(
        snapshots
            .find(Lane::Config, &remit("west"), &east.id)
            .is_none()
    );
    assert!(
        snapshots
            .find(Lane::Keys, &remit("east"), &east.id)
            .is_none()
    );
    let west = snapshots.find(Lane::Config, &remit("west"), b"").unwrap();
    assert!(fetch(&snapshots, &west).is_empty());
}

#[test]
fn only_so_many_are_sent_at_once() {
    let (snapshots, now) = (snapshots(Vec::new()), Instant::now());
    let mut slots: Vec<_> = (0..SENT_AT_ONCE_MAX)
        .map(|_| snapshots.slot(now).unwrap())
        .collect();
    assert!(snapshots.slot(now).is_none());
    slots.pop();
    assert!(snapshots.slot(now).is_some());
}

#[test]
fn who_takes_too_long_keeps_nobody_else_waiting() {
    let (snapshots, now) = (snapshots(Vec::new()), Instant::now());
    let slow: Vec<_> = (0..SENT_AT_ONCE_MAX)
        .map(|_| snapshots.slot(now).unwrap())
        .collect();
    let later = now + SENT_WITHIN;
    let mut quick: Vec<_> = (0..SENT_AT_ONCE_MAX)
        .map(|_| snapshots.slot(later).unwrap())
        .collect();
    // That the slow ones end at last frees nothing that is taken.
    drop(slow);
    assert!(snapshots.slot(later).is_none());
    quick.pop();
    assert!(snapshots.slot(later).is_some());
}
