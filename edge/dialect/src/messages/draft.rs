//! A request while it is written: its text so far, what was left out of it, and for whom it is.
//!
//! Owns how the place of a part is told to a client. Knows nothing of what stands there.

use std::fmt;

use crate::{
    messages::{extras, target::Target},
    neutral::{Dropped, Extra, Unsupported},
    writer::Writer,
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

/// Where a part stands: in which turn, which part of it, and which part of that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) turn: usize,
    pub(crate) part: Option<usize>,
    pub(crate) inner: Option<usize>,
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

// === impl Place ===

impl Place {
    /// A turn.
    pub(crate) const fn of(turn: usize) -> Self {
        Self {
            turn,
            part: None,
            inner: None,
        }
    }

    /// A part of it.
    pub(crate) const fn part(self, part: usize) -> Self {
        Self {
            part: Some(part),
            ..self
        }
    }

    /// A part of that part.
    pub(crate) const fn inner(self, inner: usize) -> Self {
        Self {
            inner: Some(inner),
            ..self
        }
    }

    /// What stands here cannot be left out.
    pub(crate) fn unsupported(self, why: &str) -> Unsupported {
        Unsupported {
            at: self.to_string(),
            why: why.to_owned(),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "messages[{}]", self.turn)?;
        for at in [self.part, self.inner].into_iter().flatten() {
            write!(f, ".content[{at}]")?;
        }
        Ok(())
    }
}
