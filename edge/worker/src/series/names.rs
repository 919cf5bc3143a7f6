//! Which names may be labels: those that came first, up to a bound, for the whole process.
//!
//! Knows texts; knows nothing of what is counted under them. A name that has its place keeps it until the process ends,
//! because a counter that went away and came back would look like a restart.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// How many models at a provider are told apart.
// Full: further ones are counted as `other` at `other`.
pub const PAIRS_MAX: usize = 400;

/// How many providers are told apart.
// Full: further ones are counted as `other`.
pub const PROVIDERS_MAX: usize = 100;

/// How many organizations are told apart.
// Full: further ones are counted as `other`.
pub const ORGANIZATIONS_MAX: usize = 200;

/// The label of what found no place.
pub const OTHER: &str = "other";

/// The label of what there is none of, such as a model where what is passed through names none.
pub const NONE: &str = "none";

/// The names of the process; clones are the same.
#[derive(Clone, Default)]
pub struct Names(Arc<Mutex<Known>>);

#[derive(Default)]
struct Known {
    pairs: HashSet<(Arc<str>, Arc<str>)>,
    providers: HashSet<Arc<str>>,
    organizations: HashSet<Arc<str>>,
}

// === impl Names ===

impl Names {
    /// The labels for a model at a provider.
    pub fn pair(&self, model: &str, provider: &str) -> (Arc<str>, Arc<str>) {
        let pair = (Arc::from(model), Arc::from(provider));
        let mut known = self.known();
        if known.pairs.contains(&pair) {
            return pair;
        }
        if known.pairs.len() >= PAIRS_MAX {
            return (Arc::from(OTHER), Arc::from(OTHER));
        }
        known.pairs.insert(pair.clone());
        pair
    }

    /// The label for a provider.
    pub fn provider(&self, name: &str) -> Arc<str> {
        place(&mut self.known().providers, name, PROVIDERS_MAX)
    }

    /// The label for an organization.
    pub fn organization(&self, name: &str) -> Arc<str> {
        place(&mut self.known().organizations, name, ORGANIZATIONS_MAX)
    }

    // Asked only where a core has not kept the answer.
    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn place(known: &mut HashSet<Arc<str>>, name: &str, most: usize) -> Arc<str> {
    if let Some(known) = known.get(name) {
        return Arc::clone(known);
    }
    if known.len() >= most {
        return Arc::from(OTHER);
    }
    let name: Arc<str> = Arc::from(name);
    known.insert(Arc::clone(&name));
    name
}
