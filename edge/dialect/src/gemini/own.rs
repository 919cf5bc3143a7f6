//! Extras of this family among those of others: what is written back, and what is said to be dropped.
//!
//! Knows names and paths. Must never know what a member means.

use payload::writer::Writer;

use crate::neutral::{Dropped, Extra, Family};

/// The raw value of the member called `name` that this family understands.
pub(crate) fn own<'a>(extra: &'a [Extra], name: &str) -> Option<&'a str> {
    ours(extra)
        .find(|extra| extra.name == name)
        .map(|extra| extra.value.as_str())
}

/// An extra of this family.
pub(crate) fn extra(name: &str, raw: &str) -> Extra {
    Extra::new(Family::Gemini, name, raw)
}

/// Writes the members that stood right under `path`, which is empty or ends with a dot, but for those of `done`.
pub(crate) fn write(writer: &mut Writer, extra: &[Extra], path: &str, done: &[&str]) {
    for (name, raw) in under(extra, path) {
        if !done.contains(&name) {
            writer.key(name).raw(raw);
        }
    }
}

/// Whether [`write()`] would write anything.
pub(crate) fn any(extra: &[Extra], path: &str, done: &[&str]) -> bool {
    under(extra, path).any(|(name, _)| !done.contains(&name))
}

/// Notes what other families understand, under `path`, which is empty or ends with a dot.
pub(crate) fn note_foreign(extra: &[Extra], path: &str, dropped: &mut Dropped) {
    for extra in extra.iter().filter(|extra| extra.family != Family::Gemini) {
        dropped.note(format!("{path}{}", extra.name));
    }
}

fn ours(extra: &[Extra]) -> impl Iterator<Item = &Extra> {
    extra.iter().filter(|extra| extra.family == Family::Gemini)
}

fn under<'a>(extra: &'a [Extra], path: &str) -> impl Iterator<Item = (&'a str, &'a str)> {
    ours(extra).filter_map(move |extra| {
        let name = extra.name.strip_prefix(path)?;
        (!name.contains('.')).then_some((name, extra.value.as_str()))
    })
}
