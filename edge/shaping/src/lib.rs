//! Who goes next where a provider takes no more: lanes that learn how much is let through, and queues before them.
//!
//! Keeps out what a request is. Whoever wants to go says its class, whose it is, how large it is and for how long it
//! waits; it gets a [`Turn`], a place to wait for one, or a no with a time to come back. Sets aside who fails too often.
//! What an edge finds out of targets it puts into an outbox, for others; what those say is a hint. Knows no HTTP and no store.

mod pace;
mod queue;
mod drained;
mod signs;
pub mod hearsay;
pub mod health;
pub mod outbox;
pub mod speed;
pub mod recent;
pub mod scales;
pub mod busy;
pub mod lane;
pub mod lanes;

#[cfg(test)]
mod overload_test;

pub use busy::Busy;
pub use health::Standing;
pub use lane::{Asking, Condition, Entered, Heeded, Lane, Turn, Waiting};
pub use lanes::{Config, Lanes};
pub use recent::Recently;
pub use speed::Pace as Speed;

/// Describes this crate's metrics to the recorder.
pub fn describe() {
    outbox::describe();
    lane::describe();
    scales::describe();
}
