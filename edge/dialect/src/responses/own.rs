//! Members that only this family understands, on their way through the neutral form and back.
//!
//! Owns how they are kept and found again. Must never know what one of them means. A name with a dot is a member that
//! stood deeper: whoever wrote that object knows its prefix.

use payload::{object::Object, writer::Writer};

use crate::neutral::{Dropped, Extra, Family};

/// A member of this family.
pub(crate) fn extra(name: impl Into<String>, raw: &str) -> Extra {
    Extra::new(Family::Responses, name, raw)
}

/// Keeps what nobody took from `object`, its names behind `prefix`. Null is as good as absent.
pub(crate) fn keep(object: Object<'_>, prefix: &str, into: &mut Vec<Extra>) {
    let rest = object.rest().filter(|(_, raw)| *raw != "null");
    into.extend(rest.map(|(name, raw)| extra(format!("{prefix}{name}"), raw)));
}

/// The raw value of the member of this name.
pub(crate) fn find<'a>(extras: &'a [Extra], name: &str) -> Option<&'a str> {
    ours(extras)
        .find(|extra| extra.name == name)
        .map(|extra| extra.value.as_str())
}

/// Whether any member begins with `prefix`.
pub(crate) fn any(extras: &[Extra], prefix: &str) -> bool {
    ours(extras).any(|extra| extra.name.starts_with(prefix))
}

/// Writes the members whose names begin with `prefix`, without it.
pub(crate) fn write(writer: &mut Writer, extras: &[Extra], prefix: &str) {
    write_except(writer, extras, prefix, &[]);
}

/// The same, without those that `except` names: a whole name, or a prefix with its dot at the end.
pub(crate) fn write_except(writer: &mut Writer, extras: &[Extra], prefix: &str, except: &[&str]) {
    for extra in ours(extras) {
        let named =
            |it: &str| extra.name == it || (it.ends_with('.') && extra.name.starts_with(it));
        if except.iter().any(|it| named(it)) {
            continue;
        }
        if let Some(name) = extra.name.strip_prefix(prefix) {
            writer.key(name).raw(extra.value.as_str());
        }
    }
}

/// Notes what is another family's. `at` is where it stands, with its dot at the end.
pub(crate) fn note_foreign(dropped: &mut Dropped, extras: &[Extra], at: &str) {
    for extra in extras.iter().filter(|it| it.family != Family::Responses) {
        dropped.note(format!("{at}{}", extra.name));
    }
}

/// Those of this family, in order.
pub(crate) fn ours(extras: &[Extra]) -> impl Iterator<Item = &Extra> {
    extras.iter().filter(|it| it.family == Family::Responses)
}
