//! Calls of tools, which Google often gives no ids: who answers which, and what they are called elsewhere.
//!
//! Owns the ids that are made up for it. Must never send one of them to Google, which never gave it.

use std::{
    borrow::Cow,
    collections::{HashMap, VecDeque},
};

use payload::{object::Object, scalar::quote};

use crate::neutral::Seed;

/// What ids that are made up in a request begin with; digits follow.
const MADE: &str = "call_g";

/// The calls of a conversation that wait for their results.
#[derive(Debug, Default)]
pub(crate) struct Calls {
    /// By the name of the tool, in the order of the calls.
    waiting: HashMap<String, VecDeque<String>>,
    made: u32,
}

/// Whether an id was made up here.
pub(crate) fn is_made(id: &str) -> bool {
    id.strip_prefix(MADE)
        .is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))
}

/// The id of the call number `index` in the answer number `choice`, where the provider gives none.
pub(crate) fn made_in_answer(seed: &Seed, choice: u32, index: u32) -> String {
    seed.tool_call_id(choice.saturating_mul(1_000).saturating_add(index))
}

/// Arguments as an object, which nothing is, too. `None` if they are something else.
pub(crate) fn object(arguments: &str) -> Option<&str> {
    let arguments = arguments.trim();
    if arguments.is_empty() {
        return Some("{}");
    }
    Object::parse(arguments).is_ok().then_some(arguments)
}

/// Arguments as an object, whatever they are: what a model failed to write stands in it as text.
pub(crate) fn object_or_text(arguments: &str) -> Cow<'_, str> {
    if let Some(object) = object(arguments) {
        return Cow::Borrowed(object);
    }
    let mut text = b"{\"arguments\":".to_vec();
    quote(&mut text, arguments);
    text.push(b'}');
    Cow::Owned(String::from_utf8(text).unwrap_or_default())
}

// === impl Calls ===

impl Calls {
    /// The model speaks again: whoever has no result yet gets none.
    pub(crate) fn forget(&mut self) {
        self.waiting.clear();
    }

    /// A call, whose id may be empty. Gives the id by which it is known.
    pub(crate) fn called(&mut self, id: String, name: &str) -> String {
        let id = self.or_made(id);
        let waiting = self.waiting.entry(name.to_owned()).or_default();
        waiting.push_back(id.clone());
        id
    }

    /// A result, whose id may be empty: then it answers the first call of that tool that waits.
    pub(crate) fn answered(&mut self, id: String, name: &str) -> String {
        let waiting = self.waiting.get_mut(name);
        if id.is_empty() {
            let id = waiting.and_then(VecDeque::pop_front).unwrap_or_default();
            return self.or_made(id);
        }
        if let Some(waiting) = waiting {
            waiting.retain(|other| *other != id);
        }
        id
    }

    fn or_made(&mut self, id: String) -> String {
        if !id.is_empty() {
            return id;
        }
        let made = self.made;
        self.made = made.saturating_add(1);
        format!("{MADE}{made}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_without_ids_answer_the_calls_of_their_tool_in_order() {
        let mut calls = Calls::default();
        let none = String::new;
        let ids: Vec<_> = ["a", "b", "a"]
            .map(|name| calls.called(none(), name))
            .into();
        assert_eq!(calls.answered(none(), "b"), ids[1]);
        assert_eq!(calls.answered(none(), "a"), ids[0]);
        assert_eq!(calls.answered(none(), "a"), ids[2]);
        let unasked = calls.answered(none(), "a");
        assert!(is_made(&unasked) && !ids.contains(&unasked));
        assert_eq!(calls.answered("x".to_owned(), "a"), "x");
    }

    #[test]
    fn arguments_are_an_object_at_last() {
        assert_eq!(object_or_text(""), "{}");
        assert_eq!(object_or_text(" {\"a\":1} "), "{\"a\":1}");
        assert_eq!(object_or_text("{\"a"), r#"{"arguments":"{\"a"}"#);
        assert_eq!(object("[]"), None);
    }
}
