//! Members that only Cohere understands: kept on the way in, written as they came on the way out.
//!
//! Owns how a name stands for a place: `thinking.x` is the member `x` of the member `thinking`. Must never know what
//! any of them means. What belongs to another family is told to have been dropped.

use payload::{object::Object, writer::Writer};

use crate::neutral::{Dropped, Extra, Family};

/// The members inside which unknown ones are kept, as prefixes of their names.
const DEEPER: [&str; 5] = [
    "embeddings.",
    "function.",
    "image_url.",
    "response_format.",
    "thinking.",
];

/// What nobody took from an object, under this prefix.
pub(crate) fn kept(prefix: &str, object: Object<'_>) -> Vec<Extra> {
    object
        .rest()
        .map(|(name, raw)| extra(&format!("{prefix}{name}"), raw))
        .collect()
}

/// A member of ours.
pub(crate) fn extra(name: &str, raw: &str) -> Extra {
    Extra::new(Family::Cohere, name, raw)
}

/// The raw value of our member of this name.
pub(crate) fn raw<'a>(extras: &'a [Extra], name: &str) -> Option<&'a str> {
    ours(extras)
        .find(|extra| extra.name == name)
        .map(|extra| extra.value.as_str())
}

/// Whether any member of ours stands under this prefix.
pub(crate) fn any(extras: &[Extra], prefix: &str) -> bool {
    ours(extras).any(|extra| extra.name.starts_with(prefix))
}

/// Writes our members of this prefix into the object that is open, except those that are written elsewhere.
pub(crate) fn write(writer: &mut Writer, extras: &[Extra], prefix: &str, except: &[&str]) {
    for extra in ours(extras) {
        let Some(name) = extra.name.strip_prefix(prefix) else {
            continue;
        };
        let deeper = prefix.is_empty() && DEEPER.iter().any(|deep| name.starts_with(deep));
        if !deeper && !except.contains(&name) {
            writer.key(name).raw(extra.value.as_str());
        }
    }
}

/// Notes what belongs to another family. `at` is where it stood: empty, or a path with a dot behind it.
pub(crate) fn note(dropped: &mut Dropped, extras: &[Extra], at: &str) {
    for extra in extras.iter().filter(|extra| extra.family != Family::Cohere) {
        dropped.note(format!("{at}{}", extra.name));
    }
}

fn ours(extras: &[Extra]) -> impl Iterator<Item = &Extra> {
    extras.iter().filter(|extra| extra.family == Family::Cohere)
}
