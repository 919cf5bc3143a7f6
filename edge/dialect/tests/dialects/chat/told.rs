//! Events of a stream: read from bytes, checked against their grammar, and put together to an answer.
//!
//! Knows the neutral grammar, and nothing of any dialect.

use std::collections::BTreeMap;

use dialect::{
    chat::decoder::Decoder,
    neutral::{Answer, Choice, Content, Delta, Event, Kind, Part},
};
use fastrand::Rng;

use super::fixture::seed;

/// What a decoder gives of a stream that comes in such pieces.
pub(crate) fn decode<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<Event> {
    let (mut decoder, mut events) = (Decoder::new(&seed()), Vec::new());
    for piece in pieces {
        decoder.push(piece, &mut events);
    }
    decoder.finish(&mut events);
    check(&events);
    events
}

/// What a decoder gives of a stream, which is the same however it is cut.
pub(crate) fn decode_cut(stream: &[u8], rng: &mut Rng) -> Vec<Event> {
    let events = decode([stream]);
    assert_eq!(decode(stream.chunks(1)), events);
    for _ in 0..8 {
        let size = rng.usize(2..200);
        assert_eq!(decode(stream.chunks(size)), events, "pieces of {size}");
    }
    if stream.len() < 1_500 {
        for at in 0..stream.len() {
            let (before, behind) = stream.split_at(at);
            assert_eq!(decode([before, behind]), events, "cut at {at}");
        }
    }
    events
}

/// Checks the grammar of events.
pub(crate) fn check(events: &[Event]) {
    let (mut started, mut stopped) = (false, Vec::new());
    let mut open: BTreeMap<u32, Option<u32>> = BTreeMap::new();
    let mut next: BTreeMap<u32, u32> = BTreeMap::new();
    for (at, event) in events.iter().enumerate() {
        let last = at + 1 == events.len();
        match event {
            Event::Start { .. } => {
                assert!(!std::mem::replace(&mut started, true), "a second start");
            }
            Event::Open { choice, part, kind } => {
                assert!(stopped.is_empty(), "a part after a stop");
                assert_eq!(
                    open.insert(*choice, Some(*part)).flatten(),
                    None,
                    "one in another"
                );
                let next = next.entry(*choice).or_default();
                assert_eq!(part, next, "numbers ascend");
                *next += 1;
                if let Kind::ToolCall { id, name } = kind {
                    assert!(!id.is_empty() && !name.is_empty());
                }
            }
            Event::Delta { choice, part, .. } => assert_eq!(open[choice], Some(*part)),
            Event::Close { choice, part } => {
                assert_eq!(open.insert(*choice, None), Some(Some(*part)));
            }
            Event::Stop { choice, .. } => {
                assert!(open.values().all(Option::is_none), "a stop within a part");
                assert!(!stopped.contains(choice));
                stopped.push(*choice);
            }
            Event::End => {
                assert!(last && !stopped.is_empty(), "an end without a stop");
                assert!(next.keys().all(|choice| stopped.contains(choice)));
            }
            Event::Error(_) => {
                assert!(last, "something after an error");
                assert!(open.values().all(Option::is_none), "an error within a part");
            }
            Event::Usage(_) | Event::Ping | Event::Extra(_) => {}
        }
    }
    let end = events.last();
    assert!(
        matches!(end, Some(Event::End | Event::Error(_))),
        "no end: {end:?}"
    );
}

/// The answer that events tell, without extras.
pub(crate) fn fold(events: &[Event]) -> Answer {
    let mut answer = Answer::default();
    let mut choices: BTreeMap<u32, Choice> = BTreeMap::new();
    for event in events {
        match event {
            Event::Start {
                id,
                model,
                created_seconds,
            } => {
                answer.id.clone_from(id);
                answer.model.clone_from(model);
                answer.created_seconds = *created_seconds;
            }
            Event::Open { choice, kind, .. } => {
                let choice = choices.entry(*choice).or_default();
                choice.parts.push(Part::new(opened(kind)));
            }
            Event::Delta { choice, delta, .. } => {
                grow(
                    choices.get_mut(choice).unwrap().parts.last_mut().unwrap(),
                    delta,
                );
            }
            Event::Close { choice, .. } => {
                let part = choices.get_mut(choice).unwrap().parts.last_mut().unwrap();
                if let Content::ToolCall { arguments, .. } = &mut part.content
                    && arguments.is_empty()
                {
                    "{}".clone_into(arguments);
                }
            }
            Event::Stop { choice, stop } => {
                choices.entry(*choice).or_default().stop = Some(stop.clone());
            }
            Event::Usage(tokens) => answer.tokens = Some(*tokens),
            _ => {}
        }
    }
    answer.choices = choices.into_values().collect();
    answer
}

fn opened(kind: &Kind) -> Content {
    match kind {
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
    }
}

fn grow(part: &mut Part, delta: &Delta) {
    match (&mut part.content, delta) {
        (
            Content::Text(text) | Content::Refusal(text) | Content::Reasoning { text, .. },
            Delta::Text(more),
        ) => text.push_str(more),
        (Content::ToolCall { arguments, .. }, Delta::Arguments(more)) => arguments.push_str(more),
        (Content::Reasoning { signature, .. }, Delta::Signature(proof)) => {
            assert_eq!(signature.replace(proof.clone()), None, "a second proof");
        }
        (content, Delta::Redacted(data)) => *content = Content::RedactedReasoning(data.clone()),
        (content, delta) => panic!("{content:?} does not grow by {delta:?}"),
    }
}

/// An answer without what a stream does not tell.
pub(crate) fn without_extras(mut answer: Answer) -> Answer {
    answer.extra.clear();
    for choice in &mut answer.choices {
        choice.extra.clear();
        choice.parts.iter_mut().for_each(|part| part.extra.clear());
    }
    answer
}
