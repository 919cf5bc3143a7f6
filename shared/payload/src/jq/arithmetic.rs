//! What `+`, `-`, `*`, `/` and `%` make of two values.
//!
//! Every byte and element that is made is counted before it is made.

use std::{
    ops::{Add, Div, Mul, Neg, Rem, Sub},
    rc::Rc,
};

use jaq_core::{Error, ops::Math};

use crate::jq::{
    allowance::{charge_for, charge_for_bytes},
    number::Number,
    value::{Array, Object, Value},
};

/// A value, or an error that a program can catch.
pub(crate) type ValueR = Result<Value, Error<Value>>;

// === impl Value ===

impl Add for Value {
    type Output = ValueR;

    fn add(self, other: Self) -> ValueR {
        Ok(match (self, other) {
            (Self::Null(_), value) | (value, Self::Null(_)) => value,
            (Self::Number(one), Self::Number(other)) => Self::Number(one.plus(&other)),
            (Self::Text(mut one), Self::Text(other)) => {
                // What nobody else holds grows in its place; what somebody does is copied first.
                let copied = if Rc::strong_count(&one) > 1 {
                    one.len()
                } else {
                    0
                };
                charge_for_bytes(copied + other.len());
                Rc::make_mut(&mut one).push_str(&other);
                Self::Text(one)
            }
            (Self::Array(mut one), Self::Array(other)) => {
                let grown = own(&mut one, |array| array.items().len());
                other
                    .items()
                    .iter()
                    .cloned()
                    .for_each(|item| grown.push(item));
                Self::Array(one)
            }
            (Self::Object(mut one), Self::Object(other)) => {
                let grown = own(&mut one, |object| object.members().len());
                for (name, value) in other.members() {
                    grown.put(Rc::clone(name), value.clone());
                }
                Self::Object(one)
            }
            (one, other) => return Err(Error::math(one, Math::Add, other)),
        })
    }
}

impl Sub for Value {
    type Output = ValueR;

    fn sub(self, other: Self) -> ValueR {
        match (self, other) {
            (Self::Number(one), Self::Number(other)) => Ok(Self::Number(one.minus(&other))),
            (Self::Array(one), Self::Array(other)) => {
                let left = one.items().iter();
                Ok(left
                    .filter(|item| !other.items().contains(item))
                    .cloned()
                    .collect())
            }
            (one, other) => Err(Error::math(one, Math::Sub, other)),
        }
    }
}

impl Mul for Value {
    type Output = ValueR;

    fn mul(self, other: Self) -> ValueR {
        match (self, other) {
            (Self::Number(one), Self::Number(other)) => Ok(Self::Number(one.times(&other))),
            (Self::Text(text), Self::Number(times)) | (Self::Number(times), Self::Text(text)) => {
                Ok(repeated(&text, &times))
            }
            (Self::Object(mut one), Self::Object(other)) => {
                merge(own(&mut one, |object| object.members().len()), &other)?;
                Ok(Self::Object(one))
            }
            (one, other) => Err(Error::math(one, Math::Mul, other)),
        }
    }
}

impl Div for Value {
    type Output = ValueR;

    fn div(self, other: Self) -> ValueR {
        match (self, other) {
            (Self::Number(one), Self::Number(other)) => Ok(Self::Number(one.by(&other))),
            (Self::Text(one), Self::Text(other)) => Ok(split(&one, &other)),
            (one, other) => Err(Error::math(one, Math::Div, other)),
        }
    }
}

impl Rem for Value {
    type Output = ValueR;

    fn rem(self, other: Self) -> ValueR {
        match (self, other) {
            (Self::Number(one), Self::Number(other)) => match one.left_by(&other) {
                Some(left) => Ok(Self::Number(left)),
                None => Err(Error::math(
                    Self::Number(one),
                    Math::Rem,
                    Self::Number(other),
                )),
            },
            (one, other) => Err(Error::math(one, Math::Rem, other)),
        }
    }
}

impl Neg for Value {
    type Output = ValueR;

    fn neg(self) -> ValueR {
        match self {
            Self::Number(number) => Ok(Self::Number(number.negated())),
            other => Err(Error::typ(other, "number")),
        }
    }
}

/// The thing itself, to be changed. What somebody else holds too is copied, which costs as much as it has parts.
pub(crate) fn own<T: Clone>(held: &mut Rc<T>, parts: impl FnOnce(&T) -> usize) -> &mut T {
    if Rc::strong_count(held) > 1 {
        charge_for(parts(held));
    }
    Rc::make_mut(held)
}

/// A text so many times, null where that is not even once.
fn repeated(text: &str, times: &Number) -> Value {
    let times = usize::try_from(times.floor()).unwrap_or(0);
    if times == 0 {
        return Value::NULL;
    }
    charge_for_bytes(text.len().saturating_mul(times));
    Value::text(text.repeat(times))
}

/// The pieces of a text between a separator; its characters where that is empty.
fn split(text: &str, separator: &str) -> Value {
    charge_for_bytes(text.len());
    let pieces: Array = if text.is_empty() {
        Array::default()
    } else if separator.is_empty() {
        text.chars().map(Value::text).collect()
    } else {
        text.split(separator).map(Value::text).collect()
    };
    pieces.into()
}

/// Takes over what stands in `other`; an object in both is merged in turn.
fn merge(object: &mut Object, other: &Object) -> Result<(), Error<Value>> {
    for (name, value) in other.members() {
        let merged = match (object.take(name), value) {
            (Some(old @ Value::Object(_)), new @ Value::Object(_)) => (old * new.clone())?,
            _ => value.clone(),
        };
        object.put(Rc::clone(name), merged);
    }
    Ok(())
}
