//! A strict JSON reader in one pass: what is valid, and where the members of an object stand. Builds no tree.
//!
//! Owns the grammar of RFC 8259 and a bound on depth. Must never know what a member means. Whoever asks gets
//! places in the text, so that bytes can be kept, spliced or left as they came. See `scalar` for what they say.

use std::{fmt, ops::Range};

use memchr::memmem;

use crate::{sought::Sought, word};

/// How deep objects and arrays may stand in one another, the outermost counted. Also what fits the bits of
/// the reader's stack. Full: the text is refused.
pub const DEPTH_MAX: u32 = 64;

/// Why a text is not JSON that we take. Places are in bytes from its start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The grammar is broken here.
    Malformed {
        /// Where.
        at: usize,
    },
    /// An object or array opens here, below [`DEPTH_MAX`] others.
    TooDeep {
        /// Where.
        at: usize,
    },
}

/// What a text holds that is no text itself: strings, at any depth, that are `data:` URLs in base64.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Embedded {
    /// How many.
    pub count: u64,
    /// How long they are together, their quotes not counted.
    pub bytes: usize,
}

/// How far into a string a `data:` URL may come to its payload: its media type stands before it.
const MEDIA_TYPE_BYTES_MAX: usize = 128;

/// Walks a text whose outermost value is one object. `each` gets every key, its quotes included, and where
/// its value stands. The result is the place of the closing brace.
pub fn members<'a, E: From<Fault>>(
    text: &'a str,
    each: impl FnMut(&'a str, Range<usize>) -> Result<(), E>,
) -> Result<usize, E> {
    Ok(members_and_embedded(text, each)?.0)
}

/// Like [`members`], and tells what was embedded in what was passed.
pub fn members_and_embedded<'a, E: From<Fault>>(
    text: &'a str,
    mut each: impl FnMut(&'a str, Range<usize>) -> Result<(), E>,
) -> Result<(usize, Embedded), E> {
    members_seeking(text, Sought::NOTHING, |key, value, _| each(key, value))
}

/// The same; `each` gets which words were found in the member, too, as [`Sought`] has them.
pub fn members_seeking<'a, E: From<Fault>>(
    text: &'a str,
    sought: Sought,
    mut each: impl FnMut(&'a str, Range<usize>, u32) -> Result<(), E>,
) -> Result<(usize, Embedded), E> {
    let mut reader = Reader::open(text, b'{')?;
    reader.sought = sought;
    while reader.more(b'}')? {
        let key = reader.key()?;
        reader.found = 0;
        let value = reader.value(DEPTH_MAX - 1)?;
        each(&text[key], value, reader.found)?;
    }
    let embedded = reader.embedded;
    Ok((reader.close()?, embedded))
}

/// Walks a text whose outermost value is one array. `each` gets where every element stands. The result is the
/// place of the closing bracket.
pub fn elements<E: From<Fault>>(
    text: &str,
    mut each: impl FnMut(Range<usize>) -> Result<(), E>,
) -> Result<usize, E> {
    let mut reader = Reader::open(text, b'[')?;
    while reader.more(b']')? {
        each(reader.value(DEPTH_MAX - 1)?)?;
    }
    Ok(reader.close()?)
}

/// Where the value stands that begins at `at`, white space before it left out.
pub fn value(text: &str, at: usize) -> Result<Range<usize>, Fault> {
    Reader::at(text, at).value(DEPTH_MAX)
}

/// Where a reader stands in a text.
pub(crate) struct Reader<'a> {
    text: &'a [u8],
    /// The next byte.
    pub(crate) at: usize,
    /// Whether no member or element of the innermost value that was entered has come.
    pub(crate) first: bool,
    embedded: Embedded,
    sought: Sought,
    /// Whether the next string is the value of a member that is sought.
    under: bool,
    found: u32,
}

// === impl Reader ===

impl<'a> Reader<'a> {
    pub(crate) fn at(text: &'a str, at: usize) -> Self {
        Self {
            text: text.as_bytes(),
            at,
            first: true,
            embedded: Embedded::default(),
            sought: Sought::NOTHING,
            under: false,
            found: 0,
        }
    }

    /// A reader behind the opening bracket of the outermost value.
    fn open(text: &'a str, bracket: u8) -> Result<Self, Fault> {
        let mut reader = Self::at(text, 0);
        reader.skip_space();
        reader.take(bracket)?;
        Ok(reader)
    }

    /// Whether another member or element follows; behind its comma then, on the closing bracket otherwise.
    pub(crate) fn more(&mut self, bracket: u8) -> Result<bool, Fault> {
        self.skip_space();
        if self.peek() == Some(bracket) {
            return Ok(false);
        }
        if !std::mem::take(&mut self.first) {
            self.take(b',')?;
        }
        Ok(true)
    }

    /// The place of the closing bracket, behind which only white space may stand.
    fn close(mut self) -> Result<usize, Fault> {
        let bracket = self.at;
        self.at += 1;
        self.skip_space();
        if self.at < self.text.len() {
            self.malformed()
        } else {
            Ok(bracket)
        }
    }

    /// A key, behind whose colon the reader then stands.
    pub(crate) fn key(&mut self) -> Result<Range<usize>, Fault> {
        self.skip_space();
        let start = self.at;
        self.under = false;
        self.string()?;
        let end = self.at;
        self.under = self.sought.is_under(&self.text[start + 1..end - 1]);
        self.skip_space();
        self.take(b':')?;
        Ok(start..end)
    }

    /// A value and all that stands in it. Keeps one bit for each bracket that is open, so that no text can
    /// use up the machine's stack.
    pub(crate) fn value(&mut self, depth_max: u32) -> Result<Range<usize>, Fault> {
        self.skip_space();
        let start = self.at;
        let (mut objects, mut depth) = (0_u64, 0);
        loop {
            self.skip_space();
            if let Some(bracket @ (b'{' | b'[')) = self.peek() {
                if depth == depth_max {
                    return Err(Fault::TooDeep { at: self.at });
                }
                self.at += 1;
                self.under = false;
                self.skip_space();
                let object = bracket == b'{';
                if self.peek() != Some(if object { b'}' } else { b']' }) {
                    objects = objects << 1 | u64::from(object);
                    depth += 1;
                    if object {
                        self.key()?;
                    }
                    continue;
                }
                self.at += 1;
            } else {
                self.scalar()?;
            }
            if !self.next_in(&mut objects, &mut depth)? {
                return Ok(start..self.at);
            }
        }
    }

    /// Behind a value: closes what ends here and stands before the next value, if one follows.
    fn next_in(&mut self, objects: &mut u64, depth: &mut u32) -> Result<bool, Fault> {
        while *depth > 0 {
            self.skip_space();
            let object = *objects & 1 == 1;
            match self.peek() {
                Some(b',') => {
                    self.at += 1;
                    if object {
                        self.key()?;
                    }
                    return Ok(true);
                }
                Some(bracket) if bracket == if object { b'}' } else { b']' } => {
                    self.at += 1;
                    *objects >>= 1;
                    *depth -= 1;
                }
                _ => return self.malformed(),
            }
        }
        Ok(false)
    }

    fn scalar(&mut self) -> Result<(), Fault> {
        match self.peek() {
            Some(b'"') => self.string(),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b't') => self.word(b"true"),
            Some(b'f') => self.word(b"false"),
            Some(b'n') => self.word(b"null"),
            _ => self.malformed(),
        }
    }

    fn string(&mut self) -> Result<(), Fault> {
        self.take(b'"')?;
        let start = self.at;
        loop {
            self.plain()?;
            self.at += 1;
            if self.text[self.at - 1] == b'"' {
                let string = &self.text[start..self.at - 1];
                self.embedded.take(string);
                if std::mem::take(&mut self.under) {
                    self.found |= self.sought.bits(string);
                }
                return Ok(());
            }
            match self.peek() {
                Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => self.at += 1,
                Some(b'u') => {
                    self.at += 1;
                    for _ in 0..4 {
                        if !self.peek().is_some_and(|byte| byte.is_ascii_hexdigit()) {
                            return self.malformed();
                        }
                        self.at += 1;
                    }
                }
                _ => return self.malformed(),
            }
        }
    }

    /// Steps over all that stands for itself in a string, onto the quote or backslash behind it.
    fn plain(&mut self) -> Result<(), Fault> {
        let stands = |byte: u8| byte >= 0x20 && byte != b'"' && byte != b'\\';
        loop {
            let rest = &self.text[self.at..];
            let Some(word) = rest.first_chunk() else {
                // The last bytes of the text make no word.
                self.at += rest.iter().take_while(|byte| stands(**byte)).count();
                break;
            };
            let plain = word::plain(*word);
            self.at += plain;
            if plain < word::BYTES {
                break;
            }
        }
        match self.peek() {
            Some(b'"' | b'\\') => Ok(()),
            _ => self.malformed(),
        }
    }

    fn number(&mut self) -> Result<(), Fault> {
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        if self.peek() == Some(b'0') {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.peek() {
            self.at += 1;
            if let Some(b'+' | b'-') = self.peek() {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(())
    }

    fn digits(&mut self) -> Result<(), Fault> {
        let len = self.text[self.at..]
            .iter()
            .take_while(|byte| byte.is_ascii_digit())
            .count();
        self.at += len;
        if len == 0 { self.malformed() } else { Ok(()) }
    }

    fn word(&mut self, word: &[u8]) -> Result<(), Fault> {
        if !self.text[self.at..].starts_with(word) {
            return self.malformed();
        }
        self.at += word.len();
        Ok(())
    }

    pub(crate) fn take(&mut self, byte: u8) -> Result<(), Fault> {
        if self.peek() != Some(byte) {
            return self.malformed();
        }
        self.at += 1;
        Ok(())
    }

    pub(crate) fn skip_space(&mut self) {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.peek() {
            self.at += 1;
        }
    }

    pub(crate) fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    pub(crate) fn malformed<T>(&self) -> Result<T, Fault> {
        Err(Fault::Malformed { at: self.at })
    }
}

// === impl Embedded ===

impl Embedded {
    /// Counts a string, its quotes cut off, if it is embedded. The word alone is not enough: prose may begin with it.
    fn take(&mut self, string: &[u8]) {
        let is_data = string.starts_with(b"data:") && {
            let head = &string[..string.len().min(MEDIA_TYPE_BYTES_MAX)];
            memmem::find(head, b";base64,").is_some()
        };
        if is_data {
            self.count += 1;
            self.bytes += string.len();
        }
    }
}

// === impl Fault ===

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed { at } => write!(f, "not valid JSON at byte {at}"),
            Self::TooDeep { at } => {
                write!(f, "nested deeper than {DEPTH_MAX} levels at byte {at}")
            }
        }
    }
}

impl std::error::Error for Fault {}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str) -> Result<usize, Fault> {
        members(text, |_, _| Ok::<_, Fault>(()))
    }

    #[test]
    fn every_member_stands_where_the_reader_says() {
        let text = " {\"a\" : [1, {\"b\":\"}\"}] ,\"\\u0062\":-0.5e+3}\n";
        let mut seen = Vec::new();
        let brace = members(text, |key, value| {
            seen.push((key, &text[value]));
            Ok::<_, Fault>(())
        });
        assert_eq!(
            seen,
            [("\"a\"", "[1, {\"b\":\"}\"}]"), ("\"\\u0062\"", "-0.5e+3")]
        );
        assert_eq!(brace.map(|at| &text[at..]), Ok("}\n"));
    }

    #[test]
    fn what_is_not_json_is_refused_where_it_breaks() {
        for (text, at) in [
            ("", 0),
            ("[]", 0),
            ("{", 1),
            ("{}x", 2),
            ("{\"a\"}", 4),
            ("{\"a\":}", 5),
            ("{\"a\":1,}", 7),
            ("{\"a\":1 \"b\":2}", 7),
            ("{\"a\":01}", 6),
            ("{\"a\":1.}", 7),
            ("{\"a\":-}", 6),
            ("{\"a\":+1}", 5),
            ("{\"a\":1e}", 7),
            ("{\"a\":tru}", 5),
            ("{\"a\":[1,]}", 8),
            ("{\"a\":[1}}", 7),
            ("{\"a\":\"\\x\"}", 7),
            ("{\"a\":\"\\u12g4\"}", 10),
            ("{\"a\":\"\t\"}", 6),
            ("{\"a\":\"", 6),
            ("{a:1}", 1),
            ("\u{feff}{}", 0),
        ] {
            assert_eq!(check(text), Err(Fault::Malformed { at }), "{text}");
        }
    }

    #[test]
    fn sixty_four_levels_are_read_and_not_one_more() {
        let nested = |levels: usize| {
            format!(
                "{{\"a\":{}{}}}",
                "[".repeat(levels - 1),
                "]".repeat(levels - 1)
            )
        };
        assert!(check(&nested(64)).is_ok());
        assert_eq!(check(&nested(65)), Err(Fault::TooDeep { at: 5 + 63 }));
        assert!(matches!(
            check(&"{\"a\":".repeat(100_000)),
            Err(Fault::TooDeep { .. })
        ));
    }

    #[test]
    fn data_urls_are_counted_apart_at_any_depth_and_other_texts_are_not() {
        let embedded = |text: &str| {
            members_and_embedded(text, |_, _| Ok::<_, Fault>(())).map(|(_, embedded)| embedded)
        };
        let image = "data:image\\/png;base64,AA\\/A";
        let text = format!(r#"{{"a":[{{"url":"{image}"}},"{image}"],"b":"x {image}"}}"#);
        let (count, bytes) = (2, 2 * image.len());
        assert_eq!(embedded(&text), Ok(Embedded { count, bytes }));
        for none in [
            r#"{"a":"data: 1, 2, 3"}"#,
            r#"{"a":"data:,x"}"#,
            r#"{"a":"\"data:x;base64,AA"}"#,
        ] {
            assert_eq!(embedded(none), Ok(Embedded::default()), "{none}");
        }
        let late = format!(r#"{{"a":"data:{};base64,AA"}}"#, "x".repeat(200));
        assert_eq!(embedded(&late), Ok(Embedded::default()));
    }

    #[test]
    fn elements_are_walked_and_a_value_is_found_in_the_middle() {
        let mut places = Vec::new();
        let end = elements("[1, [2] ,\"x\"]", |place| {
            places.push(place);
            Ok::<_, Fault>(())
        });
        assert_eq!((end, places), (Ok(12), vec![1..2, 4..7, 9..12]));
        assert_eq!(value("xx [1,{}] yy", 2), Ok(3..9));
    }
}
