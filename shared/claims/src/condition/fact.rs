//! What may be known of a request, by the names that conditions have for it.
//!
//! Knows names and the kinds of what they stand for; knows nothing of conditions.

use std::borrow::Cow;

use crate::expression::Subject;

/// What conditions may name: headers by their names in small letters, who asks, and what for.
pub const NAMES: [&str; 11] = [
    HEADERS,
    KEY,
    PROJECT,
    LABELS,
    CLAIMS,
    DATA_CLASS,
    END_USER,
    SESSION,
    ENDPOINT,
    STREAM,
    INPUT_TOKENS,
];

/// The headers, a map of texts.
pub const HEADERS: &str = "headers";
/// The id of the key, a text.
pub const KEY: &str = "key";
/// The name of the project, a text.
pub const PROJECT: &str = "project";
/// The labels of the key, a map of texts; empty where a token stands for it.
pub const LABELS: &str = "labels";
/// The claims of the token, a map; not known where there is none.
pub const CLAIMS: &str = "claims";
/// How the data is classed, a text: as the key's label of this name says, or the token's claim, or else the client's tag;
/// empty where none does.
pub const DATA_CLASS: &str = "data_class";
/// For whom the client says that it asks, a text; empty where it does not say.
pub const END_USER: &str = "end_user";
/// The session, a text; empty where it does not say.
pub const SESSION: &str = "session";
/// The word for what is asked, a text.
pub const ENDPOINT: &str = "endpoint";
/// Whether a stream is asked for.
pub const STREAM: &str = "stream";
/// How many tokens probably go in.
pub const INPUT_TOKENS: &str = "input_tokens";

/// How many headers or labels a condition sees.
// Full: it does not see the others.
pub const HEADERS_MAX: usize = 64;

/// One thing that is known.
#[derive(Debug, Clone)]
pub enum Fact {
    /// A text.
    Text(String),
    /// Texts by name.
    Texts(Vec<(String, String)>),
    /// The claims of a token.
    Claims(Subject),
    /// A number.
    Number(u64),
    /// Yes or no.
    Truth(bool),
}

/// Who knows of a request what conditions name.
pub trait Known {
    /// What a name stands for; `None` is as good as nothing known.
    fn fact(&self, name: &'static str) -> Option<Fact>;

    /// The text that a member of a map of texts has. Whoever can tell it without making all of them ready does.
    fn member(&self, name: &'static str, member: &str) -> Option<Cow<'_, str>> {
        let Fact::Texts(all) = self.fact(name)? else {
            return None;
        };
        // The last of one name counts, as in a map that they are put into one after the other.
        let mut named = all.into_iter().take(HEADERS_MAX);
        let last = named.rfind(|(name, _)| name == member);
        last.map(|(_, text)| Cow::Owned(text))
    }
}
