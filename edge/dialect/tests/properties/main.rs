//! Properties that hold for all bodies and streams, tried on random ones from fixed seeds.
//!
//! Knows no single case: those are in `fixtures`. A failure names its seed.

#![cfg(test)]

mod generated;
mod rewrites;
mod splits;
mod mutations;
mod frames;
