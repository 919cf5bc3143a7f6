//! A JSON object as others send it, read strictly: no name twice, no depth beyond a bound.
//!
//! Two readers of a doubled name may read different things; here nobody reads either.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// How deep values may stand in each other.
// Full: the document is none.
const DEPTH_MAX: usize = 16;

/// The bytes are no such object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoDocument;

/// A value, and how much deeper it may go.
#[derive(Clone, Copy)]
struct Strict(usize);

/// Reads an object.
pub fn read(bytes: &[u8]) -> Result<Map<String, Value>, NoDocument> {
    let mut from = serde_json::Deserializer::from_slice(bytes);
    let value = Strict(DEPTH_MAX)
        .deserialize(&mut from)
        .map_err(|_| NoDocument)?;
    from.end().map_err(|_| NoDocument)?;
    match value {
        Value::Object(object) => Ok(object),
        _ => Err(NoDocument),
    }
}

// === impl Strict ===

impl Strict {
    fn deeper<E: Error>(self) -> Result<Self, E> {
        self.0
            .checked_sub(1)
            .map(Self)
            .ok_or_else(|| E::custom("too deep"))
    }
}

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Value, D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        let number = Number::from_f64(value).ok_or_else(|| E::custom("no number"))?;
        Ok(Value::Number(number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut from: A) -> Result<Value, A::Error> {
        let deeper = self.deeper()?;
        let mut values = Vec::new();
        while let Some(value) = from.next_element_seed(deeper)? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut from: A) -> Result<Value, A::Error> {
        let deeper = self.deeper()?;
        let mut object = Map::new();
        while let Some(name) = from.next_key::<String>()? {
            let value = from.next_value_seed(deeper)?;
            if object.insert(name, value).is_some() {
                return Err(A::Error::custom("a name stands twice"));
            }
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_doubled_name_is_no_document_however_it_is_written() {
        for text in [
            r#"{"iss":"a","iss":"b"}"#,
            r#"{"iss":"a","\u0069ss":"b"}"#,
            r#"{"a":{"b":1,"b":1}}"#,
            r#"[{"a":1}]"#,
            r#"{"a":1} x"#,
            r#"{"a":1"#,
            r#"{"a":1e999}"#,
            "",
        ] {
            assert_eq!(read(text.as_bytes()), Err(NoDocument), "{text}");
        }
        assert_eq!(read(br#"{"a":[1,"\u0061",null]}"#).unwrap().len(), 1);
    }

    #[test]
    fn what_is_nested_deeply_is_no_document() {
        let nested = |depth: usize| format!("{}1{}", r#"{"a":"#.repeat(depth), "}".repeat(depth));
        assert!(read(nested(DEPTH_MAX).as_bytes()).is_ok());
        assert!(read(nested(DEPTH_MAX + 1).as_bytes()).is_err());
        assert!(read("[".repeat(100_000).as_bytes()).is_err());
    }
}
