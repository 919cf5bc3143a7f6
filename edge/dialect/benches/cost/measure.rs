//! What one word of a stream costs, in the middle of it, when every buffer has its size: to read, to write, to translate.

use std::time::{Duration, Instant};

use bytes::Bytes;
use dialect::{
    crossing::Decoder,
    neutral::{Event, Family},
    openai::stream::Meter,
};

use crate::material;

/// Words before anything is counted.
const WARM: usize = 2_000;
/// Words of which allocations are counted.
const COUNTED: usize = 500;

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Act {
    /// Chat's stream that passes, with its usage taken out.
    Pass,
    /// A provider's bytes into neutral events.
    Read(Family),
    /// Neutral events into a client's bytes.
    Write(Family),
    /// The whole way: from this client's provider.
    Translate(Family, Family),
}

/// Everything that can be measured.
pub(crate) fn acts() -> Vec<Act> {
    let mut acts = vec![Act::Pass];
    acts.extend(Family::ALL.map(Act::Read));
    acts.extend(Family::ALL.map(Act::Write));
    for client in material::CLIENTS {
        let others = Family::ALL.into_iter().filter(|it| *it != client);
        acts.extend(others.map(|provider| Act::Translate(client, provider)));
    }
    acts
}

/// One act under way: takes the next word.
type Step = Box<dyn FnMut(&Word)>;

/// One word, as bytes of its provider and as an event.
struct Word {
    bytes: Bytes,
    event: Event,
}

// === impl Act ===

impl Act {
    fn family(self) -> Family {
        match self {
            Self::Pass => Family::Chat,
            Self::Read(family) | Self::Write(family) | Self::Translate(_, family) => family,
        }
    }

    fn words(self, count: usize) -> Vec<Word> {
        let word = |at| Word {
            bytes: material::word(self.family(), at).into(),
            event: material::neutral_word(at),
        };
        (0..count).map(word).collect()
    }

    /// Begins a stream.
    fn begin(self) -> Step {
        let beginning = material::beginning(self.family());
        match self {
            Self::Pass => {
                let (mut meter, mut out) = (Meter::new(true), Vec::with_capacity(8));
                meter.push(beginning.into(), &mut out);
                Box::new(move |word| {
                    out.clear();
                    meter.push(word.bytes.clone(), &mut out);
                    assert!(!out.is_empty(), "a word passes at once");
                })
            }
            Self::Read(family) => {
                let mut decoder = Decoder::new(family, &material::seed(), false);
                let mut out = Vec::with_capacity(8);
                decoder.push(&beginning, &mut out);
                Box::new(move |word| {
                    out.clear();
                    decoder.push(&word.bytes, &mut out);
                    assert!(!out.is_empty(), "a word is read at once");
                })
            }
            Self::Write(family) => {
                let mut write = material::writer(family);
                let mut out = Vec::with_capacity(4_096);
                for event in material::neutral_beginning() {
                    write(&event, &mut out);
                }
                Box::new(move |word| {
                    out.clear();
                    write(&word.event, &mut out);
                    assert!(!out.is_empty(), "a word is written at once");
                })
            }
            Self::Translate(client, provider) => {
                let mut stream = material::back(client, provider).stream();
                let mut out = Vec::with_capacity(4_096);
                stream.push(&beginning, &mut out);
                Box::new(move |word| {
                    out.clear();
                    stream.push(&word.bytes, &mut out);
                    assert!(!out.is_empty(), "a word is translated at once");
                })
            }
        }
    }

    /// Allocations for each word, times [`COUNTED`]: what grows now and then, such as the text that a Responses client is
    /// told again at the end, is in it, too.
    pub(crate) fn allocations(self) -> u64 {
        let words = self.words(COUNTED);
        let mut step = self.begin();
        for at in 0..WARM {
            step(&words[at % COUNTED]);
        }
        let counted = allocation_counter::measure(|| words.iter().for_each(&mut step));
        counted.count_total
    }

    /// The least that one word took in several rounds.
    pub(crate) fn time(self, rounds: u32) -> Duration {
        let words = self.words(COUNTED);
        let mut least = Duration::MAX;
        for _ in 0..rounds {
            let mut step = self.begin();
            for at in 0..WARM {
                step(&words[at % COUNTED]);
            }
            let began = Instant::now();
            words.iter().for_each(&mut step);
            least = least.min(began.elapsed());
        }
        least / u32::try_from(COUNTED).expect("a few")
    }

    /// What it is called.
    pub(crate) fn name(self) -> String {
        match self {
            Self::Pass => "OpenAI Chat Completions, passed and metered".to_owned(),
            Self::Read(family) => format!("read {family}"),
            Self::Write(family) => format!("write {family}"),
            Self::Translate(client, provider) => format!("{provider} → {client}"),
        }
    }

    /// Allocations for each word, of all that were counted.
    #[expect(clippy::cast_precision_loss, reason = "counts are small")]
    pub(crate) fn each(allocations: u64) -> f64 {
        allocations as f64 / COUNTED as f64
    }
}
