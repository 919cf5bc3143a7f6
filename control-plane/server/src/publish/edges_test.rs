//! Edges that come, go, come twice and say what cannot be kept.

use policy::object::Lane;

use super::*;
use crate::publish::example::remit;

fn sighting(edge_id: &str, build: &str) -> EdgeSighting {
    EdgeSighting {
        edge_id: edge_id.to_owned(),
        remit: remit("east"),
        build: build.to_owned(),
        boot: 1,
        boot_id: vec![1],
        connected: true,
        said_goodbye: false,
        replica: vec![1],
        join_token: "token".to_owned(),
        lanes: Lane::ALL.map(|lane| (lane, 0, 0)),
        last_rejection: String::new(),
    }
}

/// A ledger that refuses whatever holds a NUL, or everything while it is away.
#[derive(Default)]
struct Fake {
    away: bool,
    taken: Vec<String>,
    kept: Mutex<Vec<(String, String, bool)>>,
}

impl Ledger for Fake {
    async fn keep(&self, sightings: &[EdgeSighting]) -> Result<Vec<String>, StoreError> {
        if self.away {
            return Err(StoreError::Unavailable("away".to_owned()));
        }
        if sightings.iter().any(|it| it.build.contains('\0')) {
            return Err(StoreError::Broken("NUL".to_owned()));
        }
        let told = |it: &EdgeSighting| (it.edge_id.clone(), it.build.clone(), it.connected);
        self.kept.lock().unwrap().extend(sightings.iter().map(told));
        Ok(self.taken.clone())
    }
}

fn east(edges: &Edges, edge_id: &str, boot_id: &[u8]) -> u64 {
    edges.opened(edge_id, &remit("east"), boot_id).unwrap()
}

#[tokio::test]
async fn what_cannot_be_kept_of_one_edge_holds_up_no_other() {
    let (edges, mut ledger) = (
        Edges::default(),
        Fake {
            away: true,
            ..Fake::default()
        },
    );
    for (edge_id, build) in [("one", "fine"), ("two", "a\0b"), ("three", "fine")] {
        edges.seen(east(&edges, edge_id, &[1]), sighting(edge_id, build));
    }
    assert!(
        !edges.flush(&ledger).await,
        "nothing is lost while it is away"
    );
    ledger.away = false;
    assert!(edges.flush(&ledger).await);
    let mut kept: Vec<String> = ledger
        .kept
        .lock()
        .unwrap()
        .drain(..)
        .map(|it| it.0)
        .collect();
    kept.sort();
    assert_eq!(kept, ["one", "three"]);
}

#[tokio::test]
async fn of_two_streams_of_an_edge_the_newer_counts() {
    let (edges, ledger) = (Edges::default(), Fake::default());
    let old = east(&edges, "one", &[1]);
    let new = east(&edges, "one", &[2]);
    edges.seen(new, sighting("one", "new"));
    edges.seen(old, sighting("one", "old"));
    edges.closed(old, sighting("one", "old"));
    assert!(edges.flush(&ledger).await);
    edges.closed(new, sighting("one", "new"));
    edges.seen(new, sighting("one", "late"));
    assert!(edges.flush(&ledger).await);
    let told = |connected| ("one".to_owned(), "new".to_owned(), connected);
    assert_eq!(*ledger.kept.lock().unwrap(), [told(true), told(false)]);
}

#[tokio::test]
async fn an_id_is_refused_to_another_region_while_its_edge_is_connected() {
    let edges = Edges::default();
    let number = east(&edges, "one", &[1]);
    assert_eq!(edges.opened("one", &remit("west"), &[2]), Err(Taken));
    edges.closed(number, sighting("one", "east"));
    assert!(edges.opened("one", &remit("west"), &[2]).is_ok());
}

#[tokio::test]
async fn a_stream_learns_that_its_id_is_taken_at_another_replica() {
    let taken = vec!["one".to_owned()];
    let (edges, ledger) = (
        Edges::default(),
        Fake {
            taken,
            ..Fake::default()
        },
    );
    let number = east(&edges, "one", &[1]);
    edges.seen(number, sighting("one", "fine"));
    assert!(!edges.is_taken(number, "one"));
    assert!(edges.flush(&ledger).await);
    assert!(edges.is_taken(number, "one"));
}
