//! Events put together to the answer that they tell, and the grammar that they must keep.

use dialect::neutral::{Answer, Choice, Content, Delta, Event, Kind, Part};

/// What was told so far.
#[derive(Default)]
struct Told {
    answer: Answer,
    open: Vec<(u32, u32)>,
    stopped: bool,
    used: bool,
}

/// The answer that events tell. Panics where they break the grammar; `None` if they end in an error.
pub(super) fn answer(events: &[Event]) -> Option<Answer> {
    let (end, events) = events.split_last().expect("an end");
    let mut told = Told::default();
    for (at, event) in events.iter().enumerate() {
        assert!(
            at == 0 || !matches!(event, Event::Start { .. }),
            "a start in the middle"
        );
        told.event(event);
    }
    assert!(told.open.is_empty(), "something is left open");
    match end {
        Event::End => {
            let choices = &told.answer.choices;
            assert!(
                choices
                    .iter()
                    .all(|it| it.stop.is_some() || it.parts.is_empty())
            );
            Some(told.answer)
        }
        Event::Error(_) => None,
        other => panic!("{other:?} is no end"),
    }
}

// === impl Told ===

impl Told {
    fn event(&mut self, event: &Event) {
        match event {
            Event::Start {
                id,
                model,
                created_seconds,
            } => {
                self.answer.id.clone_from(id);
                self.answer.model.clone_from(model);
                self.answer.created_seconds = *created_seconds;
            }
            Event::Open { .. } | Event::Delta { .. } | Event::Close { .. } => self.part(event),
            Event::Stop { choice, stop } => {
                assert!(
                    self.open.is_empty() && !self.used,
                    "{event:?} too early or late"
                );
                self.stopped = true;
                let before = of(&mut self.answer, *choice).stop.replace(stop.clone());
                assert_eq!(before, None, "stopped twice");
            }
            Event::Usage(tokens) => {
                assert!(self.open.is_empty(), "usage amid a part");
                self.used = true;
                self.answer.tokens = Some(*tokens);
            }
            Event::Extra(extra) => {
                assert!(
                    self.open.is_empty() && !self.stopped,
                    "an extra amid a part"
                );
                self.answer.extra.push(extra.clone());
            }
            Event::Ping => {}
            Event::Error(_) | Event::End => panic!("{event:?} before the last event"),
        }
    }

    fn part(&mut self, event: &Event) {
        assert!(!self.stopped && !self.used, "{event:?} behind a stop");
        match event {
            Event::Open { choice, part, kind } => {
                let open = self.open.iter().any(|(other, _)| other == choice);
                assert!(!open, "two are open: {event:?}");
                let parts = &mut of(&mut self.answer, *choice).parts;
                assert_eq!(parts.len(), *part as usize, "an index is left out");
                parts.push(begun(kind));
                self.open.push((*choice, *part));
            }
            Event::Delta {
                choice,
                part,
                delta,
            } => {
                assert!(
                    self.open.contains(&(*choice, *part)),
                    "{event:?} of no open part"
                );
                go_on(
                    of(&mut self.answer, *choice).parts.last_mut().unwrap(),
                    delta,
                );
            }
            Event::Close { choice, part } => {
                let place = self.open.iter().position(|it| it == &(*choice, *part));
                self.open.remove(place.expect("what is closed is open"));
            }
            other => panic!("{other:?} is of no part"),
        }
    }
}

/// An answer without what a stream cannot tell: extras, and where texts were divided.
pub(super) fn told(mut answer: Answer) -> Answer {
    answer.extra.clear();
    for choice in &mut answer.choices {
        choice.extra.clear();
        let mut parts: Vec<Part> = Vec::new();
        for mut part in std::mem::take(&mut choice.parts) {
            part.extra.clear();
            match (
                parts.last_mut().map(|part| &mut part.content),
                &part.content,
            ) {
                (Some(Content::Text(before)), Content::Text(text)) => before.push_str(text),
                _ => parts.push(part),
            }
        }
        choice.parts = parts;
    }
    answer
}

fn of(answer: &mut Answer, choice: u32) -> &mut Choice {
    while answer.choices.len() <= choice as usize {
        answer.choices.push(Choice::default());
    }
    &mut answer.choices[choice as usize]
}

fn begun(kind: &Kind) -> Part {
    let nothing = String::new;
    Part::new(match kind {
        Kind::Text => Content::Text(nothing()),
        Kind::Refusal => Content::Refusal(nothing()),
        Kind::Reasoning => Content::Reasoning {
            text: nothing(),
            signature: None,
        },
        Kind::ToolCall { id, name } => {
            assert!(!id.is_empty(), "a call without id");
            Content::ToolCall {
                id: id.clone(),
                name: name.clone(),
                arguments: nothing(),
            }
        }
    })
}

fn go_on(part: &mut Part, delta: &Delta) {
    match (&mut part.content, delta) {
        (Content::Text(text) | Content::Refusal(text), Delta::Text(more)) => text.push_str(more),
        (Content::Reasoning { text, signature }, Delta::Text(more)) => {
            assert!(
                signature.is_none(),
                "a thought goes on behind its signature"
            );
            text.push_str(more);
        }
        (Content::Reasoning { signature, .. }, Delta::Signature(proof)) => {
            assert_eq!(signature.replace(proof.clone()), None, "two signatures");
        }
        (Content::ToolCall { arguments, .. }, Delta::Arguments(more)) => arguments.push_str(more),
        other => panic!("{other:?}"),
    }
}
