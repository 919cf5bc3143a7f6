//! The text of a variable, read by the type of the field that it fills.
//!
//! Knows nothing of names. Text stays as it stands, so that a password of digits is no number; all else is
//! read as TOML.

use serde::de::{
    Deserializer, Error as _, IntoDeserializer, Visitor,
    value::{SeqDeserializer, StringDeserializer},
};
use toml::{Value, de::Error};

/// What a variable holds.
pub(crate) struct Text(pub(crate) String);

macro_rules! as_toml {
    ($($method:ident)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            match self.0.trim().parse::<Value>() {
                Ok(value) => value.$method(visitor),
                Err(_) => self.into_text().$method(visitor),
            }
        }
    )*};
}

macro_rules! as_text {
    ($($method:ident)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            visitor.visit_string(self.0)
        }
    )*};
}

// === impl Text ===

impl Text {
    fn into_text(self) -> StringDeserializer<Error> {
        self.0.into_deserializer()
    }

    /// A TOML array, or words with commas between them: those are easier to quote in a shell.
    fn elements(self) -> Result<Vec<Value>, Error> {
        let text = self.0.trim();
        if text.starts_with('[') {
            return match text.parse::<Value>() {
                Ok(Value::Array(elements)) => Ok(elements),
                _ => Err(Error::custom(
                    "expected a list such as [\"one\", \"two\"], or one,two",
                )),
            };
        }
        let words = text
            .split(',')
            .map(str::trim)
            .filter(|word| !word.is_empty());
        Ok(words.map(|word| Value::String(word.to_owned())).collect())
    }
}

impl<'de> Deserializer<'de> for Text {
    type Error = Error;

    as_toml! {
        deserialize_any deserialize_bool deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64
        deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64 deserialize_f32 deserialize_f64
        deserialize_map deserialize_unit
    }

    as_text! {
        deserialize_char deserialize_str deserialize_string deserialize_bytes deserialize_byte_buf
        deserialize_identifier deserialize_ignored_any
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_some(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_seq(SeqDeserializer::new(self.elements()?.into_iter()))
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.deserialize_unit(visitor)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.deserialize_map(visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.into_text().deserialize_enum(name, variants, visitor)
    }
}
