//! The dialect of Cohere's API, version 2: chat and embeddings.
//!
//! Owns how its requests, answers, streams, errors and usage are spelled, in both directions. Must never know of another
//! dialect, nor which model can do what: where models differ, the request's `Target` says how.

mod own;
mod image;
mod call;
mod document;
mod content;
mod plan;
mod turn;
mod message;
mod tool;
mod format;
mod target;
mod thinking;
pub mod request;
mod finish;
pub mod usage;
pub mod answer;
pub mod error;
mod step;
pub mod decoder;
pub mod encoder;
pub mod embedding;

pub use self::target::{Budgets, Target};
