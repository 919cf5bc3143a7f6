//! A sealed journal: frames appended to a bounded file, read back after a crash, and thrown away together.
//!
//! A file is a sealed random mark, then frames; a frame is its length in four bytes (big-endian) and a
//! sealed value. The context of a frame holds the mark and the frame's place, so that none can be moved,
//! repeated, or brought back after a reset. Knows nothing of what is inside. All calls block, and one
//! process at a time holds a journal.

use std::{
    ffi::OsString,
    fmt,
    fs::{self, File, OpenOptions},
    io,
    os::unix::fs::{FileExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use crate::{
    file::sync_directory,
    key::{SEALING_BYTES, SealingKey, random},
};

const MARK_BYTES: usize = 16;
const HEAD_BYTES: u64 = (MARK_BYTES + SEALING_BYTES) as u64;
/// What tells the length of a frame: the four bytes of a `u32`.
const LENGTH_BYTES: u64 = 4;

/// A journal, open. Not `Debug`, since it holds a key.
pub struct Journal {
    file: File,
    key: SealingKey,
    context: Vec<u8>,
    mark: Vec<u8>,
    bytes_max: u64,
    bytes: u64,
    frames: u64,
    found: Found,
}

/// What opening a journal had to give up.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Found {
    /// Bytes cut from the end, from the first frame that did not open.
    pub cut_bytes: u64,
    /// Where a whole file went that another key or context had sealed: beside the journal, with
    /// `.unreadable` after its name, in place of an earlier one.
    pub set_aside: Option<PathBuf>,
}

/// Why a frame was not appended. The journal is as it was before.
#[derive(Debug)]
pub enum AppendError {
    /// The file would pass its bound.
    Full,
    /// The file system refused.
    Io(io::Error),
}

// === impl Journal ===

impl Journal {
    /// Opens or creates (mode 0600) the journal at this path and cuts it at the first bad frame.
    /// `bytes_max` bounds the file; one that is larger already can be read and reset, and is full.
    ///
    /// Fails with [`io::ErrorKind::ResourceBusy`] when another process holds it.
    pub fn open(path: &Path, key: &SealingKey, context: &[u8], bytes_max: u64) -> io::Result<Self> {
        let mut file = open_file(path)?;
        let length = file.metadata()?.len();
        let mut found = Found::default();
        let mut head = vec![0; MARK_BYTES + SEALING_BYTES];
        let mark = if length < HEAD_BYTES {
            // Cut while it was being made, so there was no frame in it.
            None
        } else {
            file.read_exact_at(&mut head, 0)?;
            let mark = key.open(&head, context).ok();
            if mark.is_none() {
                // Not ours to destroy: a wrong key in the configuration looks just the same.
                let aside = named(path, ".unreadable");
                fs::rename(path, &aside)?;
                file = open_file(path)?;
                found.set_aside = Some(aside);
            }
            mark
        };
        let mut journal = Self {
            file,
            key: key.clone(),
            context: context.to_vec(),
            mark: Vec::new(),
            bytes_max,
            bytes: HEAD_BYTES,
            frames: 0,
            found,
        };
        match mark {
            Some(mark) => {
                journal.mark = mark.to_vec();
                journal.cut_at_first_bad(length)?;
            }
            None => journal.reset()?,
        }
        sync_directory(path)?;
        Ok(journal)
    }

    /// Appends a frame and waits until the disk has it.
    pub fn append(&mut self, plain: &[u8]) -> Result<(), AppendError> {
        let sealed = self.key.seal(plain, &self.frame_context(self.frames));
        let length = u32::try_from(sealed.len()).map_err(|_| AppendError::Full)?;
        let end = self.bytes + LENGTH_BYTES + u64::from(length);
        // Full: the caller keeps the frame or counts it as lost; nothing older is thrown away for it.
        if end > self.bytes_max {
            return Err(AppendError::Full);
        }
        let mut frame = length.to_be_bytes().to_vec();
        frame.extend_from_slice(&sealed);
        // Written at its place rather than at the end: what a failed write left there is overwritten by the
        // next.
        self.file
            .write_all_at(&frame, self.bytes)
            .map_err(AppendError::Io)?;
        self.file.sync_data().map_err(AppendError::Io)?;
        self.bytes = end;
        self.frames += 1;
        Ok(())
    }

    /// All frames, oldest first, up to the first bad one, which is cut away with all after it. Takes as
    /// much memory as the file.
    pub fn read_all(&mut self) -> io::Result<Vec<Vec<u8>>> {
        let mut frames = Vec::new();
        let length = self.file.metadata()?.len();
        let good = self.walk(length, |plain| frames.push(plain.to_vec()))?;
        self.keep(good, frames.len() as u64, length)?;
        Ok(frames)
    }

    /// Throws all frames away. None of them can come back, even if the file system brings the old bytes back.
    pub fn reset(&mut self) -> io::Result<()> {
        let mark = random::<MARK_BYTES>();
        // The mark goes first and in place: from then on the old frames are strangers, whatever fails after it.
        self.file
            .write_all_at(&self.key.seal(&mark, &self.context), 0)?;
        self.mark = mark.to_vec();
        self.bytes = HEAD_BYTES;
        self.frames = 0;
        self.file.set_len(HEAD_BYTES)?;
        self.file.sync_all()
    }

    /// How long the file is, in bytes.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// How many frames there are.
    pub fn frames(&self) -> u64 {
        self.frames
    }

    /// Whether there is no frame.
    pub fn is_empty(&self) -> bool {
        self.frames == 0
    }

    /// What opening it had to give up, for the caller to tell.
    pub fn found(&self) -> &Found {
        &self.found
    }

    fn cut_at_first_bad(&mut self, length: u64) -> io::Result<()> {
        let mut frames = 0;
        let good = self.walk(length, |_| frames += 1)?;
        self.found.cut_bytes = length - good;
        self.keep(good, frames, length)
    }

    fn keep(&mut self, good: u64, frames: u64, length: u64) -> io::Result<()> {
        if good < length {
            self.file.set_len(good)?;
            self.file.sync_all()?;
        }
        self.bytes = good;
        self.frames = frames;
        Ok(())
    }

    /// Visits the good frames, one in memory at a time, and returns where the last of them ends.
    fn walk(&self, length: u64, mut visit: impl FnMut(&[u8])) -> io::Result<u64> {
        let mut at = HEAD_BYTES;
        for place in 0.. {
            let Some(sealed) = self.frame_at(at, length)? else {
                break;
            };
            let Ok(plain) = self.key.open(&sealed, &self.frame_context(place)) else {
                break;
            };
            visit(&plain);
            at += LENGTH_BYTES + sealed.len() as u64;
        }
        Ok(at)
    }

    /// The sealed bytes of the frame at this offset, or nothing when the file is too short to hold what it
    /// claims.
    fn frame_at(&self, at: u64, length: u64) -> io::Result<Option<Vec<u8>>> {
        if at + LENGTH_BYTES > length {
            return Ok(None);
        }
        let mut claimed = [0; 4];
        self.file.read_exact_at(&mut claimed, at)?;
        let claimed = u32::from_be_bytes(claimed);
        if at + LENGTH_BYTES + u64::from(claimed) > length {
            return Ok(None);
        }
        let mut sealed = vec![0; claimed as usize];
        self.file.read_exact_at(&mut sealed, at + LENGTH_BYTES)?;
        Ok(Some(sealed))
    }

    fn frame_context(&self, place: u64) -> Vec<u8> {
        [self.context.as_slice(), &self.mark, &place.to_be_bytes()].concat()
    }
}

fn open_file(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(fs::TryLockError::WouldBlock) => Err(io::ErrorKind::ResourceBusy.into()),
        Err(fs::TryLockError::Error(error)) => Err(error),
    }
}

fn named(path: &Path, ending: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(ending);
    PathBuf::from(name)
}

// === impl AppendError ===

impl fmt::Display for AppendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full => f.write_str("the journal is full"),
            Self::Io(error) => write!(f, "append to the journal: {error}"),
        }
    }
}

impl std::error::Error for AppendError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Full => None,
            Self::Io(error) => Some(error),
        }
    }
}

#[cfg(test)]
#[path = "journal_test.rs"]
mod tests;
