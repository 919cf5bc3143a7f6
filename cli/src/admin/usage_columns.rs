//! An export as a file of Parquet.
//!
//! It is there whole or not at all: until it is finished it is called otherwise, because no reader could read it. One that is
//! there already is never written into.

use std::{
    fs::File,
    io::{self, BufWriter, IsTerminal, Write},
    path::{Path, PathBuf},
};

use columns::{Broken, Writer};
use proto::admin::UsageRecord;

use crate::failure::Failure;

type Bytes = Box<dyn Write + Send>;

/// A file that is being written.
pub(crate) struct Columns {
    writer: Writer<Bytes>,
    /// What it is called until it is finished, and then.
    names: Option<(PathBuf, PathBuf)>,
}

// === impl Columns ===

impl Columns {
    /// Begins a file, or what goes to standard output.
    pub(crate) fn open(path: Option<&Path>) -> Result<Self, Failure> {
        let Some(path) = path else {
            if io::stdout().is_terminal() {
                let why = io::Error::other("columns are no text: name a FILE");
                return Err(Failure::system("write the export", &why));
            }
            let out = Box::new(BufWriter::new(io::stdout()));
            return Ok(Self {
                writer: Writer::new(out as Bytes).map_err(broken)?,
                names: None,
            });
        };
        let failed =
            |error: &io::Error| Failure::system(format!("write {}", path.display()), error);
        if path.exists() {
            return Err(failed(&io::ErrorKind::AlreadyExists.into()));
        }
        let mut part = path.as_os_str().to_owned();
        part.push(".part");
        let part = PathBuf::from(part);
        let file = File::create(&part).map_err(|error| failed(&error))?;
        let out = Box::new(BufWriter::new(file));
        Ok(Self {
            writer: Writer::new(out as Bytes).map_err(broken)?,
            names: Some((part, path.to_owned())),
        })
    }

    /// Adds a record.
    pub(crate) fn push(&mut self, record: &UsageRecord) -> Result<(), Failure> {
        self.writer.push(record).map_err(broken)
    }

    /// Ends it.
    pub(crate) fn finish(self) -> Result<(), Failure> {
        let mut out = self.writer.finish().map_err(broken)?;
        let failed = |error| Failure::system("write the export", &error);
        out.flush().map_err(failed)?;
        let Some((part, path)) = self.names else {
            return Ok(());
        };
        let done = File::open(&part).and_then(|file| file.sync_all());
        done.and_then(|()| std::fs::rename(&part, &path))
            .map_err(failed)
    }
}

fn broken(why: Broken) -> Failure {
    Failure::system("write the export", &io::Error::other(why))
}
