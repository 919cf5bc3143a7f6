//! A line of the audit trail on its way out.

/// A line of an export.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// When what it tells was, milliseconds since 1970.
    pub at_ms: u64,
    /// What it is: `entry`, `checkpoint` or `key`.
    pub kind: &'static str,
    /// The line, without its end.
    pub text: String,
}
