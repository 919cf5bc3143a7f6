//! What a tool said: Google wants an object, other dialects give text and pictures.
//!
//! Owns `functionResponse.response`, both ways. Must never hand over an object that Google would take for a
//! reference to something else.

use memchr::memmem;
use payload::{
    object::{self, Object},
    writer::Writer,
};

/// Words that Google would follow inside of a response, instead of reading them.
const REFERENCES: [&[u8]; 4] = [b"$ref", b"$defs", b"\\u0024ref", b"\\u0024defs"];

/// What a response says, and whether it is a failure. Its one member `result`, `output` or `error` is taken out.
pub(crate) fn read(raw: &str) -> (String, bool) {
    let Ok(mut members) = Object::parse(raw) else {
        return (said(raw), false);
    };
    for (name, failed) in [("result", false), ("output", false), ("error", true)] {
        if let Ok(Some(value)) = members.raw(name) {
            return if members.is_empty() {
                (said(value), failed)
            } else {
                (raw.to_owned(), false)
            };
        }
    }
    (raw.to_owned(), false)
}

fn said(raw: &str) -> String {
    object::text(raw).map_or_else(|_| raw.to_owned(), std::borrow::Cow::into_owned)
}

/// Writes the response that says `text`.
pub(crate) fn write(writer: &mut Writer, text: &str, failed: bool) {
    let text_trimmed = text.trim();
    let refers = REFERENCES
        .iter()
        .any(|word| memmem::find(text.as_bytes(), word).is_some());
    if !failed && !refers && text_trimmed.starts_with('{') && Object::parse(text_trimmed).is_ok() {
        writer.raw(text_trimmed);
        return;
    }
    let name = if failed { "error" } else { "result" };
    writer.open().key(name).text(text).close();
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(text: &str, failed: bool) -> String {
        let mut writer = Writer::default();
        write(&mut writer, text, failed);
        String::from_utf8(writer.into_bytes()).unwrap()
    }

    #[test]
    fn an_object_stays_one_and_text_is_wrapped() {
        assert_eq!(written(" {\"a\":1}", false), "{\"a\":1}");
        assert_eq!(written("15 C", false), "{\"result\":\"15 C\"}");
        assert_eq!(written("{\"a\":1}", true), r#"{"error":"{\"a\":1}"}"#);
        assert_eq!(written("{broken", false), "{\"result\":\"{broken\"}");
        assert_eq!(written("", false), "{\"result\":\"\"}");
    }

    #[test]
    fn references_are_given_as_text() {
        for text in [
            r#"{"$ref":"x"}"#,
            r#"{"a":{"\u0024ref":"x"}}"#,
            r#"{"$defs":{}}"#,
        ] {
            let written = written(text, false);
            assert!(written.starts_with(r#"{"result":""#), "{written}");
            assert_eq!(read(&written), (text.to_owned(), false));
        }
    }

    #[test]
    fn the_one_member_is_taken_out() {
        assert_eq!(read(r#"{"result":7}"#), ("7".to_owned(), false));
        assert_eq!(read(r#"{"output":"a\nb"}"#), ("a\nb".to_owned(), false));
        assert_eq!(read(r#"{"error":"no"}"#), ("no".to_owned(), true));
        let two = r#"{"error":"no","code":7}"#;
        assert_eq!(read(two), (two.to_owned(), false));
    }
}
