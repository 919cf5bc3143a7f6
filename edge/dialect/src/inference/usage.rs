//! What a request for inference uses: tensors have no tokens, so requests and rows are counted.
//!
//! Knows nothing of prices.

use crate::inference::{request::Scanned, tensor::Tensor};

/// What one request uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Units {
    /// Requests: always one.
    pub requests: u64,
    /// Rows: the first dimension of the first input. At least one, because an empty request is work too.
    pub rows: u64,
}

/// What a request uses.
pub fn units(request: &Scanned) -> Units {
    let rows = request.inputs.first().map_or(1, Tensor::rows);
    Units {
        requests: 1,
        rows: rows.max(1),
    }
}
