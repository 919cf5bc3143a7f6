//! Calls without arguments: some models write `null` for them, where other families want an object.
//!
//! Knows that one word. What else is no object is the model's failure, and stays what it is.

use crate::neutral::{Answer, Content, Delta, Event, Part, Request};

/// What some models write.
const NULL: &str = "null";

/// Mends the calls of a conversation.
pub(crate) fn in_request(request: &mut Request) {
    for turn in &mut request.turns {
        turn.parts.iter_mut().for_each(mend);
    }
}

/// Mends the calls of an answer.
pub(crate) fn in_answer(answer: &mut Answer) {
    for choice in &mut answer.choices {
        choice.parts.iter_mut().for_each(mend);
    }
}

/// Whether an event says nothing but that: a call that grows by nothing has no arguments.
pub(crate) fn is_said_by(event: &Event) -> bool {
    let Event::Delta {
        delta: Delta::Arguments(arguments),
        ..
    } = event
    else {
        return false;
    };
    arguments.trim() == NULL
}

fn mend(part: &mut Part) {
    if let Content::ToolCall { arguments, .. } = &mut part.content
        && arguments.trim() == NULL
    {
        "{}".clone_into(arguments);
    }
}
