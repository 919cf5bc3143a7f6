//! How values are ordered: null, false, true, numbers, strings, arrays, objects.
//!
//! Every comparison is counted by what it looks at.

use std::cmp::Ordering;

use crate::jq::{
    allowance::{charge, charge_for_bytes},
    value::{Object, Value},
};

// === impl Value ===

impl Value {
    /// A total order, so that sorting never breaks.
    fn order(&self, other: &Self) -> Ordering {
        charge(1);
        match (self, other) {
            (Self::Number(one), Self::Number(other)) => one.order(other),
            (Self::Text(one), Self::Text(other)) => {
                charge_for_bytes(one.len().min(other.len()));
                one.cmp(other)
            }
            (Self::Array(one), Self::Array(other)) => one.items().cmp(other.items()),
            (Self::Object(one), Self::Object(other)) => order_of_objects(one, other),
            (Self::Flag(one), Self::Flag(other)) => one.cmp(other),
            _ => self.rank().cmp(&other.rank()),
        }
    }

    const fn rank(&self) -> u8 {
        match self {
            Self::Null(_) => 0,
            Self::Flag(_) => 1,
            Self::Number(_) => 2,
            Self::Text(_) => 3,
            Self::Array(_) => 4,
            Self::Object(_) => 5,
        }
    }
}

/// First by the names, then by the values.
fn order_of_objects(one: &Object, other: &Object) -> Ordering {
    let (one, other) = (sorted(one), sorted(other));
    let names = one.iter().map(|(name, _)| name);
    names.cmp(other.iter().map(|(name, _)| name)).then_with(|| {
        let values = one.iter().map(|(_, value)| value);
        values.cmp(other.iter().map(|(_, value)| value))
    })
}

fn sorted(object: &Object) -> Vec<(&str, &Value)> {
    let names = object.members().iter().map(|(name, _)| 64 + name.len());
    charge_for_bytes(names.sum());
    let members = object.members().iter();
    let mut members: Vec<_> = members
        .map(|(name, value)| (name.as_str(), value))
        .collect();
    members.sort_by_key(|(name, _)| *name);
    members
}

impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        self.partial_cmp(other) == Some(Ordering::Equal)
    }
}

impl Eq for Value {}

#[expect(
    clippy::non_canonical_partial_ord_impl,
    reason = "the language wants an order that sorting cannot stand"
)]
impl PartialOrd for Value {
    /// Like the total order, except that what is no number is less than everything, itself too, as every jq has it.
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Number(one), Self::Number(_)) if one.is_nan() => Some(Ordering::Less),
            _ => Some(self.order(other)),
        }
    }
}

impl Ord for Value {
    fn cmp(&self, other: &Self) -> Ordering {
        self.order(other)
    }
}
