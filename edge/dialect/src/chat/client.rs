//! What a client asked for about the form of the answer that it gets.
//!
//! Knows the members of a request that say so. The rest of the request is read in `request`.

use payload::object::{Misfit, Object};

/// How a client wants its answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Client {
    /// Whether its stream is to end with its usage.
    pub include_usage: bool,
    /// Whether it asked in the old way, with `functions`, and waits for a `function_call`.
    pub functions: bool,
}

// === impl Client ===

impl Client {
    /// Reads it from the client's request.
    pub fn of(body: &str) -> Result<Self, Misfit> {
        let mut request = Object::parse(body)?;
        let functions = request.raw("functions")?.is_some() && request.raw("tools")?.is_none();
        let include_usage = match request.object("stream_options")? {
            Some(mut options) => options.flag("include_usage")?.unwrap_or(false),
            None => false,
        };
        Ok(Self {
            include_usage,
            functions,
        })
    }
}
