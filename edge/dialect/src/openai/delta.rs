//! How much a chunk of a stream generates, in bytes of text: cheap, and rough on purpose.
//!
//! Knows the places where providers put generated text, and what stands beside it that nobody generated. Must
//! never be taken for usage: it serves when the provider is silent, and to see that generation has begun.

use memchr::memmem::Finder;
use payload::json::{self, Fault};

/// Looks for generated text in chunks.
#[derive(Debug, Clone)]
pub(crate) struct Deltas {
    delta: Finder<'static>,
    text: Finder<'static>,
}

// === impl Default ===

impl Default for Deltas {
    fn default() -> Self {
        Self {
            delta: Finder::new("\"delta\""),
            text: Finder::new("\"text\""),
        }
    }
}

// === impl Deltas ===

impl Deltas {
    /// The bytes that a chunk adds to what was generated, as they stand in it. A chunk of a chat has `delta`,
    /// one of a completion `text`; Together sends both, and the former counts.
    pub(crate) fn text_bytes(&self, chunk: &str) -> u64 {
        sum(&self.delta, chunk)
            .or_else(|| sum(&self.text, chunk))
            .unwrap_or(0)
    }
}

/// The bytes under every member of this name, or `None` if there is none.
fn sum(name: &Finder<'static>, chunk: &str) -> Option<u64> {
    let (mut at, mut sum) = (0, None);
    while let Some(found) = name.find(&chunk.as_bytes()[at..]) {
        let start = at + found;
        at = start + name.needle().len();
        // Behind a backslash it is something said about such a member, not the member.
        if start > 0 && chunk.as_bytes()[start - 1] == b'\\' {
            continue;
        }
        let Some(value) = chunk[at..].trim_start().strip_prefix(':') else {
            continue;
        };
        at = chunk.len() - value.len();
        // A chunk that is not JSON is passed on, and counts for what was read of it.
        let Ok(place) = json::value(chunk, at) else {
            break;
        };
        at = place.end;
        let bytes = generated(&chunk[place]).unwrap_or(0);
        sum = Some(sum.unwrap_or(0_u64).saturating_add(bytes));
    }
    sum
}

/// The bytes of all strings in a value, but for those that are names and marks.
fn generated(raw: &str) -> Result<u64, Fault> {
    let mut sum = 0;
    match raw.as_bytes().first() {
        Some(b'"') => sum = raw.len() as u64 - 2,
        Some(b'[') => {
            json::elements(raw, |place| {
                sum += generated(&raw[place])?;
                Ok::<_, Fault>(())
            })?;
        }
        Some(b'{') => {
            json::members(raw, |key, place| {
                let bytes = generated(&raw[place])?;
                sum += match key {
                    "\"role\"" | "\"id\"" | "\"type\"" | "\"channel\"" => 0,
                    // Generated, but sound and seals say nothing of tokens by their size, and `OpenRouter`
                    // repeats its reasoning here.
                    "\"data\"" | "\"signature\"" | "\"reasoning_details\"" => bytes.min(1),
                    _ => bytes,
                };
                Ok::<_, Fault>(())
            })?;
        }
        _ => {}
    }
    Ok(sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(chunk: &str) -> u64 {
        Deltas::default().text_bytes(chunk)
    }

    #[test]
    fn text_reasoning_and_tool_calls_are_generated() {
        assert_eq!(
            bytes(r#"{"choices":[{"index":0,"delta":{"content":"Hello"}}]}"#),
            5
        );
        assert_eq!(
            bytes(r#"{"choices":[{"delta":{"content":null,"reasoning_content":"abc"}}]}"#),
            3
        );
        let tool = r#"{"choices":[{"delta" : {"tool_calls":[{"index":0,"id":"call_1","type":"function",
            "function":{"name":"look","arguments":"{}"}}]}}]}"#;
        assert_eq!(bytes(tool), 6);
        let mistral = r#"{"choices":[{"delta":{"content":[{"type":"thinking","thinking":[{"type":"text","text":"hm"}]}]}}]}"#;
        assert_eq!(bytes(mistral), 2);
        let two = r#"{"choices":[{"delta":{"content":"ab"}},{"delta":{"content":"cde"}}]}"#;
        assert_eq!(bytes(two), 5);
    }

    #[test]
    fn sound_and_seals_have_begun_the_answer_whatever_their_size() {
        assert_eq!(
            bytes(r#"{"choices":[{"delta":{"audio":{"id":"a","data":"AAAAAAAA"}}}]}"#),
            1
        );
        let twice = r#"{"choices":[{"delta":{"reasoning":"abc","reasoning_details":[{"type":"x","text":"abc"}]}}]}"#;
        assert_eq!(bytes(twice), 4);
    }

    #[test]
    fn a_completion_has_text_and_a_chunk_with_both_counts_once() {
        assert_eq!(bytes(r#"{"choices":[{"text":"abc","index":0}]}"#), 3);
        assert_eq!(
            bytes(r#"{"choices":[{"text":"abc","delta":{"token_id":7,"content":"abc"}}]}"#),
            3
        );
    }

    #[test]
    fn what_nobody_generated_counts_nothing() {
        for chunk in [
            r#"{"choices":[{"delta":{"role":"assistant","content":""}}]}"#,
            r#"{"choices":[{"delta":{},"finish_reason":"stop"}]}"#,
            r#"{"choices":[],"usage":{"prompt_tokens":1}}"#,
            r#"{"note":"a \"delta\": \"xx\" in words"}"#,
            r#"{"choices":[{"delta":{"content":"cut of"#,
            "[DONE]",
            "",
        ] {
            assert_eq!(bytes(chunk), 0, "{chunk}");
        }
    }
}
