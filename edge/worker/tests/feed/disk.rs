//! Starting from disk, whatever is on it.

use std::{
    fs,
    net::SocketAddr,
    path::Path,
    time::{Duration, Instant},
};

use policy::object::Lane;
use proto::sync::{self as wire, sync_response::Message as Heard};

use worker::{feed::disk::Directory, worker::given};

use crate::{
    edge::{Edge, planes, ready},
    plane::{Plane, credential, key, organization, revoke, upsert},
    script::{Script, soon},
};

/// Nobody is there: the control plane is away.
fn nowhere() -> SocketAddr {
    std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
}

/// Leaves a directory behind as an edge that had snapshots and then changes would; gives what the control plane has.
async fn fill(path: &Path) -> [Plane; 3] {
    let mut script = Script::start().await;
    let edge = Edge::on_disk(script.address, path, '7');
    let mut planes = planes();
    let mut session = ready(&mut script, &edge, &planes).await;
    let torn = wire::Change {
        value: vec![0xff],
        ..upsert(&organization(1, "torn"))
    };
    session.batch(planes[0].publish(torn)).await;
    session
        .batch(planes[0].put(&organization(2, "since")))
        .await;
    session.durable(Lane::Config, planes[0].revision).await;
    session.batch(planes[1].publish(revoke("one"))).await;
    let key_ids = vec!["ahead".to_owned()];
    session
        .say(Heard::Revocations(wire::Revocations {
            key_ids,
            ..Default::default()
        }))
        .await;
    session.batch(planes[1].put(&key("three"))).await;
    session.durable(Lane::Keys, planes[1].revision).await;
    session.batch(planes[2].put(&credential("second"))).await;
    session.durable(Lane::Secrets, planes[2].revision).await;
    drop(session);
    edge.stop().await;
    planes
}

#[tokio::test]
async fn an_edge_starts_from_disk_with_the_control_plane_away() {
    let directory = tempfile::tempdir().unwrap();
    let planes = fill(directory.path()).await;
    let address = nowhere();
    let started = Instant::now();
    let edge = Edge::on_disk(address, directory.path(), '7');
    assert!(edge.readiness.is_ready());
    assert!(started.elapsed() < Duration::from_secs(2));
    assert_eq!(edge.secret().as_deref(), Some("second"));
    assert_eq!(edge.organization(1).as_deref(), Some("acme"));
    assert_eq!(edge.organization(2).as_deref(), Some("since"));
    assert!(edge.is_active("two") && edge.is_active("three"));
    assert!(edge.is_revoked("one") && edge.is_revoked("ahead"));

    // The control plane comes back, and only the lane in which something was refused is fetched anew.
    let mut script = Script::start_at(address).await;
    let session = script.session().await;
    assert_eq!(session.hello.boot, wire::Boot::Disk as i32);
    assert_eq!(
        session.hello.cursors,
        [planes[1].cursor(), planes[2].cursor()]
    );
    script.serve(&[&planes[0]]).await;
    assert!(script.is_quiet());
    edge.stop().await;
}

#[tokio::test]
async fn batches_without_changes_are_kept_together_with_the_next() {
    let directory = tempfile::tempdir().unwrap();
    let mut planes = fill(directory.path()).await;
    let mut script = Script::start().await;
    let edge = Edge::on_disk(script.address, directory.path(), '7');
    let mut session = script.session().await;
    script.serve(&[&planes[0]]).await;
    for _ in 0..3 {
        session.batch(planes[1].pass()).await;
    }
    session.batch(planes[1].put(&key("four"))).await;
    session.durable(Lane::Keys, planes[1].revision).await;
    session.batch(planes[1].pass()).await;
    session.durable(Lane::Keys, planes[1].revision).await;
    edge.stop().await;
    let edge = Edge::on_disk(script.address, directory.path(), '7');
    assert!(edge.is_active("four"));
    let again = script.session().await;
    assert!(again.hello.cursors.contains(&planes[1].cursor()));
    edge.stop().await;
}

#[tokio::test]
async fn the_number_of_living_edges_is_found_again() {
    let path = tempfile::tempdir().unwrap();
    let mut script = Script::start().await;
    let edge = Edge::on_disk(script.address, path.path(), '7');
    let session = script.session().await;
    let head = wire::Head {
        live_edges: 7,
        ..Default::default()
    };
    session.say(Heard::Head(head)).await;
    let mut live_edges = edge.live_edges.clone();
    let told = live_edges.wait_for(|live| *live == 7);
    soon("the number of edges", told).await.unwrap();
    drop(session);
    edge.stop().await;
    let key = seal::SealingKey::parse(&"7".repeat(64)).unwrap();
    let directory = Directory::open(path.path(), key).unwrap();
    assert_eq!(given::live_edges(Some(&directory)), 7);
    assert_eq!(given::live_edges(None), 1);
}

#[tokio::test]
async fn no_file_on_disk_holds_a_secret_in_plain() {
    let directory = tempfile::tempdir().unwrap();
    fill(directory.path()).await;
    let mut files = 0;
    for entry in fs::read_dir(directory.path()).unwrap() {
        let bytes = fs::read(entry.unwrap().path()).unwrap();
        for plain in [&b"second"[..], b"first", b"acme", b"three"] {
            assert!(!bytes.windows(plain.len()).any(|window| window == plain));
        }
        files += 1;
    }
    assert!(files > 6, "{files}");
}

#[tokio::test]
async fn a_damaged_generation_falls_back_to_the_one_before() {
    let directory = tempfile::tempdir().unwrap();
    let mut planes = fill(directory.path()).await;
    // A second snapshot of each lane makes a second generation.
    let mut script = Script::start().await;
    let edge = Edge::on_disk(script.address, directory.path(), '7');
    let mut session = script.session().await;
    for lane in [2, 3] {
        session
            .say(Heard::NeedSnapshot(wire::NeedSnapshot {
                lane,
                reason: String::new(),
            }))
            .await;
    }
    script.serve(&planes.each_ref()).await;
    session.batch(planes[0].put(&organization(3, "last"))).await;
    session.durable(Lane::Config, planes[0].revision).await;
    session.batch(planes[1].publish(revoke("two"))).await;
    session.durable(Lane::Keys, planes[1].revision).await;
    session.batch(planes[2].put(&credential("third"))).await;
    session.durable(Lane::Secrets, planes[2].revision).await;
    edge.stop().await;

    for lane in Lane::ALL {
        let path = directory.path().join(format!("{}.current", lane.word()));
        let mut bytes = fs::read(&path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(&path, bytes).unwrap();
    }
    let mut script = Script::start().await;
    let edge = Edge::on_disk(script.address, directory.path(), '7');
    assert!(edge.readiness.is_ready());
    assert_eq!(edge.organization(1).as_deref(), Some("acme"));
    assert!(edge.is_active("three"));
    // The journals join the generations, so that nothing is lost at all.
    assert_eq!(edge.secret().as_deref(), Some("third"));
    for key_id in ["one", "two", "ahead"] {
        assert!(edge.is_revoked(key_id), "{key_id}");
    }
    let session = script.session().await;
    assert_eq!(session.hello.boot, wire::Boot::DiskPrevious as i32);
    edge.stop().await;
}

#[tokio::test]
async fn a_wrong_key_starts_with_nothing_and_does_not_refuse_to() {
    let directory = tempfile::tempdir().unwrap();
    let mut planes = fill(directory.path()).await;
    let mut script = Script::start().await;
    let edge = Edge::on_disk(script.address, directory.path(), '8');
    let mut session = ready(&mut script, &edge, &planes).await;
    assert_eq!(session.hello.boot, wire::Boot::Fresh as i32);
    session.batch(planes[2].put(&credential("third"))).await;
    session.durable(Lane::Secrets, planes[2].revision).await;
    edge.stop().await;
    // What it keeps from then on is its own.
    let edge = Edge::on_disk(nowhere(), directory.path(), '8');
    assert!(edge.readiness.is_ready());
    assert_eq!(edge.secret().as_deref(), Some("third"));
    edge.stop().await;
}

#[tokio::test]
async fn nothing_on_disk_keeps_an_edge_from_starting() {
    for seed in 0..12 {
        let directory = tempfile::tempdir().unwrap();
        let planes = fill(directory.path()).await;
        let mut random = fastrand::Rng::with_seed(seed);
        for entry in fs::read_dir(directory.path()).unwrap() {
            let path = entry.unwrap().path();
            let mut bytes = fs::read(&path).unwrap();
            for _ in 0..random.usize(..3) {
                match random.u8(..3) {
                    0 if !bytes.is_empty() => {
                        let at = random.usize(..bytes.len());
                        bytes[at] ^= 1 << random.u8(..8);
                    }
                    1 => bytes.truncate(random.usize(..=bytes.len())),
                    _ => bytes.extend(std::iter::repeat_n(0xaa, random.usize(..100))),
                }
            }
            fs::write(&path, bytes).unwrap();
        }
        let mut script = Script::start().await;
        let edge = Edge::on_disk(script.address, directory.path(), '7');
        let session = script.session().await;
        let has = |plane: &&Plane| {
            session
                .hello
                .cursors
                .iter()
                .any(|cursor| cursor.lane == plane.lane as i32)
        };
        let wanted: Vec<_> = planes.iter().filter(|plane| !has(plane)).collect();
        script.serve(&wanted).await;
        soon("readiness", edge.readiness.ready()).await;
        drop(session);
        edge.stop().await;
    }
}
