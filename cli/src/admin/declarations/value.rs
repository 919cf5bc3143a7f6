//! A value of a file as a value of the contract.
//!
//! Knows TOML and descriptors: spans such as `90d`, the words of enumerations as results show them, tables for messages. What is
//! wrong is told by its place and its field; the value itself is never told, since it may be a secret that went astray.

use prost_reflect::{
    DynamicMessage, EnumDescriptor, EnumValueDescriptor, FieldDescriptor, Kind, MessageDescriptor,
    Value,
};
use time::OffsetDateTime;
use toml::{
    Spanned,
    de::{DeInteger, DeValue},
};

use crate::moment::{self, Moment};

/// What is wrong, and where.
#[derive(Debug, PartialEq, Eq)]
pub struct Wrong {
    /// The place in the text, in bytes.
    pub at: usize,
    /// The field, such as `key_rotation.period`.
    pub field: String,
    /// Why.
    pub why: String,
}

/// Reads the value of a field that `path` names.
pub fn read(
    field: &FieldDescriptor,
    path: &str,
    given: &Spanned<DeValue<'_>>,
) -> Result<Value, Wrong> {
    if !field.is_list() {
        return one(&field.kind(), path, given);
    }
    let DeValue::Array(items) = given.get_ref() else {
        return Err(wrong(path, given, "must be a list in brackets"));
    };
    let items = items.iter().enumerate();
    let read = items.map(|(at, item)| one(&field.kind(), &format!("{path}[{at}]"), item));
    read.collect::<Result<_, _>>().map(Value::List)
}

fn one(kind: &Kind, path: &str, given: &Spanned<DeValue<'_>>) -> Result<Value, Wrong> {
    let refused = |why: &str| Err(wrong(path, given, why));
    match (kind, given.get_ref()) {
        (Kind::String, DeValue::String(text)) => Ok(Value::String(text.to_string())),
        (Kind::String, _) => refused("must be a text in quotes"),
        (Kind::Bool, DeValue::Boolean(yes)) => Ok(Value::Bool(*yes)),
        (Kind::Bool, _) => refused("must be true or false"),
        (Kind::Int32, DeValue::Integer(number)) => match whole(number).map(i32::try_from) {
            Some(Ok(number)) => Ok(Value::I32(number)),
            _ => refused("is too large"),
        },
        (Kind::Int64, DeValue::Integer(number)) => match whole(number) {
            Some(number) => Ok(Value::I64(number)),
            None => refused("is too large"),
        },
        (Kind::Int32 | Kind::Int64, _) => refused("must be a whole number"),
        (Kind::Enum(of), given) => {
            let word = match given {
                DeValue::String(word) => number(of, word),
                _ => None,
            };
            match word {
                Some(number) => Ok(Value::EnumNumber(number)),
                None => refused(&format!("must be one of {}", words(of).join(", "))),
            }
        }
        (Kind::Message(of), _) => message(of, path, given).map(Value::Message),
        _ => refused("cannot be declared"),
    }
}

fn wrong(path: &str, given: &Spanned<DeValue<'_>>, why: &str) -> Wrong {
    Wrong {
        at: given.span().start,
        field: path.to_owned(),
        why: why.to_owned(),
    }
}

fn whole(number: &DeInteger<'_>) -> Option<i64> {
    i64::from_str_radix(number.as_str(), number.radix()).ok()
}

/// The words of an enumeration, as results show them, and their numbers. The one for "nothing" is left out.
fn pairs(of: &EnumDescriptor) -> Vec<(String, i32)> {
    let zero = of.get_value(0);
    let prefix = zero.as_ref().map_or("", EnumValueDescriptor::name);
    let prefix = prefix.trim_end_matches("UNSPECIFIED");
    let values = of.values().filter(|value| value.number() != 0);
    let word = |name: &str| {
        let word = name.strip_prefix(prefix).unwrap_or(name);
        word.to_lowercase().replace('_', "-")
    };
    values
        .map(|value| (word(value.name()), value.number()))
        .collect()
}

fn words(of: &EnumDescriptor) -> Vec<String> {
    pairs(of).into_iter().map(|(word, _)| word).collect()
}

fn number(of: &EnumDescriptor, word: &str) -> Option<i32> {
    let found = pairs(of).into_iter().find(|(it, _)| it == word);
    found.map(|(_, number)| number)
}

fn message(
    of: &MessageDescriptor,
    path: &str,
    given: &Spanned<DeValue<'_>>,
) -> Result<DynamicMessage, Wrong> {
    let refused = |why: &str| wrong(path, given, why);
    let mut made = DynamicMessage::new(of.clone());
    let broken = |why: prost::DecodeError| refused(&why.to_string());
    match (of.full_name(), given.get_ref()) {
        ("google.protobuf.Duration", DeValue::String(text)) => {
            let span = moment::span(text).map_err(|why| refused(&why))?;
            made.transcode_from(&moment::wire_span(span))
                .map_err(broken)?;
        }
        ("google.protobuf.Duration", _) => {
            return Err(refused("must be a span in quotes, such as \"90d\""));
        }
        ("google.protobuf.Timestamp", given) => {
            let text = match given {
                DeValue::Datetime(at) => at.to_string(),
                DeValue::String(text) => text.to_string(),
                _ => String::new(),
            };
            let Ok(Moment::At(at)) = moment::moment(&text) else {
                return Err(refused("must be a time, such as 2026-12-01T00:00:00Z"));
            };
            // A time is where it is, from wherever it is looked at.
            let at = Moment::At(at).future(OffsetDateTime::UNIX_EPOCH);
            made.transcode_from(&at).map_err(broken)?;
        }
        (_, DeValue::Table(table)) => {
            for (key, value) in table {
                let name: &str = key.get_ref();
                let Some(field) = of.get_field_by_name(name) else {
                    let known: Vec<String> = of.fields().map(|it| it.name().to_owned()).collect();
                    let why = format!("is not known; there are {}", known.join(", "));
                    return Err(Wrong {
                        at: key.span().start,
                        field: format!("{path}.{name}"),
                        why,
                    });
                };
                let value = read(&field, &format!("{path}.{name}"), value)?;
                made.try_set_field(&field, value)
                    .map_err(|why| refused(&why.to_string()))?;
            }
        }
        _ => return Err(refused("must be a table in braces")),
    }
    Ok(made)
}
