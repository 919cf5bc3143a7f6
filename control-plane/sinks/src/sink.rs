//! A way out, of whatever kind, and what is sent by it together.
//!
//! Knows no kind better than another.

use std::time::Duration;

use proto::admin::UsageRecord;

use crate::{
    bucket::{Bucket, Files},
    called::called,
    config::Config,
    unsent::{Unsent, Unusable},
};

/// The shortest time for which records gather.
const EVERY_MIN: Duration = Duration::from_millis(100);

/// A way out.
#[derive(Debug)]
pub struct Sink {
    name: String,
    every: Duration,
    bucket: Bucket,
}

/// Records that are sent together.
// Full: whoever fills it begins another one; it is held in memory.
#[derive(Default)]
pub struct Parcel {
    files: Files,
    records: usize,
}

// === impl Sink ===

impl Sink {
    /// Opens the one of this name.
    pub fn open(name: &str, config: &Config) -> Result<Self, Unusable> {
        let setting = called("sinks", name)?;
        Ok(Self {
            name: name.to_owned(),
            every: Duration::from_millis(config.every_ms).max(EVERY_MIN),
            bucket: Bucket::open(&format!("{setting}.s3"), &config.s3)?,
        })
    }

    /// What it is called.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How long records gather.
    pub const fn every(&self) -> Duration {
        self.every
    }

    /// Sends a parcel, which holds the batches from one number to another. Sent again, it takes the place of what was there.
    pub async fn send(&self, parcel: Parcel, batches: (i64, i64)) -> Result<(), Unsent> {
        self.bucket.send(parcel.files, batches).await
    }
}

// === impl Parcel ===

impl Parcel {
    /// Adds records.
    pub fn add(&mut self, records: &[UsageRecord]) -> Result<(), Unsent> {
        self.records += records.len();
        self.files.add(records)
    }

    /// How many there are.
    pub const fn len(&self) -> usize {
        self.records
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.records == 0
    }
}

#[cfg(test)]
#[path = "sink_test.rs"]
mod tests;
