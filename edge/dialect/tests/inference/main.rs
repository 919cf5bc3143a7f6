//! Models that are not chat: tensors, and what programs make of a custom provider's payloads.
//!
//! Knows single cases; a failing property names its seed.

#![cfg(test)]

mod inference;
mod custom;
mod chat;
