//! Structured answers from models that only know tools: a tool whose arguments are the answer, and which must be called.
//!
//! Owns its name and when it is used. Whoever reads an answer to such a request unwraps that tool and no other.

use crate::{
    messages::target::{Structured, Target},
    neutral::{Format, Request},
};

/// The name of the tool, which no client's tool may have.
pub const TOOL: &str = "__structured_output";

/// What the model is told about the tool.
pub(crate) const DESCRIPTION: &str =
    "Gives the final answer to the user. Its arguments are the answer.";

/// What the model is told where it cannot be forced.
pub(crate) const INSTRUCTION: &str =
    "Give your final answer by calling the tool `__structured_output`, and in no other way.";

/// Whether a request to this target asks for its answer by the tool: its answer must then be unwrapped.
pub fn by_tool(request: &Request, target: &Target<'_>) -> bool {
    match request.format {
        Format::Free => false,
        // There is no other way to ask for some object.
        Format::JsonObject => true,
        Format::JsonSchema { .. } => target.structured == Structured::Tool,
    }
}
