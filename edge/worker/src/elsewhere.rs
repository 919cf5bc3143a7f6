//! Work that would keep a core's other requests waiting, on threads that serve nobody.
//!
//! Owns how much of it is done at the same time. Must never know what the work is.

use std::sync::Arc;

use tokio::{sync::Semaphore, task::spawn_blocking};

/// How many pieces of work one core has done elsewhere at the same time.
// Full: the others wait in the order in which they came; there are no more of them than requests in flight.
const PLACES: usize = 4;

/// One core's way to have work done elsewhere. A clone shares its places.
#[derive(Debug, Clone)]
pub struct Elsewhere {
    places: Arc<Semaphore>,
}

/// The work broke and gave nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Broken;

// === impl Elsewhere ===

impl Default for Elsewhere {
    fn default() -> Self {
        Self {
            places: Arc::new(Semaphore::new(PLACES)),
        }
    }
}

impl Elsewhere {
    /// Has `work` done. It goes on to its end when nobody waits for it any more, and keeps its place.
    pub async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Broken> {
        let place = Arc::clone(&self.places).acquire_owned().await;
        let place = place.map_err(|_| Broken)?;
        let done = spawn_blocking(move || {
            let _place = place;
            work()
        });
        done.await.map_err(|_| Broken)
    }
}
