//! How long answers took: a histogram with its unit.
//!
//! Knows durations; knows nothing of what was waited for.

use std::time::Duration;

use hdrhistogram::Histogram;

/// The longest time that is told apart from longer ones.
const LONGEST: Duration = Duration::from_mins(1);

/// Times, to three digits.
#[derive(Debug, Clone)]
pub struct Latency(Histogram<u64>);

// === impl Latency ===

impl Default for Latency {
    fn default() -> Self {
        let nanos_max = u64::try_from(LONGEST.as_nanos()).unwrap_or(u64::MAX);
        Self(Histogram::new_with_bounds(1, nanos_max, 3).expect("the bounds are in order"))
    }
}

impl Latency {
    /// Takes one in.
    pub fn record(&mut self, time: Duration) {
        self.0
            .saturating_record(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX));
    }

    /// The time within which this part of them stayed; 0.5 is the median. Zero when there are none.
    pub fn at(&self, quantile: f64) -> Duration {
        Duration::from_nanos(self.0.value_at_quantile(quantile))
    }

    /// How many there are.
    pub fn count(&self) -> u64 {
        self.0.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_of_what_was_recorded() {
        let mut latency = Latency::default();
        for ms in 1..=100 {
            latency.record(Duration::from_millis(ms));
        }
        latency.record(Duration::from_hours(1));
        assert_eq!(latency.count(), 101);
        assert_eq!(latency.at(0.5).as_millis(), 51);
        assert!(latency.at(1.0) >= Duration::from_secs(59));
    }
}
