//! The counts that a program may give: `{"input_tokens":1,"output_tokens":2}`; of tokens, of images, and of whatever else
//! a provider bills by.
//!
//! Owns their names. A name that is none of them is refused: tokens that are counted under it would be free. Must never
//! know what a count costs.

use crate::object::{Misfit, Object};

/// The names, none of whose tokens is counted under another.
pub const NAMES: [&str; 10] = [
    "input_tokens",
    "cached_input_tokens",
    "cache_write_tokens",
    "cache_write_hour_tokens",
    "audio_input_tokens",
    "output_tokens",
    "reasoning_tokens",
    "audio_output_tokens",
    "images",
    "units",
];

/// Reads counts, in the order of [`NAMES`]. `None` for null and for an object without a count: nothing is said.
pub fn read(raw: &str) -> Result<Option<[u64; NAMES.len()]>, Misfit> {
    if raw == "null" {
        return Ok(None);
    }
    let mut members = Object::parse(raw).map_err(|_| Misfit::new("must be an object or null"))?;
    let mut said = false;
    let mut counts = [0; NAMES.len()];
    for (count, name) in counts.iter_mut().zip(NAMES) {
        if let Some(found) = members.count(name)? {
            (*count, said) = (found, true);
        }
    }
    match members.rest().next() {
        None => Ok(said.then_some(counts)),
        Some((name, _)) => Err(Misfit::new("is no count that we know").within(&name)),
    }
}
