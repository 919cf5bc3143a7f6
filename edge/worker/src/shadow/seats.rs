//! How many copies an edge has under way, of each shadow and of all.
//!
//! Knows counts; knows nothing of requests. One for all cores. It is locked for one look-up, and only by requests of a sample.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use policy::{id::ShadowId, shadow::Shadow};

/// How many copies an edge may have under way, of all shadows.
// Full: the copy is dropped and counted.
pub const COPIES_MAX: usize = 1_024;

/// The places of all cores.
#[derive(Debug, Clone, Default)]
pub struct Seats {
    taken: Arc<Mutex<BTreeMap<ShadowId, usize>>>,
}

/// One place, which is free again when it is dropped.
#[derive(Debug)]
pub struct Seat {
    of: Seats,
    shadow: ShadowId,
}

// === impl Seats ===

impl Seats {
    /// A place for one more copy, if there is one.
    pub fn take(&self, shadow: &Shadow) -> Option<Seat> {
        let mut taken = self.taken();
        let all: usize = taken.values().sum();
        let own = taken.get(&shadow.id).copied().unwrap_or(0);
        if all >= COPIES_MAX || own >= usize::from(shadow.concurrent_max) {
            return None;
        }
        taken.insert(shadow.id, own + 1);
        Some(Seat {
            of: self.clone(),
            shadow: shadow.id,
        })
    }

    fn taken(&self) -> MutexGuard<'_, BTreeMap<ShadowId, usize>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut taken = self.of.taken();
        match taken.get_mut(&self.shadow) {
            Some(own) if *own > 1 => *own -= 1,
            _ => drop(taken.remove(&self.shadow)),
        }
    }
}

#[cfg(test)]
mod tests {
    use policy::id::VersionId;

    use super::*;

    fn shadow(id: u8, concurrent_max: u16) -> Shadow {
        Shadow {
            id: ShadowId::from_bytes([id; 16]),
            version: VersionId::from_bytes([1; 16]),
            basis_points: 10_000,
            concurrent_max,
            end_seconds: None,
            rest_seconds: None,
        }
    }

    #[test]
    fn a_place_is_taken_once_and_free_again() {
        let seats = Seats::default();
        let (few, many) = (shadow(1, 2), shadow(2, 1_000));
        let held: Vec<_> = (0..2).map(|_| seats.take(&few).unwrap()).collect();
        assert!(seats.take(&few).is_none());
        assert!(seats.take(&many).is_some());
        drop(held);
        assert!(seats.take(&few).is_some());
        assert!(seats.taken().is_empty());
    }

    #[test]
    fn all_shadows_together_have_a_bound() {
        let seats = Seats::default();
        let mut held = Vec::new();
        for id in 0..3 {
            held.extend(std::iter::from_fn(|| seats.take(&shadow(id, 1_000))));
        }
        assert_eq!(held.len(), COPIES_MAX);
    }
}
