//! One batch of one lane, put in force.
//!
//! Knows neither the connection nor the disk. All of a batch is read before any of it is in force; what cannot
//! be taken is refused object by object, and if putting it in force fails the lane is as it was.

use std::panic::{AssertUnwindSafe, catch_unwind};

use policy::{
    object::{Lane, Object},
    revision::Revision,
};
use proto::sync as wire;

use crate::{
    feed::{
        aside::Refusals,
        disk::generation::Place,
        lane::LaneState,
        ledger::{Ledger, Name},
        objects::{self, Objects},
        step::{Act, Step},
        stored,
    },
    in_force::Writer,
};

/// How many changes a batch may have; the protocol bounds its bytes.
// Full: the batch is refused and the lane loaded anew.
const CHANGES_MAX: usize = 100_000;

/// What became of a batch that is in force.
pub struct Applied {
    /// What was refused.
    pub rejections: Vec<wire::Rejection>,
    /// How many were refused.
    pub refused: u64,
    /// Whether the state hashes are equal.
    pub hash_agrees: bool,
    /// For the disk.
    pub stored: wire::Batch,
}

/// Why none of a batch is in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unfit(pub &'static str);

/// Puts a batch in force that joins on to the lane. Its revocations are in force already.
pub fn apply(
    lane: &mut LaneState,
    writer: &mut Writer,
    mut batch: wire::Batch,
) -> Result<Applied, Unfit> {
    let Some(place) = lane.place.clone() else {
        return Err(Unfit("the lane has nothing"));
    };
    batch
        .changes
        .retain(|change| change.revision > place.revision.0);
    is_ordered(&batch)?;
    let steps = read(lane.lane, &mut batch);
    let revision = Revision(batch.revision);
    let mut refusals = Refusals::default();
    let mut ledger = Ledger::default();
    std::mem::swap(&mut ledger, &mut lane.ledger);
    // Where: a fault of ours must cost the batch, not the process. What it may leave behind is a lane that is
    // loaded anew; what requests see is replaced only as the last act, or key by key, each whole.
    let done = catch_unwind(AssertUnwindSafe(|| {
        put_in_force(
            lane.lane,
            writer,
            revision,
            &mut ledger,
            (steps, &mut refusals),
        );
    }));
    lane.ledger = ledger;
    if done.is_err() {
        return Err(Unfit("putting it in force panicked"));
    }
    lane.place = Some(Place { revision, ..place });
    let refused = refusals.count;
    let reader = writer.reader();
    let rejections =
        refusals.rejections(|name| objects::in_force(lane.lane, &reader, name).is_some());
    let hash_agrees = batch.state_hash == lane.ledger.hash().as_bytes();
    Ok(Applied {
        rejections,
        refused,
        hash_agrees,
        stored: batch,
    })
}

fn is_ordered(batch: &wire::Batch) -> Result<(), Unfit> {
    if batch.changes.len() > CHANGES_MAX {
        return Err(Unfit("it has more changes than this edge takes"));
    }
    let ordered = batch.changes.is_sorted_by_key(|change| change.revision);
    let within = batch
        .changes
        .last()
        .is_none_or(|last| last.revision <= batch.revision);
    if ordered && within {
        Ok(())
    } else {
        Err(Unfit("its revisions are not in order"))
    }
}

/// Reads every change, and leaves the batch as it is to be stored.
fn read(lane: Lane, batch: &mut wire::Batch) -> Vec<Step> {
    let mut steps = Vec::with_capacity(batch.changes.len());
    for change in &mut batch.changes {
        let step = Step::read(lane, change.clone());
        if matches!(step.act, Act::Refuse { .. }) {
            *change = stored::refused(std::mem::take(change));
        }
        steps.push(step);
    }
    steps
}

fn put_in_force(
    lane: Lane,
    writer: &mut Writer,
    revision: Revision,
    ledger: &mut Ledger,
    (steps, refusals): (Vec<Step>, &mut Refusals),
) {
    if steps.is_empty() {
        // Other lanes moved on. What is in force keeps the revision of its last change.
        return;
    }
    let mut objects = match lane {
        Lane::Config => Some(Objects::Config(Box::new(
            (*writer.reader().rules()).clone(),
        ))),
        Lane::Secrets => Some(Objects::Secrets((*writer.reader().secrets()).clone())),
        // Keys go in one by one: copying a million for the sake of one would take longer than it may.
        Lane::Keys => None,
    };
    for step in steps {
        note(ledger, refusals, &step);
        match &mut objects {
            Some(objects) => edit(objects, step),
            None => edit_key(writer, step),
        }
    }
    if let Some(objects) = objects {
        objects.publish(writer, revision);
    }
}

fn note(ledger: &mut Ledger, refusals: &mut Refusals, step: &Step) {
    match &step.act {
        Act::Take(_) | Act::PassOver { gone: true } => ledger.remove(&step.name),
        Act::Refuse { why, .. } => {
            refusals.note(&step.name, step.revision, why.clone());
            ledger.put(step.name.clone(), step.revision, true);
        }
        Act::Put(_) | Act::Revoke(_) | Act::PassOver { gone: false } => {
            ledger.put(step.name.clone(), step.revision, false);
        }
    }
}

fn edit(objects: &mut Objects, step: Step) {
    match step.act {
        Act::Put(object) => objects.put(object),
        Act::Take(kind) => objects.take(kind, &step.name.1),
        Act::Refuse {
            closes: Some((limit, organization)),
            ..
        } => {
            objects.close(limit, organization);
        }
        Act::Refuse { .. } | Act::Revoke(_) | Act::PassOver { .. } => {}
    }
}

fn edit_key(writer: &mut Writer, step: Step) {
    match step.act {
        Act::Put(Object::Key(key)) => writer.put_key(key),
        Act::Take(_) => key_id(&step.name)
            .into_iter()
            .for_each(|key_id| writer.remove_key(key_id)),
        Act::Revoke(it) => drop(writer.revoke(&it.key_id, it.cut_streams)),
        Act::Put(_) | Act::Refuse { .. } | Act::PassOver { .. } => {}
    }
}

fn key_id(name: &Name) -> Option<&str> {
    std::str::from_utf8(&name.1).ok()
}
