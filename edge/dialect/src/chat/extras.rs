//! Members that only this family understands: how they are kept, found and written back.
//!
//! Knows names and nothing of what they mean. A dot in a name leads into an object: `stream_options.x` is `x` in `stream_options`.

use crate::{
    neutral::{Dropped, Extra, Family},
    object::Object,
    writer::Writer,
};

/// A member of this family.
pub(crate) fn extra(name: impl Into<String>, raw: &str) -> Extra {
    Extra::new(Family::Chat, name, raw)
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
    extra.family == Family::Chat
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

/// Writes those members of this family that stood right in the object that is open, and notes those of others. `at`
/// is the place of that object.
pub(crate) fn write_plain(writer: &mut Writer, kept: &[Extra], at: &str, dropped: &mut Dropped) {
    note_foreign(kept, at, dropped);
    let plain = under(kept, "").filter(|(name, _)| !name.contains('.'));
    write(writer, plain);
}

/// Notes members of other families. `at` is the place of the object that they belong to.
pub(crate) fn note_foreign(kept: &[Extra], at: &str, dropped: &mut Dropped) {
    let dot = if at.is_empty() { "" } else { "." };
    for extra in kept.iter().filter(|extra| !is_own(extra)) {
        dropped.note(format!("{at}{dot}{}", extra.name));
    }
}
