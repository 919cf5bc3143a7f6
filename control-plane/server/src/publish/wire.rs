//! The wall where the nouns of publishing become messages of `sluice.sync.v1` and messages become nouns.
//!
//! What an edge says is checked here, once; beyond, it is trusted to be well formed, and still proves nothing.

use std::fmt;

use domain::segment::EdgeSlug;
use policy::{
    change::Operation,
    hash::StateHash,
    object::Lane,
    revision::{Epoch, Revision},
};
use proto::sync::{self, SyncResponse, sync_response::Message as Said};
use seal::CannotOpen;

use crate::publish::{
    follower::Message,
    live::{Live, Revoked},
    parcel::{Acknowledged, Claim},
    ring::Logged,
    values::Values,
};

/// The version of the protocol that is spoken here.
pub const PROTOCOL: u32 = 1;

/// Who an edge says that it is, and what it says that it has.
#[derive(Debug)]
pub struct Hello {
    /// What it calls itself.
    pub edge_id: String,
    /// Its build.
    pub build: String,
    /// Drawn anew at each of its starts.
    pub boot_id: Vec<u8>,
    /// Where its state came from.
    pub boot: sync::Boot,
    /// Where its lanes are.
    pub claims: Vec<(Lane, Claim)>,
}

/// What an edge said is not what an edge says. The sentence is for the edge's log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Nonsense(pub &'static str);

// === what edges say ===

/// Checks a greeting.
pub fn hello(hello: sync::Hello) -> Result<Hello, Nonsense> {
    if hello.protocol != PROTOCOL {
        return Err(Nonsense(
            "this control plane speaks version 1 of the protocol only",
        ));
    }
    if EdgeSlug::parse(&hello.edge_id).is_err() {
        return Err(Nonsense(
            "edge_id must be 1 to 63 letters, digits, `.`, `_` and `-`",
        ));
    }
    if hello.build.chars().count() > 100 {
        return Err(Nonsense("build is longer than 100 characters"));
    }
    // Shown on terminals, and Postgres keeps no NUL.
    if hello.build.chars().any(char::is_control) {
        return Err(Nonsense("build holds a control character"));
    }
    if hello.boot_id.is_empty() || hello.boot_id.len() > 64 {
        return Err(Nonsense("boot_id must be 1 to 64 bytes"));
    }
    let mut claims: Vec<(Lane, Claim)> = Vec::new();
    for cursor in hello.cursors {
        let Some((lane, claim)) = claim(cursor)? else {
            continue;
        };
        if claims.iter().any(|it| it.0 == lane) {
            return Err(Nonsense("a lane has two cursors"));
        }
        claims.push((lane, claim));
    }
    let boot = match sync::Boot::try_from(hello.boot) {
        Ok(sync::Boot::Unspecified) | Err(_) => return Err(Nonsense("boot is not known")),
        Ok(boot) => boot,
    };
    let (edge_id, build, boot_id) = (hello.edge_id, hello.build, hello.boot_id);
    Ok(Hello {
        edge_id,
        build,
        boot_id,
        boot,
        claims,
    })
}

/// Reads a lane.
pub fn lane(number: i32) -> Result<Lane, Nonsense> {
    let lane = u8::try_from(number).ok().and_then(Lane::from_number);
    lane.ok_or(Nonsense("lane is not known"))
}

/// Checks an acknowledgement.
pub fn ack(ack: &sync::Ack) -> Result<(Lane, Acknowledged), Nonsense> {
    let acknowledged = Acknowledged {
        revision: Revision(ack.applied_revision),
        durable: Revision(ack.durable_revision),
        hash: state_hash(&ack.state_hash)?,
    };
    Ok((lane(ack.lane)?, acknowledged))
}

/// The first thing that an edge refused, for operators; without values.
pub fn rejection(nack: &sync::Nack) -> String {
    let Some(first) = nack.rejections.first() else {
        return format!("revision {}: no reason given", nack.batch_revision);
    };
    let key = hex(&first.key[..first.key.len().min(32)]);
    let detail: String = first
        .detail
        .chars()
        .filter(|it| !it.is_control())
        .take(300)
        .collect();
    let kept = if first.kept_previous {
        "the previous one serves"
    } else {
        "nothing serves"
    };
    format!(
        "revision {}: kind {} {key}: {detail} ({kept})",
        first.revision, first.kind
    )
}

fn hex(bytes: &[u8]) -> String {
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits
        .filter_map(|digit| char::from_digit(digit.into(), 16))
        .collect()
}

/// A cursor; `None` when it says that there is nothing.
fn claim(cursor: sync::Cursor) -> Result<Option<(Lane, Claim)>, Nonsense> {
    let lane = lane(cursor.lane)?;
    if cursor.epoch.is_empty() {
        return Ok(None);
    }
    let epoch = Epoch::new(cursor.epoch).ok_or(Nonsense("epoch is longer than 64 bytes"))?;
    let hash = state_hash(&cursor.state_hash)?;
    Ok(Some((
        lane,
        Claim {
            epoch,
            revision: Revision(cursor.revision),
            hash,
        },
    )))
}

fn state_hash(bytes: &[u8]) -> Result<StateHash, Nonsense> {
    let bytes = bytes
        .try_into()
        .map_err(|_| Nonsense("state_hash is not 32 bytes"))?;
    Ok(StateHash::from_bytes(bytes))
}

// === what edges are told ===

/// A message as it goes out. Opens what is sealed.
pub fn response(message: Message, values: &Values) -> Result<SyncResponse, CannotOpen> {
    Ok(said(match message {
        Message::NeedSnapshot(lane, reason) => Said::NeedSnapshot(sync::NeedSnapshot {
            lane: number(lane),
            reason: reason.to_owned(),
        }),
        Message::Revocations(revoked) => Said::Revocations(revocations(revoked)),
        Message::Batch(lane, epoch, batch) => {
            let changes = batch.changes.iter().map(|it| change(&it.1, it.0, values));
            Said::Batch(sync::Batch {
                lane: number(lane),
                epoch: epoch.as_bytes().to_vec(),
                previous_revision: batch.previous.0,
                revision: batch.revision.0,
                changes: changes.collect::<Result<_, _>>()?,
                state_hash: batch.hash.as_bytes().to_vec(),
            })
        }
    }))
}

fn revocations(revoked: Vec<Revoked>) -> sync::Revocations {
    let cut = revoked.iter().filter(|it| it.cut_streams);
    sync::Revocations {
        cut_key_ids: cut.map(|it| it.key_id.clone()).collect(),
        key_ids: revoked.into_iter().map(|it| it.key_id).collect(),
    }
}

/// A message of the stream.
pub const fn said(message: Said) -> SyncResponse {
    SyncResponse {
        message: Some(message),
    }
}

/// Where a lane is.
pub fn cursor(lane: Lane, claim: &Claim) -> sync::Cursor {
    sync::Cursor {
        lane: number(lane),
        epoch: claim.epoch.as_bytes().to_vec(),
        revision: claim.revision.0,
        state_hash: claim.hash.as_bytes().to_vec(),
    }
}

/// A live object or a tombstone, as a snapshot carries it.
pub fn live(lane: Lane, live: &Live, values: &Values) -> Result<sync::Change, CannotOpen> {
    let value = match live.operation {
        Operation::Upsert => values.open(lane, (live.kind, &live.key), &live.value)?,
        Operation::Revoke => live.value.to_vec(),
        Operation::Delete => Vec::new(),
    };
    Ok(sync::Change {
        kind: live.kind.into(),
        operation: live.operation as i32,
        key: live.key.to_vec(),
        revision: live.revision.0,
        value,
        must_understand: true,
    })
}

fn change(
    change: &Logged,
    operation: Operation,
    values: &Values,
) -> Result<sync::Change, CannotOpen> {
    let value = match operation {
        Operation::Upsert => values.open(change.lane, (change.kind, &change.key), &change.value)?,
        Operation::Revoke => change.value.to_vec(),
        Operation::Delete => Vec::new(),
    };
    Ok(sync::Change {
        kind: change.kind.into(),
        operation: operation as i32,
        key: change.key.to_vec(),
        revision: change.revision.0,
        value,
        // Every kind there is can restrict something, so none may be passed over.
        must_understand: true,
    })
}

fn number(lane: Lane) -> i32 {
    i32::from(lane as u8)
}

impl fmt::Display for Nonsense {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for Nonsense {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_greeting_that_cannot_be_kept_is_refused() {
        let greeting = |build: &str, edge_id: &str| sync::Hello {
            protocol: PROTOCOL,
            build: build.to_owned(),
            edge_id: edge_id.to_owned(),
            boot_id: vec![1],
            cursors: Vec::new(),
            boot: sync::Boot::Fresh as i32,
        };
        assert!(hello(greeting("0.1.0 (a1b2c3)", "edge-1")).is_ok());
        let long = "x".repeat(101);
        for (build, edge_id) in [
            ("a\0b", "one"),
            ("\u{1b}[2J", "one"),
            (&long, "one"),
            ("", "\0"),
        ] {
            assert!(hello(greeting(build, edge_id)).is_err(), "{build:?}");
        }
    }
}
