//! The scripts that keep counts in Redis, and the hashes by which it knows them.
//!
//! Knows their texts; knows nothing of what they are asked.

use metrics::{Histogram, Unit};
use redis::{Cmd, Script};

use crate::reservation::BEQUEST_BYTES_MAX;

const TOOK: &str = "sluice_limits_call_seconds";

/// All of them.
pub(crate) struct Scripts {
    pub(crate) reserve: Text,
    pub(crate) settle: Text,
    pub(crate) renew: Text,
    pub(crate) slots: Text,
    pub(crate) restore: Text,
    pub(crate) mark: Text,
    pub(crate) inherited: Text,
    pub(crate) hints: Text,
    /// How long calls that a request waits for take.
    pub(crate) took: Histogram,
}

/// A script, and the hash by which Redis knows it once it is loaded.
pub(crate) struct Text {
    pub(crate) text: &'static str,
    pub(crate) sha1: String,
}

/// Names what is measured here.
pub(crate) fn describe() {
    metrics::describe_histogram!(
        TOOK,
        Unit::Seconds,
        "How long calls of Redis take that a request waits for"
    );
}

// === impl Scripts ===

impl Scripts {
    pub(crate) fn new() -> Self {
        Self {
            reserve: Text::new(concat!(
                include_str!("lua/bucket.lua"),
                include_str!("lua/reserve.lua")
            )),
            settle: Text::new(concat!(
                include_str!("lua/bucket.lua"),
                include_str!("lua/settle.lua")
            )),
            renew: Text::new(concat!(
                include_str!("lua/bucket.lua"),
                include_str!("lua/renew.lua")
            )),
            slots: Text::new(concat!(
                include_str!("lua/bucket.lua"),
                include_str!("lua/slots.lua")
            )),
            restore: Text::new(concat!(
                include_str!("lua/bucket.lua"),
                include_str!("lua/restore.lua")
            )),
            mark: Text::new(concat!(
                include_str!("lua/bucket.lua"),
                include_str!("lua/mark.lua")
            )),
            inherited: Text::new(concat!(
                include_str!("lua/bucket.lua"),
                include_str!("lua/inherited.lua")
            )),
            hints: Text::new(concat!(
                include_str!("lua/bucket.lua"),
                include_str!("lua/hints.lua")
            )),
            took: metrics::histogram!(TOOK),
        }
    }
}

// === impl Text ===

impl Text {
    fn new(text: &'static str) -> Self {
        Self {
            text,
            sha1: Script::new(text).get_hash().to_owned(),
        }
    }
}

/// A call of a script with so many keys and lines.
pub(crate) fn evalsha(script: &Text, keys: usize, lines: usize) -> Cmd {
    // Enough for any call without claims: 88 bytes are each count's, 24 more each quota's, 18 each shelf's; so it does not grow.
    let bytes = 96 * keys + 132 * lines + BEQUEST_BYTES_MAX + 256;
    let mut call = Cmd::with_capacity(20 + keys + 2 * lines, bytes);
    call.arg("EVALSHA").arg(&script.sha1).arg(keys);
    call
}
