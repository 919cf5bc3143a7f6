//! One column while it is filled: its values, and how deep each of them stands.
//!
//! Knows lists within lists; knows nothing of records.

use parquet::{
    column::writer::ColumnWriter,
    data_type::ByteArray,
    errors::{ParquetError, Result},
    file::writer::SerializedColumnWriter,
};

/// A column of one group of rows.
// Full: the writer closes a group of rows before its columns grow further.
#[derive(Debug, Default)]
pub(crate) struct Leaf {
    texts: Vec<ByteArray>,
    longs: Vec<i64>,
    ints: Vec<i32>,
    flags: Vec<bool>,
    /// How much of the way to each place is there.
    definition: Vec<i16>,
    /// At which list each place begins anew.
    repetition: Vec<i16>,
    /// The two of the next place.
    at: (i16, i16),
}

// === impl Leaf ===

impl Leaf {
    pub(crate) fn text(&mut self, text: &str) {
        self.step();
        self.texts.push(text.as_bytes().into());
    }

    pub(crate) fn long(&mut self, number: i64) {
        self.step();
        self.longs.push(number);
    }

    pub(crate) fn int(&mut self, number: i32) {
        self.step();
        self.ints.push(number);
    }

    pub(crate) fn flag(&mut self, flag: bool) {
        self.step();
        self.flags.push(flag);
    }

    /// A number that may be absent.
    pub(crate) fn maybe(&mut self, number: Option<i64>) {
        let (definition, _) = self.at;
        self.at.0 += i16::from(number.is_some());
        self.step();
        self.at.0 = definition;
        self.longs.extend(number);
    }

    /// One place for each item; one that says so where there are none. `depth` counts the lists from the record on, from one.
    pub(crate) fn list<T>(
        &mut self,
        depth: i16,
        items: impl IntoIterator<Item = T>,
        each: impl Fn(&mut Self, T),
    ) {
        let outer = self.at;
        let mut empty = true;
        for item in items {
            self.at = (outer.0 + 1, if empty { outer.1 } else { depth });
            empty = false;
            each(self, item);
        }
        self.at = outer;
        if empty {
            self.step();
        }
    }

    fn step(&mut self) {
        let (definition, repetition) = self.at;
        self.definition.push(definition);
        self.repetition.push(repetition);
    }

    /// Writes what is in it.
    pub(crate) fn write(&self, column: &mut SerializedColumnWriter<'_>) -> Result<()> {
        let depths = (Some(&self.definition[..]), Some(&self.repetition[..]));
        // What the schema has no levels for is written without them.
        match column.untyped() {
            ColumnWriter::ByteArrayColumnWriter(to) => {
                to.write_batch(&self.texts, depths.0, depths.1)?
            }
            ColumnWriter::Int64ColumnWriter(to) => {
                to.write_batch(&self.longs, depths.0, depths.1)?
            }
            ColumnWriter::Int32ColumnWriter(to) => {
                to.write_batch(&self.ints, depths.0, depths.1)?
            }
            ColumnWriter::BoolColumnWriter(to) => {
                to.write_batch(&self.flags, depths.0, depths.1)?
            }
            _ => {
                return Err(ParquetError::General(
                    "no column is of this type".to_owned(),
                ));
            }
        };
        Ok(())
    }
}
