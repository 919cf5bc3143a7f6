//! What a model can do, as far as that is said: how long a conversation it takes, how much it generates, and what it reads and calls.
//!
//! Knows words and numbers. What is not said is not known, and never taken to be missing.

use std::num::NonZeroU32;

/// One thing that a model can do or cannot. The numbers are those of the wire; the database and edges hold bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Ability {
    /// It reads pictures.
    ImageInput = 1,
    /// It hears sound.
    AudioInput = 2,
    /// It reads files.
    FileInput = 3,
    /// It sees films.
    VideoInput = 4,
    /// It calls tools.
    Tools = 5,
    /// It calls several at once.
    ParallelTools = 6,
    /// It keeps to a schema.
    JsonSchema = 7,
    /// It answers in JSON where it is told to.
    JsonMode = 8,
    /// It thinks first.
    Reasoning = 9,
    /// It streams.
    Streaming = 10,
    /// It embeds.
    Embeddings = 11,
    /// It generates text.
    TextOutput = 12,
    /// It generates pictures.
    ImageOutput = 13,
    /// It generates sound.
    AudioOutput = 14,
}

/// Some abilities.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Abilities(u16);

/// What a model can do, as far as that is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Capabilities {
    /// The most tokens of a conversation that it takes.
    pub context_tokens: Option<NonZeroU32>,
    /// The most tokens that it generates in one answer.
    pub output_tokens_max: Option<NonZeroU32>,
    can: Abilities,
    cannot: Abilities,
}

/// Capabilities that contradict themselves, or a number that is too large.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InvalidCapabilities;

/// Every ability, by number.
pub const ABILITIES: [Ability; 14] = [
    Ability::ImageInput,
    Ability::AudioInput,
    Ability::FileInput,
    Ability::VideoInput,
    Ability::Tools,
    Ability::ParallelTools,
    Ability::JsonSchema,
    Ability::JsonMode,
    Ability::Reasoning,
    Ability::Streaming,
    Ability::Embeddings,
    Ability::TextOutput,
    Ability::ImageOutput,
    Ability::AudioOutput,
];

// === impl Ability ===

impl Ability {
    /// The one with this number.
    pub fn from_number(number: u32) -> Option<Self> {
        let mut all = ABILITIES.into_iter();
        all.find(|it| u32::from(*it as u8) == number)
    }

    /// The one with this word.
    pub fn named(word: &str) -> Option<Self> {
        ABILITIES.into_iter().find(|it| it.word() == word)
    }

    /// Its word, in files and lists.
    pub const fn word(self) -> &'static str {
        match self {
            Self::ImageInput => "image_input",
            Self::AudioInput => "audio_input",
            Self::FileInput => "file_input",
            Self::VideoInput => "video_input",
            Self::Tools => "tools",
            Self::ParallelTools => "parallel_tools",
            Self::JsonSchema => "json_schema",
            Self::JsonMode => "json_mode",
            Self::Reasoning => "reasoning",
            Self::Streaming => "streaming",
            Self::Embeddings => "embeddings",
            Self::TextOutput => "text_output",
            Self::ImageOutput => "image_output",
            Self::AudioOutput => "audio_output",
        }
    }

    const fn bit(self) -> u16 {
        1 << (self as u8 - 1)
    }
}

// === impl Abilities ===

impl Abilities {
    /// Those of these bits, of which the lowest is that of number 1; `None` where a bit is nobody's.
    pub fn from_bits(bits: u32) -> Option<Self> {
        let all = ABILITIES.iter().fold(0, |all, it| all | it.bit());
        let bits = u16::try_from(bits).ok()?;
        (bits & !all == 0).then_some(Self(bits))
    }

    /// Their bits.
    pub const fn bits(self) -> u16 {
        self.0
    }

    /// Whether this one is among them.
    pub const fn holds(self, one: Ability) -> bool {
        self.0 & one.bit() != 0
    }

    /// All of them, by number.
    pub fn all(self) -> impl Iterator<Item = Ability> {
        ABILITIES.into_iter().filter(move |it| self.holds(*it))
    }
}

impl FromIterator<Ability> for Abilities {
    fn from_iter<I: IntoIterator<Item = Ability>>(all: I) -> Self {
        Self(all.into_iter().fold(0, |bits, it| bits | it.bit()))
    }
}

// === impl Capabilities ===

impl Capabilities {
    /// What is said in numbers, of which zero says nothing; no ability may be said to be there and not.
    pub fn new(
        (context_tokens, output_tokens_max): (u64, u64),
        (can, cannot): (Abilities, Abilities),
    ) -> Result<Self, InvalidCapabilities> {
        let read = |number: u64| u32::try_from(number).map_err(|_| InvalidCapabilities);
        if can.0 & cannot.0 != 0 {
            return Err(InvalidCapabilities);
        }
        Ok(Self {
            context_tokens: NonZeroU32::new(read(context_tokens)?),
            output_tokens_max: NonZeroU32::new(read(output_tokens_max)?),
            can,
            cannot,
        })
    }

    /// The two numbers, zero where they are not said.
    pub fn numbers(&self) -> (u32, u32) {
        let number = |it: Option<NonZeroU32>| it.map_or(0, NonZeroU32::get);
        (number(self.context_tokens), number(self.output_tokens_max))
    }

    /// What it is said to be able to do, and not to be.
    pub const fn abilities(&self) -> (Abilities, Abilities) {
        (self.can, self.cannot)
    }

    /// Whether nothing is said.
    pub fn is_unsaid(&self) -> bool {
        *self == Self::default()
    }

    /// The same, and where nothing is said what `others` say.
    pub fn or(self, others: Self) -> Self {
        let said = self.can.0 | self.cannot.0;
        Self {
            context_tokens: self.context_tokens.or(others.context_tokens),
            output_tokens_max: self.output_tokens_max.or(others.output_tokens_max),
            can: Abilities(self.can.0 | others.can.0 & !said),
            cannot: Abilities(self.cannot.0 | others.cannot.0 & !said),
        }
    }

    /// The first of these that it cannot.
    pub fn lacks(&self, asked: Abilities) -> Option<Ability> {
        Abilities(asked.0 & self.cannot.0).all().next()
    }

    /// What of several models is known that are asked for each other: what any of them can, and what none can.
    pub fn with_another(self, other: Self) -> Self {
        let larger = |one: Option<NonZeroU32>, two: Option<NonZeroU32>| Some(one?.max(two?));
        Self {
            context_tokens: larger(self.context_tokens, other.context_tokens),
            output_tokens_max: larger(self.output_tokens_max, other.output_tokens_max),
            can: Abilities(self.can.0 | other.can.0),
            cannot: Abilities(self.cannot.0 & other.cannot.0),
        }
    }
}

impl std::fmt::Display for InvalidCapabilities {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("must say of no ability that it is there and that it is not, and numbers of tokens of at most 4294967295")
    }
}

impl std::error::Error for InvalidCapabilities {}

#[cfg(test)]
mod tests {
    use super::*;

    fn some(all: &[Ability]) -> Abilities {
        all.iter().copied().collect()
    }

    #[test]
    fn numbers_words_and_bits_are_read_as_they_were_written() {
        for one in ABILITIES {
            assert_eq!(Ability::from_number(u32::from(one as u8)), Some(one));
            assert_eq!(Ability::named(one.word()), Some(one));
            let bits = some(&[one]).bits().into();
            assert_eq!(Abilities::from_bits(bits), Some(some(&[one])));
        }
        assert_eq!(Ability::from_number(15), None);
        assert_eq!(Abilities::from_bits(1 << 14), None);
    }

    #[test]
    fn what_is_said_goes_before_what_others_say_and_the_unsaid_is_not_missing() {
        let (none, tools) = (Abilities::default(), some(&[Ability::Tools]));
        let images = some(&[Ability::ImageInput]);
        let own = Capabilities::new((0, 100), (tools, none)).unwrap();
        let others = Capabilities::new((9, 9), (images, tools)).unwrap();
        let both = own.or(others);
        assert_eq!(both.numbers(), (9, 100));
        assert_eq!(both.lacks(tools), None);
        assert_eq!(
            both.abilities().0,
            some(&[Ability::Tools, Ability::ImageInput])
        );
        assert_eq!(others.lacks(tools), Some(Ability::Tools));
        assert_eq!(Capabilities::default().lacks(tools), None);
        assert!(Capabilities::new((0, 0), (tools, tools)).is_err());
        assert!(Capabilities::new((1 << 32, 0), (none, none)).is_err());
    }

    #[test]
    fn of_several_targets_is_told_what_any_can_and_what_none_can() {
        let (none, tools) = (Abilities::default(), some(&[Ability::Tools]));
        let without = Capabilities::new((8, 0), (none, tools)).unwrap();
        let with = Capabilities::new((9, 4), (tools, none)).unwrap();
        let both = without.with_another(with);
        assert_eq!((both.numbers(), both.abilities()), ((9, 0), (tools, none)));
        assert_eq!(without.with_another(without), without);
    }
}
