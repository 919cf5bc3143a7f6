//! The most that a stream may generate: counts what passes, and ends the stream in its client's own words where that is reached.
//!
//! Knows events and counts; knows nothing of who set the ceiling. While a stream goes on nobody knows how many tokens it has:
//! each piece that came has at least one, and hardly a token has more than `TOKEN_BYTES`.

use crate::neutral::{Delta, Event, Stop};

/// How many bytes of text one token has at most, in the long run; prose has about four.
const TOKEN_BYTES: u64 = 6;

/// How many answers of one request are followed.
// Full: the others get no end of their own, and end with the stream.
const CHOICES_MAX: usize = 128;

/// How much may be generated: tokens of output, thoughts among them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ceiling {
    /// In each answer. The provider is told so where the client does not say it.
    pub each: u64,
    /// In all answers together.
    pub all: u64,
}

/// What has passed beneath a ceiling.
#[derive(Debug)]
pub(crate) struct Beneath {
    most: u64,
    pieces: u64,
    bytes: u64,
    told: u64,
    choices: Vec<Choice>,
    reached: bool,
}

#[derive(Debug)]
struct Choice {
    number: u32,
    open: Option<u32>,
    stopped: bool,
}

// === impl Beneath ===

impl Beneath {
    /// Nothing has passed of so many tokens.
    pub(crate) const fn new(most: u64) -> Self {
        Self {
            most,
            pieces: 0,
            bytes: 0,
            told: 0,
            choices: Vec::new(),
            reached: false,
        }
    }

    /// Looks at an event before it passes. `false` says that it must not: the ceiling is reached, now or before.
    pub(crate) fn lets_pass(&mut self, event: &Event) -> bool {
        if self.reached {
            return false;
        }
        match event {
            Event::Delta { delta, .. } => {
                let (Delta::Text(text) | Delta::Arguments(text)) = delta else {
                    return true;
                };
                if text.is_empty() {
                    return true;
                }
                let bytes = self.bytes.saturating_add(text.len() as u64);
                let counted = (self.pieces + 1).max(bytes / TOKEN_BYTES).max(self.told);
                if counted > self.most {
                    self.reached = true;
                    return false;
                }
                (self.pieces, self.bytes) = (self.pieces + 1, bytes);
            }
            Event::Usage(tokens) => self.told = self.told.max(tokens.output_total()),
            Event::Open { choice, part, .. } => self.follow(*choice, Some(*part), false),
            Event::Close { choice, .. } => self.follow(*choice, None, false),
            Event::Stop { choice, .. } => self.follow(*choice, None, true),
            _ => {}
        }
        true
    }

    /// What ends the stream where it is.
    pub(crate) fn ending(&self) -> Vec<Event> {
        let mut events = Vec::new();
        for it in &self.choices {
            let choice = it.number;
            events.extend(it.open.map(|part| Event::Close { choice, part }));
            if !it.stopped {
                let stop = Stop::Length;
                events.push(Event::Stop { choice, stop });
            }
        }
        events.push(Event::End);
        events
    }

    /// Whether it was reached.
    pub(crate) const fn is_reached(&self) -> bool {
        self.reached
    }

    /// How many tokens it is.
    pub(crate) const fn most(&self) -> u64 {
        self.most
    }

    fn follow(&mut self, number: u32, open: Option<u32>, stopped: bool) {
        if let Some(choice) = self.choices.iter_mut().find(|it| it.number == number) {
            choice.open = open;
            choice.stopped |= stopped;
        } else if self.choices.len() < CHOICES_MAX {
            self.choices.push(Choice {
                number,
                open,
                stopped,
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Tokens, neutral::Kind};

    fn opened(part: u32) -> Event {
        Event::Open {
            choice: 0,
            part,
            kind: Kind::Text,
        }
    }

    fn delta(text: &str) -> Event {
        Event::Delta {
            choice: 0,
            part: 0,
            delta: Delta::Text(text.to_owned()),
        }
    }

    #[test]
    fn a_piece_is_a_token_and_so_are_six_bytes() {
        let mut beneath = Beneath::new(3);
        assert!(beneath.lets_pass(&opened(0)));
        for text in ["a", "", "b", "c", ""] {
            assert!(beneath.lets_pass(&delta(text)), "{text}");
        }
        assert!(!beneath.lets_pass(&delta("d")) && beneath.is_reached());
        let mut beneath = Beneath::new(3);
        assert!(beneath.lets_pass(&delta("twenty-three bytes have")));
        assert!(!beneath.lets_pass(&delta("more")));
    }

    #[test]
    fn what_the_provider_tells_counts_and_does_not_cut_what_is_whole() {
        let mut beneath = Beneath::new(3);
        let told = Event::Usage(Tokens {
            reasoning: 9,
            ..Tokens::default()
        });
        assert!(beneath.lets_pass(&opened(0)) && beneath.lets_pass(&told));
        assert!(beneath.lets_pass(&Event::End) && !beneath.is_reached());
        assert!(!beneath.lets_pass(&delta("a")));
    }

    #[test]
    fn what_is_open_is_closed_and_every_answer_ends_once() {
        let mut beneath = Beneath::new(0);
        beneath.lets_pass(&opened(2));
        let stop = Stop::End;
        beneath.lets_pass(&Event::Stop { choice: 1, stop });
        assert!(!beneath.lets_pass(&delta("a")));
        let expected = [
            Event::Close { choice: 0, part: 2 },
            Event::Stop {
                choice: 0,
                stop: Stop::Length,
            },
            Event::End,
        ];
        assert_eq!(beneath.ending(), expected);
    }
}
