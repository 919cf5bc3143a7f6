//! The chunk that nearly all are: one candidate goes on by words or thoughts, and what was used so far.
//!
//! Read in one pass that allocates nothing but what escapes make it. Must never read a chunk otherwise than the reader of
//! all chunks does: whatever stands in one that is not known here by heart is left to that.

use std::borrow::Cow;

use payload::{cursor::Cursor, json::Fault, scalar};

/// How long the value of `usageMetadata` may be that is read here.
const USAGE_BYTES_MAX: usize = 1_024;

/// Such a chunk.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Plain<'a> {
    /// Which candidate.
    pub(crate) index: u32,
    /// Its words.
    pub(crate) text: Cow<'a, str>,
    /// Whether they are thoughts.
    pub(crate) thought: bool,
    /// The value of `usageMetadata`, which says what went in.
    pub(crate) usage: Option<&'a str>,
}

/// It is another chunk.
struct Other;

/// What stands in it so far. A member that comes twice makes it another chunk.
#[derive(Default)]
struct Seen<'a> {
    candidates: Option<()>,
    model: Option<()>,
    id: Option<()>,
    content: Option<()>,
    index: Option<u32>,
    parts: Option<()>,
    role: Option<()>,
    text: Option<Cow<'a, str>>,
    thought: Option<bool>,
    usage: Option<&'a str>,
}

type Walk = Result<(), Other>;

// === impl Plain ===

impl<'a> Plain<'a> {
    /// Reads a chunk, if it is such a one.
    pub(crate) fn read(chunk: &'a str) -> Option<Self> {
        let (mut cursor, mut seen) = (Cursor::new(chunk), Seen::default());
        cursor
            .object(|cursor, key| seen.chunk(cursor, key))
            .and_then(|()| Ok(cursor.end()?))
            .ok()?;
        Some(Self {
            index: seen.index.unwrap_or(0),
            text: seen.text?,
            thought: seen.thought.unwrap_or(false),
            usage: seen.usage,
        })
    }
}

// === impl Seen ===

impl<'a> Seen<'a> {
    fn chunk(&mut self, cursor: &mut Cursor<'a>, key: &str) -> Walk {
        match key {
            "\"candidates\"" => {
                once(&mut self.candidates, ())?;
                one(cursor, |cursor, key| self.candidate(cursor, key))
            }
            "\"usageMetadata\"" => {
                let raw = cursor.value()?;
                once(&mut self.usage, raw)?;
                // Others are read at once, because they may say nothing, and then the one before counts.
                let says = raw.strip_prefix("{\"promptTokenCount\":");
                let says = says.is_some_and(|rest| {
                    rest.trim_start()
                        .starts_with(|it: char| it.is_ascii_digit())
                });
                wants(says && raw.len() <= USAGE_BYTES_MAX)
            }
            "\"modelVersion\"" => {
                once(&mut self.model, ())?;
                string(cursor.value()?).map(drop)
            }
            "\"responseId\"" => {
                once(&mut self.id, ())?;
                string(cursor.value()?).map(drop)
            }
            _ => Err(Other),
        }
    }

    fn candidate(&mut self, cursor: &mut Cursor<'a>, key: &str) -> Walk {
        match key {
            "\"content\"" => {
                once(&mut self.content, ())?;
                cursor.object(|cursor, key| self.content(cursor, key))
            }
            "\"index\"" => {
                let index = cursor.value()?.parse().map_err(|_| Other)?;
                once(&mut self.index, index)
            }
            _ => Err(Other),
        }
    }

    fn content(&mut self, cursor: &mut Cursor<'a>, key: &str) -> Walk {
        match key {
            "\"parts\"" => {
                once(&mut self.parts, ())?;
                one(cursor, |cursor, key| self.part(cursor, key))
            }
            "\"role\"" => {
                once(&mut self.role, ())?;
                string(cursor.value()?).map(drop)
            }
            _ => Err(Other),
        }
    }

    fn part(&mut self, cursor: &mut Cursor<'a>, key: &str) -> Walk {
        let raw = cursor.value()?;
        match (key, raw) {
            ("\"text\"", raw) => once(&mut self.text, string(raw)?),
            ("\"thought\"", "true") => once(&mut self.thought, true),
            ("\"thought\"", "false") => once(&mut self.thought, false),
            _ => Err(Other),
        }
    }
}

/// Enters an array of one object.
fn one<'a>(
    cursor: &mut Cursor<'a>,
    mut each: impl FnMut(&mut Cursor<'a>, &'a str) -> Walk,
) -> Walk {
    let mut first = None;
    cursor.array(|cursor| {
        once(&mut first, ())?;
        cursor.object(&mut each)
    })?;
    wants(first.is_some())
}

fn once<T>(place: &mut Option<T>, value: T) -> Walk {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err(Other),
    }
}

const fn wants(is: bool) -> Walk {
    if is { Ok(()) } else { Err(Other) }
}

fn string(raw: &str) -> Result<Cow<'_, str>, Other> {
    scalar::string(raw).ok_or(Other)
}

// === impl Other ===

impl From<Fault> for Other {
    fn from(_: Fault) -> Self {
        Self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_thoughts_are_read_and_what_is_more_is_left_to_others() {
        let words = r#" {"candidates": [{"content": {"parts": [{"text": "a\nb"}],"role": "model"},"index": 1}],
            "usageMetadata": {"promptTokenCount": 2,"promptTokensDetails":[{"modality":"TEXT","tokenCount":2}]},"modelVersion": "m","responseId": "r"}"#;
        let plain = Plain::read(words).unwrap();
        assert_eq!(
            (plain.index, plain.text.as_ref(), plain.thought),
            (1, "a\nb", false)
        );
        assert!(
            plain
                .usage
                .unwrap()
                .starts_with("{\"promptTokenCount\": 2,")
        );
        let thought = r#"{"candidates":[{"content":{"parts":[{"thought":true,"text":"t"}]}}]}"#;
        assert!(Plain::read(thought).unwrap().thought);
        for other in [
            "{}",
            "[]",
            r#"{"error":{}}"#,
            r#"{"candidates":[]}"#,
            r#"{"candidates":{"content":{"parts":[{"text":"t"}]}}}"#,
            r#"{"candidates":[{"content":{"parts":[{"text":"t"}]}},{}]}"#,
            r#"{"candidates":[{"content":{"parts":[{"text":"t"},{"text":"u"}]}}]}"#,
            r#"{"candidates":[{"content":{"parts":[{"text":"t","thoughtSignature":"s"}]}}]}"#,
            r#"{"candidates":[{"content":{"parts":[{"text":"t","text":"u"}]}}]}"#,
            r#"{"candidates":[{"content":{"parts":[{"text":null}]}}]}"#,
            r#"{"candidates":[{"content":{"parts":[{"text":"\ud800"}]}}]}"#,
            r#"{"candidates":[{"content":{"parts":[{"text":"t"}]},"index":-1}]}"#,
            r#"{"candidates":[{"content":{"parts":[{"text":"t"}]},"finishReason":"STOP"}]}"#,
            r#"{"candidates":[{"content":{"parts":[{"text":"t"}]}}],"createTime":"x"}"#,
            r#"{"candidates":[{"content":{"parts":[{"text":"t"}]}}],"responseId":5}"#,
            r#"{"candidates":[{"content":{"parts":[{"text":"t"}]}}],"usageMetadata":{}}"#,
            r#"{"candidates":[{"content":{"parts":[{"text":"t"}]}}]} x"#,
            r#"{"candidates":[{"content":{"parts":[{"text":"t"}]}}],"candidates":[]}"#,
        ] {
            assert_eq!(Plain::read(other), None, "{other}");
        }
    }
}
