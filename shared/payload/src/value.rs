//! One value of JSON, kept as it was written.
//!
//! Whoever makes one has checked that it is one value; nobody looks into it here.

/// One value of JSON, as it was written. Numbers and the order of members stay what they were.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Json(Box<str>);

// === impl Json ===

impl Json {
    /// `raw` must be one value of JSON, checked before.
    pub fn of(raw: &str) -> Self {
        Self(raw.into())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}
