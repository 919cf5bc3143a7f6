//! Holds what a provider streams until it has said something: until then nothing is committed.
//!
//! Knows bytes, their gauge and how long to wait; knows nothing of targets or clients. Must never keep back what the
//! client could have once the first of the answer is there.

use std::task::{Context, Poll, ready};

use bytes::Bytes;
use dialect::neutral::{Class, Error};
use tokio::time::Instant;

use crate::{
    call::{client::Body, gauge::Gauge, line::Broken, patience::Timer},
    record::Tally,
};

/// How much is held.
// Full: what is held goes on, and with it the status.
const HELD_BYTES_MAX: usize = 1 << 20;

/// The beginning of a stream.
pub struct Opening {
    /// Where the rest comes from.
    pub body: Body,
    /// What has read it so far.
    pub gauge: Gauge,
    /// What may go on.
    pub ready: Vec<Bytes>,
    /// How long to wait for more.
    pub timer: Timer,
    held_bytes: usize,
    // A provider that only says that it is alive is not held for longer.
    hold_until: Instant,
}

/// Why a stream failed before it said anything.
#[derive(Debug)]
pub enum Early {
    /// The provider broke off, or ended without an answer.
    Broken,
    /// It said nothing for too long.
    Slow,
    /// It said that it failed.
    Said(Box<Error>),
    /// What it said is not what its dialect says.
    Unreadable,
}

// === impl Early ===

impl Early {
    /// Why a whole answer is none.
    pub fn of_answer(error: Error) -> Self {
        // An error without a code of its own is mostly ours, about what cannot be read.
        if error.is_unreadable() || error.class == Class::Provider && error.code.is_none() {
            Self::Unreadable
        } else {
            Self::Said(Box::new(error))
        }
    }
}

// === impl Opening ===

impl Opening {
    /// Of an answer whose head is here.
    pub const fn new(body: Body, gauge: Gauge, timer: Timer, hold_until: Instant) -> Self {
        Self {
            body,
            gauge,
            ready: Vec::new(),
            timer,
            held_bytes: 0,
            hold_until,
        }
    }

    /// What has been seen of its usage.
    pub fn tally(&self) -> Tally {
        self.gauge.partial_tally()
    }

    /// Ready when the answer has begun, or is whole without a word, or has failed.
    pub fn poll_begun(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Early>> {
        loop {
            match self.body.poll_data(cx) {
                Poll::Ready(Some(Ok(bytes))) => {
                    if let Some(begun) = self.came(bytes) {
                        return Poll::Ready(begun);
                    }
                }
                Poll::Ready(Some(Err(Broken))) => return Poll::Ready(Err(Early::Broken)),
                Poll::Ready(None) => return Poll::Ready(self.ended()),
                Poll::Pending => {
                    ready!(self.timer.poll_exhausted(cx));
                    return Poll::Ready(Err(Early::Slow));
                }
            }
        }
    }

    fn came(&mut self, bytes: Bytes) -> Option<Result<(), Early>> {
        self.timer.moved();
        self.held_bytes += bytes.len();
        self.gauge.push(bytes, &mut self.ready);
        if self.gauge.has_begun() {
            return Some(Ok(()));
        }
        if self.gauge.error_seen() {
            return Some(Err(self.why()));
        }
        if self.gauge.done_seen() {
            return Some(Ok(()));
        }
        if self.body.is_finished() {
            return Some(self.ended());
        }
        let full = self.held_bytes >= HELD_BYTES_MAX || Instant::now() >= self.hold_until;
        full.then_some(Ok(()))
    }

    /// All has come, and nothing was generated in it. It may be whole all the same.
    fn ended(&mut self) -> Result<(), Early> {
        self.gauge.finish(&mut self.ready);
        if self.gauge.has_begun() {
            Ok(())
        } else if self.gauge.error_seen() {
            // What is only found at the end is mostly that there is no end.
            Err(match self.why() {
                Early::Said(error) if error.class != Class::Provider || error.code.is_some() => {
                    Early::Said(error)
                }
                _ => Early::Broken,
            })
        } else if self.gauge.done_seen() || self.gauge.is_whole(&self.ready) {
            Ok(())
        } else {
            Err(Early::Broken)
        }
    }

    fn why(&self) -> Early {
        if self.gauge.is_unreadable() {
            return Early::Unreadable;
        }
        match self.gauge.error(&self.ready) {
            Some(error) => Early::Said(Box::new(error)),
            None => Early::Broken,
        }
    }
}
