//! The thread that writes what is in force to disk, and tells how far it has come.
//!
//! Knows nothing of requests or of the network: writing and syncing block, so they have a thread of their
//! own. What is told as kept would be found by a restart; once a change of a lane could not be written, the
//! lane tells nothing further until it is written whole again.

use std::{collections::HashMap, fs, io};

use policy::{object::Lane, region::Region};
use seal::{
    file,
    journal::{AppendError, Journal},
};

use crate::feed::{
    disk::{
        Directory, Generation, Note, context,
        generation::{self, Parts, Place},
        orders::{self, Kept, Order, Orders, Places, Span, Taken},
        replay,
    },
    stored::Merged,
};

/// A journal shorter than this is not worth merging, in bytes.
const MERGE_BYTES_MIN: u64 = 1 << 20;
/// How many revocations go into one frame.
const REVOKED_PER_FRAME: usize = 1000;

/// What does the writing.
pub struct Keeper {
    directory: Directory,
    taken: Taken,
    lanes: HashMap<Lane, Files>,
    revoked: Option<Journal>,
}

#[derive(Default)]
struct Files {
    journal: Option<Journal>,
    /// Whether the current generation opens, so that it is worth being the previous one.
    current_opens: bool,
}

/// A keeper and the way to it, after what was found.
pub fn new(directory: Directory, found: &Places) -> (Keeper, Orders) {
    let (orders, taken) = orders::new(found);
    let lanes = Lane::ALL.map(|lane| {
        let is_current = |(_, from): &(Place, Generation)| *from == Generation::Current;
        let files = Files {
            journal: None,
            current_opens: found.get(&lane).is_some_and(is_current),
        };
        (lane, files)
    });
    let keeper = Keeper {
        directory,
        taken,
        lanes: HashMap::from(lanes),
        revoked: None,
    };
    (keeper, orders)
}

// === impl Keeper ===

impl Keeper {
    /// Works until the last [`Orders`] is dropped and everything ordered is written. Blocks its thread.
    pub fn run(mut self) {
        while let Some(order) = self.taken.wait() {
            match order {
                Order::Batch(lane, bytes, span) => {
                    self.batch(lane, &bytes, span);
                }
                Order::Whole(lane, place, parts) => {
                    let written = self.replace(lane, &place, &parts);
                    self.tell(lane, place, written);
                }
                Order::Revoked(key_ids) => {
                    if let Err(why) = self.append_revoked(&key_ids) {
                        self.lose(Lane::Keys, &why);
                    }
                }
                Order::LiveEdges(live_edges) => self.note_edges(live_edges),
                Order::Region(region) => self.note_region(&region),
                Order::AuditHeads(lines) => self.keep_heads(&lines),
            }
        }
    }

    fn note_edges(&self, live_edges: u32) {
        let text = live_edges.to_string();
        if let Err(why) = self.directory.write_note(Note::LiveEdges, &text) {
            tracing::warn!(%why, "the number of living edges cannot be kept on disk");
        }
    }

    fn note_region(&self, region: &Region) {
        if let Err(why) = self.directory.write_note(Note::Region, region.as_str()) {
            tracing::warn!(%why, "the region cannot be kept on disk");
        }
    }

    fn keep_heads(&self, lines: &str) {
        if let Err(why) = self.directory.write_audit_heads(lines) {
            tracing::error!(%why, "heads of the audit trail cannot be kept on disk: after a restart this edge witnesses nothing before it");
        }
    }

    fn batch(&mut self, lane: Lane, bytes: &[u8], span: Span) {
        let kept = self
            .taken
            .kept
            .borrow()
            .get(&lane)
            .cloned()
            .unwrap_or_default();
        if kept.lost {
            return;
        }
        // One that was not taken, because too much waited, is missed here.
        let joins = kept.place.is_some_and(|place| {
            place.epoch == span.place.epoch && span.previous <= place.revision
        });
        if joins {
            let written = self.append(lane, bytes);
            self.tell(lane, span.place, written);
        } else {
            self.lose(lane, &io::Error::other("a change before it is missing"));
        }
    }

    fn tell(&self, lane: Lane, place: Place, written: io::Result<()>) {
        match written {
            Ok(()) => self.taken.kept.send_modify(|kept| {
                kept.insert(
                    lane,
                    Kept {
                        place: Some(place),
                        lost: false,
                    },
                );
            }),
            Err(why) => self.lose(lane, &why),
        }
    }

    fn lose(&self, lane: Lane, why: &io::Error) {
        tracing::error!(lane = lane.word(), %why, "changes cannot be kept on disk: a restart would start further back");
        self.taken
            .kept
            .send_modify(|kept| kept.entry(lane).or_default().lost = true);
    }

    fn append(&mut self, lane: Lane, bytes: &[u8]) -> io::Result<()> {
        let journal = self.journal(lane)?;
        let appended = journal.append(bytes);
        let length = journal.bytes();
        match appended {
            Ok(()) => {}
            // Full: merged first; if that leaves no room the lane is lost until it is whole again.
            Err(AppendError::Full) => {
                self.merge(lane)?;
                return self.journal(lane)?.append(bytes).map_err(into_io);
            }
            Err(why) => return Err(into_io(why)),
        }
        let whole = self.directory.generation_path(lane, Generation::Current);
        let whole = fs::metadata(whole).map_or(0, |metadata| metadata.len());
        if length > MERGE_BYTES_MIN.max(whole / 2)
            && let Err(why) = self.merge(lane)
        {
            // The journal goes on as it is, so that nothing is lost yet.
            tracing::warn!(lane = lane.word(), %why, "the journal of changes cannot be merged");
        }
        Ok(())
    }

    fn merge(&mut self, lane: Lane) -> io::Result<()> {
        self.lane(lane).journal = None;
        let read = replay::lane(&self.directory, lane, Merged::default, Merged::add);
        let read = read.ok_or_else(|| io::Error::other("there is no generation to merge into"))?;
        self.lane(lane).current_opens = read.from == Generation::Current;
        let parts = generation::parts(read.state.into_changes());
        self.replace(lane, &read.place, &parts)
    }

    fn replace(&mut self, lane: Lane, place: &Place, parts: &Parts) -> io::Result<()> {
        let plain = generation::encode(lane, place, parts);
        let current = self.directory.generation_path(lane, Generation::Current);
        let previous = self.directory.generation_path(lane, Generation::Previous);
        if self.lane(lane).current_opens {
            // A link, so that at every moment there is a current one. It may not support links: then the
            // current one is all there is.
            let _ = fs::remove_file(&previous);
            let _ = fs::hard_link(&current, &previous);
        }
        let place = context(&format!("{} whole", lane.word()));
        file::write(&current, self.directory.key(), &place, &plain)?;
        self.turn_journal(lane)?;
        self.lane(lane).current_opens = true;
        Ok(())
    }

    /// The changes that led to the new generation are kept, because the previous one needs them.
    fn turn_journal(&mut self, lane: Lane) -> io::Result<()> {
        let opened = std::mem::take(&mut self.lane(lane).current_opens);
        self.lane(lane).journal = None;
        let since = self.directory.changes_path(lane, Generation::Current);
        if !since.exists() {
            return Ok(());
        }
        if opened {
            return fs::rename(
                &since,
                self.directory.changes_path(lane, Generation::Previous),
            );
        }
        fs::remove_file(&since)
    }

    fn append_revoked(&mut self, key_ids: &[String]) -> io::Result<()> {
        let journal = match &mut self.revoked {
            Some(journal) => journal,
            none => none.insert(self.directory.revoked()?),
        };
        key_ids
            .chunks(REVOKED_PER_FRAME)
            .try_for_each(|some| journal.append(some.join("\n").as_bytes()))
            .map_err(into_io)
    }

    fn journal(&mut self, lane: Lane) -> io::Result<&mut Journal> {
        let directory = self.directory.clone();
        match &mut self.lane(lane).journal {
            Some(journal) => Ok(journal),
            none => Ok(none.insert(directory.changes(lane, Generation::Current)?)),
        }
    }

    fn lane(&mut self, lane: Lane) -> &mut Files {
        self.lanes.entry(lane).or_default()
    }
}

fn into_io(why: AppendError) -> io::Error {
    match why {
        AppendError::Io(why) => why,
        AppendError::Full => io::Error::other("the journal is full"),
    }
}
