//! One lane, built aside from a snapshot or from disk, and then put in force whole.
//!
//! Knows nothing of where its steps come from. Until [`Aside::install`] no request sees any of it, and what
//! was revoked before or meanwhile stays revoked after it.

use policy::{
    object::{Kind, Lane},
    revision::Revision,
};
use proto::{object, sync as wire};

use crate::{
    feed::{
        ledger::{Ledger, Name},
        objects::{self, Objects},
        revocation::Revocation,
        step::{Act, Step},
        stored::{self, Stored},
    },
    in_force::Writer,
};

/// How many refusals are told; the protocol's bound.
// Full: the rest is refused all the same, and counted in the metric.
pub const REJECTIONS_MAX: usize = 100;

/// One lane, built aside.
pub struct Aside {
    lane: Lane,
    ledger: Ledger,
    objects: Objects,
    revoked: Vec<Revocation>,
    refusals: Refusals,
}

/// What is known once a lane is in force.
pub struct Installed {
    /// What was received.
    pub ledger: Ledger,
    /// The key ids that are revoked in it and were not before.
    pub newly_revoked: Vec<String>,
    /// What was refused.
    pub rejections: Vec<wire::Rejection>,
    /// How many were refused.
    pub refused: u64,
    /// For the disk: what stays in force instead of what was refused.
    pub kept: Vec<wire::Change>,
}

/// What was refused on the way.
#[derive(Debug, Default)]
pub struct Refusals {
    /// The first [`REJECTIONS_MAX`]; whether an earlier version stays is filled in at the end.
    pub told: Vec<(Name, Revision, String)>,
    /// How many there were.
    pub count: u64,
}

// === impl Refusals ===

impl Refusals {
    /// Notes one.
    pub fn note(&mut self, name: &Name, revision: Revision, why: String) {
        self.count += 1;
        if self.told.len() < REJECTIONS_MAX {
            self.told.push((name.clone(), revision, why));
        }
    }

    /// As the protocol says them; `kept` knows whether an earlier version is in force.
    pub fn rejections(self, kept: impl Fn(&Name) -> bool) -> Vec<wire::Rejection> {
        let told = self.told.into_iter();
        told.map(|(name, revision, detail)| wire::Rejection {
            kept_previous: kept(&name),
            kind: u32::from(name.0),
            key: name.1.into_vec(),
            revision: revision.0,
            detail,
        })
        .collect()
    }
}

// === impl Aside ===

impl Aside {
    /// Nothing, of this lane.
    pub fn new(lane: Lane) -> Self {
        let (ledger, revoked, refusals) = Default::default();
        Self {
            lane,
            ledger,
            objects: Objects::none(lane),
            revoked,
            refusals,
        }
    }

    /// What was received.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Whether an object is in it.
    pub fn holds(&self, name: &Name) -> bool {
        self.objects.holds(name)
    }

    /// Takes a change as it rests on disk.
    pub fn take_stored(&mut self, change: wire::Change) {
        match stored::read(self.lane, change) {
            Stored::Change(step) => self.take(step),
            Stored::Mark {
                name,
                refused: Some(step),
                ..
            } if !self.holds(&name) => self.take(step),
            Stored::Mark { name, revision, .. } => self.ledger.put(name, revision, true),
        }
    }

    /// Takes one step.
    pub fn take(&mut self, step: Step) {
        let Step {
            name,
            revision,
            act,
        } = step;
        match act {
            Act::Put(object) => self.objects.put(object),
            Act::Revoke(revocation) => {
                self.objects.take(Kind::Key, &name.1);
                self.revoked.push(revocation);
            }
            Act::Take(kind) => {
                self.objects.take(kind, &name.1);
                return self.ledger.remove(&name);
            }
            Act::PassOver { gone: true } => return self.ledger.remove(&name),
            Act::PassOver { gone: false } => {}
            Act::Refuse { why, closes } => {
                if let Some((limit, organization)) = closes {
                    self.objects.close(limit, organization);
                }
                self.refusals.note(&name, revision, why);
                return self.ledger.put(name, revision, true);
            }
        }
        self.ledger.put(name, revision, false);
    }

    /// Puts the lane in force at this revision, revocations first. Where something was refused, what is in
    /// force now stays.
    pub fn install(mut self, writer: &mut Writer, revision: Revision) -> Installed {
        let newly_revoked = self
            .revoked
            .into_iter()
            .filter(|it| writer.revoke(&it.key_id, it.cut_streams))
            .map(|it| it.key_id)
            .collect();
        let mut kept = Vec::new();
        let before = writer.reader();
        for name in self.ledger.refused() {
            if self.objects.holds(name) {
                continue;
            }
            let Some(object) = objects::in_force(self.lane, &before, name) else {
                continue;
            };
            let seen = self.ledger.revision(name).unwrap_or(revision);
            kept.extend(stored::kept(name, seen, object::encode(&object)));
            self.objects.put(object);
        }
        let refused = self.refusals.count;
        let rejections = self.refusals.rejections(|name| self.objects.holds(name));
        self.objects.publish(writer, revision);
        Installed {
            ledger: self.ledger,
            newly_revoked,
            rejections,
            refused,
            kept,
        }
    }
}
