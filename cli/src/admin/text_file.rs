//! A file that somebody wrote by hand, read as text.
//!
//! Knows how long such a file may be; knows nothing of what it says.

use std::{fs::File, io::Read as _, path::Path};

use crate::failure::Failure;

/// The longest file that is read.
// Full: it is refused, since nobody writes so much of what is read so.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// The text of a file.
pub fn read(path: &Path) -> Result<String, Failure> {
    let unreadable = |error| Failure::system(format!("read {}", path.display()), &error);
    let mut text = String::new();
    let file = File::open(path).map_err(unreadable)?;
    let read = file.take(FILE_BYTES_MAX + 1).read_to_string(&mut text);
    if read.map_err(unreadable)? as u64 > FILE_BYTES_MAX {
        let why = format!("{}: is longer than 1 MiB", path.display());
        return Err(Failure::usage(why));
    }
    Ok(text)
}
