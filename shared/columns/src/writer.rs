//! Writes a file of records, a group of rows at a time.
//!
//! Holds one group and never the whole file; a file is readable only once it is finished.

use std::{fmt, io::Write, sync::Arc};

use parquet::{
    basic::Compression,
    errors::ParquetError,
    file::{properties::WriterProperties, writer::SerializedFileWriter},
    schema::parser::parse_message_type,
};
use proto::admin::UsageRecord;

use crate::{
    leaf::Leaf,
    row::{COLUMNS, SCHEMA},
};

/// How many records a group of rows has.
const GROUP_MAX: usize = 8_192; // Full: it is written, and the next one begins.

/// A file that is being written.
pub struct Writer<W: Write + Send> {
    file: SerializedFileWriter<W>,
    columns: Vec<Leaf>,
    rows: usize,
}

/// The file cannot be written.
#[derive(Debug)]
pub struct Broken(ParquetError);

// === impl Writer ===

impl<W: Write + Send> Writer<W> {
    /// Begins a file.
    pub fn new(out: W) -> Result<Self, Broken> {
        let schema = parse_message_type(SCHEMA).map_err(Broken)?;
        let properties = WriterProperties::builder()
            .set_compression(Compression::SNAPPY)
            .set_created_by("sluice".to_owned());
        let properties = Arc::new(properties.build());
        Ok(Self {
            file: SerializedFileWriter::new(out, Arc::new(schema), properties).map_err(Broken)?,
            columns: columns(),
            rows: 0,
        })
    }

    /// Adds a record.
    pub fn push(&mut self, record: &UsageRecord) -> Result<(), Broken> {
        for (fill, column) in COLUMNS.iter().zip(&mut self.columns) {
            fill(record, column);
        }
        self.rows += 1;
        if self.rows >= GROUP_MAX {
            self.group()?;
        }
        Ok(())
    }

    /// Ends the file, and gives back what it was written to.
    pub fn finish(mut self) -> Result<W, Broken> {
        if self.rows > 0 {
            self.group()?;
        }
        self.file.into_inner().map_err(Broken)
    }

    fn group(&mut self) -> Result<(), Broken> {
        let filled = std::mem::replace(&mut self.columns, columns());
        self.rows = 0;
        let mut group = self.file.next_row_group().map_err(Broken)?;
        for leaf in filled {
            let column = group.next_column().map_err(Broken)?;
            let Some(mut column) = column else {
                let why = "the schema has fewer columns".to_owned();
                return Err(Broken(ParquetError::General(why)));
            };
            leaf.write(&mut column).map_err(Broken)?;
            column.close().map_err(Broken)?;
        }
        group.close().map(drop).map_err(Broken)
    }
}

fn columns() -> Vec<Leaf> {
    COLUMNS.iter().map(|_| Leaf::default()).collect()
}

// === impl Broken ===

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the Parquet file cannot be written: {}", self.0)
    }
}

impl std::error::Error for Broken {}

#[cfg(test)]
#[path = "writer_test.rs"]
mod tests;
