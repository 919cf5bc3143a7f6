//! Messages that no sane control plane sends.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Instant,
};

use policy::object::Lane;
use proto::{message, sync as wire};
use tokio::sync::watch;
use worker::{
    feed::{
        follower::Follower, keeping::Keeping, lane::LaneState, sharing::Sharing, witness::Witness,
    },
    in_force::{self, InForce, Standing},
};

use crate::{
    edge::planes,
    plane::{key, organization, revoke},
};

const MESSAGES: usize = 20_000;

#[test]
fn no_message_panics_or_brings_a_revoked_key_back() {
    let panics = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&panics);
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        counted.fetch_add(1, Ordering::SeqCst);
        before(info);
    }));
    let mut random = fastrand::Rng::with_seed(20_260_101);
    let (mut follower, in_force) = follower();
    let sane = sane();
    let mut taken = 0;
    for _ in 0..MESSAGES {
        let mut bytes = random.choice(&sane).unwrap().clone();
        for _ in 0..random.usize(..4) {
            mutate(&mut random, &mut bytes);
        }
        let now = Instant::now();
        if random.bool() {
            let Ok(wire::SyncResponse {
                message: Some(heard),
            }) = message::decode(&bytes)
            else {
                continue;
            };
            let _ = follower.hear(heard, now);
        } else if let Ok(chunk) = message::decode(&bytes) {
            let lane = *random.choice(&Lane::ALL).unwrap();
            follower.chunk(lane, chunk, now);
        }
        taken += 1;
        follower.says.clear();
        assert!(matches!(in_force.standing("one"), Some(Standing::Revoked)));
    }
    assert!(taken > MESSAGES / 10, "{taken}");
    assert_eq!(panics.load(Ordering::SeqCst), 0);
}

fn follower() -> (Follower, InForce) {
    let (mut writer, in_force) = in_force::new();
    writer.revoke("one", false);
    let now = Instant::now();
    let follower = Follower {
        sharing: Sharing::new(in_force.shares(), None),
        writer,
        lanes: Lane::ALL.map(|lane| LaneState::new(lane, now)),
        keeping: Keeping::new(None),
        witness: Witness::default(),
        blockers: HashMap::new(),
        live_edges: watch::channel(1).0,
        snapshot_bytes_max: 1 << 20,
        says: Vec::new(),
        told: HashMap::new(),
    };
    (follower, in_force)
}

/// Snapshots, and batches that join on to them.
fn sane() -> Vec<Vec<u8>> {
    let mut planes = planes();
    let chunks = planes.iter().flat_map(crate::plane::Plane::snapshot);
    let mut sane: Vec<_> = chunks.map(|chunk| message::encode(&chunk)).collect();
    let batches = [
        planes[0].put(&organization(1, "renamed")),
        planes[0].put(&organization(2, "new")),
        planes[1].put(&key("one")),
        planes[1].publish(revoke("two")),
        planes[2].put(&crate::plane::credential("second")),
    ];
    for batch in batches {
        let message = Some(wire::sync_response::Message::Batch(batch));
        sane.push(message::encode(&wire::SyncResponse { message }));
    }
    for lane in 1..=3 {
        let need = wire::NeedSnapshot {
            lane,
            reason: String::new(),
        };
        let message = Some(wire::sync_response::Message::NeedSnapshot(need));
        sane.push(message::encode(&wire::SyncResponse { message }));
    }
    sane
}

fn mutate(random: &mut fastrand::Rng, bytes: &mut Vec<u8>) {
    let at = random.usize(..=bytes.len());
    match random.u8(..4) {
        0 if at < bytes.len() => bytes[at] ^= 1 << random.u8(..8),
        1 if at < bytes.len() => bytes[at] = random.u8(..),
        2 => bytes.insert(at, random.u8(..)),
        _ if at < bytes.len() => drop(bytes.remove(at)),
        _ => {}
    }
}
