//! How much requests generate that do not say how much they want: learned for each key and model from those before.
//!
//! Knows counts; knows nothing of requests. What it guesses is what nineteen of twenty stay below, for as long as they go on as they
//! did. One core's own, and forgotten with it.

use std::{
    cell::RefCell,
    collections::HashMap,
    hash::{BuildHasher, RandomState},
    rc::Rc,
};

use policy::{id::ModelId, limit::UNITS_MAX};

/// How many keys with a model are remembered.
// Full: all are forgotten, and learned anew from the first guess.
const LEARNED_MAX: usize = 8_192;

/// The least guess, in tokens.
const LEAST: f64 = 16.0;

/// By how much a guess rises when a request generates more, and falls when it does not: nineteen times as much, so that it comes to
/// rest where one of twenty is above.
const UP: f64 = 1.24;
const DOWN: f64 = 0.988_7;

/// What was learned.
pub struct Learned {
    first: f64,
    hasher: RandomState,
    guesses: RefCell<HashMap<u64, f64>>,
}

/// Who learns from a request when it ends.
pub struct Lesson {
    learned: Rc<Learned>,
    place: u64,
    choices: u64,
}

// === impl Learned ===

impl Learned {
    /// Nothing yet: what is guessed first is `first`, in tokens of one answer.
    pub fn new(first: u64) -> Self {
        Self {
            first: tokens(first),
            hasher: RandomState::new(),
            guesses: RefCell::default(),
        }
    }

    /// How many tokens one answer probably has, of a request of this key to this model that says nothing of that; and who learns
    /// from it, of so many answers.
    pub fn guess(self: &Rc<Self>, key_id: &str, model: ModelId, choices: u64) -> (u64, Lesson) {
        let place = self.hasher.hash_one((key_id, model));
        let guess = self.guesses.borrow().get(&place).copied();
        let lesson = Lesson {
            learned: Rc::clone(self),
            place,
            choices: choices.max(1),
        };
        (whole(guess.unwrap_or(self.first)), lesson)
    }
}

// === impl Lesson ===

impl Lesson {
    /// The request has generated so many tokens in all of its answers.
    pub fn learn(self, output_tokens: u64) {
        let each = tokens(output_tokens / self.choices);
        let mut guesses = self.learned.guesses.borrow_mut();
        if guesses.len() >= LEARNED_MAX && !guesses.contains_key(&self.place) {
            guesses.clear();
        }
        let guess = guesses.entry(self.place).or_insert(self.learned.first);
        let next = if each > *guess {
            *guess * UP
        } else {
            *guess * DOWN
        };
        *guess = next.clamp(LEAST, tokens(UNITS_MAX));
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a billion at most, which a double holds"
)]
fn tokens(count: u64) -> f64 {
    count.min(UNITS_MAX) as f64
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "between the least guess and a billion"
)]
fn whole(guess: f64) -> u64 {
    guess.ceil() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    const MODEL: ModelId = ModelId::from_bytes([3; 16]);

    fn teach(learned: &Rc<Learned>, output_tokens: u64) -> u64 {
        let (guess, lesson) = learned.guess("key", MODEL, 1);
        lesson.learn(output_tokens);
        guess
    }

    #[test]
    fn a_guess_comes_to_what_nineteen_of_twenty_stay_below() {
        let learned = Rc::new(Learned::new(1_024));
        let mut random = fastrand::Rng::with_seed(7);
        let mut above = 0;
        for at in 0..20_000 {
            let output_tokens = random.u64(1..=2_000);
            let guess = teach(&learned, output_tokens);
            above += u32::from(at >= 10_000 && output_tokens > guess);
        }
        assert!((300..=700).contains(&above), "{above} of 10,000 are above");
    }

    #[test]
    fn longer_answers_are_learned_soon_and_shorter_ones_in_time() {
        let learned = Rc::new(Learned::new(1_024));
        let taught = |times, output_tokens| {
            let mut guess = 0;
            for _ in 0..times {
                guess = teach(&learned, output_tokens);
            }
            guess
        };
        let soon = taught(20, 5_120);
        assert!((4_900..=6_350).contains(&soon), "{soon}");
        let later = taught(500, 100);
        assert!((95..=130).contains(&later), "{later}");
        // Another model is another matter.
        let other = ModelId::from_bytes([4; 16]);
        assert_eq!(learned.guess("key", other, 1).0, 1_024);
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let learned = Rc::new(Learned::new(1_024));
        for at in 0..3 * LEARNED_MAX {
            let (_, lesson) = learned.guess(&at.to_string(), MODEL, 2);
            lesson.learn(u64::MAX);
        }
        assert!(learned.guesses.borrow().len() <= LEARNED_MAX);
    }
}
