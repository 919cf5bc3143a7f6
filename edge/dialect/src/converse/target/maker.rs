//! Who made a model and which generation it is, by its name.

use crate::converse::target::{CachePoints, Randomness, Thinking, Thoughts, ToolChoices, TopK};

/// Who made a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Maker {
    /// Claude, of this version.
    Anthropic {
        /// 4 of 4.5.
        major: u32,
        /// 5 of 4.5.
        minor: u32,
    },
    /// Nova, of this generation.
    Nova {
        /// 1 or 2.
        generation: u32,
    },
    /// Llama.
    Meta,
    /// Mistral.
    Mistral,
    /// Open models of `OpenAI`, Qwen and `DeepSeek`, which Bedrock serves alike.
    Open,
    /// Anyone else, or nobody knows.
    Other,
}

// === impl Maker ===

impl Maker {
    /// Who made the model with this id.
    pub fn of(model: &str) -> Self {
        let model = model.to_ascii_lowercase();
        let holds = |word: &str| model.contains(word);
        if let Some((_, name)) = model.split_once("claude") {
            let (major, minor) = claude_version(name);
            return Self::Anthropic { major, minor };
        }
        if holds("amazon.nova") {
            let generation = if holds("nova-2") { 2 } else { 1 };
            return Self::Nova { generation };
        }
        match () {
            () if holds("meta.") || holds("llama") => Self::Meta,
            () if holds("mistral.") => Self::Mistral,
            () if holds("openai.") || holds("qwen.") || holds("deepseek.") => Self::Open,
            () => Self::Other,
        }
    }

    const fn is_claude_from(self, from_major: u32, from_minor: u32) -> bool {
        match self {
            Self::Anthropic { major, minor } => {
                major > from_major || major == from_major && minor >= from_minor
            }
            _ => false,
        }
    }

    pub(crate) const fn thinking(self) -> Thinking {
        match self {
            Self::Anthropic { .. } if self.is_claude_from(4, 6) => Thinking::Adaptive,
            Self::Anthropic { .. } if self.is_claude_from(3, 7) => Thinking::Budget,
            Self::Nova { generation: 2 } => Thinking::Nova,
            Self::Open => Thinking::Word,
            _ => Thinking::Unknown,
        }
    }

    pub(crate) const fn thoughts(self) -> Thoughts {
        match self {
            Self::Anthropic { .. } => Thoughts::Signed,
            _ => Thoughts::Never,
        }
    }

    pub(crate) const fn top_k(self) -> TopK {
        match self {
            Self::Anthropic { .. } | Self::Mistral => TopK::Plain,
            Self::Nova { .. } => TopK::Nova,
            _ => TopK::Unknown,
        }
    }

    pub(crate) const fn randomness(self) -> Randomness {
        match self {
            Self::Anthropic { .. } if self.is_claude_from(4, 7) => Randomness::Neither,
            Self::Anthropic { .. } if self.is_claude_from(4, 1) => Randomness::One,
            _ => Randomness::Both,
        }
    }

    pub(crate) const fn structured_output(self) -> bool {
        match self {
            Self::Anthropic { .. } => self.is_claude_from(4, 5),
            Self::Nova { .. } | Self::Meta => false,
            Self::Mistral | Self::Open | Self::Other => true,
        }
    }

    pub(crate) const fn tool_choices(self) -> ToolChoices {
        match self {
            Self::Meta => ToolChoices::Auto,
            Self::Mistral => ToolChoices::Any,
            _ => ToolChoices::Named,
        }
    }

    pub(crate) const fn strict_tools(self) -> bool {
        self.is_claude_from(4, 5)
    }

    pub(crate) const fn cache_points(self) -> CachePoints {
        match self {
            Self::Anthropic { .. } => CachePoints::Tools,
            Self::Nova { .. } => CachePoints::Messages,
            _ => CachePoints::Nowhere,
        }
    }

    pub(crate) const fn cache_ttl(self) -> bool {
        self.is_claude_from(4, 5)
    }
}

/// The version in what follows `claude`: up to two numbers of at most two digits, because a longer one is a date.
/// A name without numbers stands for the newest, but for the first generations, whose numbers follow a `v`.
fn claude_version(name: &str) -> (u32, u32) {
    if name.starts_with("-v") || name.starts_with("-instant") {
        return (2, 0);
    }
    let mut numbers = name
        .trim_start_matches('-')
        .split(['-', ':', '.', '@'])
        .skip_while(|word| number(word).is_none())
        .map_while(number);
    match (numbers.next(), numbers.next()) {
        (None, _) => (u32::MAX, 0),
        (Some(major), minor) => (major, minor.unwrap_or(0)),
    }
}

fn number(word: &str) -> Option<u32> {
    let short = (1..=2).contains(&word.len());
    short.then(|| word.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_tells_maker_and_generation() {
        let claude = |major, minor| Maker::Anthropic { major, minor };
        let cases = [
            ("us.anthropic.claude-sonnet-4-5-20250929-v1:0", claude(4, 5)),
            ("anthropic.claude-3-7-sonnet-20250219-v1:0", claude(3, 7)),
            ("global.anthropic.claude-opus-4-7", claude(4, 7)),
            ("anthropic.claude-sonnet-4-20250514-v1:0", claude(4, 0)),
            ("anthropic.claude-opus-5", claude(5, 0)),
            ("anthropic.claude-v2:1", claude(2, 0)),
            ("anthropic.claude-instant-v1", claude(2, 0)),
            ("us.amazon.nova-2-lite-v1:0", Maker::Nova { generation: 2 }),
            ("amazon.nova-lite-v1:0", Maker::Nova { generation: 1 }),
            ("us.meta.llama3-3-70b-instruct-v1:0", Maker::Meta),
            ("openai.gpt-oss-120b-1:0", Maker::Open),
            ("mistral.mistral-large-2407-v1:0", Maker::Mistral),
            (
                "arn:aws:bedrock:us-west-2:123456789012:application-inference-profile/abc123xyz",
                Maker::Other,
            ),
        ];
        for (model, maker) in cases {
            assert_eq!(Maker::of(model), maker, "{model}");
        }
    }

    #[test]
    fn generations_of_claude_think_and_cache_differently() {
        let thinking = |model| Maker::of(model).thinking();
        assert_eq!(
            thinking("claude-3-5-sonnet-20241022-v2:0"),
            Thinking::Unknown
        );
        assert_eq!(thinking("claude-sonnet-4-5"), Thinking::Budget);
        assert_eq!(thinking("claude-opus-4-6-v1"), Thinking::Adaptive);
        assert_eq!(
            Maker::of("claude-opus-4-7").randomness(),
            Randomness::Neither
        );
        assert!(!Maker::of("claude-opus-4-1-20250805-v1:0").structured_output());
    }
}
