//! Records of usage as columns: a file of Parquet that any reader of it can ask.
//!
//! Keeps out of everything else how Parquet is said. Knows the record of the admin API; knows nothing of where a file goes.

mod leaf;
mod row;
pub mod writer;

pub use writer::{Broken, Writer};
