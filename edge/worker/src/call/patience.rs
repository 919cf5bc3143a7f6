//! How long to wait for the next bytes of an answer: one timer for a whole answer, whatever the number of chunks.
//!
//! Bytes that come only note the time. The timer asks at its own pace whether anything has come since.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use tokio::time::{Instant, Sleep, sleep_until};

/// How long to wait in the middle of an answer.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// For the next bytes.
    pub idle_max: Duration,
    /// For all of it, from the request's arrival.
    pub total_max: Duration,
}

/// A deadline for silence, and one for the whole.
pub struct Timer {
    // Made at the first wait: a whole answer often comes without one.
    sleep: Option<Pin<Box<Sleep>>>,
    last: Instant,
    idle_max: Duration,
    end: Instant,
}

// === impl Timer ===

impl Timer {
    /// Waits at most `idle_max` for the next bytes, and never beyond `end`.
    pub fn new(idle_max: Duration, end: Instant) -> Self {
        Self {
            sleep: None,
            last: Instant::now(),
            idle_max,
            end,
        }
    }

    /// From now on, never beyond `end`.
    pub const fn until(&mut self, end: Instant) {
        self.end = end;
    }

    /// Bytes have come.
    pub fn moved(&mut self) {
        self.last = Instant::now();
    }

    /// Ready when it has been too long.
    pub fn poll_exhausted(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            let due = (self.last + self.idle_max).min(self.end);
            let sleep = self.sleep.get_or_insert_with(|| Box::pin(sleep_until(due)));
            if sleep.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            if Instant::now() >= due {
                return Poll::Ready(());
            }
            sleep.as_mut().reset(due);
        }
    }
}
