//! A sealed file: replaced whole, or not at all.
//!
//! Knows nothing of what is inside. Whatever happens to the machine, a reader finds the old content or the
//! new one, never a mixture; nobody but the owner can read it. Expects one writer per path. All calls
//! block.

use std::{
    ffi::OsString,
    fmt,
    fs::{self, File, OpenOptions},
    io::{self, Read, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use zeroize::Zeroizing;

use crate::key::SealingKey;

/// The largest sealed file. Full: it is neither written nor read, since reading takes that much memory
/// twice over.
pub const FILE_BYTES_MAX: u64 = 1 << 30;

/// Why a sealed file gave nothing.
#[derive(Debug)]
pub enum ReadError {
    /// There is none.
    Missing,
    /// The file system would not give it, or it is larger than [`FILE_BYTES_MAX`].
    Unreadable(io::Error),
    /// Another key or context sealed it, or it is damaged.
    CannotOpen,
}

/// Seals and writes a file: beside its place, to the disk, then over the old one. Mode 0600.
pub fn write(path: &Path, key: &SealingKey, context: &[u8], plain: &[u8]) -> io::Result<()> {
    let sealed = key.seal(plain, context);
    if sealed.len() as u64 > FILE_BYTES_MAX {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    let beside = beside(path);
    let replaced = write_new(&beside, &sealed).and_then(|()| fs::rename(&beside, path));
    if replaced.is_err() {
        // It may not even exist; the first error is the one worth telling.
        let _ = fs::remove_file(&beside);
    }
    replaced?;
    sync_directory(path)
}

/// Reads and opens a file.
pub fn read(
    path: &Path,
    key: &SealingKey,
    context: &[u8],
) -> Result<Zeroizing<Vec<u8>>, ReadError> {
    let file = File::open(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => ReadError::Missing,
        _ => ReadError::Unreadable(error),
    })?;
    let sealed = read_bounded(&file).map_err(ReadError::Unreadable)?;
    key.open(&sealed, context)
        .map_err(|_| ReadError::CannotOpen)
}

fn read_bounded(file: &File) -> io::Result<Vec<u8>> {
    let length = file.metadata()?.len();
    if length > FILE_BYTES_MAX {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    // Not to the end: the bound holds even if the file grows meanwhile.
    let mut sealed = Vec::new();
    file.take(length).read_to_end(&mut sealed)?;
    Ok(sealed)
}

/// Makes a rename or a creation at this path outlast a power cut.
pub(crate) fn sync_directory(path: &Path) -> io::Result<()> {
    let directory = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    File::open(directory.unwrap_or(Path::new(".")))?.sync_all()
}

fn write_new(path: &Path, sealed: &[u8]) -> io::Result<()> {
    // What a crash left here goes first: opening it again would keep its owner and its mode.
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(sealed)?;
    file.sync_all()
}

/// The same name in the same directory with `.new` after it: a rename cannot cross file systems.
fn beside(path: &Path) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(".new");
    PathBuf::from(name)
}

// === impl ReadError ===

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("no such file"),
            Self::Unreadable(error) => write!(f, "unreadable: {error}"),
            Self::CannotOpen => fmt::Display::fmt(&crate::key::CannotOpen::Other, f),
        }
    }
}

impl std::error::Error for ReadError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Unreadable(error) => Some(error),
            Self::Missing | Self::CannotOpen => None,
        }
    }
}

#[cfg(test)]
#[path = "file_test.rs"]
mod tests;
