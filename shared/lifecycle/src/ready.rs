//! Readiness: what a process still waits for before it wants traffic.
//!
//! Knows names of things awaited and nothing of the things. Ready means that nothing blocks; leaving is not
//! told here but by the drain.

use std::sync::Arc;

use tokio::sync::watch;

/// The list of what is awaited. Clones share it.
#[derive(Debug, Clone)]
pub struct Readiness(Arc<watch::Sender<Vec<&'static str>>>);

/// One thing awaited. Dropping it says that it came.
#[derive(Debug)]
#[must_use = "dropping it says that what is awaited has come"]
pub struct Blocker {
    readiness: Readiness,
    what: &'static str,
}

// === impl Readiness ===

impl Readiness {
    /// Waits for nothing yet.
    pub fn new() -> Self {
        // As long as the parts of a process that call `block`, each once at its start.
        Self(Arc::new(watch::Sender::new(Vec::new())))
    }

    /// Not ready until the blocker is dropped; `what` completes the sentence "waiting for".
    pub fn block(&self, what: &'static str) -> Blocker {
        self.0.send_modify(|waiting| waiting.push(what));
        Blocker {
            readiness: self.clone(),
            what,
        }
    }

    /// Whether nothing is awaited.
    pub fn is_ready(&self) -> bool {
        self.0.borrow().is_empty()
    }

    /// What is awaited, longest first.
    pub fn waiting(&self) -> Vec<&'static str> {
        self.0.borrow().clone()
    }

    /// Comes back once nothing is awaited.
    pub async fn ready(&self) {
        // The sender lives as long as `self`, so the only way to end is to be ready.
        let _ = self.0.subscribe().wait_for(Vec::is_empty).await;
    }
}

impl Default for Readiness {
    fn default() -> Self {
        Self::new()
    }
}

// === impl Blocker ===

impl Drop for Blocker {
    fn drop(&mut self) {
        self.readiness.0.send_modify(|waiting| {
            if let Some(at) = waiting.iter().position(|what| *what == self.what) {
                waiting.remove(at);
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn ready_is_when_the_last_blocker_is_gone() {
        let readiness = Readiness::new();
        assert!(readiness.is_ready());
        let (one, two) = (readiness.block("policy"), readiness.clone().block("keys"));
        let again = readiness.block("policy");
        assert_eq!(readiness.waiting(), ["policy", "keys", "policy"]);
        drop(one);
        assert_eq!(readiness.waiting(), ["keys", "policy"]);
        drop((two, again));
        readiness.ready().await;
        assert!(readiness.is_ready());
    }
}
