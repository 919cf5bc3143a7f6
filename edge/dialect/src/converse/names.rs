//! Names of tools and ids of calls that fit the narrow form that Bedrock checks: at most 64 letters, digits and a few
//! signs.
//!
//! What does not fit is shortened by a pure function of itself, so that tools, choices and history agree, the same
//! request has the same bytes, and whoever has the request can undo it.

use std::borrow::Cow;

use sha2::{Digest, Sha256};

use crate::neutral::{Answer, Content, Event, Kind, Request, ToolChoice};

/// The longest name or id, in bytes.
pub const NAME_BYTES_MAX: usize = 64;

/// What tells one shortened name from another, in bytes: 64 bits of a hash, in hexadecimal.
const HASH_BYTES: usize = 16;

/// Gives a provider's names back their own form. Holds only the names that were changed, which are at most as many as
/// a request holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Originals {
    names: Vec<(String, String)>,
}

/// A tool's name as Bedrock takes it.
pub fn tool(name: &str) -> Cow<'_, str> {
    fitting(name, |byte| matches!(byte, b'_' | b'-'))
}

/// A call's id as Bedrock takes it.
pub fn id(id: &str) -> Cow<'_, str> {
    fitting(id, |byte| matches!(byte, b'_' | b'-' | b'.' | b':'))
}

fn fitting(name: &str, sign: impl Fn(u8) -> bool) -> Cow<'_, str> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || sign(byte);
    if (1..=NAME_BYTES_MAX).contains(&name.len()) && name.bytes().all(fits) {
        return Cow::Borrowed(name);
    }
    let readable = name
        .chars()
        .map(|letter| match u8::try_from(letter) {
            Ok(byte) if fits(byte) => letter,
            _ => '_',
        })
        .take(NAME_BYTES_MAX - HASH_BYTES - 1);
    let hash = Sha256::digest(name.as_bytes());
    let halves = hash.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    let digits = halves
        .take(HASH_BYTES)
        .filter_map(|half| char::from_digit(u32::from(half), 16));
    Cow::Owned(readable.chain(['_']).chain(digits).collect())
}

// === impl Originals ===

impl Originals {
    /// The names of a request's tools that are changed on the way to Bedrock.
    pub fn of(request: &Request) -> Self {
        let mut originals = Self::default();
        for tool in &request.tools {
            originals.add(&tool.name);
        }
        if let Some(ToolChoice::Named(name)) = &request.tool_choice {
            originals.add(name);
        }
        for part in request.turns.iter().flat_map(|turn| &turn.parts) {
            if let Content::ToolCall { name, .. } = &part.content {
                originals.add(name);
            }
        }
        originals
    }

    /// The name that a tool has in the request.
    pub fn name<'a>(&'a self, given: &'a str) -> &'a str {
        let found = self.names.iter().find(|(short, _)| short == given);
        found.map_or(given, |(_, original)| original)
    }

    /// Gives an answer's calls the names that the request has.
    pub fn undo_answer(&self, answer: &mut Answer) {
        let parts = answer
            .choices
            .iter_mut()
            .flat_map(|choice| &mut choice.parts);
        for part in parts {
            if let Content::ToolCall { name, .. } = &mut part.content {
                self.undo(name);
            }
        }
    }

    /// Gives an event's call the name that the request has.
    pub fn undo_event(&self, event: &mut Event) {
        if let Event::Open {
            kind: Kind::ToolCall { name, .. },
            ..
        } = event
        {
            self.undo(name);
        }
    }

    fn undo(&self, name: &mut String) {
        if let Some((_, original)) = self.names.iter().find(|(short, _)| short == name) {
            name.clone_from(original);
        }
    }

    fn add(&mut self, name: &str) {
        // An empty name is no tool of the client's.
        if let (Cow::Owned(short), false) = (tool(name), name.is_empty())
            && !self.names.iter().any(|(known, _)| *known == short)
        {
            self.names.push((short, name.to_owned()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::neutral::Tool;

    #[test]
    fn what_fits_stays_and_what_does_not_is_shortened_the_same_way_each_time() {
        let longest = "a".repeat(NAME_BYTES_MAX);
        for name in ["get_weather", "a-B_9", longest.as_str()] {
            assert!(matches!(tool(name), Cow::Borrowed(same) if same == name));
        }
        assert!(matches!(id("toolu.x:1"), Cow::Borrowed(_)));
        for name in ["", "mcp.server/search", "wetter für köln", &"b".repeat(65)] {
            let short = tool(name);
            assert!(short.len() <= NAME_BYTES_MAX, "{short}");
            assert_eq!(tool(&short), short, "fits");
            assert_eq!(tool(name), short);
        }
        assert_eq!(
            tool("mcp.server/search"),
            "mcp_server_search_c7c6e297c3cef4d2"
        );
        assert_ne!(tool("a.b"), tool("a/b"));
        assert_ne!(id("fc_1|2"), id("fc_1/2"));
    }

    #[test]
    fn the_request_undoes_what_was_shortened() {
        let tool = |name: &str| Tool {
            name: name.to_owned(),
            description: None,
            parameters: None,
            strict: None,
            cache: None,
            extra: Vec::new(),
        };
        let request = Request {
            tools: vec![tool("a.b"), tool("plain"), tool("a/b")],
            ..Request::default()
        };
        let originals = Originals::of(&request);
        for name in ["a.b", "plain", "a/b"] {
            assert_eq!(originals.name(&super::tool(name)), name);
        }
        let mut event = Event::Open {
            choice: 0,
            part: 0,
            kind: Kind::ToolCall {
                id: "1".to_owned(),
                name: super::tool("a/b").into_owned(),
            },
        };
        originals.undo_event(&mut event);
        assert!(
            matches!(event, Event::Open { kind: Kind::ToolCall { name, .. }, .. } if name == "a/b")
        );
    }
}
