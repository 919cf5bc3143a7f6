//! A snapshot on its way: the chunks that have come, checked and built aside.
//!
//! Knows nothing of the connection; it survives one, and says with which chunk to go on. Nothing of it is in
//! force, and what it has taken stays below its bound.

use std::fmt;

use policy::{
    hash::StateHash,
    object::Lane,
    revision::{Epoch, Revision},
};
use proto::{message, sync as wire};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::feed::{
    aside::Aside,
    disk::generation::{Parts, Place},
    step::Step,
};

/// The longest chunk, in bytes; the protocol says 1 MiB.
const CHUNK_BYTES_MAX: usize = 2 << 20;
/// How many objects a lane may have.
// Full: the snapshot is refused, and what was in force stays.
const OBJECTS_MAX: usize = 5_000_000;

/// Part of a snapshot.
pub struct Download {
    lane: Lane,
    id: Vec<u8>,
    place: Place,
    hash: StateHash,
    next: u64,
    total: u64,
    bytes: usize,
    aside: Aside,
    /// The chunks as they came, for the disk; `None` without one.
    parts: Option<Parts>,
}

/// A whole snapshot.
pub struct Whole {
    /// Where the lane is with it.
    pub place: Place,
    /// What is in it.
    pub aside: Aside,
    /// For the disk.
    pub parts: Option<Parts>,
}

/// Why a snapshot cannot be gone on with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Broken {
    /// It is of another lane, or its numbers make no sense.
    Malformed,
    /// The chunk is not the next one of this snapshot.
    OutOfOrder,
    /// The chunk is not what its digest says.
    Digest,
    /// It has more bytes or objects than this edge takes.
    TooLarge,
    /// Its objects do not have its hash.
    Hash,
}

/// What a chunk brought.
pub enum Progress {
    /// More is to come.
    Part(Box<Download>),
    /// That was the last.
    Whole(Box<Whole>),
}

// === impl Download ===

impl Download {
    /// Begins with the first chunk of a snapshot, which is then to be given to [`Self::chunk`].
    pub fn begin(
        lane: Lane,
        first: &wire::FetchSnapshotResponse,
        keep: bool,
    ) -> Result<Self, Broken> {
        let cursor = first.cursor.as_ref().ok_or(Broken::Malformed)?;
        let hash = <[u8; 32]>::try_from(cursor.state_hash.as_slice());
        let epoch = Epoch::new(cursor.epoch.clone()).filter(|epoch| !epoch.as_bytes().is_empty());
        if cursor.lane != lane as i32
            || first.snapshot_id.is_empty()
            || first.snapshot_id.len() > 64
        {
            return Err(Broken::Malformed);
        }
        Ok(Self {
            lane,
            id: first.snapshot_id.clone(),
            place: Place {
                epoch: epoch.ok_or(Broken::Malformed)?,
                revision: Revision(cursor.revision),
            },
            hash: StateHash::from_bytes(hash.map_err(|_| Broken::Malformed)?),
            next: 0,
            total: first.total,
            bytes: 0,
            aside: Aside::new(lane),
            parts: keep.then(Vec::new),
        })
    }

    /// What to ask for in order to go on.
    pub fn request(&self) -> wire::FetchSnapshotRequest {
        wire::FetchSnapshotRequest {
            lane: self.lane as i32,
            snapshot_id: self.id.clone(),
            from_chunk: self.next,
        }
    }

    /// Whether a chunk is of this snapshot.
    pub fn is_of(&self, chunk: &wire::FetchSnapshotResponse) -> bool {
        self.id == chunk.snapshot_id
    }

    /// Takes a chunk. `bytes_max` bounds the snapshot.
    pub fn chunk(
        mut self,
        chunk: wire::FetchSnapshotResponse,
        bytes_max: usize,
    ) -> Result<Progress, Broken> {
        if chunk.index != self.next || chunk.total != self.total || chunk.index >= chunk.total {
            return Err(Broken::OutOfOrder);
        }
        let data = Zeroizing::new(chunk.data);
        self.bytes = self.bytes.saturating_add(data.len());
        if data.len() > CHUNK_BYTES_MAX || self.bytes > bytes_max {
            return Err(Broken::TooLarge);
        }
        if Sha256::digest(&*data).as_slice() != chunk.sha256.as_slice() {
            return Err(Broken::Digest);
        }
        let read: wire::SnapshotData =
            message::decode(&data).map_err(|message::Malformed| Broken::Malformed)?;
        if self.aside.ledger().len() + read.changes.len() > OBJECTS_MAX {
            return Err(Broken::TooLarge);
        }
        for change in read.changes {
            self.aside.take(Step::read(self.lane, change));
        }
        if let Some(parts) = &mut self.parts {
            parts.push(data);
        }
        self.next += 1;
        if self.next < self.total {
            Ok(Progress::Part(Box::new(self)))
        } else {
            self.whole()
        }
    }

    fn whole(self) -> Result<Progress, Broken> {
        if self.aside.ledger().hash() != self.hash {
            return Err(Broken::Hash);
        }
        let Self {
            place,
            aside,
            parts,
            ..
        } = self;
        Ok(Progress::Whole(Box::new(Whole {
            place,
            aside,
            parts,
        })))
    }
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed => "the snapshot's lane, numbers or content make no sense",
            Self::OutOfOrder => "the snapshot's chunk is not the one that was to come",
            Self::Digest => "the snapshot's chunk is not what its digest says",
            Self::TooLarge => "the snapshot is larger than this edge takes",
            Self::Hash => "the snapshot's objects do not have its state hash",
        })
    }
}

impl std::error::Error for Broken {}
