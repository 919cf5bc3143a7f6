//! The state directory: what an edge keeps so that it can start without its control plane.
//!
//! Everything in it is sealed but heads of the audit trail, which are no secret, and everything in it can be rebuilt or is yet to be sent. For each lane there
//! are two generations, each a whole, and the changes since in journals. Nothing in here keeps an edge from
//! starting: what cannot be opened counts as absent, and the log says so. An older directory put back by
//! hand is not noticed, save that revocations stand in a journal of their own.

pub mod generation;
pub mod replay;
pub mod orders;
pub mod keeper;

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Read, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::Arc,
};

use policy::object::Lane;
use seal::{
    SealingKey,
    file::{self, ReadError},
    journal::Journal,
};

/// The longest journal of a lane, in bytes; it is merged into a new generation long before.
const LANE_JOURNAL_BYTES_MAX: u64 = 256 << 20;
/// The longest journal of revocations, in bytes: some two million of them.
const REVOKED_JOURNAL_BYTES_MAX: u64 = 128 << 20;

/// The file of what is kept of the audit trail.
const AUDIT_HEADS: &str = "audit-heads";
/// The longest that is read, in bytes: a thousand chains and all keys come to some 700 KiB.
const AUDIT_HEADS_BYTES_MAX: u64 = 2 << 20; // Full: it counts as unreadable.

/// A state directory that this process holds alone. Cheap to clone.
#[derive(Clone)]
pub struct Directory {
    held: Arc<Held>,
}

struct Held {
    path: PathBuf,
    key: SealingKey,
    // Kept open because closing it would free the lock.
    _lock: File,
}

/// A short text that is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Note {
    /// The id that the edge drew for itself.
    EdgeId,
    /// How many edges of the region lived, in decimal.
    LiveEdges,
    /// The region, by its name.
    Region,
    /// The edge's key and certificate, and by which invitation they came.
    Membership,
}

/// Which of the two generations of a lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Generation {
    /// The last that was written.
    Current,
    /// The one before.
    Previous,
}

// === impl Directory ===

impl Directory {
    /// Creates it where it is missing (mode 0700) and takes its lock. `ResourceBusy`: another process has it.
    pub fn open(path: &Path, key: SealingKey) -> io::Result<Self> {
        DirBuilder::new().recursive(true).mode(0o700).create(path)?;
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(false).mode(0o600);
        let lock = options.open(path.join("lock"))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(fs::TryLockError::WouldBlock) => return Err(io::ErrorKind::ResourceBusy.into()),
            Err(fs::TryLockError::Error(why)) => return Err(why),
        }
        Ok(Self {
            held: Arc::new(Held {
                path: path.to_owned(),
                key,
                _lock: lock,
            }),
        })
    }

    /// Opens or creates a journal in it. The name is part of what seals it.
    pub fn journal(&self, name: &str, bytes_max: u64) -> io::Result<Journal> {
        let path = self.held.path.join(format!("{name}.journal"));
        let journal = Journal::open(&path, &self.held.key, &context(name), bytes_max)?;
        let found = journal.found();
        if let Some(aside) = &found.set_aside {
            let aside = aside.display();
            tracing::warn!(%aside, "the journal {name} was sealed with another key and is set aside");
        } else if found.cut_bytes > 0 {
            tracing::warn!(
                bytes = found.cut_bytes,
                "the end of the journal {name} was torn and is cut"
            );
        }
        Ok(journal)
    }

    /// What was noted. `None`: nothing, or nothing that opens.
    pub fn note(&self, note: Note) -> Option<String> {
        let word = note.word();
        match file::read(&self.held.path.join(word), self.key(), &context(word)) {
            Ok(plain) => String::from_utf8(plain.to_vec()).ok(),
            Err(ReadError::Missing) => None,
            Err(why) => {
                tracing::warn!(%why, "the note {word} on disk is passed over");
                None
            }
        }
    }

    /// Notes a text in place of the one before. Blocks.
    pub fn write_note(&self, note: Note, text: &str) -> io::Result<()> {
        let word = note.word();
        let path = self.held.path.join(word);
        file::write(&path, self.key(), &context(word), text.as_bytes())
    }

    /// Where chains of the audit trail stood, as lines. `None`: nothing is kept.
    pub fn audit_heads(&self) -> io::Result<Option<String>> {
        match File::open(self.held.path.join(AUDIT_HEADS)) {
            Ok(file) => {
                let mut lines = String::new();
                file.take(AUDIT_HEADS_BYTES_MAX)
                    .read_to_string(&mut lines)?;
                Ok(Some(lines))
            }
            Err(why) if why.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(why) => Err(why),
        }
    }

    /// Keeps them in place of those before. They are no secret, and whoever verifies an export reads them, so they are not sealed.
    /// Blocks.
    pub fn write_audit_heads(&self, lines: &str) -> io::Result<()> {
        let path = self.held.path.join(AUDIT_HEADS);
        let beside = self.held.path.join(format!("{AUDIT_HEADS}.new"));
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true).mode(0o600);
        let mut file = options.open(&beside)?;
        file.write_all(lines.as_bytes())?;
        file.sync_all()?;
        fs::rename(&beside, &path)?;
        File::open(&self.held.path)?.sync_all()
    }

    /// The journal of changes since the current generation, or, for `Previous`, of those that led to it.
    fn changes(&self, lane: Lane, since: Generation) -> io::Result<Journal> {
        // One context for both, since the later is renamed into the earlier.
        let path = self.changes_path(lane, since);
        let context = context(lane.word());
        Journal::open(&path, &self.held.key, &context, LANE_JOURNAL_BYTES_MAX)
    }

    fn changes_path(&self, lane: Lane, since: Generation) -> PathBuf {
        self.held
            .path
            .join(format!("{}.{}.journal", lane.word(), since.word()))
    }

    fn revoked(&self) -> io::Result<Journal> {
        self.journal("revoked", REVOKED_JOURNAL_BYTES_MAX)
    }

    fn generation_path(&self, lane: Lane, generation: Generation) -> PathBuf {
        self.held
            .path
            .join(format!("{}.{}", lane.word(), generation.word()))
    }

    fn key(&self) -> &SealingKey {
        &self.held.key
    }
}

// === impl Note ===

impl Note {
    const fn word(self) -> &'static str {
        match self {
            Self::EdgeId => "edge-id",
            Self::Membership => "membership",
            Self::LiveEdges => "live-edges",
            Self::Region => "region",
        }
    }
}

// === impl Generation ===

impl Generation {
    const fn word(self) -> &'static str {
        match self {
            Self::Current => "current",
            Self::Previous => "previous",
        }
    }
}

/// What a sealed thing is bound to besides its key: the format and its place. The epoch is inside, sealed with
/// the rest, because it cannot be known before opening.
fn context(place: &str) -> Vec<u8> {
    format!("sluice-edge state 1 {place}").into_bytes()
}
