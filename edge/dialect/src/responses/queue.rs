//! The parts of a stream, one after the other, whatever order a provider tells of them.
//!
//! Owns the grammar of parts: the first one that is not whole is open, and those that came after it wait, with what
//! came of them. Must never know what a part is made from.

use std::collections::VecDeque;

use crate::neutral::{Delta, Event, Extra, Kind};

/// How much may wait behind the part that is open. Full: the stream is given up, because its order is lost.
pub(crate) const WAITING_BYTES_MAX: usize = 4 << 20;

/// How long the pieces are in which it waits: long enough to cost little beside their text, and short enough that none
/// is copied far when it grows, or when it is told.
const PIECE_BYTES: usize = 32 << 10;

/// What a part that waits costs beside its text, about.
const PART_BYTES: usize = 128;

/// Which part: the item's number, and the part's number in it.
pub(crate) type Key = (u64, u64);

/// More waits than [`WAITING_BYTES_MAX`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Full;

/// Puts parts in a row.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    /// The first of them is open.
    parts: VecDeque<Waiting>,
    /// The number of the part that is open, or of the next one.
    number: u32,
    bytes: usize,
}

#[derive(Debug)]
struct Waiting {
    key: Key,
    what: What,
    deltas: Vec<Delta>,
    closed: bool,
}

#[derive(Debug)]
enum What {
    Part(Kind),
    Extra(Extra),
}

// === impl Queue ===

impl Queue {
    /// A part begins.
    pub(crate) fn open(&mut self, key: Key, kind: Kind, out: &mut Vec<Event>) -> Result<(), Full> {
        self.wait(key, What::Part(kind), out)
    }

    /// Something stands between two parts.
    pub(crate) fn extra(&mut self, extra: Extra, out: &mut Vec<Event>) -> Result<(), Full> {
        if self.parts.is_empty() {
            out.push(Event::Extra(extra));
            return Ok(());
        }
        let bytes = extra.value.as_str().len();
        self.wait((u64::MAX, u64::MAX), What::Extra(extra), out)?;
        self.hold(bytes)
    }

    /// A part goes on.
    pub(crate) fn delta(
        &mut self,
        key: Key,
        delta: Delta,
        out: &mut Vec<Event>,
    ) -> Result<(), Full> {
        if self.is_open(key) {
            out.push(self.of(delta));
            return Ok(());
        }
        let Some(part) = self.find(key) else {
            return Ok(());
        };
        let bytes = part.hold(delta);
        self.hold(bytes)
    }

    /// A part ends, and the next one that waits begins.
    pub(crate) fn close(&mut self, key: Key, out: &mut Vec<Event>) {
        if let Some(part) = self.find(key) {
            part.closed = true;
        }
        self.advance(out);
    }

    /// Nothing more comes of any part.
    pub(crate) fn flush(&mut self, out: &mut Vec<Event>) {
        for part in &mut self.parts {
            part.closed = true;
        }
        self.advance(out);
    }

    /// Whether this part is the one that is open.
    pub(crate) fn is_open(&self, key: Key) -> bool {
        self.parts.front().is_some_and(|part| part.key == key)
    }

    fn wait(&mut self, key: Key, what: What, out: &mut Vec<Event>) -> Result<(), Full> {
        let closed = matches!(what, What::Extra(_));
        self.parts.push_back(Waiting {
            key,
            what,
            deltas: Vec::new(),
            closed,
        });
        if self.parts.len() == 1 {
            self.begin(out);
            return Ok(());
        }
        self.hold(PART_BYTES)
    }

    fn hold(&mut self, bytes: usize) -> Result<(), Full> {
        self.bytes += bytes;
        if self.bytes > WAITING_BYTES_MAX {
            return Err(Full);
        }
        Ok(())
    }

    fn find(&mut self, key: Key) -> Option<&mut Waiting> {
        self.parts
            .iter_mut()
            .rev()
            .find(|part| part.key == key && !part.closed)
    }

    /// Ends the parts in front that are whole, and begins what then stands first.
    fn advance(&mut self, out: &mut Vec<Event>) {
        while self.parts.front().is_some_and(|part| part.closed) {
            if let Some(part) = self.parts.pop_front()
                && matches!(part.what, What::Part(_))
            {
                out.push(Event::Close {
                    choice: 0,
                    part: self.number,
                });
                self.number = self.number.saturating_add(1);
            }
            self.begin(out);
        }
        if self.parts.len() <= 1 {
            self.bytes = 0;
        }
    }

    /// Tells of what now stands first.
    fn begin(&mut self, out: &mut Vec<Event>) {
        let number = self.number;
        let Some(part) = self.parts.front_mut() else {
            return;
        };
        match &part.what {
            What::Extra(extra) => out.push(Event::Extra(extra.clone())),
            What::Part(kind) => out.push(Event::Open {
                choice: 0,
                part: number,
                kind: kind.clone(),
            }),
        }
        for delta in std::mem::take(&mut part.deltas) {
            out.push(Event::Delta {
                choice: 0,
                part: number,
                delta,
            });
        }
    }

    const fn of(&self, delta: Delta) -> Event {
        Event::Delta {
            choice: 0,
            part: self.number,
            delta,
        }
    }
}

// === impl Waiting ===

impl Waiting {
    /// Keeps a delta until its part is open, joined to the one before it where that is short, and tells how much more is
    /// kept.
    fn hold(&mut self, delta: Delta) -> usize {
        let (Delta::Text(more)
        | Delta::Arguments(more)
        | Delta::Signature(more)
        | Delta::Redacted(more)) = &delta;
        let bytes = more.len();
        match (self.deltas.last_mut(), &delta) {
            (Some(Delta::Text(text)), Delta::Text(more))
            | (Some(Delta::Arguments(text)), Delta::Arguments(more))
                if text.len() + bytes <= PIECE_BYTES =>
            {
                text.push_str(more);
            }
            _ => {
                self.deltas.push(delta);
                return bytes + PART_BYTES;
            }
        }
        bytes
    }
}
