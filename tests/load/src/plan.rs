//! How much is measured: the full form, and the short one that runs with the tests.
//!
//! Every phase is bounded in time and in count. Knows numbers only.

use std::{num::NonZeroUsize, time::Duration};

use crate::{saturated::Bounds, streams};

/// What is measured, and how often.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// How many cores the edge, the bare proxy and the provider each may use.
    pub cores: NonZeroUsize,
    /// Whether what a request costs is held against its bars. Only the code of a release is worth that.
    pub bars: bool,
    /// Connections of the closed loops.
    pub connections: usize,
    /// Closed loop, 1 KB in, 580 B out: rounds, and the bounds of each.
    pub requests: (u32, Bounds),
    /// Closed loop with long bodies: rounds, and the bounds of each.
    pub long: (u32, Bounds),
    /// Bytes of a long body.
    pub long_bytes: usize,
    /// Open loops: rounds for each rate, and how long each is.
    pub arrivals: (u32, Duration),
    /// Their rates, in requests a second.
    pub rates: [u32; 2],
    /// Streams at play: rounds, and what each is.
    pub streams: (u32, streams::Course),
    /// How many streams are held open and silent.
    pub silent: u32,
    /// How many requests a plain client asks one after another.
    pub alone: u32,
    /// How quiet the machine should be before a round, as part of one core, and how long that is waited for.
    pub lull: (f64, Duration),
    /// How long everything may take.
    pub time_max: Duration,
}

/// Bytes of a short body.
pub const SHORT_BYTES: usize = 1_024;

/// How long after the last answer of a round its cost is read, so that what was put off is counted too: usage is
/// reported up to 200 ms later.
pub const AFTERMATH: Duration = Duration::from_millis(400);

// === impl Plan ===

impl Plan {
    /// The full form, some four minutes.
    pub fn full(cores: NonZeroUsize) -> Self {
        let second = Duration::from_secs(1);
        let course = streams::Course {
            streams: 200,
            chunks: 50,
            interval: Duration::from_millis(100),
        };
        Self {
            cores,
            bars: true,
            connections: 64,
            requests: (
                7,
                Bounds {
                    time: 3 * second,
                    requests_max: 400_000,
                },
            ),
            long: (
                5,
                Bounds {
                    time: 2 * second,
                    requests_max: 100_000,
                },
            ),
            long_bytes: 200 << 10,
            arrivals: (5, 3 * second),
            rates: [500, 2_000],
            streams: (5, course),
            silent: 1_000,
            alone: 300,
            lull: (0.1, 5 * second),
            time_max: Duration::from_mins(15),
        }
    }

    /// The short form, at most some twenty seconds with debug builds: whether everything is right, not what it
    /// costs.
    pub fn short(cores: NonZeroUsize) -> Self {
        let half = Duration::from_millis(500);
        let course = streams::Course {
            streams: 20,
            chunks: 10,
            interval: Duration::from_millis(50),
        };
        Self {
            bars: false,
            connections: 16,
            requests: (
                1,
                Bounds {
                    time: half,
                    requests_max: 20_000,
                },
            ),
            long: (
                1,
                Bounds {
                    time: half,
                    requests_max: 2_000,
                },
            ),
            arrivals: (1, half),
            rates: [50, 200],
            streams: (1, course),
            silent: 50,
            alone: 60,
            lull: (1.0, Duration::ZERO),
            time_max: Duration::from_mins(2),
            ..Self::full(cores)
        }
    }

    /// How many rounds there are in all, those of every target counted.
    pub fn rounds(&self) -> u32 {
        let rates = u32::try_from(self.rates.len()).unwrap_or(0);
        2 * (self.long.0 + self.streams.0 + 1)
            + 3 * self.requests.0
            + self.streams.0
            + 3 * (rates * self.arrivals.0 + 1)
    }
}
