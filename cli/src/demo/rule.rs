//! What a parameter must look like, as tables that the endpoints fill.
//!
//! Knows JSON and ranges; knows no endpoint. What no rule names is refused, because a typing error must not
//! pass as success.

use serde_json::{Map, Value};

use crate::demo::refusal::Refusal;

/// One parameter.
#[derive(Debug)]
pub struct Rule {
    /// Its name.
    pub name: &'static str,
    /// What it must be, when it is there and not null.
    pub shape: Shape,
}

/// What a value must be.
#[derive(Debug, Clone, Copy)]
pub enum Shape {
    /// A text.
    Text,
    /// A truth value.
    Boolean,
    /// A number in a range.
    Number(f64, f64),
    /// A whole number in a range.
    Integer(i64, i64),
    /// An object.
    Object,
    /// A list of objects.
    Objects,
    /// One of these texts.
    OneOf(&'static [&'static str]),
    /// A text, or a list of at most this many.
    Texts(usize),
    /// Something that its endpoint looks at.
    Any,
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    Integer,
    Decimal,
}

/// A rule in a table.
pub const fn rule(name: &'static str, shape: Shape) -> Rule {
    Rule { name, shape }
}

/// Holds every parameter against its rule.
pub fn check(body: &Map<String, Value>, rules: &[Rule]) -> Result<(), Refusal> {
    for (name, value) in body {
        let Some(rule) = rules.iter().find(|rule| rule.name == name) else {
            let message = format!("Unknown parameter: '{name}'.");
            return Err(Refusal::invalid("unknown_parameter", name, message));
        };
        if !value.is_null() {
            fits(rule, value)?;
        }
    }
    Ok(())
}

/// A value that must be there.
pub fn required<'a>(body: &'a Map<String, Value>, name: &str) -> Result<&'a Value, Refusal> {
    body.get(name)
        .filter(|value| !value.is_null())
        .ok_or_else(|| Refusal::missing(name))
}

/// The texts of a parameter that is one or a list of them.
pub fn texts(value: Option<&Value>) -> Vec<String> {
    match value {
        Some(Value::String(text)) => vec![text.clone()],
        Some(Value::Array(items)) => items
            .iter()
            .filter_map(|item| item.as_str().map(str::to_owned))
            .collect(),
        _ => Vec::new(),
    }
}

fn fits(rule: &Rule, value: &Value) -> Result<(), Refusal> {
    let expected = match rule.shape {
        Shape::Any => None,
        Shape::Text => (!value.is_string()).then_some("a string"),
        Shape::Boolean => (!value.is_boolean()).then_some("a boolean"),
        Shape::Object => (!value.is_object()).then_some("an object"),
        Shape::Objects => {
            let objects = value
                .as_array()
                .is_some_and(|it| it.iter().all(Value::is_object));
            (!objects).then_some("an array of objects")
        }
        Shape::Number(min, max) => match value.as_f64() {
            Some(number) => return in_range(rule.name, number, (min, max), Kind::Decimal),
            None => Some("a decimal"),
        },
        Shape::Integer(min, max) => match value.as_i64() {
            // The bounds are small, so both turn into the numbers that are compared without loss.
            #[expect(
                clippy::cast_precision_loss,
                reason = "bounds and what is near them are small"
            )]
            Some(number) => {
                let range = (min as f64, max as f64);
                return in_range(rule.name, number as f64, range, Kind::Integer);
            }
            None => Some("an integer"),
        },
        Shape::OneOf(known) => match value.as_str() {
            Some(text) if known.contains(&text) => None,
            Some(text) => return Err(unknown_value(rule.name, text, known)),
            None => Some("a string"),
        },
        Shape::Texts(most) => return list_of_texts(rule.name, value, most),
    };
    expected.map_or(Ok(()), |expected| {
        Err(Refusal::wrong_type(rule.name, expected, value))
    })
}

/// The refusal of a text that is not one of those known.
pub fn unknown_value(param: &str, text: &str, known: &[&str]) -> Refusal {
    let known: Vec<String> = known.iter().map(|it| format!("'{it}'")).collect();
    let message = format!(
        "Invalid value: '{text}'. Supported values are: {}.",
        known.join(", ")
    );
    Refusal::invalid("invalid_value", param, message)
}

fn in_range(param: &str, number: f64, range: (f64, f64), kind: Kind) -> Result<(), Refusal> {
    let (min, max) = range;
    let (below, above) = kind.codes();
    let (code, side, bound) = match number {
        number if number < min => (below, ">=", min),
        number if number > max => (above, "<=", max),
        _ => return Ok(()),
    };
    let message =
        format!("Invalid '{param}': expected a value {side} {bound}, but got {number} instead.");
    Err(Refusal::invalid(code, param, message))
}

fn list_of_texts(param: &str, value: &Value, most: usize) -> Result<(), Refusal> {
    let items = match value {
        Value::String(_) => return Ok(()),
        Value::Array(items) if items.iter().all(Value::is_string) => items,
        other => {
            return Err(Refusal::wrong_type(
                param,
                "a string or an array of strings",
                other,
            ));
        }
    };
    if items.len() <= most {
        return Ok(());
    }
    let message = format!("Invalid '{param}': array too long. Expected at most {most} items.");
    Err(Refusal::invalid("array_above_max_length", param, message))
}

// === impl Kind ===

impl Kind {
    /// The codes for what is too small and too large.
    const fn codes(self) -> (&'static str, &'static str) {
        match self {
            Self::Integer => ("integer_below_min_value", "integer_above_max_value"),
            Self::Decimal => ("decimal_below_min_value", "decimal_above_max_value"),
        }
    }
}
