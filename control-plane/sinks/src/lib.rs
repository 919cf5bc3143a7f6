//! The ways out for records and for the audit trail: buckets and syslog servers of others.
//!
//! Keeps out of everything else how those are asked, and who is trusted there. Knows records, lines and names of what is sent; knows
//! nothing of where they come from and how far they have come. In a bucket, whatever is sent twice under one name is there once.

pub mod config;
mod client;
mod unsent;
mod called;
mod bucket;
pub mod sink;
mod line;
mod syslog;
pub mod trail;

pub use config::{Config, TrailConfig};
pub use line::Line;
pub use sink::{Parcel, Sink};
pub use trail::Trail;
pub use unsent::{Unsent, Unusable};
