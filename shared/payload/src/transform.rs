//! Payload transforms of a model version: what is set, bounded, renamed and added in a client's body before it is read.
//!
//! Owns the rules and how they are applied. Must never know who wrote them or for which tenant. What no rule touches keeps
//! its bytes and its order, because providers compare bytes before they use a prompt cache; only a program writes a body
//! anew. Rules work on the body in the client's own dialect, in the order in which they stand.

mod fault;
mod rule;
mod notation;
mod sample;
mod path;
mod place;
mod splice;
mod instruction;
mod compiled;
pub mod headers;
mod recipe;

pub use self::{
    compiled::{PROGRAMS_MAX, RULES_MAX, TEXT_BYTES_MAX, Transform, VALUE_BYTES_MAX},
    fault::Fault,
    notation::RULES_BYTES_MAX,
    path::{PATH_BYTES_MAX, STEPS_MAX},
    recipe::{RECIPE_BYTES_MAX, Recipe, Unusable},
    rule::Rule,
    sample::{SAMPLES_BYTES_MAX, Sample},
};
