//! A token, and when it must be renewed.
//!
//! Knows times; must never show what the token is.

use std::time::Duration;

use tokio::time::Instant;
use zeroize::Zeroizing;

/// How long before its end a token is renewed, at most.
const MARGIN_MAX: Duration = Duration::from_mins(5);

/// How long before its end a token is no longer used, at most: a request takes its time to arrive.
const LAST_MAX: Duration = Duration::from_secs(10);

/// The longest that any token is believed to last.
const LIFE_MAX: Duration = Duration::from_hours(24);

/// What an issuer gave.
pub struct Given {
    /// What is presented: a bearer token, or `ACCESS_KEY_ID:SECRET_ACCESS_KEY:SESSION_TOKEN`.
    pub secret: Zeroizing<Vec<u8>>,
    /// How long it lasts from when it was asked for.
    pub lasts: Duration,
}

/// A token at hand.
pub struct Issued {
    secret: Zeroizing<Vec<u8>>,
    asked_at: Instant,
    renewed_at: Instant,
    ends_at: Instant,
}

// === impl Issued ===

impl Issued {
    /// A token that was asked for at `asked_at`. `chance` is from 0 to 1, and spreads renewals over cores and edges.
    pub fn new(given: Given, asked_at: Instant, chance: f64) -> Self {
        let lasts = given.lasts.min(LIFE_MAX);
        let margin = (lasts / 4).min(MARGIN_MAX);
        let margin = margin + (margin / 2).mul_f64(chance.clamp(0.0, 1.0));
        Self {
            secret: given.secret,
            asked_at,
            renewed_at: asked_at + lasts.saturating_sub(margin),
            ends_at: asked_at + lasts.saturating_sub((lasts / 10).min(LAST_MAX)),
        }
    }

    /// What is presented.
    pub fn secret(&self) -> &[u8] {
        &self.secret
    }

    /// Whether it may still be presented.
    pub fn is_good(&self, now: Instant) -> bool {
        now < self.ends_at
    }

    /// Whether it is time to ask for the next one.
    pub fn is_due(&self, now: Instant) -> bool {
        now >= self.renewed_at
    }

    /// How long ago it was asked for.
    pub fn age(&self) -> Duration {
        self.asked_at.elapsed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lasting(seconds: u64, chance: f64) -> (Instant, Issued) {
        let given = Given {
            secret: Zeroizing::new(b"t".to_vec()),
            lasts: Duration::from_secs(seconds),
        };
        let now = Instant::now();
        (now, Issued::new(given, now, chance))
    }

    #[test]
    fn a_token_is_renewed_well_before_it_ends_and_not_by_all_at_once() {
        for (seconds, chance, due, ends) in [
            (3_600, 0.0, 3_300, 3_590),
            (3_600, 1.0, 3_150, 3_590),
            (40, 0.0, 30, 36),
            (40, 1.0, 25, 36),
            (1 << 40, 0.0, 86_100, 86_390),
        ] {
            let (start, issued) = lasting(seconds, chance);
            let at = |seconds| start + Duration::from_secs(seconds);
            assert!(
                !issued.is_due(at(due - 1)) && issued.is_due(at(due)),
                "{seconds}"
            );
            assert!(
                issued.is_good(at(ends - 1)) && !issued.is_good(at(ends)),
                "{seconds}"
            );
        }
        let (start, nothing) = lasting(0, 0.5);
        assert!(nothing.is_due(start) && !nothing.is_good(start));
    }
}
