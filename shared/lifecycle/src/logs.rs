//! Logs: one line for each event, to standard error.
//!
//! Knows nothing of what is logged. Standard output is never touched: it belongs to what a command prints.

use std::{
    fmt,
    io::{IsTerminal, stderr},
};

use serde::Deserialize;
use tracing_subscriber::{
    EnvFilter, fmt::layer as lines, layer::SubscriberExt, registry, util::SubscriberInitExt,
};

use crate::tap::Tap;

/// `[logs]`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// `text` for people or `json` for machines. Default `text`.
    pub format: Format,
    /// Which events: a level, or directives such as `info,worker=debug`. Default `info`.
    pub filter: String,
}

/// How a line looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// For people; in colour when they are looking.
    #[default]
    Text,
    /// One JSON object for each line.
    Json,
}

/// `logs.filter` is not a filter.
#[derive(Debug)]
pub struct InvalidFilter(String);

/// Sends events to standard error from here on, and to a tap if there is one. Where a test or another part of the process did
/// so before, that stays.
pub fn init(config: &Config, tap: Option<Tap>) -> Result<(), InvalidFilter> {
    let filter = EnvFilter::builder()
        .parse(&config.filter)
        .map_err(|error| InvalidFilter(error.to_string()))?;
    let passed = registry().with(filter).with(tap);
    let lines = lines().with_writer(stderr);
    // The only error is that there is a subscriber already, and the first one has the say.
    let _ = match config.format {
        Format::Text => passed
            .with(lines.with_ansi(stderr().is_terminal()))
            .try_init(),
        Format::Json => passed.with(lines.json().flatten_event(true)).try_init(),
    };
    Ok(())
}

// === impl Config ===

impl Default for Config {
    fn default() -> Self {
        Self {
            format: Format::Text,
            filter: "info".to_owned(),
        }
    }
}

// === impl InvalidFilter ===

impl fmt::Display for InvalidFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "logs.filter: {}, write a level such as info, or info,worker=debug",
            self.0
        )
    }
}

impl std::error::Error for InvalidFilter {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_that_is_none_is_refused_by_its_name() {
        let config = Config {
            filter: "info,worker=loud".to_owned(),
            ..Config::default()
        };
        let error = init(&config, None).unwrap_err().to_string();
        assert!(error.starts_with("logs.filter: "), "{error}");
    }

    #[test]
    fn a_second_init_is_no_error() {
        for format in [Format::Text, Format::Json] {
            let config = Config {
                format,
                filter: "off".to_owned(),
            };
            init(&config, None).unwrap();
        }
    }
}
