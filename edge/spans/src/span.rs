//! A finished span, in plain words.
//!
//! Knows names, times and attributes; knows nothing of a wire. Never holds content or secrets: whoever makes one sees to
//! that.

use std::borrow::Cow;

use crate::context::Context;

/// A finished span.
#[derive(Debug, Clone, PartialEq)]
pub struct Span {
    /// Where it stands.
    pub context: Context,
    /// Its name.
    pub name: String,
    /// Which end of a call it tells of.
    pub kind: Kind,
    /// When it began, nanoseconds since 1970.
    pub start_ns: u64,
    /// When it ended, nanoseconds since 1970.
    pub end_ns: u64,
    /// Why it failed, in one word; `None` where it did not.
    pub failed: Option<&'static str>,
    /// What else is told of it.
    pub attributes: Vec<(&'static str, Value)>,
}

/// Which end of a call a span tells of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Of who is asked.
    Server,
    /// Of who asks.
    Client,
}

/// What an attribute says.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// A text.
    Text(Cow<'static, str>),
    /// A whole number.
    Whole(i64),
    /// Any number.
    Number(f64),
    /// Yes or no.
    Flag(bool),
}

// === impl Value ===

impl From<&'static str> for Value {
    fn from(text: &'static str) -> Self {
        Self::Text(Cow::Borrowed(text))
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(Cow::Owned(text))
    }
}

impl From<u64> for Value {
    fn from(number: u64) -> Self {
        Self::Whole(i64::try_from(number).unwrap_or(i64::MAX))
    }
}

impl From<u16> for Value {
    fn from(number: u16) -> Self {
        Self::Whole(number.into())
    }
}

impl From<f64> for Value {
    fn from(number: f64) -> Self {
        Self::Number(number)
    }
}

impl From<bool> for Value {
    fn from(flag: bool) -> Self {
        Self::Flag(flag)
    }
}
