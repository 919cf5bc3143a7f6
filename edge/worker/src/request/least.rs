//! How many tokens of a request surely go in.
//!
//! Knows sizes; for whoever must not take a request to be longer than it is.

use dialect::estimate;

use crate::request::Request;

// === impl Request ===

impl Request {
    /// How many tokens surely go in; of tensors, which have none, nothing is sure.
    pub fn input_tokens_least(&self) -> u64 {
        let least = || estimate::request_tokens_least(self.body.len(), self.scanned.embedded);
        self.tensors.as_ref().map_or_else(least, |_| 0)
    }
}
