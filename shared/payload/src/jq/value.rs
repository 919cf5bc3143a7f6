//! The values that programs compute with.
//!
//! Owns what a value is made of and how deep it may be. Every value that is made is counted, so that no program can make
//! more of them than its allowance; none is deeper than JSON may be, so that none can use up the stack when it goes.

use std::rc::Rc;

use crate::{
    jq::{
        allowance::{Spent, charge, charge_for, stop},
        number::Number,
    },
    json,
    object::MEMBERS_MAX,
};

/// A value.
#[derive(Debug, Clone)]
pub(crate) enum Value {
    /// Null, and how many times something was looked up in it: a path through nothing must end.
    Null(u16),
    /// `true` or `false`.
    Flag(bool),
    /// A number.
    Number(Number),
    /// A string.
    Text(Rc<String>),
    /// An array.
    Array(Rc<Array>),
    /// An object.
    Object(Rc<Object>),
}

/// Elements, in order.
#[derive(Debug, Clone, Default)]
pub(crate) struct Array {
    items: Vec<Value>,
    depth: u32,
}

/// Members, in the order in which they came. A name stands there once.
#[derive(Debug, Clone, Default)]
pub(crate) struct Object {
    members: Vec<(Rc<String>, Value)>,
    depth: u32,
}

/// How many times in a row something may be looked up in null. Full: the run ends, as with a value that is too deep.
const NULLS_MAX: u16 = 512;

// === impl Value ===

impl Value {
    /// Null.
    pub(crate) const NULL: Self = Self::Null(0);

    /// A string.
    pub(crate) fn text(said: impl Into<String>) -> Self {
        Self::Text(Rc::new(said.into()))
    }

    /// What is found in nothing.
    pub(crate) fn nothing_in(nulls: u16) -> Self {
        if nulls == NULLS_MAX {
            stop(Spent::Depth);
        }
        Self::Null(nulls + 1)
    }

    /// How many objects and arrays stand in one another here.
    pub(crate) fn depth(&self) -> u32 {
        match self {
            Self::Array(array) => array.depth + 1,
            Self::Object(object) => object.depth + 1,
            _ => 0,
        }
    }
}

impl From<Array> for Value {
    fn from(array: Array) -> Self {
        Self::Array(Rc::new(array))
    }
}

impl From<Object> for Value {
    fn from(object: Object) -> Self {
        Self::Object(Rc::new(object))
    }
}

impl FromIterator<Value> for Value {
    fn from_iter<I: IntoIterator<Item = Value>>(items: I) -> Self {
        Self::from(items.into_iter().collect::<Array>())
    }
}

// === impl Array ===

impl Array {
    /// The elements.
    pub(crate) fn items(&self) -> &[Value] {
        &self.items
    }

    /// The element at a place, from the end where the place is negative.
    pub(crate) fn place(&self, at: i64) -> Option<usize> {
        let at = if at < 0 {
            self.items
                .len()
                .checked_sub(usize::try_from(at.unsigned_abs()).ok()?)?
        } else {
            usize::try_from(at).ok()?
        };
        (at < self.items.len()).then_some(at)
    }

    /// Appends an element.
    pub(crate) fn push(&mut self, item: Value) {
        charge(1);
        self.depth = deeper(self.depth, &item);
        self.items.push(item);
    }

    /// Takes the element at `at` out, leaving null there.
    pub(crate) fn take(&mut self, at: usize) -> Value {
        self.items
            .get_mut(at)
            .map_or(Value::NULL, |item| std::mem::replace(item, Value::NULL))
    }

    /// Puts an element at `at`, with nulls before it where there were too few.
    pub(crate) fn put(&mut self, at: usize, item: Value) {
        if at >= self.items.len() {
            charge_for(at - self.items.len());
            self.items.resize(at, Value::NULL);
            self.push(item);
        } else if let Some(place) = self.items.get_mut(at) {
            self.depth = deeper(self.depth, &item);
            *place = item;
        }
    }

    /// Removes the element at `at`.
    pub(crate) fn remove(&mut self, at: usize) {
        if at < self.items.len() {
            charge_for((self.items.len() - at) / 8);
            self.items.remove(at);
        }
    }
}

impl FromIterator<Value> for Array {
    fn from_iter<I: IntoIterator<Item = Value>>(items: I) -> Self {
        let mut array = Self::default();
        items.into_iter().for_each(|item| array.push(item));
        array
    }
}

// === impl Object ===

impl Object {
    /// The members.
    pub(crate) fn members(&self) -> &[(Rc<String>, Value)] {
        &self.members
    }

    /// The value of a member.
    pub(crate) fn get(&self, name: &str) -> Option<&Value> {
        Some(&self.members.get(self.find(name)?)?.1)
    }

    /// Takes the value of a member out, leaving null there. `None` if there is no such member.
    pub(crate) fn take(&mut self, name: &str) -> Option<Value> {
        let at = self.find(name)?;
        let (_, value) = self.members.get_mut(at)?;
        Some(std::mem::replace(value, Value::NULL))
    }

    /// Sets a member, at its place if it is there already and at the end otherwise.
    pub(crate) fn put(&mut self, name: Rc<String>, value: Value) {
        charge(1);
        self.depth = deeper(self.depth, &value);
        let (found, full) = (self.find(&name), self.members.len() == MEMBERS_MAX);
        match found.and_then(|at| self.members.get_mut(at)) {
            Some((_, old)) => *old = value,
            // Full: the run ends.
            None if full => stop(Spent::Members),
            None => self.members.push((name, value)),
        }
    }

    /// Removes a member. The others keep their order.
    pub(crate) fn remove(&mut self, name: &str) {
        if let Some(at) = self.find(name) {
            self.members.remove(at);
        }
    }

    fn find(&self, name: &str) -> Option<usize> {
        // Sixteen short names are compared in one step; long ones may be the same for a long way.
        let names = self.members.len().saturating_mul(1 + name.len() / 64);
        charge_for(names / 16);
        self.members
            .iter()
            .position(|(key, _)| key.as_str() == name)
    }
}

/// The depth of a holder that gets one more value. Ends the run if it is too deep.
fn deeper(depth: u32, value: &Value) -> u32 {
    let depth = depth.max(value.depth());
    if depth >= json::DEPTH_MAX {
        stop(Spent::Depth);
    }
    depth
}
