//! States, changes and edges for the tests of publishing. Knows only what the tests need to say.

use policy::{
    change::Operation,
    hash::StateHash,
    id::{OrganizationId, ProjectId},
    key::Key,
    object::{Kind, Lane, Object},
    region::{Audience, Region},
    remit::{Owner, Remit},
    revision::{Epoch, Revision},
};
use store::{ChangeRow, Everything, Head};

use crate::publish::{
    parcel::{Acknowledged, Batch, Claim},
    state::{Gap, State},
};

pub(crate) fn region(name: &str) -> Region {
    Region::try_from(name).unwrap()
}

/// That of an edge which serves everybody in this region.
pub(crate) fn remit(region_name: &str) -> Remit {
    Remit::of(region(region_name))
}

/// That of an edge which serves this organization alone.
pub(crate) fn remit_in(region_name: &str, organization: u8) -> Remit {
    Remit {
        organization: Some(organization_id(organization)),
        ..remit(region_name)
    }
}

pub(crate) const fn organization_id(number: u8) -> OrganizationId {
    OrganizationId::from_bytes([number; 16])
}

pub(crate) fn only(name: &str) -> Audience {
    Audience::only(vec![region(name)])
}

pub(crate) fn epoch() -> Epoch {
    Epoch::new(vec![1]).unwrap()
}

/// An empty state at `revision`.
pub(crate) fn state_at(revision: u64) -> State {
    let head = Head {
        epoch: epoch(),
        revision: Revision(revision),
    };
    State::loaded(
        Everything {
            head,
            objects: Vec::new(),
            hashes: Vec::new(),
        },
        1,
    )
}

/// Lets a state read these rows.
pub(crate) fn advance(state: &mut State, rows: Vec<ChangeRow>) -> Result<(), Gap> {
    state.advance(rows)
}

/// An organization is made or replaced, for everybody.
pub(crate) fn config(revision: u64, key: &str) -> ChangeRow {
    ChangeRow {
        revision: Revision(revision),
        lane: Lane::Config,
        kind: Kind::Organization as u8,
        operation: Operation::Upsert,
        key: key.as_bytes().to_vec(),
        owner: Owner::Organization(organization_id(1)),
        before: None,
        after: Some(Audience::everywhere()),
        value: b"value".to_vec(),
        at_ms: 9,
    }
}

/// A secret is made or replaced, for everybody.
pub(crate) fn secret(revision: u64, key: &str) -> ChangeRow {
    let (lane, kind) = (Lane::Secrets, Kind::Credential as u8);
    ChangeRow {
        lane,
        kind,
        ..config(revision, key)
    }
}

/// A key is made that needs the configuration at `needs`.
pub(crate) fn key(revision: u64, key_id: &str, needs: u64) -> ChangeRow {
    let value = proto::object::encode(&Object::Key(Key {
        key_id: key_id.to_owned(),
        organization: organization_id(1),
        project: ProjectId::from_bytes([2; 16]),
        tag: [3; 32],
        pepper_version: 1,
        secret_created_at_ms: 0,
        previous: None,
        disabled: false,
        scope: None,
        labels: None,
        models: Vec::new(),
        expires_at_ms: None,
        config_revision: Revision(needs),
    }));
    let (lane, kind) = (Lane::Keys, Kind::Key as u8);
    ChangeRow {
        lane,
        kind,
        value,
        ..config(revision, key_id)
    }
}

/// A key is revoked.
pub(crate) fn revoke(revision: u64, key_id: &str) -> ChangeRow {
    let (operation, value) = (Operation::Revoke, Vec::new());
    ChangeRow {
        operation,
        value,
        ..key(revision, key_id, 0)
    }
}

/// Where an edge is that holds all of a lane.
pub(crate) fn claim(state: &State, lane: Lane, remit: &Remit) -> Claim {
    let (epoch, revision) = (state.epoch().clone(), state.revision());
    Claim {
        epoch,
        revision,
        hash: state.hash(lane, remit),
    }
}

/// The ack of an edge that holds a lane as `state` has it.
pub(crate) fn ack_of(state: &State, lane: Lane, remit: &Remit) -> Acknowledged {
    ack(state.revision().0, state.hash(lane, remit))
}

/// The ack of a batch.
pub(crate) fn ack_batch(batch: &Batch) -> Acknowledged {
    ack(batch.revision.0, batch.hash)
}

pub(crate) fn ack(revision: u64, hash: StateHash) -> Acknowledged {
    Acknowledged {
        revision: Revision(revision),
        durable: Revision(0),
        hash,
    }
}
