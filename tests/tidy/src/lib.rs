//! The house rules, as tests. This part reads the tree; the rules themselves stand in `tests/`.
//!
//! Knows nothing of what any crate does. A rule that cannot be broken is no rule: each is tried on a text
//! that breaks it.

pub mod tree;
pub mod order;
