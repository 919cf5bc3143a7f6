//! The reservations of this thread's requests that are not settled yet.
//!
//! Knows what each holds and who granted it, so that its lease can be renewed and its settlement spelled.
//! Knows nothing of how either is sent. A reservation leaves here exactly once.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use policy::{by_id::ById, id::OrganizationId};

use crate::{
    escrow::PurseId,
    reservation::{Bequest, Line, Request, Settlement},
    topped::Topped,
};

// Full: the reservation is not renewed, and is charged in full when its lease ends.
const LIVE_MAX: usize = 262_144;

/// The reservations held now.
#[derive(Debug, Default)]
pub(crate) struct Live(
    // Held only to look up one entry, or to list the ids.
    Mutex<ById<[u8; 16], Held>>,
);

/// What one request holds.
#[derive(Debug)]
pub(crate) struct Held {
    pub(crate) organization: OrganizationId,
    pub(crate) lines: Vec<Line>,
    pub(crate) by: By,
    /// What was charged beyond that. Boxed, because few use more than they reserved.
    pub(crate) topped: Option<Box<Topped>>,
}

/// Who granted it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum By {
    /// The counters that all share.
    Whole,
    /// This edge's share, while Redis did not answer.
    Share,
    /// What this thread had borrowed: there is no lease to renew.
    Purse(PurseId),
}

// === impl Live ===

impl Live {
    pub(crate) fn keep(&self, request: &Request, lines: Vec<Line>, by: By) {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if held.len() < LIVE_MAX {
            held.insert(
                request.id,
                Held {
                    organization: request.organization,
                    lines,
                    by,
                    topped: None,
                },
            );
        }
    }

    pub(crate) fn take(&self, request: &Request) -> Option<Held> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&request.id)
    }

    /// What is to be charged now of a request that is held, so that so much of each line is as `wanted` says; and who granted it.
    /// It leaves `bequest` from then on, where that is not empty.
    pub(crate) fn raise(
        &self,
        request: &Request,
        wanted: impl Fn(&Line) -> i64,
        bequest: &[u8],
    ) -> Option<(Settlement, By)> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let held = all.get_mut(&request.id)?;
        let topped = held.topped.get_or_insert_default();
        let mut charge = topped.raise(request, &held.lines, wanted)?;
        charge.bequest = (!bequest.is_empty()).then(|| Bequest {
            id: request.id,
            text: bequest.into(),
        });
        Some((charge, held.by))
    }

    /// The ids of all that have a lease, by organization.
    pub(crate) fn ids(&self) -> Vec<(OrganizationId, Vec<[u8; 16]>)> {
        let mut ids: HashMap<OrganizationId, Vec<[u8; 16]>> = HashMap::new();
        for (id, held) in &*self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            if !matches!(held.by, By::Purse(_)) {
                ids.entry(held.organization).or_default().push(*id);
            }
        }
        ids.into_iter().collect()
    }
}
