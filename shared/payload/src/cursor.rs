//! Walks into a text of JSON, as deep as whoever asks goes along, in one pass: for texts whose form is known.
//!
//! Knows the grammar through `json`. Must never know what a member means, or keep one.

use crate::json::{DEPTH_MAX, Fault, Reader};

/// A place in a text.
pub struct Cursor<'a> {
    text: &'a str,
    reader: Reader<'a>,
    /// How many objects and arrays are entered.
    depth: u32,
}

// === impl Cursor ===

impl<'a> Cursor<'a> {
    /// Before the outermost value.
    pub fn new(text: &'a str) -> Self {
        Self {
            text,
            reader: Reader::at(text, 0),
            depth: 0,
        }
    }

    /// Enters the object that comes next. `each` gets every key, its quotes included, and takes its value.
    pub fn object<E: From<Fault>>(
        &mut self,
        mut each: impl FnMut(&mut Self, &'a str) -> Result<(), E>,
    ) -> Result<(), E> {
        let outer = self.enter(b'{')?;
        while self.reader.more(b'}')? {
            let key = self.reader.key()?;
            each(self, &self.text[key])?;
        }
        self.leave(outer);
        Ok(())
    }

    /// Enters the array that comes next. `each` takes every element.
    pub fn array<E: From<Fault>>(
        &mut self,
        mut each: impl FnMut(&mut Self) -> Result<(), E>,
    ) -> Result<(), E> {
        let outer = self.enter(b'[')?;
        while self.reader.more(b']')? {
            each(self)?;
        }
        self.leave(outer);
        Ok(())
    }

    /// Takes the value that comes next, whatever it is.
    pub fn value(&mut self) -> Result<&'a str, Fault> {
        let place = self.reader.value(DEPTH_MAX - self.depth)?;
        Ok(&self.text[place])
    }

    /// Nothing but white space may follow.
    pub fn end(mut self) -> Result<(), Fault> {
        self.reader.skip_space();
        if self.reader.peek().is_some() {
            self.reader.malformed()
        } else {
            Ok(())
        }
    }

    fn enter(&mut self, bracket: u8) -> Result<bool, Fault> {
        self.reader.skip_space();
        if self.depth == DEPTH_MAX {
            return Err(Fault::TooDeep { at: self.reader.at });
        }
        self.reader.take(bracket)?;
        self.depth += 1;
        Ok(std::mem::replace(&mut self.reader.first, true))
    }

    /// Behind the closing bracket, on which the reader stands.
    const fn leave(&mut self, outer: bool) {
        self.reader.at += 1;
        self.reader.first = outer;
        self.depth -= 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Enters every `o`, takes the elements of every `a`, and takes everything else as it stands.
    fn walk<'a>(cursor: &mut Cursor<'a>, seen: &mut Vec<&'a str>) -> Result<(), Fault> {
        cursor.object(|cursor, key| {
            seen.push(key);
            match key {
                "\"o\"" => walk(cursor, seen),
                "\"a\"" => cursor.array(|cursor| {
                    seen.push(cursor.value()?);
                    Ok(())
                }),
                _ => {
                    seen.push(cursor.value()?);
                    Ok(())
                }
            }
        })
    }

    fn read(text: &str) -> Result<Vec<&str>, Fault> {
        let (mut cursor, mut seen) = (Cursor::new(text), Vec::new());
        walk(&mut cursor, &mut seen)?;
        cursor.end()?;
        Ok(seen)
    }

    #[test]
    fn a_cursor_reads_what_stands_there_and_refuses_what_is_no_json() {
        let text = r#" {"x":1,"o":{"a":[{"b":2},[3] ,"4"],"y":{}},"a":[],"o":{}, "z" : null} "#;
        let seen = [
            "\"x\"",
            "1",
            "\"o\"",
            "\"a\"",
            "{\"b\":2}",
            "[3]",
            "\"4\"",
            "\"y\"",
            "{}",
            "\"a\"",
            "\"o\"",
            "\"z\"",
            "null",
        ];
        assert_eq!(read(text).unwrap(), seen);
        for broken in [
            "",
            "[]",
            "{",
            "{}x",
            r#"{"o":{}"x":1}"#,
            r#"{"o":{},}"#,
            r#"{"a":[1,]}"#,
            r#"{"a":[1 2]}"#,
            r#"{"a":[1}"#,
            r#"{"o":1}"#,
            r#"{"x":tru}"#,
            r#"{"o":{"x":1]}"#,
        ] {
            assert!(read(broken).is_err(), "{broken}");
        }
    }

    #[test]
    fn a_cursor_goes_as_deep_as_any_reader_of_ours() {
        let nested = |levels: usize| {
            let inner = levels - 2;
            let (open, close) = ("[".repeat(inner), "]".repeat(inner));
            format!(r#"{{"o":{{"x":{open}{close}}}}}"#)
        };
        assert!(read(&nested(64)).is_ok());
        assert!(matches!(read(&nested(65)), Err(Fault::TooDeep { .. })));
        let entered = "{\"o\":".repeat(1_000);
        assert!(matches!(read(&entered), Err(Fault::TooDeep { .. })));
    }
}
