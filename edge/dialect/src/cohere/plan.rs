//! The two places where Cohere's models write down what they think: `tool_plan`, and content of type `thinking`.
//!
//! Both are reasoning to every other family. A mark, which is the type of the place, says which it was; it is never
//! written. What comes from elsewhere bears none: whoever writes decides.

use crate::{
    cohere::own,
    neutral::{Content, Extra, Part},
};

/// The mark's name.
pub(crate) const MARK: &str = "type";

const PLAN: &str = "\"tool_plan\"";
const THINKING: &str = "\"thinking\"";

/// The mark of a `tool_plan`.
pub(crate) fn plan_mark() -> Extra {
    own::extra(MARK, PLAN)
}

/// The mark of content of type `thinking`.
pub(crate) fn thinking_mark() -> Extra {
    own::extra(MARK, THINKING)
}

/// Whether these extras mark a plan, or thinking; `None` if they do not say.
pub(crate) fn is_plan(extras: &[Extra]) -> Option<bool> {
    own::raw(extras, MARK).map(|mark| mark == PLAN)
}

/// A `tool_plan`.
pub(crate) fn plan(text: String) -> Part {
    Part {
        content: Content::Reasoning {
            text,
            signature: None,
        },
        cache: None,
        extra: vec![plan_mark()],
    }
}

/// Marks all reasoning among parts that were read from content.
pub(crate) fn mark_thinking(parts: &mut [Part]) {
    for part in parts {
        if let Content::Reasoning { .. } = part.content {
            part.extra.push(thinking_mark());
        }
    }
}
