//! A condition in CEL over what is known of a request, which decides which version of a model serves it.
//!
//! Bounded as every expression is. What is asked of a request that does not have it has no result, and a condition without a
//! result is not true. Only what a condition names is made ready for it.

use std::{collections::HashMap, sync::Arc};

use crate::expression::{Expression, InvalidExpression, Subject};

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

/// A compiled condition.
#[derive(Debug)]
pub struct Condition {
    expression: Expression,
    names: Vec<&'static str>,
}

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

/// Whether this text names this, as far as that can be told without reading it as an expression.
pub fn may_name(text: &str, name: &str) -> bool {
    text.contains(name)
}

// === impl Condition ===

impl Condition {
    /// Compiles a text.
    pub fn compile(text: &str) -> Result<Self, InvalidExpression> {
        let expression = Expression::over(text, &NAMES)?;
        let names = NAMES.into_iter().filter(|name| may_name(text, name));
        Ok(Self {
            expression,
            names: names.collect(),
        })
    }

    /// Whether it is true of a request of which `known` tells what a name stands for; `None` is as good as nothing known.
    pub fn is_true(&self, known: impl Fn(&'static str) -> Option<Fact>) -> bool {
        let facts = self.names.iter().copied().filter_map(|name| {
            let value = match known(name)? {
                Fact::Text(it) => cel::Value::String(Arc::new(it)),
                Fact::Texts(all) => {
                    let all = all.into_iter().take(HEADERS_MAX);
                    let all: HashMap<String, cel::Value> = all
                        .map(|(name, it)| (name, cel::Value::String(Arc::new(it))))
                        .collect();
                    all.into()
                }
                Fact::Claims(it) => it.value(),
                Fact::Number(it) => cel::Value::Int(i64::try_from(it).unwrap_or(i64::MAX)),
                Fact::Truth(it) => cel::Value::Bool(it),
            };
            Some((name, value))
        });
        self.expression.holds(facts) == Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_true(text: &str) -> bool {
        let condition = Condition::compile(text).unwrap();
        let claims = serde_json::json!({"groups": ["research"]});
        let token = Subject::of(claims.as_object().unwrap()).unwrap();
        condition.is_true(|name| {
            Some(match name {
                HEADERS => Fact::Texts(vec![("x-team".to_owned(), "red".to_owned())]),
                INPUT_TOKENS => Fact::Number(5_000),
                STREAM => Fact::Truth(true),
                PROJECT => Fact::Text("web".to_owned()),
                CLAIMS => Fact::Claims(token.clone()),
                _ => return None,
            })
        })
    }

    #[test]
    fn what_is_known_decides_and_what_is_not_known_is_not_true() {
        for (text, expected) in [
            ("input_tokens > 4000", true),
            ("input_tokens > 40000", false),
            ("headers['x-team'] == 'red' && stream", true),
            ("headers['x-other'] == 'red'", false),
            ("!('x-other' in headers)", true),
            ("project.startsWith('we')", true),
            ("'research' in claims.groups", true),
            ("claims.sub == 'ann'", false),
            ("session == ''", false),
            ("project", false),
        ] {
            assert_eq!(is_true(text), expected, "{text}");
        }
    }

    #[test]
    fn what_there_is_not_cannot_be_named() {
        for text in ["token.sub == 'a'", "model == 'a'", "input_tokens >", ""] {
            assert!(Condition::compile(text).is_err(), "{text}");
        }
    }
}
