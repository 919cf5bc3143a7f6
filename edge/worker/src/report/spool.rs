//! Records that the control plane has not taken yet: on disk if there is one, else in memory.
//!
//! Knows batches as bytes and numbers of records; knows nothing of the network. What finds no room is
//! counted as lost, and what is older is never thrown away for it.

use std::collections::VecDeque;

use proto::report::Batch;
use seal::journal::{AppendError, Journal};

/// How many records wait in memory when there is no disk.
// Full: the new ones are lost and counted.
const BACKLOG_RECORDS_MAX: usize = 100_000;

/// Where unsent batches rest.
pub struct Spool {
    journal: Option<Journal>,
    /// Batches in memory: those read back from the journal while they are being sent, or all without a disk.
    backlog: VecDeque<Batch>,
    records: usize,
    /// How many frames of the journal have been sent and not been cleared yet.
    sent: usize,
    /// Whether the journal has batches that are not in memory.
    spilled: bool,
}

// === impl Spool ===

impl Spool {
    /// With a journal, which may hold batches of the process before this one, or with memory alone.
    pub fn new(journal: Option<Journal>) -> Self {
        let mut spool = Self {
            journal,
            backlog: VecDeque::new(),
            records: 0,
            sent: 0,
            spilled: false,
        };
        spool.read_back();
        spool
    }

    /// How many records wait.
    pub fn records(&self) -> usize {
        self.records
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.backlog.is_empty() && !self.spilled
    }

    /// Whether what waits outlasts the process.
    pub fn outlasts(&self) -> bool {
        self.journal.is_some()
    }

    /// Lets a batch wait. Gives the number of records that found no room. Blocks while it is written.
    pub fn push(&mut self, batch: Batch) -> usize {
        let count = batch.records();
        let Some(journal) = &mut self.journal else {
            if self.records + count > BACKLOG_RECORDS_MAX {
                return count;
            }
            self.records += count;
            self.backlog.push_back(batch);
            return 0;
        };
        match journal.append(batch.bytes()) {
            Ok(()) => {
                self.records += count;
                self.spilled = true;
                0
            }
            // Full: `usage.spool_bytes_max` is what the operator gave; the new records are lost and counted.
            Err(why) => {
                if let AppendError::Io(why) = why {
                    tracing::error!(%why, "records cannot be kept on disk");
                }
                count
            }
        }
    }

    /// The oldest batch that waits, to be sent.
    pub fn first(&mut self) -> Option<&Batch> {
        if self.backlog.is_empty() && self.spilled {
            self.read_back();
        }
        self.backlog.front()
    }

    /// The oldest batch has been taken.
    pub fn pop(&mut self) {
        let Some(batch) = self.backlog.pop_front() else {
            return;
        };
        self.records -= batch.records();
        self.sent += 1;
        // Only when all are sent, because a journal loses its frames together; until then a crash sends some
        // again, which their ids make harmless.
        if self.backlog.is_empty()
            && !self.spilled
            && let Some(journal) = &mut self.journal
        {
            match journal.reset() {
                Ok(()) => self.sent = 0,
                Err(why) => {
                    // It may have failed before the frames were gone or after it; the journal knows.
                    self.sent = usize::try_from(journal.frames()).unwrap_or(usize::MAX);
                    tracing::error!(%why, "sent records cannot be cleared from disk");
                }
            }
        }
    }

    fn read_back(&mut self) {
        let Some(journal) = &mut self.journal else {
            return;
        };
        self.spilled = false;
        match journal.read_all() {
            Ok(frames) => {
                // One that cannot be read is sent as an empty one, so that the count of frames stays true.
                let unsent = frames.into_iter().skip(self.sent);
                self.backlog = unsent.map(Batch::read).collect();
                self.records = self.backlog.iter().map(Batch::records).sum();
            }
            Err(why) => {
                tracing::error!(%why, "records on disk cannot be read");
                self.records = 0;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proto::{
        message,
        usage::{Record, ReportRequest},
    };

    use super::*;

    fn batch(edge_id: &str, records: usize) -> Batch {
        let records = (0..records).map(|_| Record::default());
        let mut batches = Batch::write(edge_id, records, usize::MAX);
        batches.pop().unwrap()
    }

    fn journal(directory: &std::path::Path, bytes_max: u64) -> Journal {
        let key = seal::SealingKey::parse(&"7".repeat(64)).unwrap();
        Journal::open(&directory.join("records"), &key, b"test", bytes_max).unwrap()
    }

    fn next(spool: &mut Spool) -> Option<String> {
        let first = spool.first().map(|batch| message::decode(batch.bytes()));
        let edge_id = first.map(|it: Result<ReportRequest, _>| it.unwrap().edge_id);
        spool.pop();
        edge_id
    }

    #[test]
    fn what_comes_while_the_spool_is_sent_is_sent_once_too() {
        let directory = tempfile::tempdir().unwrap();
        let mut spool = Spool::new(Some(journal(directory.path(), 1 << 20)));
        for name in ["one", "two"] {
            assert_eq!(spool.push(batch(name, 3)), 0);
        }
        drop(spool);
        let mut spool = Spool::new(Some(journal(directory.path(), 1 << 20)));
        assert_eq!(spool.records(), 6);
        assert_eq!(next(&mut spool).as_deref(), Some("one"));
        spool.push(batch("three", 1));
        assert_eq!(next(&mut spool).as_deref(), Some("two"));
        assert_eq!(next(&mut spool).as_deref(), Some("three"));
        assert!(spool.is_empty());
        assert_eq!((spool.records(), next(&mut spool)), (0, None));
        drop(spool);
        assert!(Spool::new(Some(journal(directory.path(), 1 << 20))).is_empty());
    }

    #[test]
    fn what_comes_after_a_clearing_that_failed_half_way_is_sent() {
        use nix::{
            fcntl::{FcntlArg, SealFlag, fcntl},
            sys::memfd::{MFdFlags, memfd_create},
        };
        // A file that can be written and cannot be cut: the new mark is set, and then it fails.
        let file = memfd_create("records", MFdFlags::MFD_ALLOW_SEALING).unwrap();
        fcntl(&file, FcntlArg::F_ADD_SEALS(SealFlag::F_SEAL_SHRINK)).unwrap();
        let directory = tempfile::tempdir().unwrap();
        let number = std::os::fd::AsRawFd::as_raw_fd(&file);
        let opened = format!("/proc/self/fd/{number}");
        std::os::unix::fs::symlink(opened, directory.path().join("records")).unwrap();

        let mut spool = Spool::new(Some(journal(directory.path(), 1 << 20)));
        for name in ["one", "two"] {
            spool.push(batch(name, 1));
            assert_eq!(next(&mut spool).as_deref(), Some(name));
        }
        assert!(spool.is_empty());
    }

    #[test]
    fn what_finds_no_room_is_told() {
        let directory = tempfile::tempdir().unwrap();
        let mut spool = Spool::new(Some(journal(directory.path(), 4096)));
        assert_eq!(spool.push(batch("small", 1)), 0);
        assert_eq!(spool.push(batch("large", 5_000)), 5_000);
        assert_eq!(spool.records(), 1);
        let mut memory = Spool::new(None);
        assert_eq!(memory.push(batch("all", BACKLOG_RECORDS_MAX)), 0);
        assert_eq!(memory.push(batch("more", 1)), 1);
    }
}
