//! Edges of several remits that follow whatever happens to objects of several organizations: each has its own ones, all of them, and
//! nothing else was ever sent to it.

use std::collections::BTreeMap;

use policy::{
    change::Operation,
    object::{Kind, Lane},
    region::Audience,
    remit::{Owner, Remit},
    revision::Revision,
};
use store::ChangeRow;

use crate::publish::{
    example::{
        ack_batch, advance, claim, config, only, organization_id, remit, remit_in, state_at,
    },
    lane::EdgeLane,
    parcel::{Batch, Gate, Parcel},
    state::State,
};

/// What an edge has: of each object its last change.
type Held = BTreeMap<Vec<u8>, Revision>;

struct Edge {
    remit: Remit,
    lane: EdgeLane,
    held: Held,
}

/// Whose an object is: that never changes.
fn owner(number: usize) -> Owner {
    match number % 4 {
        0 => Owner::Installation,
        3 => Owner::Unknown,
        of => Owner::Organization(organization_id(u8::try_from(of).unwrap())),
    }
}

/// Something happens to some object.
fn happens(revision: u64, random: &mut fastrand::Rng) -> ChangeRow {
    let number = random.usize(0..24);
    let (operation, after) = match random.u8(0..4) {
        0 => (Operation::Delete, None),
        1 => (Operation::Upsert, Some(only("east"))),
        2 => (Operation::Upsert, Some(only("west"))),
        _ => (Operation::Upsert, Some(Audience::everywhere())),
    };
    ChangeRow {
        owner: owner(number),
        operation,
        after,
        ..config(revision, &format!("object {number}"))
    }
}

impl Edge {
    fn follows(remit: Remit, state: &State) -> Self {
        let claim = claim(state, Lane::Config, &remit);
        let lane = EdgeLane::open(Lane::Config, remit.clone(), Some(claim), state);
        let held = Held::new();
        Self { remit, lane, held }
    }

    fn takes(&mut self, batch: &Batch) {
        for (operation, change) in &batch.changes {
            let its = format!("{:?} was sent to {:?}", change.owner, self.remit);
            assert!(self.remit.serves(change.owner), "{its}");
            match operation {
                Operation::Delete => drop(self.held.remove(&*change.key)),
                _ => drop(self.held.insert(change.key.to_vec(), change.revision)),
            }
        }
    }

    fn catches_up(&mut self, state: &State) {
        while let Some(parcel) = self.lane.next(state, Gate::Open) {
            let Parcel::Batch(batch) = parcel else {
                panic!("{:?} needs a snapshot", self.remit)
            };
            self.takes(&batch);
            assert!(self.lane.ack(ack_batch(&batch), state));
        }
        let live = state.objects(Lane::Config, &self.remit);
        let live: Held = live.map(|it| (it.key.to_vec(), it.revision)).collect();
        assert_eq!(self.held, live, "{:?}", self.remit);
        for key in live.keys() {
            assert!(state.holds((Kind::Organization, key), &self.remit));
        }
    }
}

#[test]
fn an_edge_has_what_its_remit_says_and_never_anything_else() {
    let seed = fastrand::u64(..);
    let mut random = fastrand::Rng::with_seed(seed);
    let mut state = state_at(0);
    let remits = [
        remit("east"),
        remit_in("east", 1),
        remit_in("east", 2),
        remit_in("west", 1),
        remit_in("west", 7),
    ];
    let mut edges = remits.map(|remit| Edge::follows(remit, &state));
    for revision in 1..=400 {
        advance(&mut state, vec![happens(revision, &mut random)]).unwrap();
        for edge in &mut edges {
            // Some are behind for a while.
            if random.u8(0..3) == 0 {
                edge.catches_up(&state);
            }
        }
    }
    for edge in &mut edges {
        edge.catches_up(&state);
        assert!(edge.held.len() < 24, "seed {seed}");
    }
    assert!(edges[1].held.len() < edges[0].held.len(), "seed {seed}");
}
