//! Where a path leads in a payload, and where it ends if it leads nowhere.
//!
//! Knows the grammar through `json`. A member on the way that another reader could read otherwise, because it stands
//! there twice or in other letter case, is refused: a rule that it could evade is none.

use std::ops::Range;

use crate::{
    json::{self, Fault},
    object::Misfit,
    scalar,
    transform::path::Step,
};

/// Where a path leads.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Place<'p> {
    /// Here.
    Found(Found),
    /// Into an object that has no such member.
    NoMember {
        /// Where a member can be written: in front of the closing brace, or behind the last value.
        at: usize,
        /// Whether it is the first.
        first: bool,
        /// The steps that are left, the missing name first.
        rest: &'p [Step],
    },
    /// Into null, where an object could stand.
    Null {
        /// The null.
        at: Range<usize>,
        /// The steps that are left.
        rest: &'p [Step],
    },
    /// To an element that is not there.
    NoElement,
}

/// A member or an element.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Found {
    /// All of it: of a member, its name too.
    pub(crate) item: Range<usize>,
    /// Its value.
    pub(crate) value: Range<usize>,
    /// Where the one before it ends.
    pub(crate) before: Option<usize>,
    /// Where the one behind it begins.
    pub(crate) behind: Option<usize>,
}

/// Follows the steps from the outermost object of `text`, which must be JSON.
pub(crate) fn find<'p>(text: &str, steps: &'p [Step]) -> Result<Place<'p>, Misfit> {
    let whole = json::value(text, 0).map_err(|_| Misfit::new("must be an object"))?;
    let mut value = whole.clone();
    let mut place = Place::Found(Found {
        item: whole.clone(),
        value: whole,
        before: None,
        behind: None,
    });
    for (at, step) in steps.iter().enumerate() {
        let raw = text.get(value.clone()).unwrap_or_default();
        let rest = steps.get(at..).unwrap_or_default();
        let found = match step {
            _ if raw == "null" => Ok(Err(Place::Null {
                at: value.clone(),
                rest,
            })),
            Step::Name(name) => member(raw, name).map(|found| {
                found.map_err(|(at, first)| Place::NoMember {
                    at: at + value.start,
                    first,
                    rest,
                })
            }),
            Step::At(at) => element(raw, *at).map(|found| found.ok_or(Place::NoElement)),
        };
        let found = found.map_err(|misfit| seen_from_outside(misfit, steps.get(..at)))?;
        match found {
            Ok(found) => {
                let found = found.moved(value.start);
                value = found.value.clone();
                place = Place::Found(found);
            }
            Err(Place::NoElement | Place::Null { .. }) if matches!(step, Step::At(_)) => {
                return Ok(Place::NoElement);
            }
            Err(nowhere) => return Ok(nowhere),
        }
    }
    Ok(place)
}

/// Names the place of a misfit from the outermost object.
pub(crate) fn seen_from_outside(misfit: Misfit, steps: Option<&[Step]>) -> Misfit {
    let steps = steps.unwrap_or_default().iter().rev();
    steps.fold(misfit, |misfit, step| match step {
        Step::Name(name) => misfit.within(name),
        Step::At(at) => match usize::try_from(*at) {
            Ok(index) => misfit.within_element(index),
            Err(_) => misfit.within(&step.to_string()),
        },
    })
}

/// The member of a name, or where it could be written and whether it would be the first.
fn member(raw: &str, name: &str) -> Result<Result<Found, (usize, bool)>, Misfit> {
    if !raw.starts_with('{') {
        return Err(Misfit::new("must be an object"));
    }
    let mut items = Items::default();
    let mut trouble = None;
    let walked = json::members(raw, |key, value| {
        let start = key.as_ptr().addr() - raw.as_ptr().addr();
        let is_it = match scalar::string(key) {
            Some(key) if key == name => true,
            Some(key) if alike(&key, name) => {
                trouble.get_or_insert(
                    "differs from another name only in letter case: write it as that",
                );
                false
            }
            _ => false,
        };
        if is_it && items.found.is_some() {
            trouble.get_or_insert("stands there twice: send it once");
        }
        items.take(start..value.end, value, is_it);
        Ok::<_, Fault>(())
    });
    let brace = walked.map_err(|_| Misfit::new("must be an object"))?;
    match (trouble, items.found) {
        (Some(why), _) => Err(Misfit::new(why).within(name)),
        (None, Some(found)) => Ok(Ok(found)),
        (None, None) => Ok(Err((
            items.last_end.unwrap_or(brace),
            items.last_end.is_none(),
        ))),
    }
}

/// The element at a place.
fn element(raw: &str, at: i64) -> Result<Option<Found>, Misfit> {
    if !raw.starts_with('[') {
        return Err(Misfit::new("must be an array"));
    }
    let mut values = Vec::new();
    json::elements(raw, |value| {
        values.push(value);
        Ok::<_, Fault>(())
    })
    .map_err(|_| Misfit::new("must be an array"))?;
    let distance = usize::try_from(at.unsigned_abs()).unwrap_or(usize::MAX);
    let at = if at < 0 {
        values.len().checked_sub(distance)
    } else {
        Some(distance)
    };
    let mut items = Items::default();
    for (index, value) in values.into_iter().enumerate() {
        items.take(value.clone(), value, Some(index) == at);
    }
    Ok(items.found)
}

/// Whether two names are the same to a reader that minds no letter case: Go's knows two letters that are not ASCII.
fn alike(one: &str, other: &str) -> bool {
    let folded = |letter: char| match letter {
        '\u{17f}' => 's',
        '\u{212a}' => 'k',
        _ => letter.to_ascii_lowercase(),
    };
    one.chars().map(folded).eq(other.chars().map(folded))
}

/// The items of an object or array as they go by, and the one that is looked for.
#[derive(Default)]
struct Items {
    found: Option<Found>,
    last_end: Option<usize>,
}

// === impl Items ===

impl Items {
    fn take(&mut self, item: Range<usize>, value: Range<usize>, is_it: bool) {
        if let Some(found) = &mut self.found
            && found.behind.is_none()
        {
            found.behind = Some(item.start);
        }
        let before = self.last_end.replace(item.end);
        if is_it {
            let behind = None;
            self.found = Some(Found {
                item,
                value,
                before,
                behind,
            });
        }
    }
}

// === impl Found ===

impl Found {
    /// What to cut out so that it is gone: its comma too.
    pub(crate) fn cut(&self) -> Range<usize> {
        match (self.before, self.behind) {
            (Some(before), _) => before..self.item.end,
            (None, Some(behind)) => self.item.start..behind,
            (None, None) => self.item.clone(),
        }
    }

    fn moved(self, by: usize) -> Self {
        let range = |range: Range<usize>| range.start + by..range.end + by;
        Self {
            item: range(self.item),
            value: range(self.value),
            before: self.before.map(|at| at + by),
            behind: self.behind.map(|at| at + by),
        }
    }
}
