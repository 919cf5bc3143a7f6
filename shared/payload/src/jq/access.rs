//! How a program reaches into a value: members, elements, slices, and what it puts there.
//!
//! Knows the interpreter's idea of a value. What is visited is counted; what is looked up in null ends after a while.

use std::rc::Rc;

use jaq_core::{
    Error, Exn, ValR, ValT, ValX,
    path::Opt,
    val::{Range, ValRs},
};

use crate::jq::{
    allowance::{charge, charge_for, charge_for_bytes},
    arithmetic::own,
    number::Number,
    value::{Array, Object, Value},
    write,
};

/// What a slice costs in a path. The interpreter keeps paths as lists that use up the stack when they go, and nothing
/// else ends a path of slices.
const PATH_SLICE_STEPS: u64 = 500;

/// What it costs to begin visiting parts: about what the interpreter takes to hand one on through the levels above.
const VISIT_STEPS: u64 = 8;

/// The parts of an array or object, one after the other.
struct Parts {
    whole: Value,
    at: usize,
}

// === impl Value ===

impl From<bool> for Value {
    fn from(flag: bool) -> Self {
        Self::Flag(flag)
    }
}

impl From<isize> for Value {
    fn from(number: isize) -> Self {
        i64::try_from(number).map_or(Self::NULL, |whole| Self::Number(Number::Whole(whole)))
    }
}

impl From<usize> for Value {
    fn from(number: usize) -> Self {
        i64::try_from(number).map_or(Self::NULL, |whole| Self::Number(Number::Whole(whole)))
    }
}

impl From<f64> for Value {
    fn from(number: f64) -> Self {
        Self::Number(Number::Float(number))
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        charge_for_bytes(text.len());
        Self::text(text)
    }
}

/// A slice as a part of a path.
impl From<Range<Self>> for Value {
    fn from(range: Range<Self>) -> Self {
        charge(PATH_SLICE_STEPS);
        let mut slice = Object::default();
        for (name, bound) in [("start", range.start), ("end", range.end)] {
            slice.put(Rc::new(name.to_owned()), bound.unwrap_or(Self::NULL));
        }
        slice.into()
    }
}

impl ValT for Value {
    fn from_num(raw: &str) -> ValR<Self> {
        match Number::literal(raw) {
            Some(number) => Ok(Self::Number(number)),
            None => Err(Error::str(format_args!("{raw} is no number"))),
        }
    }

    fn from_map<I: IntoIterator<Item = (Self, Self)>>(members: I) -> ValR<Self> {
        let mut object = Object::default();
        for (name, value) in members {
            match name {
                Self::Text(name) => object.put(name, value),
                other => return Err(Error::typ(other, "the name of a member")),
            }
        }
        Ok(object.into())
    }

    fn key_values(self) -> ValRs<'static, (Self, Self), Self> {
        match self {
            Self::Array(_) | Self::Object(_) => Box::new(Parts::of(self).map(Ok)),
            other => Box::new(std::iter::once(Err(Error::typ(other, "array or object")))),
        }
    }

    fn values(self) -> Box<dyn Iterator<Item = ValR<Self>>> {
        match self {
            Self::Array(_) | Self::Object(_) => {
                Box::new(Parts::of(self).map(|(_, value)| Ok(value)))
            }
            other => Box::new(std::iter::once(Err(Error::typ(other, "array or object")))),
        }
    }

    fn index(self, index: &Self) -> ValR<Self> {
        charge(1);
        match (&self, index) {
            (Self::Object(object), Self::Text(name)) => {
                Ok(object.get(name).cloned().unwrap_or(Self::Null(1)))
            }
            (Self::Array(array), Self::Number(at)) => {
                let found = array.place(at.floor()).and_then(|at| array.items().get(at));
                Ok(found.cloned().unwrap_or(Self::Null(1)))
            }
            (Self::Null(nulls), Self::Text(_) | Self::Number(_) | Self::Null(_)) => {
                Ok(Self::nothing_in(*nulls))
            }
            (_, Self::Object(slice)) => self.range(slice.get("start")..slice.get("end")),
            _ => Err(Error::index(self, index.clone())),
        }
    }

    fn range(self, range: Range<&Self>) -> ValR<Self> {
        match &self {
            Self::Null(nulls) => Ok(Self::nothing_in(*nulls)),
            Self::Array(array) => {
                let (from, to) = bounds(&range, array.items().len())?;
                Ok(array
                    .items()
                    .get(from..to)
                    .unwrap_or_default()
                    .iter()
                    .cloned()
                    .collect())
            }
            Self::Text(text) => {
                charge_for_bytes(text.len());
                let (from, to) = bounds(&range, text.chars().count())?;
                Ok(Self::text(
                    text.chars().take(to).skip(from).collect::<String>(),
                ))
            }
            _ => Err(Error::typ(self, "array or string")),
        }
    }

    fn map_values<'a, I: Iterator<Item = ValX<'a, Self>>>(
        self,
        opt: Opt,
        f: impl Fn(Self) -> I,
    ) -> ValX<'a, Self> {
        match self {
            Self::Array(_) => Parts::of(self).flat_map(|(_, item)| f(item)).collect(),
            Self::Object(object) => {
                let mut mapped = Object::default();
                for (name, value) in object.members() {
                    charge(1);
                    if let Some(value) = f(value.clone()).next() {
                        mapped.put(Rc::clone(name), value?);
                    }
                }
                Ok(mapped.into())
            }
            other => opt.fail(other, |it| Exn::from(Error::typ(it, "array or object"))),
        }
    }

    fn map_index<'a, I: Iterator<Item = ValX<'a, Self>>>(
        self,
        index: &Self,
        opt: Opt,
        f: impl Fn(Self) -> I,
    ) -> ValX<'a, Self> {
        charge(1);
        match (self, index) {
            (whole, Self::Object(slice)) if !matches!(whole, Self::Object(_)) => {
                whole.map_range(slice.get("start")..slice.get("end"), opt, f)
            }
            (Self::Null(_), Self::Text(name)) => map_member(Rc::default(), name, &f),
            (Self::Object(object), Self::Text(name)) => map_member(object, name, &f),
            (Self::Null(_), Self::Number(at)) => map_element(Rc::default(), at.floor(), &f),
            (Self::Array(array), Self::Number(at)) => map_element(array, at.floor(), &f),
            (other, index) => opt.fail(other, |it| Exn::from(Error::index(it, index.clone()))),
        }
    }

    fn map_range<'a, I: Iterator<Item = ValX<'a, Self>>>(
        self,
        range: Range<&Self>,
        opt: Opt,
        f: impl Fn(Self) -> I,
    ) -> ValX<'a, Self> {
        let array = match self {
            Self::Null(_) => Rc::default(),
            Self::Array(array) => array,
            other => return opt.fail(other, |it| Exn::from(Error::typ(it, "array"))),
        };
        let items = array.items();
        let (from, to) = bounds(&range, items.len()).map_err(Exn::from)?;
        let slice = items
            .get(from..to)
            .unwrap_or_default()
            .iter()
            .cloned()
            .collect();
        let new = match f(slice).next().transpose()? {
            None => Rc::default(),
            Some(Self::Array(new)) => new,
            Some(other) => return Err(Exn::from(Error::typ(other, "array"))),
        };
        let before = items.get(..from).unwrap_or_default().iter();
        let behind = items.get(to..).unwrap_or_default().iter();
        Ok(before.chain(new.items()).chain(behind).cloned().collect())
    }

    fn as_bool(&self) -> bool {
        !matches!(self, Self::Null(_) | Self::Flag(false))
    }

    fn into_string(self) -> Self {
        match self {
            Self::Text(_) => self,
            // Too long: the run gives no result anyway, for its output would be.
            other => write::text(&other).map_or(Self::NULL, Self::text),
        }
    }
}

/// Changes a member, or removes it where nothing comes back.
fn map_member<'a, I: Iterator<Item = ValX<'a, Value>>>(
    mut object: Rc<Object>,
    name: &Rc<String>,
    f: impl Fn(Value) -> I,
) -> ValX<'a, Value> {
    let members = own(&mut object, |object| object.members().len());
    let old = members.take(name);
    let was_there = old.is_some();
    match f(old.unwrap_or(Value::NULL)).next().transpose()? {
        Some(new) => members.put(Rc::clone(name), new),
        None if was_there => members.remove(name),
        None => {}
    }
    Ok(Value::Object(object))
}

/// Changes an element, or removes it where nothing comes back. Behind the end, nulls fill the gap.
fn map_element<'a, I: Iterator<Item = ValX<'a, Value>>>(
    mut array: Rc<Array>,
    at: i64,
    f: impl Fn(Value) -> I,
) -> ValX<'a, Value> {
    let place = array.place(at).or_else(|| usize::try_from(at).ok());
    let Some(place) = place else {
        return Err(Exn::from(Error::str(format_args!(
            "there is no element {at}"
        ))));
    };
    let items = own(&mut array, |array| array.items().len());
    let old = items.take(place);
    match f(old).next().transpose()? {
        Some(new) => items.put(place, new),
        None => items.remove(place),
    }
    Ok(Value::Array(array))
}

/// From where to where a slice goes in something of this length.
fn bounds(range: &Range<&Value>, len: usize) -> Result<(usize, usize), Error<Value>> {
    let bound = |value: Option<&Value>, missing: usize| match value {
        None | Some(Value::Null(_)) => Ok(missing),
        Some(Value::Number(number)) => {
            let at = number.floor();
            let distance = usize::try_from(at.unsigned_abs()).unwrap_or(usize::MAX);
            Ok(if at < 0 {
                len.saturating_sub(distance)
            } else {
                distance.min(len)
            })
        }
        Some(other) => Err(Error::typ(other.clone(), "number")),
    };
    let (from, to) = (bound(range.start, 0)?, bound(range.end, len)?);
    Ok((from, to.max(from)))
}

impl jaq_std::ValT for Value {
    fn into_seq<S: FromIterator<Self>>(self) -> Result<S, Self> {
        match self {
            Self::Array(array) => {
                charge_for(array.items().len());
                Ok(array.items().iter().cloned().collect())
            }
            other => Err(other),
        }
    }

    fn is_int(&self) -> bool {
        matches!(self, Self::Number(Number::Whole(_)))
    }

    fn as_isize(&self) -> Option<isize> {
        match self {
            Self::Number(Number::Whole(whole)) => isize::try_from(*whole).ok(),
            _ => None,
        }
    }

    fn as_f64(&self) -> Option<f64> {
        match self {
            Self::Number(number) => Some(number.float()),
            _ => None,
        }
    }

    fn is_utf8_str(&self) -> bool {
        matches!(self, Self::Text(_))
    }

    fn as_bytes(&self) -> Option<&[u8]> {
        match self {
            Self::Text(text) => {
                // Whoever asks for the bytes looks at all of them.
                charge_for_bytes(text.len());
                Some(text.as_bytes())
            }
            _ => None,
        }
    }

    fn as_sub_str(&self, part: &[u8]) -> Self {
        charge_for_bytes(part.len());
        Self::text(String::from_utf8_lossy(part))
    }

    fn from_utf8_bytes(bytes: impl AsRef<[u8]> + Send + 'static) -> Self {
        charge_for_bytes(bytes.as_ref().len());
        Self::text(String::from_utf8_lossy(bytes.as_ref()))
    }
}

// === impl Parts ===

impl Parts {
    fn of(whole: Value) -> Self {
        charge(VISIT_STEPS);
        Self { whole, at: 0 }
    }
}

impl Iterator for Parts {
    type Item = (Value, Value);

    fn next(&mut self) -> Option<Self::Item> {
        let part = match &self.whole {
            Value::Array(array) => (Value::from(self.at), array.items().get(self.at)?.clone()),
            Value::Object(object) => {
                let (name, value) = object.members().get(self.at)?;
                (Value::Text(Rc::clone(name)), value.clone())
            }
            _ => return None,
        };
        charge(1);
        self.at += 1;
        Some(part)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let len = match &self.whole {
            Value::Array(array) => array.items().len(),
            Value::Object(object) => object.members().len(),
            _ => 0,
        };
        let left = len.saturating_sub(self.at);
        (left, Some(left))
    }
}
