//! Connections at rest, by origin. One pool for each core.
//!
//! Knows when a connection was last used; knows nothing of requests. Asks no timer for each connection: what is
//! too old is closed when somebody looks.

use std::{
    cell::RefCell,
    collections::HashMap,
    task::Context,
    time::{Duration, Instant},
};

use bytes::Bytes;
use http_body_util::Full;

use crate::call::line::{Line, Sent};

/// Connections at rest.
pub struct Pool<B: Sent = Full<Bytes>> {
    // Borrowed for one push or pop, never over an await.
    resting: RefCell<HashMap<String, Vec<Resting<B>>>>,
    per_origin_max: usize,
    time_max: Duration,
}

struct Resting<B: Sent> {
    line: Line<B>,
    since: Instant,
}

// === impl Pool ===

impl<B: Sent> Pool<B> {
    /// A pool that keeps `per_origin_max` connections to each origin, each for at most `time_max`.
    pub fn new(per_origin_max: usize, time_max: Duration) -> Self {
        Self {
            resting: RefCell::default(),
            per_origin_max,
            time_max,
        }
    }

    /// The connection to `origin` that was used last, if one is still good.
    pub fn take(&self, origin: &str, cx: &mut Context<'_>) -> Option<Line<B>> {
        let mut resting = self.resting.borrow_mut();
        let lines = resting.get_mut(origin)?;
        while let Some(Resting { mut line, since }) = lines.pop() {
            if since.elapsed() >= self.time_max {
                // The others are older.
                lines.clear();
            } else if line.is_free(cx) {
                return Some(line);
            }
        }
        None
    }

    /// Lets a connection rest that can take another request; closes it otherwise.
    pub fn put(&self, origin: &str, mut line: Line<B>, cx: &mut Context<'_>) {
        if !line.is_free(cx) {
            return;
        }
        let resting = Resting {
            line,
            since: Instant::now(),
        };
        let mut all = self.resting.borrow_mut();
        match all.get_mut(origin) {
            // Full: the connection is closed.
            Some(lines) if lines.len() >= self.per_origin_max => {}
            Some(lines) => lines.push(resting),
            None => drop(all.insert(origin.to_owned(), vec![resting])),
        }
    }

    /// Closes what is too old or was closed by the provider, and forgets origins that have none.
    pub fn sweep(&self, cx: &mut Context<'_>) {
        self.resting.borrow_mut().retain(|_, lines| {
            lines.retain_mut(|it| it.since.elapsed() < self.time_max && it.line.is_free(cx));
            !lines.is_empty()
        });
    }
}
