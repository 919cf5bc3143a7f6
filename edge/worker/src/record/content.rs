//! What a request and its answer say, held where their project keeps that, and let go of otherwise.
//!
//! Knows bounds and whether a request failed; never looks at what is said. Content is dropped and counted where there is no room for
//! it; the record of its request never is.

use std::{
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use bytes::Bytes;
use metrics::Counter;
use policy::{
    id::{OrganizationId, ProjectId},
    keeping::{Keeping, PART_BYTES_MAX},
};
use tokio::sync::mpsc;

use crate::record::{finished::Record, outcome::Outcome};

/// How many bytes of contents an edge holds, of requests under way and of those that wait to be brought away.
// Full: the content of a new request is dropped and counted, and an answer that comes is cut short, which is said.
const BYTES_MAX: usize = 64 << 20;

/// How many contents may wait to be brought away.
// Full: the content is dropped and counted.
const CONTENTS_MAX: usize = 4_096;

/// What holding a content takes beside what was said, about.
const FRAME_BYTES: usize = 512;

/// What one request and its answer said.
#[derive(Debug)]
pub struct Content {
    /// Which request's.
    pub id: [u8; 16],
    /// Whose.
    pub organization: OrganizationId,
    /// Which project's.
    pub project: ProjectId,
    /// For whom its client asked, as far as a limit wanted to know.
    pub end_user: Option<Box<str>>,
    /// The request's body.
    pub request: Bytes,
    /// Whether it was longer.
    pub request_truncated: bool,
    /// The answer's body, as the client got it.
    pub answer: Vec<u8>,
    /// Whether it was longer.
    pub answer_truncated: bool,
    /// Its part of what the edge holds.
    room: Taken,
}

/// Where contents go, and how much of them is held. One for all cores.
#[derive(Debug, Clone)]
pub struct Outlet {
    queue: mpsc::Sender<Content>,
    held: Arc<AtomicUsize>,
}

/// Where the contents of one core go.
pub(super) struct Shelf {
    outlet: Outlet,
    lost: Counter,
}

/// What is held of one request.
pub(super) struct Held {
    shelf: Rc<Shelf>,
    keeping: Keeping,
    request: Bytes,
    request_truncated: bool,
    answer: Vec<u8>,
    answer_truncated: bool,
    room: Taken,
}

/// A part of what the edge holds, given back when it is dropped.
#[derive(Debug)]
struct Taken {
    bytes: usize,
    of: Arc<AtomicUsize>,
}

/// Says what this module measures.
pub fn describe() {
    metrics::describe_counter!(
        "sluice_content_lost_total",
        "Contents of requests that their projects keep, and that found no room or did not reach the control plane"
    );
    metrics::describe_counter!(
        "sluice_content_sent_total",
        "Contents of requests that were brought to the control plane"
    );
}

// === impl Outlet ===

impl Outlet {
    /// One, and what comes out of it.
    pub fn open() -> (Self, mpsc::Receiver<Content>) {
        let (queue, contents) = mpsc::channel(CONTENTS_MAX);
        let held = Arc::default();
        (Self { queue, held }, contents)
    }
}

// === impl Shelf ===

impl Shelf {
    pub(super) fn new(outlet: Outlet) -> Self {
        let lost = metrics::counter!("sluice_content_lost_total");
        Self { outlet, lost }
    }

    /// Holds a request's body, and its answer from now on, if there is room.
    pub(super) fn hold(self: &Rc<Self>, keeping: Keeping, request: &Bytes) -> Option<Box<Held>> {
        let length = request.len().min(PART_BYTES_MAX);
        let mut room = Taken {
            bytes: 0,
            of: Arc::clone(&self.outlet.held),
        };
        if !room.more(FRAME_BYTES + length) {
            self.lost.increment(1);
            return None;
        }
        // A long one is copied, so that its rest does not stay in memory.
        let request_truncated = request.len() > length;
        let request = if request_truncated {
            Bytes::copy_from_slice(request.get(..length).unwrap_or_default())
        } else {
            request.clone()
        };
        Some(Box::new(Held {
            shelf: Rc::clone(self),
            keeping,
            request,
            request_truncated,
            answer: Vec::new(),
            answer_truncated: false,
            room,
        }))
    }
}

// === impl Held ===

impl Held {
    /// This much of the answer goes to the client.
    pub(super) fn passes(&mut self, bytes: &[u8]) {
        if self.answer_truncated {
            return;
        }
        let space = PART_BYTES_MAX.saturating_sub(self.answer.len());
        let (fits, rest) = bytes.split_at(bytes.len().min(space));
        let room = self.room.more(fits.len());
        if room {
            self.answer.extend_from_slice(fits);
        }
        self.answer_truncated = !room || !rest.is_empty();
    }

    /// The request is over: what was held is brought away if its project keeps it of such a one.
    pub(super) fn post(self, record: &Record) {
        let failed = record.status >= 400 || record.outcome != Outcome::Completed;
        if !self.keeping.keeps(failed) {
            return;
        }
        let posted = self.shelf.outlet.queue.try_send(Content {
            id: record.id,
            organization: record.organization,
            project: record.project,
            end_user: record.end_user.clone(),
            request: self.request,
            request_truncated: self.request_truncated,
            answer: self.answer,
            answer_truncated: self.answer_truncated,
            room: self.room,
        });
        if posted.is_err() {
            self.shelf.lost.increment(1);
        }
    }
}

// === impl Content ===

impl Content {
    /// About how much of it there is, in bytes.
    pub const fn bytes(&self) -> usize {
        self.room.bytes
    }
}

// === impl Taken ===

impl Taken {
    /// Takes so many bytes more, if there is room for all of them.
    fn more(&mut self, bytes: usize) -> bool {
        let fits = |held: usize| held.checked_add(bytes).filter(|it| *it <= BYTES_MAX);
        let order = Ordering::Relaxed;
        let took = self.of.fetch_update(order, order, fits).is_ok();
        self.bytes += if took { bytes } else { 0 };
        took
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        self.of.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_held_is_bounded_for_each_request_and_for_all() {
        let (outlet, _contents) = Outlet::open();
        let all = Arc::clone(&outlet.held);
        let shelf = Rc::new(Shelf::new(outlet));
        let long = Bytes::from(vec![b'a'; PART_BYTES_MAX + 1]);
        let mut held = shelf.hold(Keeping::All, &long).unwrap();
        let request = (held.request.len(), held.request_truncated);
        assert_eq!(request, (PART_BYTES_MAX, true));
        held.passes(&long[..PART_BYTES_MAX]);
        assert!(!held.answer_truncated);
        held.passes(b"b");
        let answer = (held.answer.len(), held.answer_truncated);
        assert_eq!(answer, (PART_BYTES_MAX, true));

        let mut others = Vec::new();
        while let Some(held) = shelf.hold(Keeping::All, &long) {
            others.push(held);
        }
        assert_eq!(others.len(), 253);
        assert!(all.load(Ordering::Relaxed) <= BYTES_MAX);
        // What is cut short has no hole: nothing comes after what found no room.
        let last = others.last_mut().unwrap();
        last.passes(&long[..PART_BYTES_MAX]);
        last.passes(b"b");
        assert_eq!(
            (last.answer.as_slice(), last.answer_truncated),
            (&b""[..], true)
        );
        drop((held, others));
        assert_eq!(all.load(Ordering::Relaxed), 0);
        assert!(shelf.hold(Keeping::All, &long).is_some());
    }
}
