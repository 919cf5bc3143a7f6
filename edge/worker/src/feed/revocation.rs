//! A key that is revoked, and what is asked for beside that.
//!
//! Knows how a change and a message say it; knows nothing of what is in force.

use policy::change::Operation;
use proto::{object, sync as wire};

/// A key that is revoked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revocation {
    /// Which.
    pub key_id: String,
    /// Whether answers under way to its requests are cut.
    pub cut_streams: bool,
}

/// Those that a message tells.
pub fn told(message: wire::Revocations) -> Vec<Revocation> {
    let revoked = |key_id| Revocation {
        key_id,
        cut_streams: false,
    };
    let cut = |key_id| Revocation {
        key_id,
        cut_streams: true,
    };
    let all = message.key_ids.into_iter().map(revoked);
    all.chain(message.cut_key_ids.into_iter().map(cut))
        .collect()
}

/// Those in a batch, wherever they stand in it.
pub fn in_batch(batch: &wire::Batch) -> Vec<Revocation> {
    let is_revoked = |change: &&wire::Change| change.operation == Operation::Revoke as i32;
    let changes = batch.changes.iter().filter(is_revoked);
    changes.filter_map(Revocation::of).collect()
}

// === impl Revocation ===

impl Revocation {
    /// What a change that revokes says; `None` where its key is not text.
    pub fn of(change: &wire::Change) -> Option<Self> {
        Some(Self {
            key_id: std::str::from_utf8(&change.key).ok()?.to_owned(),
            cut_streams: object::cuts_streams(&change.value),
        })
    }
}
