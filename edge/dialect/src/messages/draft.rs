//! A request while it is written: its text so far, what was left out of it, and for whom it is.
//!
//! Owns how what was left out is noted. Knows nothing of what is written.

use std::fmt;

use payload::writer::Writer;

use crate::{
    messages::{extras, target::Target},
    neutral::{Dropped, Extra},
};

/// A request while it is written.
pub(crate) struct Draft<'a> {
    pub(crate) writer: Writer,
    pub(crate) dropped: Dropped,
    pub(crate) target: &'a Target<'a>,
    pub(crate) purpose: Purpose,
}

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// An answer.
    Answer,
    /// How many tokens the question has.
    Count,
}

// === impl Draft ===

impl<'a> Draft<'a> {
    /// An empty one.
    pub(crate) fn new(target: &'a Target<'a>, purpose: Purpose) -> Self {
        Self {
            writer: Writer::default(),
            dropped: Dropped::default(),
            target,
            purpose,
        }
    }

    /// Whether a member is written; notes it otherwise. `at` is the place of what it belongs to.
    pub(crate) fn keeps(&mut self, extra: &Extra, at: impl fmt::Display) -> bool {
        let name = extra.name.as_str();
        let allowed = match self.target.extras_allowed {
            Some(allowed) => name == "type" || allowed.contains(&name),
            None => true,
        };
        let keeps = extras::is_own(extra) && allowed;
        if !keeps {
            let at = at.to_string();
            let dot = if at.is_empty() { "" } else { "." };
            self.dropped.note(format!("{at}{dot}{}", extra.name));
        }
        keeps
    }

    /// Those of this family's members under `prefix` that are written, without it.
    pub(crate) fn under<'e>(&mut self, kept: &'e [Extra], prefix: &str) -> Vec<(&'e str, &'e str)> {
        let mut members = Vec::new();
        for extra in kept.iter().filter(|extra| extras::is_own(extra)) {
            if let Some(name) = extra.name.strip_prefix(prefix)
                && self.keeps(extra, "")
            {
                members.push((name, extra.value.as_str()));
            }
        }
        members
    }
}
