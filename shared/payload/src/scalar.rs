//! What a string or a number of JSON says, and how a string is written.
//!
//! Owns escapes and number forms. Knows nothing of objects and arrays: see `json`, which has checked the
//! grammar of what is given here. A text that it has not checked gives `None` or some value, never a panic.

use std::borrow::Cow;

/// What a string says, its quotes given. `None` if it is not a string or holds half a surrogate pair.
pub fn string(raw: &str) -> Option<Cow<'_, str>> {
    let inner = raw.strip_prefix('"')?.strip_suffix('"')?;
    if !inner.contains('\\') {
        return Some(Cow::Borrowed(inner));
    }
    let mut said = String::with_capacity(inner.len());
    let mut rest = inner;
    while let Some(at) = rest.find('\\') {
        said.push_str(&rest[..at]);
        let (character, len) = escaped(&rest[at + 1..])?;
        said.push(character);
        rest = &rest[at + 1 + len..];
    }
    said.push_str(rest);
    Some(Cow::Owned(said))
}

/// A number that is not negative, rounded up to a whole one. `None` if it is something else.
pub fn whole_number(raw: &str) -> Option<u64> {
    if let Ok(number) = raw.parse() {
        return Some(number);
    }
    if !raw.starts_with(|first: char| first.is_ascii_digit()) {
        return None;
    }
    let number: f64 = raw.parse().ok()?;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the cast saturates, and the number is not negative"
    )]
    Some(number.ceil() as u64)
}

/// Writes `text` as a JSON string, quotes included.
pub fn quote(out: &mut Vec<u8>, text: &str) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    out.push(b'"');
    for byte in text.bytes() {
        match byte {
            b'"' | b'\\' => out.extend([b'\\', byte]),
            0..0x20 => {
                out.extend(b"\\u00");
                out.extend([HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]);
            }
            _ => out.push(byte),
        }
    }
    out.push(b'"');
}

/// The character that an escape stands for, its backslash cut off, and how many bytes the escape has.
fn escaped(rest: &str) -> Option<(char, usize)> {
    let character = match rest.as_bytes().first()? {
        b'b' => '\u{8}',
        b'f' => '\u{c}',
        b'n' => '\n',
        b'r' => '\r',
        b't' => '\t',
        b'u' => return unicode(rest),
        same => char::from(*same),
    };
    Some((character, 1))
}

fn unicode(rest: &str) -> Option<(char, usize)> {
    let unit = |at: usize| u32::from_str_radix(rest.get(at..at + 4)?, 16).ok();
    let first = unit(1)?;
    if let Some(character) = char::from_u32(first) {
        return Some((character, 5));
    }
    if rest.get(5..7)? != "\\u" {
        return None;
    }
    let pair = [u16::try_from(first).ok()?, u16::try_from(unit(7)?).ok()?];
    let character = char::decode_utf16(pair).next()?.ok()?;
    Some((character, 11))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_say_what_they_stand_for() {
        assert_eq!(string(r#""plain""#).as_deref(), Some("plain"));
        assert_eq!(string(r#""\u006dodel""#).as_deref(), Some("model"));
        assert_eq!(
            string(r#""\"\\\/\b\f\n\r\t""#).as_deref(),
            Some("\"\\/\u{8}\u{c}\n\r\t")
        );
        assert_eq!(string(r#""a\uD83D\uDE00z""#).as_deref(), Some("a😀z"));
        for broken in [
            r#""\ud83d""#,
            r#""\ude00\ud83d""#,
            r#""\ud83dxx""#,
            r#""\u12""#,
            "1",
            "\"",
        ] {
            assert_eq!(string(broken), None, "{broken}");
        }
    }

    #[test]
    fn what_is_quoted_reads_back_the_same() {
        let every: String = (0..0x250)
            .filter_map(char::from_u32)
            .chain("😀\u{2028}".chars())
            .collect();
        let mut quoted = Vec::new();
        quote(&mut quoted, &every);
        let quoted = String::from_utf8(quoted).unwrap();
        assert_eq!(string(&quoted).as_deref(), Some(every.as_str()));
        assert_eq!(serde_json::from_str::<String>(&quoted).unwrap(), every);
    }

    #[test]
    fn numbers_are_rounded_up_to_whole_ones() {
        let cases = [
            ("0", 0),
            ("100", 100),
            ("1e2", 100),
            ("1.5", 2),
            ("1e999", u64::MAX),
        ];
        for (raw, number) in cases {
            assert_eq!(whole_number(raw), Some(number), "{raw}");
        }
        for raw in ["-1", "\"1\"", "null", "true", "", "[1]"] {
            assert_eq!(whole_number(raw), None, "{raw}");
        }
    }
}
