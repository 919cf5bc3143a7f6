//! A way out for the audit trail: lines of an export, to a bucket as files or to a syslog server as messages.
//!
//! Knows lines and when what they tell was; knows nothing of what they say.

use std::time::Duration;

use bytes::Bytes;

use crate::{
    bucket::Bucket,
    called::called,
    config::TrailConfig,
    line::Line,
    syslog::Syslog,
    unsent::{Unsent, Unusable},
};

/// The shortest time between two looks.
const EVERY_MIN: Duration = Duration::from_millis(100);

/// A way out.
#[derive(Debug)]
pub struct Trail {
    name: String,
    every: Duration,
    way: Way,
}

#[derive(Debug)]
enum Way {
    Bucket(Box<Bucket>),
    Syslog(Box<Syslog>),
}

// === impl Trail ===

impl Trail {
    /// Opens the one of this name.
    pub fn open(name: &str, config: &TrailConfig) -> Result<Self, Unusable> {
        let setting = called("audit_sinks", name)?;
        let way = match (&config.s3, &config.syslog) {
            (Some(s3), None) => Way::Bucket(Box::new(Bucket::open(&format!("{setting}.s3"), s3)?)),
            (None, Some(syslog)) => {
                let setting = format!("{setting}.syslog");
                Way::Syslog(Box::new(Syslog::open(&setting, syslog)?))
            }
            _ => {
                let why = "needs one of s3 and syslog, and not both".to_owned();
                return Err(Unusable { setting, why });
            }
        };
        Ok(Self {
            name: name.to_owned(),
            every: Duration::from_millis(config.every_ms).max(EVERY_MIN),
            way,
        })
    }

    /// What it is called.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How often it is looked whether there is something to send.
    pub const fn every(&self) -> Duration {
        self.every
    }

    /// Sends lines together. In a bucket they are a file of this name, which takes the place of one that was there; a syslog server gets
    /// those that are sent again twice.
    pub async fn send(&self, file: &str, lines: &[Line]) -> Result<(), Unsent> {
        match &self.way {
            Way::Bucket(bucket) => {
                let length = lines.iter().map(|it| it.text.len() + 1).sum();
                let mut text = String::with_capacity(length);
                for line in lines {
                    text.push_str(&line.text);
                    text.push('\n');
                }
                bucket.put(file, Bytes::from(text)).await
            }
            Way::Syslog(syslog) => syslog.send(lines).await,
        }
    }
}
