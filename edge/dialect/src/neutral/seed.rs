//! What a translation needs that stands in no message.

/// From what ids and dates are made where the other dialect has none. The same seed gives the same bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seed {
    /// The request's own id: letters, digits and `-`.
    pub request_id: String,
    /// Now, in seconds since 1970.
    pub now_seconds: u64,
}

// === impl Seed ===

impl Seed {
    /// The id of the tool call number `index` of this answer, where its provider gives none.
    pub fn tool_call_id(&self, index: u32) -> String {
        let id: String = self
            .request_id
            .chars()
            .filter(char::is_ascii_alphanumeric)
            .collect();
        format!("call_{id}{index}")
    }
}
