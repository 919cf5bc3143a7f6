//! What one edge is to be told: its three lanes, and revocations ahead of them.
//!
//! Pure, as `lane` is. Secrets and configuration come before keys when an edge connects, and a key waits for the
//! configuration that it needs. A revocation waits for nothing.

use policy::{
    change::Operation,
    object::Lane,
    remit::Remit,
    revision::{Epoch, Revision},
};

use crate::publish::{
    lane::EdgeLane,
    live::Revoked,
    parcel::{Acknowledged, Batch, Claim, Gate, Parcel, Progress},
    state::State,
};

/// The most key ids in one message of revocations, well below 1 MiB.
const REVOCATIONS_MAX: usize = 10_000; // Full: the rest goes into the next message.

/// An edge, as far as this replica follows it.
#[derive(Debug)]
pub struct Follower {
    remit: Remit,
    config: EdgeLane,
    keys: EdgeLane,
    secrets: EdgeLane,
    /// Every revocation up to here was sent.
    revoked_until: Revision,
    /// The state when the edge connected.
    opened_at: Revision,
    /// Whether configuration and secrets have come as far as that.
    opened: bool,
    epoch: Epoch,
    generation: u64,
}

/// One message for the edge.
#[derive(Debug)]
pub enum Message {
    /// Changes of a lane, in an epoch.
    Batch(Lane, Epoch, Batch),
    /// The lane must start again from a snapshot, and why.
    NeedSnapshot(Lane, &'static str),
    /// Keys revoked.
    Revocations(Vec<Revoked>),
}

/// What an acknowledgement tells.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Learned {
    /// The edge's state is not what it should be.
    pub differs: bool,
    /// Of each revocation that is now known to be in force: when this replica read it, milliseconds since 1970.
    pub revoked_at_ms: Vec<u64>,
}

// === impl Follower ===

impl Follower {
    /// Starts with what the edge says that it has.
    pub fn open(remit: Remit, claims: &[(Lane, Claim)], state: &State) -> Self {
        let claim = |lane| claims.iter().find(|it| it.0 == lane).map(|it| it.1.clone());
        let revoked_until = match claim(Lane::Keys) {
            Some(claim) if claim.epoch == *state.epoch() => claim.revision,
            // What it holds cannot be told: everything that stands revoked is said, which does no harm.
            Some(_) | None => Revision(0),
        };
        let open = |lane| EdgeLane::open(lane, remit.clone(), claim(lane), state);
        Self {
            config: open(Lane::Config),
            keys: open(Lane::Keys),
            secrets: open(Lane::Secrets),
            revoked_until,
            opened_at: state.revision(),
            opened: false,
            epoch: state.epoch().clone(),
            generation: state.generation(),
            remit,
        }
    }

    /// What goes now: revocations first, then at most one message of each lane.
    pub fn next(&mut self, state: &State) -> Vec<Message> {
        self.notice_reload(state);
        let mut messages = self.revocations(state);
        let epoch = state.epoch();
        let mut post = |lane, parcel| match parcel {
            Some(Parcel::Batch(batch)) => messages.push(Message::Batch(lane, epoch.clone(), batch)),
            Some(Parcel::NeedSnapshot(why)) => messages.push(Message::NeedSnapshot(lane, why)),
            None => {}
        };
        post(Lane::Secrets, self.secrets.next(state, Gate::Open));
        post(Lane::Config, self.config.next(state, Gate::Open));
        let gate = self.keys_gate();
        post(Lane::Keys, self.keys.next(state, gate));
        messages
    }

    /// Takes an acknowledgement.
    pub fn ack(&mut self, lane: Lane, ack: Acknowledged, state: &State) -> Learned {
        let before = self.keys.acked();
        let differs = !self.lane_mut(lane).ack(ack, state);
        let revoked_at_ms = if lane == Lane::Keys {
            self.landed(before, state)
        } else {
            Vec::new()
        };
        Learned {
            differs,
            revoked_at_ms,
        }
    }

    /// Takes a refusal.
    pub fn nack(&mut self, lane: Lane, revision: Revision) {
        self.lane_mut(lane).nack(revision);
    }

    /// How far the lanes are.
    pub fn progress(&self) -> [Progress; 3] {
        [&self.config, &self.keys, &self.secrets].map(EdgeLane::progress)
    }

    /// Whether the edge knows more than this replica.
    pub const fn is_ahead(&self) -> bool {
        self.config.is_ahead() || self.keys.is_ahead() || self.secrets.is_ahead()
    }

    fn keys_gate(&mut self) -> Gate {
        let reached = |lane: &EdgeLane, revision| lane.seen() >= revision;
        self.opened |=
            reached(&self.config, self.opened_at) && reached(&self.secrets, self.opened_at);
        if self.opened {
            Gate::Config(self.config.seen())
        } else {
            Gate::Shut
        }
    }

    fn notice_reload(&mut self, state: &State) {
        if self.generation == state.generation() {
            return;
        }
        self.generation = state.generation();
        let same_epoch = self.epoch == *state.epoch();
        for lane in Lane::ALL {
            self.lane_mut(lane).reloaded(state, same_epoch);
        }
        if !same_epoch {
            self.epoch = state.epoch().clone();
            // Numbers of two epochs cannot be compared: everything that stands revoked is said again.
            (self.revoked_until, self.opened_at, self.opened) =
                (Revision(0), state.revision(), false);
        }
    }

    fn revocations(&mut self, state: &State) -> Vec<Message> {
        if self.revoked_until >= state.revision() {
            return Vec::new();
        }
        let revoked: Vec<Revoked> = match state.ring().after(self.revoked_until) {
            Some(changes) => changes
                .filter(|it| it.operation == Operation::Revoke)
                .filter(|it| it.operation_for(&self.remit) == Some(Operation::Revoke))
                .map(|it| Revoked::read(&it.key, &it.value))
                .collect(),
            None => state.revoked_after(self.revoked_until, &self.remit),
        };
        self.revoked_until = state.revision();
        revoked
            .chunks(REVOCATIONS_MAX)
            .map(|some| Message::Revocations(some.to_vec()))
            .collect()
    }

    /// The revocations of this connection that came into force since `before`.
    fn landed(&self, before: Revision, state: &State) -> Vec<u64> {
        let acked = self.keys.acked();
        let Some(changes) = state.ring().after(before.max(self.opened_at)) else {
            return Vec::new();
        };
        changes
            .take_while(|it| it.revision <= acked)
            .filter(|it| it.operation_for(&self.remit) == Some(Operation::Revoke))
            .map(|it| it.logged_at_ms)
            .collect()
    }

    const fn lane_mut(&mut self, lane: Lane) -> &mut EdgeLane {
        match lane {
            Lane::Config => &mut self.config,
            Lane::Keys => &mut self.keys,
            Lane::Secrets => &mut self.secrets,
        }
    }
}

#[cfg(test)]
#[path = "follower_test.rs"]
mod tests;
