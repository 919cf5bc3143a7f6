//! `OpenAI`'s Chat Completions, on fixtures of our own and on recordings.
//!
//! Knows nothing of how the dialect is written: what a fixture should give is worked out with another JSON reader.

mod same;
mod fixture;
mod told;
mod requests;
mod targets;
mod answers;
mod errors;
mod streams;
mod written;
mod pitfalls;
mod hostile;
mod recordings;
