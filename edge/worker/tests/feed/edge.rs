//! The feed of an edge, with what it puts in force in reach.

use std::{net::SocketAddr, path::Path, sync::Arc, thread, time::Duration};

use lifecycle::ready::Readiness;
use policy::{
    id::{OrganizationId, ProviderId},
    object::Lane,
};
use tokio::{
    sync::{mpsc, watch},
    task::JoinHandle,
    time::sleep,
};
use tokio_util::sync::CancellationToken;
use worker::{
    feed::{
        self,
        dial::Dialer,
        disk::Directory,
        question::{QUESTIONS_MAX, Question},
    },
    in_force::{self, InForce, Standing},
};

use crate::{
    plane::Plane,
    script::{Script, Session, soon},
};

pub(crate) struct Edge {
    pub(crate) in_force: InForce,
    pub(crate) readiness: Readiness,
    pub(crate) live_edges: watch::Receiver<u32>,
    pub(crate) asked: mpsc::Receiver<Question>,
    stop: CancellationToken,
    running: JoinHandle<()>,
    keeper: Option<thread::JoinHandle<()>>,
}

impl Edge {
    pub(crate) fn without_disk(address: SocketAddr) -> Self {
        Self::start(address, None)
    }

    /// With a state directory, sealed with a key of this one digit.
    pub(crate) fn on_disk(address: SocketAddr, path: &Path, digit: char) -> Self {
        let key = seal::SealingKey::parse(&digit.to_string().repeat(64)).unwrap();
        Self::start(address, Some(Directory::open(path, key).unwrap()))
    }

    fn start(address: SocketAddr, directory: Option<Directory>) -> Self {
        let (writer, in_force) = in_force::new();
        let (live, live_edges) = watch::channel(1);
        let (questions, asked) = mpsc::channel(QUESTIONS_MAX);
        let dialer = Dialer::new(&[format!("http://{address}")], "slj_test", false).unwrap();
        let readiness = Readiness::new();
        let parts = feed::Parts {
            writer,
            directory,
            dialer,
            edge_id: "edge".to_owned(),
            in_flight: Arc::new(|| 0),
            live_edges: live,
            region: None,
            questions,
            snapshot_bytes_max: 1 << 20,
        };
        let (feed, keeper) = feed::open(parts, &readiness);
        let stop = CancellationToken::new();
        let running = tokio::spawn(feed.run(stop.clone()));
        let keeper = keeper.map(|keeper| thread::spawn(move || keeper.run()));
        Self {
            in_force,
            readiness,
            live_edges,
            asked,
            stop,
            running,
            keeper,
        }
    }

    /// Ends it as a drain does, with everything on disk.
    pub(crate) async fn stop(self) {
        self.stop.cancel();
        self.running.await.unwrap();
        if let Some(keeper) = self.keeper {
            keeper.join().unwrap();
        }
    }

    pub(crate) fn organization(&self, number: u8) -> Option<String> {
        let id = OrganizationId::from_bytes([number; 16]);
        self.in_force
            .rules()
            .organization(id)
            .map(|found| found.name.clone())
    }

    pub(crate) fn secret(&self) -> Option<String> {
        let credential = self.in_force.credential(ProviderId::from_bytes([9; 16]))?;
        Some(String::from_utf8(credential.secret.to_vec()).unwrap())
    }

    pub(crate) fn is_active(&self, key_id: &str) -> bool {
        matches!(self.in_force.standing(key_id), Some(Standing::Active(_)))
    }

    pub(crate) fn is_revoked(&self, key_id: &str) -> bool {
        matches!(self.in_force.standing(key_id), Some(Standing::Revoked))
    }
}

/// Waits for what no message tells.
pub(crate) async fn until(what: &str, is: impl Fn() -> bool) {
    soon(what, async {
        while !is() {
            sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}

/// Three lanes with something in each.
pub(crate) fn planes() -> [Plane; 3] {
    let mut planes = Lane::ALL.map(Plane::new);
    planes[0].put(&crate::plane::organization(1, "acme"));
    planes[1].put(&crate::plane::key("one"));
    planes[1].put(&crate::plane::key("two"));
    planes[2].put(&crate::plane::credential("first"));
    planes
}

/// A session of an edge that had nothing and is ready now.
pub(crate) async fn ready(script: &mut Script, edge: &Edge, planes: &[Plane; 3]) -> Session {
    let mut session = script.session().await;
    assert_eq!(session.hello.cursors, []);
    assert!(!edge.readiness.is_ready());
    script.serve(&planes.each_ref()).await;
    soon("readiness", edge.readiness.ready()).await;
    let mut waits = planes
        .each_ref()
        .map(|plane| (plane.lane as i32, plane.revision))
        .to_vec();
    while !waits.is_empty() {
        let (lane, revision) = session
            .wait("the acks of the snapshots", |say| match say {
                proto::sync::sync_request::Message::Ack(ack) => {
                    Some((ack.lane, ack.applied_revision))
                }
                _ => None,
            })
            .await;
        waits.retain(|wait| *wait != (lane, revision));
    }
    session
}
