//! Reads JSON into a value.
//!
//! Knows the grammar through `json`, which has checked the text before. A member that stands there twice counts as the
//! last one says, and half a surrogate pair becomes U+FFFD, as every jq does it.

use std::{borrow::Cow, rc::Rc};

use crate::{
    jq::{
        number::Number,
        value::{Array, Object, Value},
    },
    json, scalar,
};

/// A text that is JSON, and how far it has been read.
struct Reader<'a> {
    text: &'a str,
    at: usize,
}

/// Reads one value, which is counted by its parts. White space may stand around it, and nothing else.
pub(crate) fn value(text: &str) -> Result<Value, json::Fault> {
    let place = json::value(text, 0)?;
    let behind = text.get(place.end..).unwrap_or_default();
    let space = behind.len() - behind.trim_start_matches([' ', '\t', '\r', '\n']).len();
    if space < behind.len() {
        let at = place.end + space;
        return Err(json::Fault::Malformed { at });
    }
    let mut reader = Reader {
        text,
        at: place.start,
    };
    Ok(reader.value())
}

/// What a string says, its quotes given.
fn said(raw: &str) -> String {
    match scalar::string(raw) {
        Some(said) => said.into_owned(),
        None => scalar::string(&whole(raw)).map_or_else(String::new, Cow::into_owned),
    }
}

/// The same string with an escape for U+FFFD in the place of every half of a surrogate pair.
fn whole(raw: &str) -> String {
    let mut out = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(at) = rest.find('\\') {
        let (before, escape) = rest.split_at(at);
        let unit = |from: usize| {
            let digits = escape.get(from..)?.strip_prefix("\\u")?.get(..4)?;
            u16::from_str_radix(digits, 16).ok()
        };
        let (kept, len) = match (unit(0), unit(6)) {
            (Some(0xd800..=0xdbff), Some(0xdc00..=0xdfff)) => (escape.get(..12), 12),
            (Some(0xd800..=0xdfff), _) => (Some("\\ufffd"), 6),
            (Some(_), _) => (escape.get(..6), 6),
            (None, _) => (escape.get(..2), 2),
        };
        out.push_str(before);
        out.push_str(kept.unwrap_or_default());
        rest = escape.get(len..).unwrap_or_default();
    }
    out + rest
}

// === impl Reader ===

impl<'a> Reader<'a> {
    fn value(&mut self) -> Value {
        match self.next() {
            Some(b'{') => self.object().into(),
            Some(b'[') => self.array().into(),
            Some(b'"') => Value::text(said(self.string())),
            Some(b't') => self.word(4, Value::Flag(true)),
            Some(b'f') => self.word(5, Value::Flag(false)),
            Some(b'n') => self.word(4, Value::NULL),
            _ => Value::Number(Number::written(self.number())),
        }
    }

    fn object(&mut self) -> Object {
        let mut object = Object::default();
        self.at += 1;
        while self.next() == Some(b'"') {
            let name = Rc::new(said(self.string()));
            self.pass(b':');
            let value = self.value();
            object.put(name, value);
            self.pass(b',');
        }
        self.at += 1;
        object
    }

    fn array(&mut self) -> Array {
        let mut array = Array::default();
        self.at += 1;
        while !matches!(self.next(), None | Some(b']')) {
            array.push(self.value());
            self.pass(b',');
        }
        self.at += 1;
        array
    }

    /// The next byte that is no white space, at which the reader then stands.
    fn next(&mut self) -> Option<u8> {
        let bytes = self.text.as_bytes();
        while let Some(b' ' | b'\t' | b'\r' | b'\n') = bytes.get(self.at) {
            self.at += 1;
        }
        bytes.get(self.at).copied()
    }

    fn pass(&mut self, byte: u8) {
        if self.next() == Some(byte) {
            self.at += 1;
        }
    }

    fn word(&mut self, len: usize, value: Value) -> Value {
        self.at += len;
        value
    }

    fn number(&mut self) -> &'a str {
        self.raw(|byte| !matches!(byte, b'-' | b'+' | b'.' | b'e' | b'E' | b'0'..=b'9'))
    }

    fn string(&mut self) -> &'a str {
        let (mut first, mut escaped) = (true, false);
        let raw = self.raw(|byte| {
            let ends = byte == b'"' && !escaped && !first;
            escaped = byte == b'\\' && !escaped;
            first = false;
            ends
        });
        self.at += 1;
        let start = self.at - raw.len() - 1;
        self.text.get(start..self.at).unwrap_or_default()
    }

    /// What stands here up to the first byte that ends it.
    fn raw(&mut self, ends: impl FnMut(u8) -> bool) -> &'a str {
        let start = self.at;
        let rest = self.text.as_bytes().get(start..).unwrap_or_default();
        let len = rest.iter().copied().position(ends).unwrap_or(rest.len());
        self.at += len;
        self.text.get(start..start + len).unwrap_or_default()
    }
}
