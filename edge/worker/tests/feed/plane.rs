//! A lane as the control plane holds it: what was published, as batches and as a snapshot.

use std::collections::BTreeMap;

use policy::{
    change::Operation,
    credential::Credential,
    hash::StateHash,
    id::{OrganizationId, ProjectId, ProviderId},
    key::Key,
    object::{Lane, Object},
    organization::Organization,
    revision::Revision,
};
use proto::{message, object, sync as wire};
use sha2::{Digest, Sha256};

pub(crate) struct Plane {
    pub(crate) lane: Lane,
    pub(crate) epoch: Vec<u8>,
    pub(crate) revision: u64,
    objects: BTreeMap<(u32, Vec<u8>), wire::Change>,
}

impl Plane {
    pub(crate) fn new(lane: Lane) -> Self {
        Self {
            lane,
            epoch: b"one".to_vec(),
            revision: 0,
            objects: BTreeMap::new(),
        }
    }

    /// Publishes a change at the next revision, and gives the batch that carries it.
    pub(crate) fn publish(&mut self, mut change: wire::Change) -> wire::Batch {
        let previous_revision = self.revision;
        self.revision += 1;
        change.revision = self.revision;
        let name = (change.kind, change.key.clone());
        if change.operation == Operation::Delete as i32 {
            self.objects.remove(&name);
        } else {
            self.objects.insert(name, change.clone());
        }
        wire::Batch {
            lane: self.lane as i32,
            epoch: self.epoch.clone(),
            previous_revision,
            revision: self.revision,
            changes: vec![change],
            state_hash: self.hash(),
        }
    }

    pub(crate) fn put(&mut self, object: &Object) -> wire::Batch {
        self.publish(upsert(object))
    }

    /// A revision of another lane.
    pub(crate) fn pass(&mut self) -> wire::Batch {
        let previous_revision = self.revision;
        self.revision += 1;
        wire::Batch {
            lane: self.lane as i32,
            epoch: self.epoch.clone(),
            previous_revision,
            revision: self.revision,
            changes: Vec::new(),
            state_hash: self.hash(),
        }
    }

    pub(crate) fn hash(&self) -> Vec<u8> {
        let each = self.objects.values().map(|change| {
            let kind = u8::try_from(change.kind).unwrap();
            StateHash::of_number(kind, &change.key, Revision(change.revision))
        });
        each.fold(StateHash::default(), StateHash::plus)
            .as_bytes()
            .to_vec()
    }

    pub(crate) fn cursor(&self) -> wire::Cursor {
        wire::Cursor {
            lane: self.lane as i32,
            epoch: self.epoch.clone(),
            revision: self.revision,
            state_hash: self.hash(),
        }
    }

    /// The lane in chunks of one object.
    pub(crate) fn snapshot(&self) -> Vec<wire::FetchSnapshotResponse> {
        let mut datas: Vec<_> = self
            .objects
            .values()
            .map(|change| vec![change.clone()])
            .collect();
        if datas.is_empty() {
            datas.push(Vec::new());
        }
        let total = datas.len() as u64;
        let chunk = |(index, changes)| {
            let data = message::encode(&wire::SnapshotData { changes });
            wire::FetchSnapshotResponse {
                snapshot_id: [&self.epoch[..], &self.revision.to_be_bytes()].concat(),
                cursor: Some(self.cursor()),
                index: index as u64,
                total,
                sha256: Sha256::digest(&data).to_vec(),
                data,
            }
        };
        datas.into_iter().enumerate().map(chunk).collect()
    }
}

pub(crate) fn upsert(object: &Object) -> wire::Change {
    wire::Change {
        kind: object.kind() as u32,
        operation: Operation::Upsert as i32,
        key: object.key(),
        revision: 0,
        value: object::encode(object),
        must_understand: true,
    }
}

pub(crate) fn revoke(key_id: &str) -> wire::Change {
    wire::Change {
        operation: Operation::Revoke as i32,
        value: Vec::new(),
        ..upsert(&key(key_id))
    }
}

pub(crate) fn key(key_id: &str) -> Object {
    Object::Key(Key {
        key_id: key_id.to_owned(),
        organization: OrganizationId::from_bytes([1; 16]),
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
        config_revision: Revision(0),
    })
}

pub(crate) fn organization(number: u8, name: &str) -> Object {
    Object::Organization(Organization {
        id: OrganizationId::from_bytes([number; 16]),
        name: name.to_owned(),
        zone: policy::calendar::Zone::UTC,
        audit_access: policy::audit_access::AuditAccess::None,
    })
}

pub(crate) fn credential(secret: &str) -> Object {
    Object::Credential(Credential {
        provider: ProviderId::from_bytes([9; 16]),
        secret: secret.as_bytes().to_vec(),
        allowed_origin: "http://127.0.0.1:1".to_owned(),
        exchange_origins: Vec::new(),
    })
}
