//! How a conversation begins: what requests that share a provider's cache have in common.
//!
//! A look for one word in the body, for versions that ask; knows nothing of what is made of it. It may be found inside a text, and
//! then two that begin alike may differ: that costs a cache, and nothing else.

use dialect::{neutral::Family, request::Endpoint};
use memchr::memmem;

/// How many bytes of it count.
const BYTES: usize = 1_024;

/// The first bytes of the conversation in a body.
pub fn of(endpoint: Endpoint, body: &[u8]) -> Option<&[u8]> {
    let member: &[u8] = match endpoint.family()? {
        Family::Responses => br#""input""#,
        Family::Gemini => br#""contents""#,
        _ => br#""messages""#,
    };
    let begin = body.get(memmem::find(body, member)?..)?;
    Some(begin.get(..BYTES).unwrap_or(begin))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_before_the_conversation_does_not_count() {
        let body = |before: &str, after: &str| {
            let text = "x".repeat(BYTES);
            format!(r#"{{{before}"messages":[{{"content":"{text}{after}"}}]}}"#)
        };
        let one = body(r#""model":"chat","#, "one");
        let other = body(r#""temperature":1,"#, "other");
        let of = |text| super::of(Endpoint::ChatCompletions, text);
        assert_eq!(of(one.as_bytes()), of(other.as_bytes()));
        assert_eq!(of(one.as_bytes()).map(<[u8]>::len), Some(BYTES));
        assert_eq!(of(b"{}"), None);
    }
}
