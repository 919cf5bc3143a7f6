//! A request while it is written: its text so far, what was left out of it, and for whom it is.
//!
//! Owns how what was left out is noted. Knows nothing of what is written.

use std::fmt;

use payload::writer::Writer;

use crate::{
    chat::{own, target::Target},
    neutral::{Dropped, Extra},
};

/// A request while it is written.
pub(crate) struct Draft<'a> {
    pub(crate) writer: Writer,
    pub(crate) dropped: Dropped,
    pub(crate) target: &'a Target<'a>,
}

// === impl Draft ===

impl<'a> Draft<'a> {
    /// An empty one.
    pub(crate) fn new(target: &'a Target<'a>) -> Self {
        Self {
            writer: Writer::default(),
            dropped: Dropped::default(),
            target,
        }
    }

    /// Notes that a member of what stands at `at` was left out.
    pub(crate) fn note(&mut self, at: impl fmt::Display, name: &str) {
        let at = at.to_string();
        let dot = if at.is_empty() { "" } else { "." };
        self.dropped.note(format!("{at}{dot}{name}"));
    }

    /// Notes the members of other families.
    pub(crate) fn note_others(&mut self, kept: &[Extra], at: impl fmt::Display) {
        for extra in kept.iter().filter(|extra| !own::is_own(extra)) {
            self.note(&at, &extra.name);
        }
    }

    /// Writes those of this family's members whose names begin with `prefix`, without it, into the object that is
    /// open.
    pub(crate) fn write_under(&mut self, kept: &[Extra], prefix: &str) {
        for (name, raw) in own::under(kept, prefix) {
            self.writer.key(name).raw(raw);
        }
    }

    /// Writes this family's members into the object that is open, but for those that stand deeper, under one of
    /// `inner`.
    pub(crate) fn write_own(&mut self, kept: &[Extra], inner: &[&str]) {
        for (name, raw) in own::under(kept, "") {
            if !inner.iter().any(|inner| name.starts_with(inner)) {
                self.writer.key(name).raw(raw);
            }
        }
    }
}
