//! An answer that came in one piece: what it used.
//!
//! Knows nothing of its content, which goes to the client as it came. An answer that does not say what it
//! used gives `None`, and the caller estimates.

use std::sync::LazyLock;

use memchr::memmem::Finder;

use crate::{Tokens, openai::usage, request::Endpoint};

/// Made once: a search for seven bytes is shorter than its making.
static USAGE: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("\"usage\""));

/// What an answer used, as the provider says.
pub fn tokens(endpoint: Endpoint, body: &[u8]) -> Option<Tokens> {
    // Vectors are long and some servers of them are silent: a search is cheaper than reading them.
    USAGE.find(body)?;
    let tokens = usage::said(str::from_utf8(body).ok()?)?.tokens?;
    Some(match endpoint {
        // Nothing is generated: whatever is counted beside the prompt was read, too.
        Endpoint::Embeddings => Tokens {
            input: tokens.total().saturating_sub(tokens.cached_input),
            cached_input: tokens.cached_input,
            tier: tokens.tier,
            ..Tokens::default()
        },
        _ => tokens,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usage_is_read_from_the_outermost_object() {
        let body = br#"{"choices":[{"message":{"content":"\"usage\":{\"prompt_tokens\":9}"}}],
            "usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5}}"#;
        let tokens = tokens(Endpoint::ChatCompletions, body);
        assert_eq!(
            tokens,
            Some(Tokens {
                input: 3,
                output: 2,
                ..Tokens::default()
            })
        );
    }

    #[test]
    fn embeddings_have_input_only() {
        let body =
            br#"{"data":[{"embedding":"AAAA"}],"usage":{"prompt_tokens":8,"total_tokens":8}}"#;
        let read = tokens(Endpoint::Embeddings, body);
        assert_eq!(
            read,
            Some(Tokens {
                input: 8,
                ..Tokens::default()
            })
        );
    }

    #[test]
    fn an_answer_that_is_silent_or_cut_says_nothing() {
        for body in [
            &br#"{"choices":[]}"#[..],
            br#"{"choices":[],"usage":null}"#,
            br#"{"usage":{"prompt_tokens":3},"choices":["#,
            b"<html>\"usage\"</html>",
            b"{\"usage\":{\"prompt_tokens\":3},\"x\":\"\xff\"}",
            b"",
        ] {
            assert_eq!(tokens(Endpoint::ChatCompletions, body), None);
        }
    }
}
