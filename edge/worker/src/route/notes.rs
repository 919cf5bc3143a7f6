//! What became of each target, and by which rule.
//!
//! Kept with the record and told to operators who ask. Nothing is allocated while nothing keeps a target from its place.

use std::time::Duration;

use policy::model::Target;

/// The most notes of one decision.
// Full: the next ones are not taken.
const NOTES_MAX: usize = 256;

/// Notes, in the order in which they were taken.
#[derive(Debug, Default)]
pub struct Notes(Vec<Note>);

/// What was noted, as text of a trace.
#[derive(Debug, Clone)]
pub struct Told(String);

/// What became of one target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Note {
    /// Its place in the version.
    pub position: usize,
    /// What.
    pub why: Why,
}

/// Why a target is left out or asked later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// Its provider is not in force here.
    Missing,
    /// Its provider is another organization's.
    Foreign,
    /// The key is held to other providers.
    Key,
    /// It has failed too often, and is asked last for so long.
    Aside(Duration),
    /// It has failed too often, and few are sent there until it answers.
    OnTrial,
    /// Its provider wants nothing for so long.
    Parked(Duration),
    /// It belongs there, and has too much to do.
    Full,
    /// What it costs is not known, and it is to cost little.
    Unpriced,
    /// The client wants others only.
    NotOnly,
    /// The client wants it not.
    Ignored,
    /// The project's data may not go there.
    DataPolicy,
    /// It may collect what it is sent, and the client wants that not.
    DataCollection,
    /// It may retain what it is sent, and the client wants that not.
    Retention,
    /// Its models are quantized otherwise than the client wants.
    Quantization,
    /// It costs more than the client wants to pay.
    TooDear,
    /// What it costs is not known, and the client names a price.
    PriceUnknown,
    /// The client wants nobody asked beyond those before it.
    NoFallback,
    /// It does worse than the client likes.
    Slow,
    /// Second attempts there have failed too often.
    Retries,
    /// The time for an answer was over before its turn came.
    Late,
    /// A realtime API is asked for, and its provider has none.
    Realtime,
    /// The conversation is longer than it takes.
    Context,
    /// More is to come out than it generates.
    Output,
    /// It takes or gives no such pictures, sound, films or files.
    Modality,
    /// It calls no tools, or not several at once.
    Tools,
    /// It keeps to no such form.
    Format,
    /// It does not think first.
    Reasoning,
    /// It does not stream, or embed.
    Operation,
    /// It is asked beside the first one, which has not answered after so long.
    Hedge(Duration),
    /// Other edges say that it fails, and it is asked last for so long; or one of them was told that its provider wants nothing.
    Said(Duration),
}

// === impl Notes ===

impl Notes {
    /// Notes something of a target.
    pub fn say(&mut self, position: usize, why: Why) {
        if self.0.len() < NOTES_MAX {
            self.0.push(Note { position, why });
        }
    }

    /// What was noted, as text of a trace: `provider/model: why`, with semicolons between them; `None` where nothing was.
    pub fn told<'a>(
        &self,
        targets: &'a [Target],
        provider: impl Fn(&'a Target) -> &'a str,
    ) -> Option<Told> {
        if self.0.is_empty() {
            return None;
        }
        let mut text = String::new();
        for note in &self.0 {
            let Some(target) = targets.get(note.position) else {
                continue;
            };
            let between = if text.is_empty() { "" } else { "; " };
            let (name, model) = (provider(target), target.provider_model.as_str());
            text.extend([between, name, "/", model, ": ", note.why.word()]);
        }
        Some(Told(text))
    }

    /// All that was noted.
    pub fn all(&self) -> &[Note] {
        &self.0
    }

    /// The same, to keep.
    pub fn into_all(self) -> Vec<Note> {
        self.0
    }
}

// === impl Told ===

impl Told {
    /// It.
    pub fn text(&self) -> &str {
        &self.0
    }
}

// === impl Why ===

impl Why {
    /// Whether the target is not asked at all.
    pub const fn is_exclusion(self) -> bool {
        !matches!(
            self,
            Self::Aside(_)
                | Self::OnTrial
                | Self::Parked(_)
                | Self::Full
                | Self::Unpriced
                | Self::Slow
                | Self::Retries
                | Self::Late
                | Self::Hedge(_)
                | Self::Said(_)
        )
    }

    /// For how long it is so, or after how long, where that is known.
    pub const fn lasts(self) -> Option<Duration> {
        match self {
            Self::Aside(span) | Self::Parked(span) | Self::Hedge(span) | Self::Said(span) => {
                Some(span)
            }
            _ => None,
        }
    }

    /// Its number on the wire.
    pub const fn number(self) -> u32 {
        match self {
            Self::Missing => 1,
            Self::Foreign => 2,
            Self::Key => 3,
            Self::Aside(_) => 4,
            Self::OnTrial => 5,
            Self::Parked(_) => 6,
            Self::Full => 7,
            Self::Unpriced => 8,
            Self::NotOnly => 9,
            Self::Ignored => 10,
            Self::DataPolicy => 11,
            Self::DataCollection => 12,
            Self::Retention => 13,
            Self::Quantization => 14,
            Self::TooDear => 15,
            Self::PriceUnknown => 16,
            Self::NoFallback => 17,
            Self::Slow => 18,
            Self::Retries => 19,
            Self::Late => 20,
            Self::Realtime => 21,
            Self::Context => 22,
            Self::Output => 23,
            Self::Modality => 24,
            Self::Tools => 25,
            Self::Format => 26,
            Self::Reasoning => 27,
            Self::Operation => 28,
            Self::Hedge(_) => 29,
            Self::Said(_) => 30,
        }
    }

    /// Its name in traces.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Missing => "provider-missing",
            Self::Foreign => "provider-foreign",
            Self::Key => "key",
            Self::Aside(_) => "set-aside",
            Self::OnTrial => "on-trial",
            Self::Parked(_) => "parked",
            Self::Full => "full",
            Self::Unpriced => "unpriced",
            Self::NotOnly => "not-only",
            Self::Ignored => "ignored",
            Self::DataPolicy => "data-policy",
            Self::DataCollection => "data-collection",
            Self::Retention => "retention",
            Self::Quantization => "quantization",
            Self::TooDear => "too-dear",
            Self::PriceUnknown => "price-unknown",
            Self::NoFallback => "no-fallback",
            Self::Slow => "slow",
            Self::Retries => "retries",
            Self::Late => "late",
            Self::Realtime => "realtime",
            Self::Context => "context-length",
            Self::Output => "output-length",
            Self::Modality => "modality",
            Self::Tools => "tools",
            Self::Format => "structured-output",
            Self::Reasoning => "reasoning",
            Self::Operation => "operation",
            Self::Hedge(_) => "hedge",
            Self::Said(_) => "said-by-others",
        }
    }
}
