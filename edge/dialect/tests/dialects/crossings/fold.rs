//! What an answer says, whatever its form: the first choice's words and calls, and what was used.

use std::collections::BTreeSet;

use dialect::{
    Tokens, chat, cohere, converse, gemini, messages,
    neutral::{Answer, Content, Delta, Event, Family, Kind, Seed, Stop},
    responses,
};
use payload::object::Misfit;
use serde_json::Value;

/// What was said.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Folded {
    pub(crate) text: String,
    /// Names, and arguments as canonical JSON.
    pub(crate) calls: Vec<(String, String)>,
    /// Why it was declined, where that is said beside the end. Other dialects say it in words, or not at all.
    pub(crate) why: Option<String>,
    /// All that went in and came out.
    pub(crate) tokens: Option<(u64, u64)>,
}

/// Reads a whole answer of a family.
pub(crate) fn answer(family: Family, body: &str, seed: &Seed) -> Result<Folded, Misfit> {
    let answer = match family {
        Family::Chat => chat::answer::decode(body, seed),
        Family::Responses => responses::answer::decode(body, seed),
        Family::Messages => messages::answer::decode(body, seed),
        Family::Gemini => gemini::answer::decode(body, seed),
        Family::Converse => converse::answer::decode(body, seed),
        Family::Cohere => cohere::answer::decode(body, seed),
    }?;
    Ok(of(&answer))
}

fn of(answer: &Answer) -> Folded {
    let mut folded = Folded {
        tokens: answer.tokens.as_ref().map(totals),
        ..Folded::default()
    };
    for part in answer.choices.first().into_iter().flat_map(|it| &it.parts) {
        match &part.content {
            Content::Text(text) | Content::Refusal(text) => folded.text.push_str(text),
            Content::ToolCall {
                name, arguments, ..
            } => folded.calls.push((name.clone(), canonical(arguments))),
            _ => {}
        }
    }
    folded.decline(
        answer
            .choices
            .first()
            .and_then(|choice| choice.stop.as_ref()),
    );
    folded
}

/// Puts a stream together.
pub(crate) fn events(events: &[Event]) -> Folded {
    let mut folded = Folded::default();
    let mut open: Option<(Kind, String)> = None;
    for event in events {
        match event {
            Event::Open {
                choice: 0, kind, ..
            } => open = Some((kind.clone(), String::new())),
            Event::Delta {
                choice: 0,
                delta: Delta::Text(text) | Delta::Arguments(text),
                ..
            } => {
                if let Some((_, said)) = &mut open {
                    said.push_str(text);
                }
            }
            Event::Close { choice: 0, .. } => match open.take() {
                Some((Kind::Text | Kind::Refusal, said)) => folded.text.push_str(&said),
                Some((Kind::ToolCall { name, .. }, said)) => {
                    folded.calls.push((name, canonical(&said)));
                }
                _ => {}
            },
            Event::Stop { choice: 0, stop } => folded.decline(Some(stop)),
            Event::Usage(tokens) => folded.tokens = Some(totals(tokens)),
            _ => {}
        }
    }
    folded
}

// === impl Folded ===

impl Folded {
    fn decline(&mut self, stop: Option<&Stop>) {
        if let Some(Stop::Refused(why)) = stop {
            self.why.clone_from(why);
        }
    }

    /// The calls whose arguments are whole.
    pub(crate) fn whole_calls(&self) -> BTreeSet<(String, String)> {
        let whole = self.calls.iter().filter(|(_, arguments)| {
            serde_json::from_str::<Value>(arguments).is_ok_and(|it| it.is_object())
        });
        whole.cloned().collect()
    }
}

const fn totals(tokens: &Tokens) -> (u64, u64) {
    (tokens.input_total(), tokens.output_total())
}

fn canonical(arguments: &str) -> String {
    let arguments = if matches!(arguments.trim(), "" | "null") {
        "{}"
    } else {
        arguments
    };
    serde_json::from_str::<Value>(arguments)
        .map_or_else(|_| arguments.to_owned(), |it| it.to_string())
}
