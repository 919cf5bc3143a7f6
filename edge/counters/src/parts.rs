//! What the counters and their upkeep share, and what is known of a call until it is answered.
//!
//! Knows which keeper granted each request, and so where its settlement belongs. Decides nothing.

use std::{
    mem,
    sync::{Arc, atomic::AtomicUsize},
    time::{Duration, Instant},
};

use policy::id::OrganizationId;
use tokio::sync::Notify;

use crate::{
    escrow::{Escrow, PurseId},
    estate::Estate,
    flights::Flights,
    link::{Clear, Link},
    live::{By, Live},
    local::{Local, expired},
    queue::Queue,
    recall::Recall,
    redis::Failure,
    reservation::{Ahead, Line, Reply, Request, Reserved, Settlement, Term, Wanted},
};

/// What [`crate::Counters`] and their upkeep share.
pub(crate) struct Parts {
    /// Redis and what is on its way there; `None` where this process is all there is.
    pub(crate) remote: Option<Remote>,
    pub(crate) local: Local,
    /// What the ledger is to be asked, noted by all threads of this process.
    pub(crate) recall: Arc<Recall>,
    /// What edges left that are gone, noted by all threads of this process.
    pub(crate) estate: Arc<Estate>,
    pub(crate) live: Live,
    /// What is under way, in all threads of this process.
    pub(crate) flights: Arc<Flights>,
    /// How many [`crate::Counters`] there are, and a bell for when the last is gone.
    pub(crate) handles: AtomicUsize,
    pub(crate) gone: Notify,
    pub(crate) lease_ms: u64,
}

pub(crate) struct Remote {
    pub(crate) link: Link,
    pub(crate) queue: Queue,
    pub(crate) escrow: Escrow,
    pub(crate) timeout: Duration,
}

/// A request that Redis was asked about and that is not answered yet. Dropped like that, because the client
/// left or this edge's share said no, it gives back what Redis may hold.
pub(crate) struct Asked<'a> {
    pub(crate) remote: &'a Remote,
    pub(crate) request: Request,
    pub(crate) lines: Vec<Line>,
    /// Whose loan may be asked for with it, if any.
    pub(crate) purse: PurseId,
    pub(crate) borrows: bool,
    /// Boxed, because few borrow, and every request carries the place for it.
    pub(crate) ahead: Option<Box<Ahead>>,
    pub(crate) sent: Instant,
}

// === impl Parts ===

impl Parts {
    /// How a reservation is held, by the keeper's own clock.
    pub(crate) const fn term(&self) -> Term {
        Term {
            lease_ms: self.lease_ms,
            now_ms: None,
        }
    }

    /// Keeps what is granted, to settle it. A soft limit that had no room is not counted, and so not settled.
    pub(crate) fn keep(
        &self,
        request: &Request,
        reserved: &Reserved,
        mut lines: Vec<Line>,
        by: By,
    ) {
        if let Reserved::Granted { over, .. } = reserved {
            for place in over.iter().rev() {
                if *place < lines.len() {
                    lines.remove(*place);
                }
            }
            self.live.keep(request, lines, by);
        }
    }

    /// Counts what became of a call, and notes what it found; `None` when there was no good answer.
    pub(crate) fn heard(
        &self,
        (remote, clear): (&Remote, &Clear),
        organization: OrganizationId,
        answer: Result<Reply<Reserved>, Failure>,
    ) -> Option<Reserved> {
        match answer {
            Ok(reply) => {
                remote.link.answered();
                expired(reply.expired);
                self.estate.note(organization, reply.bequests);
                Some(reply.value)
            }
            Err(failure) => {
                remote.link.failed(clear, &failure);
                None
            }
        }
    }

    /// Says that what these requests left is taken care of. Where that cannot be said, it is given again.
    pub(crate) async fn inherited(&self, organization: OrganizationId, ids: &[[u8; 16]]) {
        let Some(remote) = &self.remote else { return };
        let Some(clear) = remote.link.clear_now() else {
            return;
        };
        match clear.connection.inherited(organization, ids, None).await {
            Ok(()) => remote.link.answered(),
            Err(failure) => remote.link.failed(&clear, &failure),
        }
    }

    /// Sends what is charged beyond a reservation to whoever granted it.
    pub(crate) fn charge(&self, charge: Settlement, by: By) {
        self.tell(charge, by, Local::charge);
    }

    /// Sends what a reservation is settled with to whoever granted it. Of what was granted from a loan the lines say how much it is
    /// beyond what was reserved, which that loan bears.
    pub(crate) fn settle(&self, settlement: Settlement, by: By) {
        self.tell(settlement, by, Local::settle);
    }

    fn tell(&self, settlement: Settlement, by: By, here: fn(&Local, Settlement)) {
        let Some(remote) = &self.remote else {
            return here(&self.local, settlement);
        };
        if let By::Purse(purse) = by {
            let overuse = settlement.lines.iter().map(|line| (*line, line.amount));
            let is_borne = remote.escrow.settle(purse, overuse);
            if is_borne || settlement.lines.iter().all(|line| line.amount == 0) {
                return;
            }
        }
        if by == By::Share {
            here(&self.local, settlement.clone());
        }
        remote.queue.push(settlement);
        remote.link.bell.notify_one();
    }
}

// === impl Asked ===

impl Asked<'_> {
    /// It is answered, or nothing has come of it, and whoever asked settles it.
    pub(crate) fn answered(mut self, answer: Option<&Reserved>) -> Vec<Line> {
        let lines = mem::take(&mut self.lines);
        self.tell_purse(&lines, answer);
        lines
    }

    fn tell_purse(&self, lines: &[Line], answer: Option<&Reserved>) {
        let ahead = self.ahead.as_deref();
        let escrow = &self.remote.escrow;
        if !self.borrows {
            return;
        }
        let wanted = Wanted {
            ahead,
            ..Wanted::now(lines)
        };
        let purse = (self.purse, self.request.organization);
        if let Some(loan) = escrow.asked(purse, wanted, answer, self.sent) {
            self.remote.queue.push(loan);
        }
        if ahead.is_some() {
            // Whoever keeps this up has a loan to look after.
            self.remote.link.bell.notify_one();
        }
    }
}

impl Drop for Asked<'_> {
    fn drop(&mut self) {
        let mut lines = mem::take(&mut self.lines);
        if lines.is_empty() {
            return;
        }
        self.tell_purse(&lines, None);
        for line in &mut lines {
            line.amount = 0;
        }
        // Remembered even when nothing is held, in case this overtakes what was asked.
        let settlement = Settlement {
            request: self.request,
            lines,
            charge_if_absent: true,
            bequest: None,
        };
        self.remote.queue.push(settlement);
        self.remote.link.bell.notify_one();
    }
}
