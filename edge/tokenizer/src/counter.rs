//! Counts, and takes little of the machine for it.
//!
//! A count blocks whoever asks for it, some tenths of a millisecond for ten kilobytes. Nobody is made to wait for the reading of a
//! tokenizer, and all counts together take a tenth of one core at most.

use std::{
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Instant,
};

use crate::Family;

/// The longest text that is counted, in bytes.
// Full: it is not counted.
pub const TEXT_BYTES_MAX: usize = 256 << 10;

/// How many times as long as a count took no other is begun.
const REST: u32 = 9;

/// What counts.
#[derive(Debug)]
pub struct Counter {
    ready: [AtomicBool; Family::ALL.len()],
    asked: [AtomicBool; Family::ALL.len()],
    // Held while one counts: nobody waits for it.
    rests_until: Mutex<Option<Instant>>,
}

/// The counter of this process: tokenizers are large, and all threads share them.
static COUNTER: Counter = Counter {
    ready: [const { AtomicBool::new(false) }; Family::ALL.len()],
    asked: [const { AtomicBool::new(false) }; Family::ALL.len()],
    rests_until: Mutex::new(None),
};

// === impl Counter ===

impl Counter {
    /// That of this process.
    pub fn shared() -> &'static Self {
        &COUNTER
    }

    /// Whether texts of this family can be counted now; where they can't, it is seen to that they soon can.
    pub fn is_ready(&'static self, family: Family) -> bool {
        if self.ready[family.place()].load(Ordering::Acquire) {
            return true;
        }
        if !self.asked[family.place()].swap(true, Ordering::AcqRel) {
            let read = move || {
                family.tokenizer();
                self.ready[family.place()].store(true, Ordering::Release);
            };
            let begun = thread::Builder::new().name("tokenizer".to_owned());
            if begun.spawn(read).is_err() {
                self.asked[family.place()].store(false, Ordering::Release);
            }
        }
        false
    }

    /// Whether a count would be made now.
    pub fn is_free(&'static self, families: &[Family]) -> bool {
        let ready = families.iter().all(|family| self.is_ready(*family));
        let rests = |until: &Option<Instant>| until.is_some_and(|until| Instant::now() < until);
        ready && self.rests_until.try_lock().is_ok_and(|it| !rests(&it))
    }

    /// How many tokens this is in each of these families, at most; blocks. `None` where that is not known now: one of them is not
    /// ready, the text is too long or no text, or enough was counted for the moment.
    pub fn most(&'static self, text: &[u8], families: &[Family]) -> Option<u64> {
        if text.len() > TEXT_BYTES_MAX || families.is_empty() {
            return None;
        }
        let text = str::from_utf8(text).ok()?;
        if !families.iter().all(|family| self.is_ready(*family)) {
            return None;
        }
        let mut rests_until = self.rests_until.try_lock().ok()?;
        let since = Instant::now();
        if rests_until.is_some_and(|until| since < until) {
            return None;
        }
        let counts = families.iter().map(|it| it.tokenizer().count(text) as u64);
        let most = counts.max();
        *rests_until = Some(Instant::now() + since.elapsed() * REST);
        most
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn ready(families: &[Family]) {
        let by = Instant::now() + Duration::from_mins(1);
        while !families.iter().all(|it| Counter::shared().is_ready(*it)) {
            assert!(Instant::now() < by, "the tokenizers are not read");
            thread::yield_now();
        }
    }

    fn count(text: &[u8], families: &[Family]) -> u64 {
        let by = Instant::now() + Duration::from_mins(1);
        loop {
            if let Some(count) = Counter::shared().most(text, families) {
                return count;
            }
            assert!(Instant::now() < by, "it rests for too long");
            thread::yield_now();
        }
    }

    #[test]
    fn texts_are_counted_as_their_maker_does() {
        ready(&Family::ALL);
        // Sources: OpenAI's cookbook, "How to count tokens with tiktoken".
        assert_eq!(count(b"tiktoken is great!", &[Family::Cl100k]), 6);
        assert_eq!(count(b"antidisestablishmentarianism", &[Family::Cl100k]), 6);
        assert_eq!(count(b"antidisestablishmentarianism", &[Family::O200k]), 6);
        let birthday = "お誕生日おめでとう".as_bytes();
        assert_eq!(count(birthday, &[Family::Cl100k]), 9);
        assert_eq!(count(birthday, &[Family::O200k]), 8);
        assert_eq!(count(birthday, &Family::ALL), 9);
    }

    #[test]
    fn what_cannot_be_counted_is_not() {
        ready(&Family::ALL);
        let counter = Counter::shared();
        assert_eq!(counter.most(b"\xff\xfe", &Family::ALL), None);
        assert_eq!(counter.most(b"of no family", &[]), None);
        let long = vec![b'a'; TEXT_BYTES_MAX + 1];
        assert_eq!(counter.most(&long, &Family::ALL), None);
    }

    #[test]
    fn a_hostile_text_takes_no_longer_than_its_bytes() {
        ready(&Family::ALL);
        let bytes = TEXT_BYTES_MAX;
        let random = (0..bytes as u64).map(|at| {
            let mixed = (at ^ 0x5bd1).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 57;
            mixed.to_le_bytes()[0]
        });
        let texts: [Vec<u8>; 5] = [
            vec![b'a'; bytes],
            vec![b' '; bytes],
            vec![b'A'; bytes],
            b"\n ".repeat(bytes / 2),
            random.collect(),
        ];
        for text in texts {
            let since = Instant::now();
            let tokens = count(&text, &[Family::O200k]);
            let took = since.elapsed();
            println!("{:?}…: {tokens} tokens in {took:?}", &text[..4]);
            assert!(took < Duration::from_secs(20), "{took:?}");
        }
    }
}
