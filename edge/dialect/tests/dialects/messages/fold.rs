//! Neutral events: whether they keep their grammar, and the answer that they come to.
//!
//! Knows the neutral form alone.

use dialect::neutral::{Answer, Choice, Content, Delta, Event, Kind, Part};

/// Checks the grammar of `neutral::Event`. Whether the stream ended well.
pub(crate) fn grammar(events: &[Event]) -> bool {
    let (mut started, mut open, mut parts, mut stopped, mut ended) = (false, None, 0, false, None);
    for event in events {
        assert_eq!(ended, None, "something follows the end: {events:?}");
        match event {
            Event::Start { .. } => {
                assert!(!started && parts == 0, "a late beginning: {events:?}");
                started = true;
            }
            Event::Open { choice, part, kind } => {
                assert!(started && !stopped && open.is_none(), "{events:?}");
                assert_eq!((*choice, *part), (0, parts), "{events:?}");
                assert!(!matches!(kind, Kind::ToolCall { id, .. } if id.is_empty()));
                open = Some(parts);
                parts += 1;
            }
            Event::Delta { part, .. } => assert_eq!(open, Some(*part), "{events:?}"),
            Event::Close { part, .. } => assert_eq!(open.take(), Some(*part), "{events:?}"),
            Event::Stop { .. } => {
                assert!(open.is_none() && !stopped, "{events:?}");
                stopped = true;
            }
            Event::Usage(_) | Event::Extra(_) => assert!(started, "{events:?}"),
            Event::Ping => {}
            Event::Error(_) => ended = Some(false),
            Event::End => {
                assert!(stopped, "an end without a reason: {events:?}");
                ended = Some(true);
            }
        }
    }
    assert!(open.is_none(), "a part stays open: {events:?}");
    ended.unwrap_or_else(|| panic!("no end: {events:?}"))
}

/// The answer that a stream comes to, without what only one family understands.
pub(crate) fn answer(events: &[Event]) -> Answer {
    let mut answer = Answer::default();
    let mut choice = Choice::default();
    for event in events {
        match event {
            Event::Start { id, model, .. } => {
                answer.id.clone_from(id);
                answer.model.clone_from(model);
            }
            Event::Open { kind, .. } => choice.parts.push(Part::new(match kind {
                Kind::Text => Content::Text(String::new()),
                Kind::Refusal => Content::Refusal(String::new()),
                Kind::Reasoning => Content::Reasoning {
                    text: String::new(),
                    signature: None,
                },
                Kind::ToolCall { id, name } => Content::ToolCall {
                    id: id.clone(),
                    name: name.clone(),
                    arguments: String::new(),
                },
            })),
            Event::Delta { delta, .. } => grow(choice.parts.last_mut().unwrap(), delta),
            Event::Close { .. } => {
                if let Some(Content::ToolCall { arguments, .. }) =
                    choice.parts.last_mut().map(|part| &mut part.content)
                    && arguments.is_empty()
                {
                    arguments.push_str("{}");
                }
            }
            Event::Stop { stop, .. } => choice.stop = Some(stop.clone()),
            Event::Usage(tokens) => answer.tokens = Some(*tokens),
            Event::Ping | Event::Extra(_) | Event::Error(_) | Event::End => {}
        }
    }
    answer.choices.push(choice);
    answer
}

fn grow(part: &mut Part, delta: &Delta) {
    match (&mut part.content, delta) {
        (
            Content::Text(text) | Content::Refusal(text) | Content::Reasoning { text, .. },
            Delta::Text(piece),
        ) => text.push_str(piece),
        (Content::ToolCall { arguments, .. }, Delta::Arguments(piece)) => arguments.push_str(piece),
        (Content::Reasoning { signature, .. }, Delta::Signature(proof)) => {
            assert_eq!(signature.replace(proof.clone()), None, "proven twice");
        }
        (content, Delta::Redacted(data)) => *content = Content::RedactedReasoning(data.clone()),
        (content, delta) => panic!("{delta:?} does not fit {content:?}"),
    }
}
