//! The grammar of neutral events, and an answer put together of them.

use dialect::neutral::{Answer, Choice, Content, Delta, Event, Kind, Part};

/// Fails where events break the grammar.
pub(crate) fn check(events: &[Event]) {
    let (mut open, mut next, mut stopped, mut started) = (None, 0, false, false);
    for (at, event) in events.iter().enumerate() {
        let is_last = at + 1 == events.len();
        match event {
            Event::Start { .. } => assert!(!std::mem::replace(&mut started, true) && next == 0),
            Event::Open { part, .. } => {
                assert!(open.is_none() && *part >= next && !stopped && started);
                (open, next) = (Some(*part), part + 1);
            }
            Event::Delta { part, .. } => assert_eq!(open, Some(*part)),
            Event::Close { part, .. } => assert_eq!(open.take(), Some(*part)),
            Event::Stop { .. } => assert!(open.is_none() && !std::mem::replace(&mut stopped, true)),
            Event::Usage(_) | Event::Extra(_) => assert!(started),
            Event::Ping => {}
            Event::End => assert!(is_last && stopped && open.is_none()),
            Event::Error(_) => assert!(is_last && open.is_none()),
        }
        assert!(
            !is_last || matches!(event, Event::End | Event::Error(_)),
            "no end"
        );
    }
    assert!(!events.is_empty());
}

/// The answer that events make.
pub(crate) fn fold(events: &[Event]) -> Answer {
    let mut answer = Answer::default();
    let mut choice = Choice::default();
    for event in events {
        match event {
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
            Event::Delta { delta, .. } => {
                let content = &mut choice.parts.last_mut().unwrap().content;
                match (content, delta) {
                    (Content::Text(text) | Content::Reasoning { text, .. }, Delta::Text(more)) => {
                        text.push_str(more);
                    }
                    (Content::Reasoning { signature, .. }, Delta::Signature(proof)) => {
                        assert_eq!(signature.replace(proof.clone()), None);
                    }
                    (content @ Content::Reasoning { .. }, Delta::Redacted(text)) => {
                        *content = Content::RedactedReasoning(text.clone());
                    }
                    (Content::ToolCall { arguments, .. }, Delta::Arguments(more)) => {
                        arguments.push_str(more);
                    }
                    (content, delta) => panic!("{delta:?} in {content:?}"),
                }
            }
            Event::Close { .. } => {
                let content = &mut choice.parts.last_mut().unwrap().content;
                if let Content::ToolCall { arguments, .. } = content
                    && arguments.is_empty()
                {
                    "{}".clone_into(arguments);
                }
            }
            Event::Stop { stop, .. } => choice.stop = Some(stop.clone()),
            Event::Usage(tokens) => answer.tokens = Some(*tokens),
            _ => {}
        }
    }
    answer.choices.push(choice);
    answer
}

/// What an answer says to everyone: without what only one family understands, and arguments as values.
pub(crate) fn plain(mut answer: Answer) -> Answer {
    answer.extra.clear();
    for choice in &mut answer.choices {
        choice.extra.clear();
        for part in &mut choice.parts {
            if let Content::ToolCall { arguments, .. } = &mut part.content {
                let value: serde_json::Value = serde_json::from_str(arguments).unwrap();
                *arguments = value.to_string();
            }
        }
    }
    answer
}
