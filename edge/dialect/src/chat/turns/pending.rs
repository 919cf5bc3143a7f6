//! Calls whose results have not come yet, for those that are matched by name or by order.
//!
//! Knows ids and names; knows nothing of messages.

use std::collections::VecDeque;

/// The calls that have been read and not answered, in order.
#[derive(Debug, Default)]
pub(crate) struct Pending {
    calls: VecDeque<(String, String)>,
    made: u32,
}

// === impl Pending ===

impl Pending {
    /// Remembers a call, and gives it an id if it has none. The same conversation always gives the same ids.
    pub(crate) fn call(&mut self, name: &str, id: Option<&str>) -> String {
        let id = id.map_or_else(|| self.make(), Into::into);
        self.calls.push_back((name.to_owned(), id.clone()));
        id
    }

    /// The id of the call that a result answers: its own, or that of the first call of this name, or of the first.
    pub(crate) fn result(&mut self, id: Option<&str>, name: Option<&str>) -> String {
        let at = match (id, name) {
            (Some(id), _) => self.calls.iter().position(|(_, of)| of == id),
            (None, Some(name)) => self.calls.iter().position(|(of, _)| of == name),
            (None, None) => None,
        };
        let at = if id.is_none() { at.or(Some(0)) } else { at };
        let answered = at.and_then(|at| self.calls.remove(at));
        match (id, answered) {
            (Some(id), _) => id.to_owned(),
            (None, Some((_, id))) => id,
            (None, None) => self.make(),
        }
    }

    fn make(&mut self) -> String {
        self.made += 1;
        format!("call_{}", self.made)
    }
}
