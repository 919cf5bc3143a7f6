//! The calls of one answer while their pieces come.
//!
//! Owns which piece belongs to which call, whatever a provider numbers them. Must never let two calls stand in one
//! another: a call whose turn has not come is kept until the one before it is whole.

use crate::chat::{completeness::Completeness, decoder::chunk::Fragment};

/// The most calls of one answer. Full: the stream is given up.
pub(crate) const CALLS_MAX: usize = 256;
/// The most bytes of one answer that are kept until their turn comes. Full: the stream is given up.
pub(crate) const KEPT_BYTES_MAX: usize = 4 << 20;

/// The calls of one answer, in the order in which they began.
#[derive(Debug, Default)]
pub(crate) struct Calls {
    calls: Vec<Call>,
    /// How many of them have had their turn, the one whose turn it is among them.
    begun: usize,
}

/// One call.
#[derive(Debug, Default)]
pub(crate) struct Call {
    index: Option<u64>,
    /// Its id; empty where none came.
    pub(crate) id: String,
    /// Its name.
    pub(crate) name: String,
    /// What has come of its arguments and waits.
    pub(crate) arguments: String,
    /// The proof of the thought behind it.
    pub(crate) signature: Option<String>,
    completeness: Completeness,
}

/// What became of a piece.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    /// It goes on the call whose turn it is.
    GoesOn,
    /// It waits with its call.
    Waits,
    /// It belongs to a call that has been whole for long.
    Late,
    /// There are too many calls.
    Full,
}

// === impl Calls ===

impl Calls {
    /// Takes a piece.
    pub(crate) fn take(&mut self, fragment: &Fragment<'_>) -> Taken {
        let at = match self.find(fragment) {
            Some(at) => at,
            None if self.calls.len() == CALLS_MAX => return Taken::Full,
            None => {
                self.calls.push(Call {
                    index: fragment.index,
                    ..Call::default()
                });
                self.calls.len() - 1
            }
        };
        let (begun, current) = (at < self.begun, at + 1 == self.begun);
        let Some(call) = self.calls.get_mut(at) else {
            return Taken::Late;
        };
        call.completeness.push(&fragment.arguments);
        if current {
            return Taken::GoesOn;
        }
        if begun {
            return Taken::Late;
        }
        call.wait(fragment);
        Taken::Waits
    }

    /// The call that a piece belongs to; none if it begins another.
    fn find(&self, fragment: &Fragment<'_>) -> Option<usize> {
        let at = match fragment.index {
            Some(index) => self
                .calls
                .iter()
                .rposition(|call| call.index == Some(index)),
            None if !fragment.id.is_empty() => {
                return self.calls.iter().rposition(|call| call.id == fragment.id);
            }
            None => self.calls.len().checked_sub(1),
        }?;
        let call = self.calls.get(at)?;
        // Some number all calls alike, and tell them apart by their ids, or not even by these.
        let other_id = !fragment.id.is_empty() && !call.id.is_empty() && call.id != fragment.id;
        let again = fragment.id.is_empty()
            && !fragment.name.is_empty()
            && !fragment.arguments.is_empty()
            && call.completeness.is_whole();
        (!other_id && !again).then_some(at)
    }

    /// The next call, if its turn has come: all that is there before it is whole, and it has a name and an argument.
    /// At the `end`, whatever waits has its turn.
    pub(crate) fn next(&mut self, end: bool) -> Option<&mut Call> {
        let ready = self.calls.get(self.begun).is_some_and(|call| {
            !call.name.is_empty()
                && (end || !call.arguments.is_empty() || self.begun + 1 < self.calls.len())
        });
        if !ready {
            return None;
        }
        self.begun += 1;
        self.calls.get_mut(self.begun - 1)
    }

    /// Whether the call whose turn it is, if there is one, has all its arguments.
    pub(crate) fn current_is_whole(&self) -> bool {
        match self.begun.checked_sub(1).and_then(|at| self.calls.get(at)) {
            Some(call) => call.completeness.is_whole(),
            None => true,
        }
    }

    /// Whether a call waits for its turn.
    pub(crate) const fn any_waits(&self) -> bool {
        self.begun < self.calls.len()
    }

    /// How many bytes wait.
    pub(crate) fn waiting_bytes(&self) -> usize {
        let waiting = self.calls.get(self.begun..).unwrap_or_default();
        waiting
            .iter()
            .map(|call| call.arguments.len() + call.name.len())
            .sum()
    }

    /// How many calls have had their turn.
    pub(crate) const fn begun(&self) -> usize {
        self.begun
    }
}

// === impl Call ===

impl Call {
    fn wait(&mut self, fragment: &Fragment<'_>) {
        if self.id.is_empty() {
            self.id.push_str(&fragment.id);
        }
        // A name may come in pieces, or again and again.
        if self.name != fragment.name {
            self.name.push_str(&fragment.name);
        }
        self.arguments.push_str(&fragment.arguments);
        if let Some(signature) = &fragment.signature {
            self.signature = Some(signature.clone());
        }
    }
}
