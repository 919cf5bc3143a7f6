//! The changes themselves: each cuts a piece out of a payload and puts another there.
//!
//! Every byte outside that piece is copied as it is. What is given must be JSON, and what comes back is.

use std::ops::Range;

use crate::{
    json,
    object::Misfit,
    transform::{
        path::{Path, Step},
        place::{self, Place},
    },
    writer::Writer,
};

/// A payload after one rule: nothing where it was right already.
pub(crate) type Changed = Result<Option<String>, Misfit>;

/// At which end something is added.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// In front.
    Front,
    /// Behind.
    Back,
}

/// Bounds of a number, and how they are written.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Bounds {
    /// The least.
    pub(crate) min: Option<(f64, String)>,
    /// The most.
    pub(crate) max: Option<(f64, String)>,
}

/// The text with another piece in the place of this one.
pub(crate) fn replaced(text: &str, place: Range<usize>, piece: &str) -> String {
    let mut out = String::with_capacity(text.len() + piece.len());
    out.push_str(text.get(..place.start).unwrap_or_default());
    out.push_str(piece);
    out.push_str(text.get(place.end..).unwrap_or_default());
    out
}

/// Makes the value at some steps this one; only where none is, if `missing_only`.
pub(crate) fn set(text: &str, steps: &[Step], raw: &str, missing_only: bool) -> Changed {
    let (place, piece) = match place::find(text, steps)? {
        Place::Found(found) => {
            let old = text.get(found.value.clone()).unwrap_or_default();
            if old == raw || missing_only && old != "null" {
                return Ok(None);
            }
            (found.value, raw.to_owned())
        }
        Place::NoMember { at, first, rest } => {
            let members = nested(rest, raw, steps)?;
            (at..at, format!("{}{members}", if first { "" } else { "," }))
        }
        Place::Null { at, rest } => (at, format!("{{{}}}", nested(rest, raw, steps)?)),
        Place::NoElement => {
            let misfit = Misfit::new("is not there");
            return Err(place::seen_from_outside(misfit, Some(steps)));
        }
    };
    Ok(Some(replaced(text, place, &piece)))
}

/// Brings a number into bounds.
pub(crate) fn clamp(text: &str, path: &Path, bounds: &Bounds) -> Changed {
    let Place::Found(found) = place::find(text, path.steps())? else {
        return Ok(None);
    };
    let raw = text.get(found.value.clone()).unwrap_or_default();
    if raw == "null" {
        return Ok(None);
    }
    let is_number = raw.starts_with(|it: char| it == '-' || it.is_ascii_digit());
    let Some(number) = raw.parse::<f64>().ok().filter(|_| is_number) else {
        let misfit = Misfit::new("must be a number");
        return Err(place::seen_from_outside(misfit, Some(path.steps())));
    };
    let bound = match (&bounds.min, &bounds.max) {
        (Some((min, raw)), _) if number < *min => raw,
        (_, Some((max, raw))) if number > *max => raw,
        _ => return Ok(None),
    };
    Ok(Some(replaced(text, found.value, bound)))
}

/// Removes what stands there.
pub(crate) fn remove(text: &str, steps: &[Step]) -> Changed {
    Ok(match place::find(text, steps)? {
        Place::Found(found) => Some(replaced(text, found.cut(), "")),
        _ => None,
    })
}

/// Gives a member another name, or moves it.
pub(crate) fn rename(text: &str, from: &Path, to: &Path) -> Changed {
    let Place::Found(found) = place::find(text, from.steps())? else {
        return Ok(None);
    };
    if let Place::Found(_) = place::find(text, to.steps())? {
        return remove(text, from.steps());
    }
    let same_object = |((from, _), (to, name))| (from == to).then_some(name);
    if let Some(name) = from.member().zip(to.member()).and_then(same_object) {
        let mut key = Writer::default();
        key.text(name);
        let key = String::from_utf8(key.into_bytes()).unwrap_or_default();
        let colon = text
            .get(found.item.start..found.value.start)
            .unwrap_or_default();
        let old = json::value(text, found.item.start).map_or(0, |place| place.len());
        let place = found.item.start..found.item.start + old.min(colon.len());
        return Ok(Some(replaced(text, place, &key)));
    }
    let raw = text.get(found.value.clone()).unwrap_or_default();
    let without = replaced(text, found.cut(), "");
    let moved = set(&without, to.steps(), raw, false)?.unwrap_or(without);
    // What was as deep as can be may now stand deeper.
    match json::value(&moved, 0) {
        Ok(_) => Ok(Some(moved)),
        Err(_) => Err(place::seen_from_outside(
            Misfit::new("is nested too deeply"),
            Some(from.steps()),
        )),
    }
}

/// Adds an element to the array that stands at `array`.
pub(crate) fn add_element(text: &str, array: Range<usize>, end: End, raw: &str) -> String {
    let inner = text
        .get(array.start + 1..array.end.saturating_sub(1))
        .unwrap_or_default();
    let empty = inner.trim_ascii().is_empty();
    let comma = if empty { "" } else { "," };
    match end {
        End::Front => replaced(
            text,
            array.start + 1..array.start + 1,
            &format!("{raw}{comma}"),
        ),
        End::Back => {
            let at = array.start + 1 + inner.trim_ascii_end().len();
            replaced(text, at..at, &format!("{comma}{raw}"))
        }
    }
}

/// The members that lead to a value: `"a":{"b":1}`. Steps to elements lead nowhere.
fn nested(rest: &[Step], raw: &str, steps: &[Step]) -> Result<String, Misfit> {
    let mut writer = Writer::default();
    for (at, step) in rest.iter().enumerate() {
        let Step::Name(name) = step else {
            let misfit = Misfit::new("is not there");
            return Err(place::seen_from_outside(misfit, Some(steps)));
        };
        if at > 0 {
            writer.open();
        }
        writer.key(name);
    }
    writer.raw(raw);
    for _ in 1..rest.len() {
        writer.close();
    }
    Ok(String::from_utf8(writer.into_bytes()).unwrap_or_default())
}
