//! Writes JSON straight into bytes: members in the order in which they are given, raw values as they came.
//!
//! Knows commas and quotes; knows nothing of what is written. Whoever opens an object or an array closes it. The same
//! calls always give the same bytes, because a provider's prompt cache compares them.

use crate::scalar::quote;

/// A text that grows.
#[derive(Debug, Default)]
pub struct Writer {
    out: Vec<u8>,
}

// === impl Writer ===

impl Writer {
    /// A text with room for this many bytes.
    pub fn with_capacity(bytes: usize) -> Self {
        Self {
            out: Vec::with_capacity(bytes),
        }
    }

    /// A text that goes on behind `bytes`, which end before a value.
    pub const fn behind(bytes: Vec<u8>) -> Self {
        Self { out: bytes }
    }

    /// The text.
    pub fn into_bytes(self) -> Vec<u8> {
        self.out
    }

    /// Opens an object.
    pub fn open(&mut self) -> &mut Self {
        self.before();
        self.out.push(b'{');
        self
    }

    /// Closes an object.
    pub fn close(&mut self) -> &mut Self {
        self.out.push(b'}');
        self
    }

    /// Opens an array.
    pub fn open_array(&mut self) -> &mut Self {
        self.before();
        self.out.push(b'[');
        self
    }

    /// Closes an array.
    pub fn close_array(&mut self) -> &mut Self {
        self.out.push(b']');
        self
    }

    /// Writes the name of a member; its value comes next.
    pub fn key(&mut self, name: &str) -> &mut Self {
        self.before();
        quote(&mut self.out, name);
        self.out.push(b':');
        self
    }

    /// A string.
    pub fn text(&mut self, text: &str) -> &mut Self {
        self.before();
        quote(&mut self.out, text);
        self
    }

    /// Whatever `raw` is: it must be one value of JSON.
    pub fn raw(&mut self, raw: &str) -> &mut Self {
        self.before();
        self.out.extend_from_slice(raw.as_bytes());
        self
    }

    /// A number.
    pub fn number(&mut self, number: u64) -> &mut Self {
        self.raw(itoa(number, &mut [0; 20]))
    }

    /// `true` or `false`.
    pub fn flag(&mut self, flag: bool) -> &mut Self {
        self.raw(if flag { "true" } else { "false" })
    }

    /// `null`.
    pub fn null(&mut self) -> &mut Self {
        self.raw("null")
    }

    /// A comma, where the value or name to come is not the first.
    fn before(&mut self) {
        if !matches!(
            self.out.last(),
            None | Some(b'{' | b'[' | b':' | b'\n' | b' ')
        ) {
            self.out.push(b',');
        }
    }
}

fn itoa(mut number: u64, digits: &mut [u8; 20]) -> &str {
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + u8::try_from(number % 10).unwrap_or(0);
        number /= 10;
        if number == 0 {
            return str::from_utf8(&digits[at..]).unwrap_or("0");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commas_stand_between_and_nowhere_else() {
        let mut writer = Writer::default();
        writer
            .open()
            .key("a")
            .open_array()
            .number(0)
            .number(u64::MAX);
        writer.text("x{").open().close().close_array();
        writer
            .key("b")
            .open()
            .key("c")
            .null()
            .key("d")
            .flag(true)
            .close();
        writer.key("e").raw("[1]").close();
        assert_eq!(
            String::from_utf8(writer.into_bytes()).unwrap(),
            r#"{"a":[0,18446744073709551615,"x{",{}],"b":{"c":null,"d":true},"e":[1]}"#
        );
    }
}
