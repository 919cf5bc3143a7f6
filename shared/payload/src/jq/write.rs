//! Writes a value as JSON, without white space and in the order of its members.
//!
//! Owns the bound on what is written. A value that holds the same part a million times is counted a million times.

use std::fmt;

use crate::{
    jq::{
        allowance::{charge, charge_for_bytes},
        fault::Fault,
        number::Number,
        value::Value,
    },
    scalar::quote,
};

/// The most bytes of an output. Full: the run ends without a result.
pub const OUTPUT_BYTES_MAX: usize = 32 << 20;

/// How much of a value stands in an error, in bytes. Full: it is cut.
const SHOWN_BYTES_MAX: usize = 120;

/// A value does not fit.
#[derive(Debug)]
struct Full;

struct Writer {
    out: Vec<u8>,
    bytes_max: usize,
}

/// The value as JSON.
pub(crate) fn bytes(value: &Value) -> Result<Vec<u8>, Fault> {
    let mut writer = Writer::new(OUTPUT_BYTES_MAX);
    match writer.value(value) {
        Ok(()) => Ok(writer.out),
        Err(Full) => Err(Fault::OutputTooLong),
    }
}

/// The value as the text that stands for it in another text: a string as it is, anything else as JSON.
pub(crate) fn text(value: &Value) -> Result<String, Fault> {
    if let Value::Text(said) = value {
        return Ok(String::clone(said));
    }
    let bytes = bytes(value)?;
    charge_for_bytes(bytes.len());
    Ok(String::from_utf8(bytes).unwrap_or_default())
}

// === impl Writer ===

impl Writer {
    fn new(bytes_max: usize) -> Self {
        let out = Vec::new();
        Self { out, bytes_max }
    }

    fn value(&mut self, value: &Value) -> Result<(), Full> {
        charge(1);
        match value {
            Value::Null(_) => self.raw("null"),
            Value::Flag(true) => self.raw("true"),
            Value::Flag(false) => self.raw("false"),
            Value::Number(Number::Written(raw)) if raw.len() > self.bytes_max => Err(Full),
            Value::Number(Number::Written(raw)) => self.raw(raw),
            Value::Number(number) => self.raw(&number.to_string()),
            Value::Text(said) => self.quoted(said),
            Value::Array(array) => {
                for (at, item) in array.items().iter().enumerate() {
                    self.raw(if at == 0 { "[" } else { "," })?;
                    self.value(item)?;
                }
                self.raw(if array.items().is_empty() { "[]" } else { "]" })
            }
            Value::Object(object) => {
                for (at, (name, value)) in object.members().iter().enumerate() {
                    self.raw(if at == 0 { "{" } else { "," })?;
                    self.quoted(name)?;
                    self.raw(":")?;
                    self.value(value)?;
                }
                self.raw(if object.members().is_empty() {
                    "{}"
                } else {
                    "}"
                })
            }
        }
    }

    fn raw(&mut self, text: &str) -> Result<(), Full> {
        self.out.extend_from_slice(text.as_bytes());
        self.fits()
    }

    fn quoted(&mut self, text: &str) -> Result<(), Full> {
        // Looked at before it is written, because one text may be as long as the whole bound.
        if text.len() > self.bytes_max {
            return Err(Full);
        }
        quote(&mut self.out, text);
        self.fits()
    }

    fn fits(&self) -> Result<(), Full> {
        if self.out.len() > self.bytes_max {
            return Err(Full);
        }
        Ok(())
    }
}

// === impl Value ===

/// For people: the beginning of it.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Self::Text(said) = self
            && said.len() > SHOWN_BYTES_MAX
        {
            return write!(
                f,
                "{:?}…",
                said.get(..said.floor_char_boundary(SHOWN_BYTES_MAX))
            );
        }
        let mut writer = Writer::new(SHOWN_BYTES_MAX);
        let whole = writer.value(self).is_ok();
        writer.out.truncate(SHOWN_BYTES_MAX);
        let shown = String::from_utf8_lossy(&writer.out);
        write!(f, "{shown}{}", if whole { "" } else { "…" })
    }
}
