//! An answer in one piece, kept as far as it can be read for what it used.
//!
//! Knows where usage stands; knows nothing of streams. Must never hold more than its bound.

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};
use dialect::{
    Finish, Tokens, crossing::watch, estimate, neutral::Family, openai::answer, request::Endpoint,
};
use memchr::memmem;

/// How much of an answer that is not a stream is kept to be read for its usage.
// Full: only the end is kept, and usage is looked for there, where most providers say it.
const KEPT_BYTES_MAX: usize = 1 << 20;

/// The last of an answer, as slices of what passed.
pub struct Kept {
    endpoint: Endpoint,
    /// All there is, as long as it came in one piece, as most answers do.
    only: Bytes,
    parts: VecDeque<Bytes>,
    held_bytes: usize,
    passed_bytes: u64,
}

// === impl Kept ===

impl Kept {
    /// Nothing yet, of an answer to this.
    pub const fn new(endpoint: Endpoint) -> Self {
        Self {
            endpoint,
            only: Bytes::new(),
            parts: VecDeque::new(),
            held_bytes: 0,
            passed_bytes: 0,
        }
    }

    /// Output tokens by our own count.
    pub fn output_tokens(&self) -> u64 {
        output_tokens_of(self.endpoint, self.passed_bytes)
    }

    /// Takes what came.
    pub fn push(&mut self, bytes: Bytes) {
        self.passed_bytes += bytes.len() as u64;
        self.held_bytes += bytes.len();
        if self.held_bytes == bytes.len() && self.held_bytes <= KEPT_BYTES_MAX {
            self.only = bytes;
            return;
        }
        if !self.only.is_empty() {
            self.parts.push_back(std::mem::take(&mut self.only));
        }
        self.parts.push_back(bytes);
        while self.held_bytes > KEPT_BYTES_MAX
            && let Some(oldest) = self.parts.pop_front()
        {
            self.held_bytes -= oldest.len();
        }
    }

    /// What the provider says was used.
    pub fn tokens(&self) -> Option<Tokens> {
        let whole = self.held_bytes as u64 == self.passed_bytes;
        let read = |text: &[u8]| {
            if let Some(family @ (Family::Messages | Family::Gemini | Family::Responses)) =
                self.endpoint.family()
            {
                // An answer without its beginning is no object, and what it used is guessed.
                watch::tokens_of_answer(family, text)
            } else if whole {
                answer::tokens(self.endpoint, text)
            } else {
                self.tokens_at_end(text)
            }
        };
        self.read(read)
    }

    /// Why it ended. An answer without its beginning does not say.
    pub fn finish(&self) -> Finish {
        let family = self.endpoint.family().unwrap_or(Family::Chat);
        self.read(|text| watch::finish_of_answer(family, text))
    }

    fn read<T>(&self, read: impl FnOnce(&[u8]) -> T) -> T {
        if !self.only.is_empty() {
            return read(&self.only);
        }
        let mut text = BytesMut::with_capacity(self.held_bytes);
        self.parts
            .iter()
            .for_each(|part| text.extend_from_slice(part));
        read(&text)
    }

    /// Usage in the end of an answer whose beginning is gone. Quotes within a string are escaped, so the last
    /// `"usage"` with its quotes bare is a member.
    fn tokens_at_end(&self, end: &[u8]) -> Option<Tokens> {
        let usage = &end[memmem::rfind(end, b"\"usage\"")?..];
        let whole = [b"{", usage].concat();
        answer::tokens(self.endpoint, &whole)
    }
}

/// Output tokens in a whole answer of this many bytes that says nothing of usage; embeddings generate none.
pub fn output_tokens_of(endpoint: Endpoint, body_bytes: u64) -> u64 {
    if endpoint == Endpoint::Embeddings {
        0
    } else {
        estimate::output_tokens(body_bytes)
    }
}
