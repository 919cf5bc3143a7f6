//! The grammar of a stream of neutral events, whatever its provider sent.

use std::collections::BTreeMap;

use dialect::neutral::{Event, Stop};

#[derive(Default)]
struct Choice {
    open: Option<u32>,
    next: u32,
    stopped: bool,
}

/// Fails where events break the grammar.
pub fn check(events: &[Event]) {
    let mut choices: BTreeMap<u32, Choice> = BTreeMap::new();
    let mut started = false;
    for (at, event) in events.iter().enumerate() {
        let last = at + 1 == events.len();
        match event {
            Event::Start { .. } => {
                assert!(!started && choices.is_empty(), "a late start");
                started = true;
            }
            Event::Open { choice, part, .. } => {
                let choice = choices.entry(*choice).or_default();
                assert!(choice.open.is_none() && !choice.stopped, "{event:?}");
                assert!(*part >= choice.next, "{event:?} after {}", choice.next);
                (choice.open, choice.next) = (Some(*part), part + 1);
            }
            Event::Delta { choice, part, .. } => {
                let open = choices.get(choice).and_then(|it| it.open);
                assert_eq!(open, Some(*part), "{event:?}");
            }
            Event::Close { choice, part } => {
                let open = choices.get_mut(choice).and_then(|it| it.open.take());
                assert_eq!(open, Some(*part), "{event:?}");
            }
            Event::Stop { choice, .. } => {
                let choice = choices.entry(*choice).or_default();
                assert!(choice.open.is_none() && !choice.stopped, "{event:?}");
                choice.stopped = true;
            }
            Event::Usage(_) | Event::Ping | Event::Extra(_) => {}
            Event::End => {
                assert!(last, "something behind the end");
                let whole = choices.values().all(|it| it.open.is_none() && it.stopped);
                assert!(whole, "an end of what is not whole");
            }
            Event::Error(error) => {
                let rest = events.get(at + 1..).unwrap_or_default();
                let counted = matches!(rest, [] | [Event::Usage(_)]);
                assert!(counted, "something behind {error:?}");
                assert!(!error.message.is_empty(), "an error without words");
                assert!(
                    choices.values().all(|it| it.open.is_none()),
                    "open at {error:?}"
                );
            }
        }
    }
    let ended = matches!(
        events,
        [.., Event::End | Event::Error(_)] | [.., Event::Error(_), Event::Usage(_)]
    );
    assert!(ended, "no end: {:?}", events.last());
}

/// Whether it says that it failed: by an error, or in why an answer stopped. Of several answers only the first counts where
/// `first_alone`.
pub fn failed(events: &[Event], first_alone: bool) -> bool {
    events.iter().any(|event| match event {
        Event::Error(_) => true,
        Event::Stop { choice, stop } => {
            matches!(stop, Stop::Failed(_)) && (*choice == 0 || !first_alone)
        }
        _ => false,
    })
}
