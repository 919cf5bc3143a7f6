//! One lane of one edge: where the edge is, what it gets next, and what must wait.
//!
//! A pure state machine over `State`; knows nothing of streams, sealing or clocks. Each batch starts where
//! the one before it ended, so a skipped batch cannot be applied; nothing is sent that goes backwards.

use policy::{hash::StateHash, object::Lane, remit::Remit, revision::Revision};

use crate::publish::{
    flights::{Flight, Flights},
    gather::gather,
    parcel::{Acknowledged, Batch, Claim, Gate, Parcel, Progress},
    state::State,
};

/// Why a snapshot is needed.
const TOO_OLD: &str = "the edge is behind what is kept of the log";
/// As above.
const DIFFERS: &str = "the state hashes differ";

/// One lane of one edge.
#[derive(Debug)]
pub struct EdgeLane {
    lane: Lane,
    remit: Remit,
    phase: Phase,
    acked: Revision,
    seen: Revision,
    durable: Revision,
    flights: Flights,
    /// Where the edge says that it is, when this replica cannot tell yet.
    later: Option<(Revision, StateHash)>,
    restarted: bool,
}

#[derive(Debug, Clone)]
enum Phase {
    /// Everything up to `sent` was sent, and leads to `hash`.
    Following { sent: Revision, hash: StateHash },
    /// A snapshot is needed since the state was at `since`; the edge does not know yet.
    Needs {
        reason: &'static str,
        since: Revision,
    },
    /// The edge was told so when everything up to `sent` had been sent.
    Told { sent: Revision },
    /// The edge knows more than this replica.
    Ahead,
}

// === impl EdgeLane ===

impl EdgeLane {
    /// Starts where the edge says it is, if that can be true and is recent enough.
    pub fn open(lane: Lane, remit: Remit, claim: Option<Claim>, state: &State) -> Self {
        let since = state.revision();
        let mut it = Self {
            lane,
            remit,
            phase: Phase::Needs {
                reason: "the edge has nothing",
                since,
            },
            acked: Revision(0),
            seen: Revision(0),
            durable: Revision(0),
            flights: Flights::default(),
            later: None,
            restarted: false,
        };
        if let Some(claim) = claim {
            it.resume(&claim, state);
        }
        it
    }

    /// The last revision in force on the edge.
    pub const fn acked(&self) -> Revision {
        self.acked
    }

    /// The last revision that the edge acknowledged or refused.
    pub const fn seen(&self) -> Revision {
        self.seen
    }

    /// How far it is.
    pub const fn progress(&self) -> Progress {
        Progress {
            lane: self.lane,
            applied: self.acked,
            durable: self.durable,
        }
    }

    /// Whether the edge knows more than this replica.
    pub const fn is_ahead(&self) -> bool {
        matches!(self.phase, Phase::Ahead)
    }

    /// What goes next; `None` when there is nothing, or nothing may go.
    pub fn next(&mut self, state: &State, gate: Gate) -> Option<Parcel> {
        self.catch_up(state);
        if let Phase::Following { sent, hash } = self.phase {
            match self.batch(state, gate, (sent, hash)) {
                Ok(batch) => return batch.map(Parcel::Batch),
                Err(TooOld) => self.need(TOO_OLD, state),
            }
        }
        let Phase::Needs { reason, since } = self.phase else {
            return None;
        };
        if !gate.admits(since) {
            return None;
        }
        self.phase = Phase::Told {
            sent: self.flights.last().unwrap_or(self.acked),
        };
        Some(Parcel::NeedSnapshot(reason))
    }

    /// Takes an acknowledgement. `false` when the edge's hash is not ours.
    pub fn ack(&mut self, ack: Acknowledged, state: &State) -> bool {
        self.durable = ack.durable;
        let flight = self.flights.land(ack.revision);
        if !matches!(self.phase, Phase::Following { .. }) {
            self.arrive(ack, state);
            return true;
        }
        match flight {
            Some(flight) => {
                self.reached(ack.revision);
                self.judge(flight.hash == ack.hash, state)
            }
            None if ack.revision <= self.acked => true,
            // The edge is where no batch of this stream has brought it: it fetched a snapshot on its own account.
            None => self.jump(ack, state),
        }
    }

    /// Takes a refusal of something in the batch at `revision`.
    pub fn nack(&mut self, revision: Revision) {
        self.seen = self.seen.max(revision);
    }

    /// Checks again whether the edge is where it should be, after the state was loaded anew.
    pub fn reloaded(&mut self, state: &State, same_epoch: bool) {
        if !same_epoch {
            (self.acked, self.seen, self.durable) = Default::default();
        }
        let stands = match &self.phase {
            Phase::Following { sent, hash } => {
                same_epoch && state.hash_at(self.lane, &self.remit, *sent) == Some(*hash)
            }
            Phase::Ahead => same_epoch,
            Phase::Needs { .. } | Phase::Told { .. } => true,
        };
        if !stands {
            self.need("policy was loaded anew and differs", state);
        }
    }

    fn resume(&mut self, claim: &Claim, state: &State) {
        if claim.epoch != *state.epoch() {
            return self.need("the edge comes from another epoch", state);
        }
        if claim.revision > state.revision() {
            self.reached(claim.revision);
            self.later = Some((claim.revision, claim.hash));
            self.phase = Phase::Ahead;
            return;
        }
        match state.hash_at(self.lane, &self.remit, claim.revision) {
            None => {
                self.reached(claim.revision);
                self.need(TOO_OLD, state);
            }
            Some(hash) if hash != claim.hash => self.need(DIFFERS, state),
            Some(hash) => self.follow(claim.revision, hash),
        }
    }

    /// Takes word of where the edge is while it should fetch a snapshot. It may be from before it knew, or from
    /// another epoch; so it is believed only where the hash is ours.
    fn arrive(&mut self, ack: Acknowledged, state: &State) {
        match state.hash_at(self.lane, &self.remit, ack.revision) {
            Some(hash) if hash == ack.hash => self.follow(ack.revision, hash),
            None if ack.revision > state.revision() => self.later = Some((ack.revision, ack.hash)),
            // The snapshot took so long that it is too old by now.
            None if matches!(self.phase, Phase::Told { sent } if ack.revision > sent) => {
                self.need(TOO_OLD, state);
            }
            Some(_) | None => {}
        }
    }

    fn jump(&mut self, ack: Acknowledged, state: &State) -> bool {
        match state.hash_at(self.lane, &self.remit, ack.revision) {
            Some(hash) if hash == ack.hash => self.follow(ack.revision, hash),
            Some(_) => return self.judge(false, state),
            None if ack.revision > state.revision() => {
                self.later = Some((ack.revision, ack.hash));
                self.phase = Phase::Ahead;
            }
            None => self.need(TOO_OLD, state),
        }
        true
    }

    /// Looks whether the edge really was where it said, once this replica is there too.
    fn catch_up(&mut self, state: &State) {
        let Some((revision, hash)) = self.later.filter(|it| it.0 <= state.revision()) else {
            return;
        };
        self.later = None;
        if state.hash_at(self.lane, &self.remit, revision) == Some(hash) {
            self.follow(revision, hash);
        } else if self.is_ahead() {
            self.need(DIFFERS, state);
        }
    }

    fn follow(&mut self, revision: Revision, hash: StateHash) {
        self.flights = Flights::default();
        self.later = None;
        self.reached(revision);
        self.phase = Phase::Following {
            sent: revision,
            hash,
        };
    }

    /// One difference is worth one snapshot; a second one would not be cured by another.
    fn judge(&mut self, agrees: bool, state: &State) -> bool {
        if !agrees && !self.restarted {
            self.restarted = true;
            self.need(DIFFERS, state);
        }
        agrees
    }

    fn batch(
        &mut self,
        state: &State,
        gate: Gate,
        from: (Revision, StateHash),
    ) -> Result<Option<Batch>, TooOld> {
        if from.0 == state.revision() || self.flights.are_full() || gate == Gate::Shut {
            return Ok(None);
        }
        let gathered = gather(state.ring(), (self.lane, &self.remit), gate, from);
        let (batch, bytes) = gathered.ok_or(TooOld)?;
        if batch.revision == batch.previous {
            return Ok(None);
        }
        let (revision, hash) = (batch.revision, batch.hash);
        self.flights.start(Flight {
            revision,
            hash,
            bytes,
        });
        self.phase = Phase::Following {
            sent: revision,
            hash,
        };
        Ok(Some(batch))
    }

    fn reached(&mut self, revision: Revision) {
        self.acked = self.acked.max(revision);
        self.seen = self.seen.max(revision);
    }

    fn need(&mut self, reason: &'static str, state: &State) {
        self.phase = Phase::Needs {
            reason,
            since: state.revision(),
        };
    }
}

/// The edge is behind what is kept of the log.
struct TooOld;

#[cfg(test)]
#[path = "lane_test.rs"]
mod tests;
