//! Members that only this dialect understands: taken from objects, and written back where they stood.
//!
//! A name is the path from the object that holds the extras, with dots.

use payload::{object::Object, writer::Writer};

use crate::neutral::{Dropped, Extra, Family};

/// Takes what is left of an object that stands at `under`; empty where it holds the extras itself.
pub(crate) fn take(extra: &mut Vec<Extra>, under: &str, object: Object<'_>) {
    for (name, raw) in object.rest() {
        push(extra, under, &name, raw);
    }
}

/// Takes one member.
pub(crate) fn push(extra: &mut Vec<Extra>, under: &str, name: &str, raw: &str) {
    let dot = if under.is_empty() { "" } else { "." };
    extra.push(Extra::new(
        Family::Converse,
        format!("{under}{dot}{name}"),
        raw,
    ));
}

/// The raw value of one of our own.
pub(crate) fn get<'a>(extra: &'a [Extra], name: &str) -> Option<&'a str> {
    extra
        .iter()
        .find(|it| it.family == Family::Converse && it.name == name)
        .map(|it| it.value.as_str())
}

/// Our own that stand at `under`: names and raw values. What is called as one of `except`, or stands below such a
/// one, is written by someone else; an empty one is none.
pub(crate) fn members<'a>(
    extra: &'a [Extra],
    under: &str,
    except: &[&str],
) -> impl Iterator<Item = (&'a str, &'a str)> {
    extra
        .iter()
        .filter(|it| it.family == Family::Converse)
        .filter_map(move |it| Some((below(&it.name, under)?, it.value.as_str())))
        .filter(move |(name, _)| {
            !except
                .iter()
                .any(|known| name == known || !known.is_empty() && below(name, known).is_some())
        })
}

/// Writes [`members`] into the object that is open.
pub(crate) fn write(writer: &mut Writer, extra: &[Extra], under: &str, except: &[&str]) {
    for (name, raw) in members(extra, under, except) {
        writer.key(name).raw(raw);
    }
}

/// Notes those of other families as dropped.
pub(crate) fn note(dropped: &mut Dropped, at: &str, extra: &[Extra]) {
    for other in extra.iter().filter(|it| it.family != Family::Converse) {
        let dot = if at.is_empty() { "" } else { "." };
        dropped.note(format!("{at}{dot}{}", other.name));
    }
}

fn below<'a>(name: &'a str, under: &str) -> Option<&'a str> {
    if under.is_empty() {
        return Some(name);
    }
    name.strip_prefix(under)?.strip_prefix('.')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_go_back_where_they_stood() {
        let mut extra = vec![Extra::new(Family::Chat, "x", "1")];
        let object = Object::parse(r#"{"a":[1],"b":2}"#).unwrap();
        take(&mut extra, "image.source", object);
        push(&mut extra, "image", "error", "{}");
        let at = |under, except: &[&str]| {
            let mut writer = Writer::default();
            writer.open();
            write(&mut writer, &extra, under, except);
            writer.close();
            String::from_utf8(writer.into_bytes()).unwrap()
        };
        assert_eq!(at("image.source", &[]), r#"{"a":[1],"b":2}"#);
        assert_eq!(at("image", &["source"]), r#"{"error":{}}"#);
        assert_eq!(at("", &["image"]), "{}");
        assert_eq!(get(&extra, "image.error"), Some("{}"));
        let mut dropped = Dropped::default();
        note(&mut dropped, "messages[0]", &extra);
        assert_eq!(dropped.paths(), ["messages[0].x"]);
    }
}
