//! Changes as they rest on disk: those of the wire, and one more that says that a change was refused.
//!
//! The mark has no operation. It raises the revision of what stands and leaves the rest; where nothing stands
//! it carries the refused value, so that a later build can look at it again. Knows no files.

use std::collections::HashMap;

use policy::{change::Operation, object::Lane, revision::Revision};
use proto::sync as wire;

use crate::feed::{ledger::Name, step::Step};

const MARK: i32 = wire::Operation::Unspecified as i32;

/// Stored changes, so merged that each object stands once.
#[derive(Default)]
pub struct Merged(HashMap<Name, Entry>);

struct Entry {
    stands: wire::Change,
    mark: Option<wire::Change>,
}

/// A change that was refused, as it is to be kept.
pub fn refused(change: wire::Change) -> wire::Change {
    wire::Change {
        operation: MARK,
        ..change
    }
}

/// What stays in force although `seen`, a newer revision of it, was refused.
pub fn kept(name: &Name, seen: Revision, value: Vec<u8>) -> [wire::Change; 2] {
    let stands = wire::Change {
        kind: u32::from(name.0),
        operation: Operation::Upsert as i32,
        key: name.1.to_vec(),
        revision: seen.0,
        value,
        must_understand: false,
    };
    let mark = refused(wire::Change {
        value: Vec::new(),
        ..stands.clone()
    });
    [stands, mark]
}

/// A stored change, read.
pub enum Stored {
    /// One of the wire's.
    Change(Step),
    /// A mark.
    Mark {
        /// What was refused.
        name: Name,
        /// At which revision.
        revision: Revision,
        /// What was refused, to be looked at again where nothing else stands.
        refused: Option<Step>,
    },
}

/// Reads a stored change of a lane.
pub fn read(lane: Lane, change: wire::Change) -> Stored {
    if change.operation != MARK {
        return Stored::Change(Step::read(lane, change));
    }
    let operation = Operation::Upsert as i32;
    let again = |change| Step::read(lane, change);
    Stored::Mark {
        name: name(&change),
        revision: Revision(change.revision),
        refused: (!change.value.is_empty()).then(|| {
            again(wire::Change {
                operation,
                ..change
            })
        }),
    }
}

// === impl Merged ===

impl Merged {
    /// Adds a stored change to the ones before it.
    pub fn add(&mut self, change: wire::Change) {
        let name = name(&change);
        if change.operation == Operation::Delete as i32 {
            self.0.remove(&name);
            return;
        }
        match self.0.get_mut(&name) {
            Some(entry) if change.operation == MARK && entry.stands.operation != MARK => {
                entry.stands.revision = change.revision;
                entry.mark = Some(wire::Change {
                    value: Vec::new(),
                    ..change
                });
            }
            _ => drop(self.0.insert(
                name,
                Entry {
                    stands: change,
                    mark: None,
                },
            )),
        }
    }

    /// All of them, each object once, in no order but that a mark follows what it marks.
    pub fn into_changes(self) -> impl Iterator<Item = wire::Change> {
        self.0
            .into_values()
            .flat_map(|entry| std::iter::once(entry.stands).chain(entry.mark))
    }
}

fn name(change: &wire::Change) -> Name {
    (
        u8::try_from(change.kind).unwrap_or(0),
        change.key.as_slice().into(),
    )
}

#[cfg(test)]
mod tests {
    use policy::{id::OrganizationId, object::Object, organization::Organization};
    use proto::object;

    use super::*;
    use crate::feed::aside::Aside;

    fn named(name: &str, revision: u64) -> wire::Change {
        let id = OrganizationId::from_bytes([1; 16]);
        let object = Object::Organization(Organization {
            id,
            name: name.to_owned(),
            zone: policy::calendar::Zone::UTC,
            audit_access: policy::audit_access::AuditAccess::None,
        });
        wire::Change {
            kind: object.kind() as u32,
            operation: Operation::Upsert as i32,
            key: object.key(),
            revision,
            value: object::encode(&object),
            must_understand: false,
        }
    }

    #[test]
    fn what_was_refused_leaves_what_stood_and_counts_in_the_hash_also_when_merged() {
        let torn = refused(wire::Change {
            value: vec![0xff],
            ..named("", 3)
        });
        let changes = [named("one", 1), named("two", 2), torn];
        let mut merged = Merged::default();
        let (mut straight, mut again) = (Aside::new(Lane::Config), Aside::new(Lane::Config));
        for change in changes {
            merged.add(change.clone());
            straight.take_stored(change);
        }
        for change in merged.into_changes() {
            again.take_stored(change);
        }
        for aside in [straight, again] {
            let name: Name = (1, [1; 16].into());
            assert!(aside.holds(&name));
            assert_eq!(aside.ledger().revision(&name), Some(Revision(3)));
            assert_eq!(aside.ledger().refused().len(), 1);
        }
    }

    #[test]
    fn a_later_build_takes_what_an_earlier_one_refused() {
        let mut aside = Aside::new(Lane::Config);
        aside.take_stored(refused(named("one", 1)));
        assert!(aside.holds(&(1, [1; 16].into())));
        assert!(aside.ledger().refused().is_empty());
    }
}
