//! The ways out for records: buckets of others.
//!
//! Keeps out of everything else how a bucket is asked, and who is trusted there. Knows records and names of what is sent; knows
//! nothing of where records come from and how far they have come. Whatever is sent twice under one name is there once.

pub mod config;
mod client;
mod unsent;
mod bucket;
pub mod sink;

pub use config::Config;
pub use sink::{Parcel, Sink};
pub use unsent::{Unsent, Unusable};
