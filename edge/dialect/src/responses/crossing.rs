//! What of a request makes it this family's alone.
//!
//! Owns the list of what another family's model could only misunderstand. Must never know which family that would be:
//! it is asked before a request goes to any other one, because an extra of ours is otherwise left out there.

use crate::{
    neutral::{Content, Request, Unsupported},
    responses::{own, page::unsupported},
};

/// Members that refer to what only the provider keeps.
const KEPT_ELSEWHERE: [&str; 3] = ["previous_response_id", "conversation", "prompt"];

/// Refuses a request that another family cannot be asked without changing what it means.
pub fn check(request: &Request) -> Result<(), Unsupported> {
    for name in KEPT_ELSEWHERE {
        if own::find(&request.extra, name).is_some() {
            let why = "refers to what only an OpenAI Responses provider keeps: send the whole conversation";
            return Err(unsupported(name, why));
        }
    }
    if own::find(&request.extra, "background") == Some("true") {
        return Err(unsupported(
            "background",
            "is only for OpenAI Responses providers",
        ));
    }
    if own::find(&request.extra, "tool_choice").is_some() {
        return Err(unsupported(
            "tool_choice",
            "names a tool of the provider's own",
        ));
    }
    for (at, tool) in request.tools.iter().enumerate() {
        if let (true, Some(kind)) = (tool.name.is_empty(), own::ours(&tool.extra).next()) {
            let why = format!(
                "`{}` is a tool of OpenAI Responses providers only",
                kind.name
            );
            return Err(unsupported(format!("tools[{at}]"), &why));
        }
    }
    for (at, turn) in request.turns.iter().enumerate() {
        for (number, part) in turn.parts.iter().enumerate() {
            if matches!(part.content, Content::Other) && own::ours(&part.extra).next().is_some() {
                let at = format!("messages[{at}].content[{number}]");
                return Err(unsupported(at, "is only for OpenAI Responses providers"));
            }
        }
    }
    Ok(())
}
