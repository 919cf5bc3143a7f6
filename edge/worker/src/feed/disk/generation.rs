//! One generation of a lane as one sealed file: where the lane is, and all of its changes.
//!
//! Inside: a length and a `Cursor`, then lengths and `SnapshotData` messages, as they came from the control
//! plane. Knows nothing of what the changes mean.

use policy::{
    object::Lane,
    revision::{Epoch, Revision},
};
use proto::{message, sync as wire};
use zeroize::{Zeroize, Zeroizing};

/// How many changes one part holds when we make it.
const PART_CHANGES: usize = 4096;

/// The end or the inside of the bytes does not fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Damaged;

/// Where a lane is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// In which history.
    pub epoch: Epoch,
    /// At which revision.
    pub revision: Revision,
}

/// The encoded parts of a generation: `SnapshotData` messages. Wiped when dropped.
pub type Parts = Vec<Zeroizing<Vec<u8>>>;

/// The content of a file.
pub fn encode(lane: Lane, place: &Place, parts: &Parts) -> Zeroizing<Vec<u8>> {
    let cursor = wire::Cursor {
        lane: lane as i32,
        epoch: place.epoch.as_bytes().to_vec(),
        revision: place.revision.0,
        state_hash: Vec::new(),
    };
    let cursor = message::encode(&cursor);
    let bytes: usize = parts.iter().map(|part| part.len() + 4).sum();
    // Allocated once, because growing would leave unwiped copies behind.
    let mut plain = Zeroizing::new(Vec::with_capacity(4 + cursor.len() + bytes));
    for piece in std::iter::once(&cursor).chain(parts.iter().map(|part| &**part)) {
        let length = u32::try_from(piece.len()).unwrap_or(u32::MAX);
        plain.extend_from_slice(&length.to_be_bytes());
        plain.extend_from_slice(piece);
    }
    plain
}

/// Reads a file's content: `step` is given every change, in order.
pub fn decode(
    lane: Lane,
    mut plain: &[u8],
    mut step: impl FnMut(wire::Change),
) -> Result<Place, Damaged> {
    let cursor: wire::Cursor =
        message::decode(piece(&mut plain)?).map_err(|message::Malformed| Damaged)?;
    if cursor.lane != lane as i32 {
        return Err(Damaged);
    }
    let epoch = Epoch::new(cursor.epoch).ok_or(Damaged)?;
    while !plain.is_empty() {
        let part: wire::SnapshotData =
            message::decode(piece(&mut plain)?).map_err(|message::Malformed| Damaged)?;
        part.changes.into_iter().for_each(&mut step);
    }
    Ok(Place {
        epoch,
        revision: Revision(cursor.revision),
    })
}

/// Changes as parts.
pub fn parts(changes: impl IntoIterator<Item = wire::Change>) -> Parts {
    let mut parts = Vec::new();
    let mut changes = changes.into_iter().peekable();
    while changes.peek().is_some() {
        let mut part = wire::SnapshotData {
            changes: changes.by_ref().take(PART_CHANGES).collect(),
        };
        parts.push(Zeroizing::new(message::encode(&part)));
        part.changes
            .iter_mut()
            .for_each(|change| change.value.zeroize());
    }
    parts
}

fn piece<'a>(plain: &mut &'a [u8]) -> Result<&'a [u8], Damaged> {
    let (length, rest) = plain.split_first_chunk::<4>().ok_or(Damaged)?;
    let length = u32::from_be_bytes(*length) as usize;
    let (piece, rest) = rest.split_at_checked(length).ok_or(Damaged)?;
    *plain = rest;
    Ok(piece)
}
