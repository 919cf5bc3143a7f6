//! Programs, payload rules, and what they leave alone.
//!
//! Knows single cases and properties of all of them; a failing property names its seed.

#![cfg(test)]

mod cases;
mod programs;
mod hostile;
mod generated;
mod rules;
mod untouched;
mod headers;
mod document;
mod sought;
