//! A stream of chunks on its way to the client: forwarded as it came, and metered as it passes.
//!
//! Must never change an event or delay a whole one. The bytes that go on are those that came, save the chunk of
//! usage that the client did not ask for, and how they were split makes no difference to anything seen here.

use bytes::{Bytes, BytesMut};
use memchr::memmem::Finder;

use crate::{
    Finish, Tokens,
    calls::Calls,
    estimate,
    openai::{
        delta::Deltas,
        usage::{self, Said},
    },
    sse::{self, Framer, Kind},
};

/// The longest event that is looked into. Full: what is held of it goes on, the rest passes unread, and we look
/// again at the next one.
pub const EVENT_BYTES_MAX: usize = 1 << 20;

/// Meters one stream.
#[derive(Debug)]
pub struct Meter {
    strip_usage: bool,
    framer: Framer,
    /// What has come of the event that is open. Held back when usage is stripped, otherwise a copy.
    partial: BytesMut,
    /// The event that is open is longer than we look into.
    oversized: bool,
    /// The last event was taken out: a line feed that belongs to its end goes with it.
    stripped: bool,
    reader: Reader,
}

/// What was seen in events.
#[derive(Debug)]
struct Reader {
    usage_key: Finder<'static>,
    /// Its calls, where they are checked.
    calls: Option<Box<Calls>>,
    deltas: Deltas,
    tokens: Option<Tokens>,
    finish: Finish,
    output_bytes: u64,
    first_delta: bool,
    done: bool,
    fault: Option<Fault>,
}

/// Why a stream is not a whole answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    /// The provider says so.
    Said,
    /// Something in it is no event of a chat.
    Unreadable,
}

// === impl Meter ===

impl Meter {
    /// A meter for a new stream. With `strip_usage` the chunk that holds nothing but usage is taken out.
    pub fn new(strip_usage: bool) -> Self {
        Self {
            strip_usage,
            framer: Framer::default(),
            partial: BytesMut::new(),
            oversized: false,
            stripped: false,
            reader: Reader::new(),
        }
    }

    /// Checks from here on whether calls of tools can be made, for whoever asks [why the answer ended](Self::finish_seen).
    pub fn check_calls(&mut self) {
        self.reader.calls = Some(Box::default());
    }

    /// Takes what the provider sent and appends to `out` what may go on, in slices of it. Bytes of an event
    /// that is not whole yet stay here only if usage is stripped, at most [`EVENT_BYTES_MAX`] of them.
    pub fn push(&mut self, bytes: Bytes, out: &mut Vec<Bytes>) {
        if self.is_unreadable() {
            return;
        }
        // `from` is where the run of bytes starts that goes on in one slice.
        let (mut from, mut at) = (0, 0);
        while at < bytes.len() {
            let cut = self.framer.next(&bytes[at..]);
            let end = at + cut.len;
            let goes_on = match cut.kind {
                Kind::Loose => {
                    self.stripped = false;
                    true
                }
                Kind::Trailing => !self.stripped,
                Kind::Event => {
                    let goes_on = self.end_event(&bytes[at..end], out);
                    if self.is_unreadable() {
                        return forward(&bytes, from, at, out);
                    }
                    goes_on
                }
                Kind::Open => self.extend_event(&bytes[at..], out),
            };
            if !goes_on {
                forward(&bytes, from, at, out);
                from = end;
            }
            at = end;
        }
        if from == 0 && at > 0 {
            out.push(bytes);
        } else {
            forward(&bytes, from, at, out);
        }
    }

    /// The provider's stream has ended: reads an event without its blank line, and gives out what is held.
    pub fn finish(&mut self, out: &mut Vec<Bytes>) {
        let held = self.partial.split().freeze();
        if held.is_empty() || self.is_unreadable() {
            return;
        }
        let usage_only = self.reader.read(&held);
        if self.strip_usage && !usage_only && !self.is_unreadable() {
            out.push(held);
        }
    }

    /// What the provider last said was used. Some say it in every chunk, each time of the whole.
    pub const fn tokens(&self) -> Option<Tokens> {
        self.reader.tokens
    }

    /// Bytes of generated text that have passed, roughly.
    pub const fn output_bytes(&self) -> u64 {
        self.reader.output_bytes
    }

    /// Output tokens guessed from [`Self::output_bytes`], for a provider that says nothing.
    pub const fn output_estimate(&self) -> u64 {
        estimate::output_tokens(self.reader.output_bytes)
    }

    /// Whether anything generated has passed: from there on the stream cannot be moved to another provider.
    pub const fn first_delta_seen(&self) -> bool {
        self.reader.first_delta
    }

    /// Why the answer ended, where a chunk says it that generates nothing. That a call cannot be made is known only if calls
    /// [are checked](Self::check_calls).
    pub fn finish_seen(&self) -> Finish {
        self.reader.finish.of_calls(self.reader.calls.as_deref())
    }

    /// Whether `[DONE]` has passed.
    pub const fn done_seen(&self) -> bool {
        self.reader.done
    }

    /// Whether the provider reported an error within the stream.
    pub const fn error_seen(&self) -> bool {
        self.reader.fault.is_some()
    }

    /// Whether something came that is no event of a chat. It does not go on, nor does what came behind it.
    pub const fn is_unreadable(&self) -> bool {
        matches!(self.reader.fault, Some(Fault::Unreadable))
    }

    /// The end of an event has come. Whether the bytes go on from where they are.
    fn end_event(&mut self, rest: &[u8], out: &mut Vec<Bytes>) -> bool {
        self.stripped = false;
        if std::mem::take(&mut self.oversized) {
            return true;
        }
        if self.partial.len() + rest.len() > EVENT_BYTES_MAX {
            self.outgrow(out);
            self.oversized = false;
            return true;
        }
        if self.partial.is_empty() {
            self.stripped = self.reader.read(rest) && self.strip_usage;
            return !self.stripped;
        }
        self.partial.extend_from_slice(rest);
        let event = self.partial.split().freeze();
        let usage_only = self.reader.read(&event);
        if !self.strip_usage {
            return true;
        }
        self.stripped = usage_only;
        if !usage_only && !self.is_unreadable() {
            out.push(event);
        }
        false
    }

    /// An event goes on beyond these bytes. Whether they go on from where they are.
    fn extend_event(&mut self, bytes: &[u8], out: &mut Vec<Bytes>) -> bool {
        self.stripped = false;
        if self.oversized {
            return true;
        }
        if self.partial.len() + bytes.len() > EVENT_BYTES_MAX {
            self.outgrow(out);
            return true;
        }
        self.partial.extend_from_slice(bytes);
        !self.strip_usage
    }

    /// The event that is open is too long to be looked into. It is no keep-alive: something was generated.
    fn outgrow(&mut self, out: &mut Vec<Bytes>) {
        let held = self.partial.split().freeze();
        if self.strip_usage && !held.is_empty() {
            out.push(held);
        }
        self.oversized = true;
        self.reader.first_delta = true;
    }
}

fn forward(bytes: &Bytes, from: usize, to: usize, out: &mut Vec<Bytes>) {
    if from < to {
        out.push(bytes.slice(from..to));
    }
}

// === impl Reader ===

impl Reader {
    fn new() -> Self {
        Self {
            usage_key: Finder::new("\"usage\""),
            calls: None,
            deltas: Deltas::default(),
            tokens: None,
            finish: Finish::Unseen,
            output_bytes: 0,
            first_delta: false,
            done: false,
            fault: None,
        }
    }

    /// Reads one event. Whether it holds nothing but usage.
    fn read(&mut self, event: &[u8]) -> bool {
        let event = sse::read(event);
        let data = event.data.trim_ascii();
        if data.starts_with(b"[DONE]") {
            self.done = true;
            return false;
        }
        if event.name == Some(b"error") {
            self.fault = Some(Fault::Said);
        }
        let Ok(data) = str::from_utf8(data) else {
            self.fault = Some(Fault::Unreadable);
            return false;
        };
        if let Some(calls) = &mut self.calls {
            calls.read(data);
        }
        let text_bytes = self.deltas.text_bytes(data);
        self.output_bytes = self.output_bytes.saturating_add(text_bytes);
        self.first_delta |= text_bytes > 0;
        // Most chunks only generate, and are not read any further.
        if text_bytes > 0 && !self.mentions_usage(data) {
            return false;
        }
        let Said {
            tokens,
            usage_only,
            error,
            finish,
        } = usage::said(data).unwrap_or_else(|| {
            if !data.is_empty() {
                self.fault = self.fault.or(Some(Fault::Unreadable));
            }
            Said::default()
        });
        self.tokens = tokens.or(self.tokens);
        self.finish = self.finish.max(finish);
        if error {
            self.fault = Some(Fault::Said);
        }
        usage_only
    }

    /// Whether an object stands behind `"usage":` anywhere. In words it would have a backslash in it.
    fn mentions_usage(&self, data: &str) -> bool {
        self.usage_key.find_iter(data.as_bytes()).any(|at| {
            let rest = data[at + self.usage_key.needle().len()..].trim_start();
            rest.strip_prefix(':')
                .is_some_and(|value| value.trim_start().starts_with('{'))
        })
    }
}
