//! Members that only this family understands: how they are kept, found and written back.
//!
//! Knows names and nothing of what they mean. A dot in a name leads into an object: `metadata.x` is `x` in `metadata`.

use payload::{object::Object, writer::Writer};

use crate::neutral::{Extra, Family};

/// A member of this family.
pub(crate) fn extra(name: impl Into<String>, raw: &str) -> Extra {
    Extra::new(Family::Messages, name, raw)
}

/// Keeps what nobody took of an object, under names that begin with `prefix`.
pub(crate) fn keep(object: Object<'_>, prefix: &str, kept: &mut Vec<Extra>) {
    kept.extend(
        object
            .rest()
            .map(|(name, raw)| extra(format!("{prefix}{name}"), raw)),
    );
}

/// The raw value of a member that was kept.
pub(crate) fn find<'e>(kept: &'e [Extra], name: &str) -> Option<&'e str> {
    kept.iter()
        .find(|extra| is_own(extra) && extra.name == name)
        .map(|extra| extra.value.as_str())
}

/// Whether it is a member of this family.
pub(crate) fn is_own(extra: &Extra) -> bool {
    extra.family == Family::Messages
}

/// Those whose names begin with `prefix`, without it, and their raw values.
pub(crate) fn under<'e>(
    kept: &'e [Extra],
    prefix: &'e str,
) -> impl Iterator<Item = (&'e str, &'e str)> {
    kept.iter()
        .filter(|extra| is_own(extra))
        .filter_map(move |extra| Some((extra.name.strip_prefix(prefix)?, extra.value.as_str())))
}

/// Writes members into the object that is open.
pub(crate) fn write<'e>(writer: &mut Writer, members: impl Iterator<Item = (&'e str, &'e str)>) {
    for (name, raw) in members {
        writer.key(name).raw(raw);
    }
}
