//! How often one address may ask for what needs no key.
//!
//! Knows addresses and time; knows nothing of what is asked. An address of version 6 stands for its network: whoever has one
//! has all of it.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

/// How many addresses are known.
// Full: those that have rested are forgotten, and if there are none, all are.
const SOURCES_MAX: usize = 4_096;

/// The time between two calls of one address, on the long run.
const EVERY: Duration = Duration::from_millis(100);

/// How many calls may come at once: a job with many parts is behind one address.
const BURST: u32 = 100;

/// When each address has paid for its calls.
#[derive(Debug, Default)]
pub struct Pace(Mutex<HashMap<IpAddr, Instant>>);

fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(it) => {
            let [a, b, c, d, ..] = it.segments();
            IpAddr::from([a, b, c, d, 0, 0, 0, 0])
        }
        it @ IpAddr::V4(_) => it,
    }
}

// === impl Pace ===

impl Pace {
    /// Whether a call that comes from here may be answered now. One from nowhere counts as one address.
    pub fn allows(&self, source: &str, now: Instant) -> bool {
        let nowhere = IpAddr::from([0, 0, 0, 0]);
        let source = network(source.parse().unwrap_or(nowhere));
        // A poisoned lock is taken all the same: what it guards is whole after each act under it.
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= SOURCES_MAX && !all.contains_key(&source) {
            all.retain(|_, paid| *paid > now);
            if all.len() >= SOURCES_MAX {
                all.clear();
            }
        }
        let paid = all.entry(source).or_insert(now);
        let from = (*paid).max(now);
        if from > now + EVERY * (BURST - 1) {
            return false;
        }
        *paid = from + EVERY;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_its_burst_and_then_its_pace() {
        let (pace, now) = (Pace::default(), Instant::now());
        let allowed = |source: &str, now| (0..300).filter(|_| pace.allows(source, now)).count();
        assert_eq!(allowed("192.0.2.1", now), 100);
        assert_eq!(allowed("::ffff:192.0.2.1", now), 0, "it is the same");
        assert_eq!(allowed("192.0.2.1", now + Duration::from_secs(1)), 10);
        assert_eq!(allowed("2001:db8::1", now), 100);
        assert_eq!(allowed("2001:db8::2", now), 0, "it is of the same network");
        assert_eq!(allowed("", now), 100);
    }

    #[test]
    fn addresses_are_bounded() {
        let (pace, now) = (Pace::default(), Instant::now());
        for at in 0..=u32::try_from(SOURCES_MAX).unwrap() {
            assert!(pace.allows(&std::net::Ipv4Addr::from(at).to_string(), now));
        }
        assert!(pace.0.lock().unwrap().len() <= SOURCES_MAX);
    }
}
