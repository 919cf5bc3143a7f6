//! The one place where this replica's state stands: many streams read it, the tail alone writes it.
//!
//! Knows nothing of streams or SQL. The lock is held for as long as one question takes and never over an
//! await; readers learn through `moved` that there is something new to ask.

use std::sync::{PoisonError, RwLock};

use policy::{
    object::{Kind, Lane},
    remit::Remit,
    revision::Revision,
};
use tokio::sync::watch;

use crate::publish::{parcel::Claim, state::State};

/// This replica's state.
#[derive(Debug)]
pub struct Hub {
    state: RwLock<State>,
    moved: watch::Sender<Moved>,
}

/// How far the state is; changes with every advance and every load.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Moved {
    /// The newest revision.
    pub revision: Revision,
    /// How often it was loaded.
    pub generation: u64,
}

// === impl Hub ===

impl Hub {
    /// An empty one, to be loaded before anybody asks.
    pub fn new() -> Self {
        Self {
            state: RwLock::default(),
            moved: watch::Sender::new(Moved::default()),
        }
    }

    /// Asks the state. `question` must be short: it holds up the tail.
    pub fn read<T>(&self, question: impl FnOnce(&State) -> T) -> T {
        question(&self.state.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Changes the state, and wakes who follows it.
    pub fn write<T>(&self, edit: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        let result = edit(&mut state);
        let moved = Moved {
            revision: state.revision(),
            generation: state.generation(),
        };
        drop(state);
        self.moved
            .send_if_modified(|old| std::mem::replace(old, moved) != moved);
        result
    }

    /// Whether a limit is one of which an edge of this remit may know.
    pub fn concerns(&self, remit: &Remit, limit: &[u8]) -> bool {
        remit.organization.is_none() || self.read(|state| state.holds((Kind::Limit, limit), remit))
    }

    /// Wakes when there is something new.
    pub fn follow(&self) -> watch::Receiver<Moved> {
        self.moved.subscribe()
    }

    /// Where the lanes are for a remit.
    pub fn heads(&self, remit: &Remit) -> [(Lane, Claim); 3] {
        self.read(|state| {
            Lane::ALL.map(|lane| {
                let (epoch, revision) = (state.epoch().clone(), state.revision());
                (
                    lane,
                    Claim {
                        epoch,
                        revision,
                        hash: state.hash(lane, remit),
                    },
                )
            })
        })
    }
}

impl Default for Hub {
    fn default() -> Self {
        Self::new()
    }
}
