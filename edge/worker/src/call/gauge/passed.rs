//! An answer to what is passed through, read as far as it can be, in two ways where its API is not known.
//!
//! Knows counts; all of it goes on as it came, whatever the readings make of it.

use std::rc::Rc;

use bytes::Bytes;
use dialect::{Finish, Tokens, estimate, neutral::Class};
use policy::provider::Speaks;

use crate::{
    call::{gauge::Gauge, upload::Pulse},
    record::{Carried, Tally},
};

/// What is known of a request that is passed through.
pub struct Unmodelled {
    /// How far its body is.
    pub pulse: Rc<Pulse>,
    /// What the provider speaks, which says how its usage is read.
    pub speaks: Speaks,
    /// Whether the body is text, so that its bytes say how many tokens it has.
    pub is_text: bool,
    /// What was reserved for output: what is charged where the answer does not tell.
    pub output_tokens: u64,
}

/// The reading of an answer to what is passed through.
pub struct Passed {
    request: Unmodelled,
    read: Gauge,
    /// The same answer, read as another API's that stands at the same provider.
    beside: Option<Gauge>,
    answer_bytes: u64,
    /// The provider said that it failed.
    failed: bool,
}

// === impl Passed ===

impl Passed {
    /// Nothing has passed, of an answer that is read so, and so besides.
    pub(super) const fn new(request: Unmodelled, read: Gauge, beside: Option<Gauge>) -> Self {
        Self {
            request,
            read,
            beside,
            answer_bytes: 0,
            failed: false,
        }
    }

    /// Whether the client gets a stream.
    pub(super) const fn is_stream(&self) -> bool {
        self.read.is_stream()
    }

    /// Whether anything has passed.
    pub(super) const fn has_begun(&self) -> bool {
        self.answer_bytes > 0
    }

    /// Whether the provider said that it failed.
    pub(super) const fn has_failed(&self) -> bool {
        self.failed
    }

    /// Takes what came and appends to `out` what goes on: all of it.
    pub(super) fn push(&mut self, bytes: Bytes, out: &mut Vec<Bytes>) {
        self.answer_bytes += bytes.len() as u64;
        let mut unread = Vec::new();
        if let Some(beside) = &mut self.beside {
            beside.push(bytes.clone(), &mut unread);
        }
        self.read.push(bytes.clone(), &mut unread);
        // A stream that merely cannot be read may be of an API that nobody here knows.
        self.failed |= self.read.has_told_failure();
        out.push(bytes);
    }

    /// What is held back of the last event is read. That an end is missing says nothing: this may be no stream of chat's.
    pub(super) fn finish(&mut self) {
        let mut unread = Vec::new();
        for gauge in [Some(&mut self.read), self.beside.as_mut()]
            .into_iter()
            .flatten()
        {
            gauge.finish(&mut unread);
        }
    }

    /// Appends to `out` the event that ends a stream that broke off, as its dialect has it.
    pub(super) fn fail(&mut self, class: Class, code: &str, message: &str, out: &mut Vec<Bytes>) {
        self.read.fail(class, code, message, out);
    }

    /// Whether the provider said that the stream is done.
    pub(super) const fn done_seen(&self) -> bool {
        match &self.beside {
            Some(beside) => self.read.done_seen() || beside.done_seen(),
            None => self.read.done_seen(),
        }
    }

    /// What the provider says, by the reading that understands more of it: one that finds a total alone takes all of
    /// it for input. Where it says nothing, what was reserved.
    pub(super) fn tally(&self, of: fn(&Gauge) -> Tally) -> Tally {
        let readings = [Some(&self.read), self.beside.as_ref()];
        let tokens = readings
            .into_iter()
            .flatten()
            .filter_map(|it| of(it).tokens);
        Tally {
            tokens: tokens.max_by_key(Tokens::output_total),
            output_tokens: self.request.output_tokens,
            finish: Finish::Unseen,
        }
    }

    /// How much has passed.
    pub(super) fn carried(&self) -> Carried {
        let request_bytes = self.request.pulse.bytes();
        let bytes = usize::try_from(request_bytes).unwrap_or(usize::MAX);
        Carried {
            request_bytes,
            answer_bytes: self.answer_bytes,
            input_tokens: self.request.is_text.then(|| estimate::input_tokens(bytes)),
        }
    }
}
