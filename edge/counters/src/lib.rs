//! Shared counters. The only crate that knows Redis; and the in-process twin with the same semantics.
//!
//! Keeps out how counts are kept: whoever admits a request asks for room and gives it back, and is always
//! answered. When Redis is slow, frozen, empty or gone, the answer comes from this edge's share.

pub mod keyspace;
pub mod bucket;
pub mod reservation;
pub mod topped;
mod slots;
mod held;
pub mod process;
pub mod cluster;
mod place;
pub mod hints;
mod channel;
mod call;
mod reply;
mod scripts;
pub mod redis;
mod breaker;
mod queue;
mod link;
mod pace;
mod denial;
mod escrow;
mod live;
mod flight;
mod flights;
mod local;
mod recall;
mod estate;
mod parts;
mod restoring;
mod taking;
mod asking;
pub mod config;
pub mod counters;
pub mod upkeep;
mod open;

#[cfg(test)]
mod simulation_test;
#[cfg(test)]
mod slots_simulation_test;

pub use config::Config;
pub use counters::{Counters, Mode};
pub use flights::Seats;
pub use hints::{Heard, Hint, Hints, Said};
pub use open::{open, open_each};
pub use recall::{Before, Noted, Told};
pub use reservation::{BEQUEST_BYTES_MAX, Bequest, Demand, Request, Reserved};
pub use taking::Taken;
pub use upkeep::Upkeep;

/// Describes this crate's metrics to the recorder.
pub fn describe() {
    scripts::describe();
    link::describe();
    queue::describe();
    local::describe();
}
