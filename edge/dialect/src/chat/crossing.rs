//! What of a request makes it this family's alone.
//!
//! Owns the list of what another family's model could only misunderstand. Must never know which family that would be:
//! it is asked before a request goes to any other one, because an extra of ours is otherwise left out there.

use payload::object;

use crate::{
    chat::own,
    neutral::{Content, Request, Unsupported},
};

/// Members without which the answer would be of another kind.
const NEEDED: [(&str, &str); 4] = [
    ("audio", "asks for sound, which only Chat Completions gives"),
    (
        "web_search_options",
        "asks for a search, which only Chat Completions makes",
    ),
    (
        "tool_choice",
        "is of a kind that only Chat Completions knows",
    ),
    (
        "response_format",
        "is of a kind that only Chat Completions knows",
    ),
];

/// Refuses a request that another family cannot be asked without changing what it means.
pub fn check(request: &Request) -> Result<(), Unsupported> {
    for (name, why) in NEEDED {
        if own::find(&request.extra, name).is_some() {
            return Err(unsupported(name, why));
        }
    }
    let modalities = own::find(&request.extra, "modalities");
    let modalities = modalities
        .and_then(|raw| object::elements(raw).ok())
        .unwrap_or_default();
    if modalities.iter().any(|modality| *modality != "\"text\"") {
        return Err(unsupported("modalities", "asks for more than text"));
    }
    for (at, tool) in request.tools.iter().enumerate() {
        if tool.name.is_empty() && tool.extra.iter().any(own::is_own) {
            let why = "is of a kind that only Chat Completions knows";
            return Err(unsupported(format!("tools[{at}]"), why));
        }
    }
    for (at, turn) in request.turns.iter().enumerate() {
        for (number, part) in turn.parts.iter().enumerate() {
            if matches!(part.content, Content::Other) && part.extra.iter().any(own::is_own) {
                let at = format!("messages[{at}].content[{number}]");
                return Err(unsupported(
                    at,
                    "is of a kind that only Chat Completions knows",
                ));
            }
        }
    }
    Ok(())
}

fn unsupported(at: impl Into<String>, why: &str) -> Unsupported {
    Unsupported {
        at: at.into(),
        why: why.to_owned(),
    }
}
