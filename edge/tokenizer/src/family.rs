//! Which tokenizer a model has.
//!
//! Knows names alone. A model that is not known has none: a wrong one could count too little.

use bpe_openai::Tokenizer;

/// Models that count alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Family {
    /// `o200k_base`: OpenAI's models since GPT-4o.
    O200k,
    /// `cl100k_base`: those before, and those that embed.
    Cl100k,
}

/// How names begin, the longer ones first. Source: OpenAI's `tiktoken`, `model.py`.
const BEGINNINGS: &[(&str, Family)] = &[
    ("text-embedding-3", Family::Cl100k),
    ("text-embedding-ada", Family::Cl100k),
    ("chatgpt-4o", Family::O200k),
    ("gpt-oss", Family::O200k),
    ("gpt-4.1", Family::O200k),
    ("gpt-4.5", Family::O200k),
    ("gpt-4o", Family::O200k),
    ("gpt-3.5", Family::Cl100k),
    ("gpt-35", Family::Cl100k),
    ("gpt-5", Family::O200k),
    ("gpt-4", Family::Cl100k),
    ("o1", Family::O200k),
    ("o3", Family::O200k),
    ("o4", Family::O200k),
];

// === impl Family ===

impl Family {
    /// Every family, once.
    pub const ALL: [Self; 2] = [Self::O200k, Self::Cl100k];

    /// That of a model by its provider's name for it, which may have its maker's in front (`openai/gpt-4o`) or be tuned
    /// (`ft:gpt-4o:acme`).
    pub fn of(model: &str) -> Option<Self> {
        let name = model.rsplit('/').next()?;
        let name = name.strip_prefix("ft:").unwrap_or(name);
        let is = |(beginning, _): &&(&str, Self)| {
            let rest = name.strip_prefix(beginning);
            rest.is_some_and(|rest| !rest.starts_with(|next: char| next.is_ascii_alphanumeric()))
        };
        BEGINNINGS.iter().find(is).map(|(_, family)| *family)
    }

    pub(crate) const fn place(self) -> usize {
        match self {
            Self::O200k => 0,
            Self::Cl100k => 1,
        }
    }

    /// Its tokenizer, which is read from the program at first: some tenths of a second.
    pub(crate) fn tokenizer(self) -> &'static Tokenizer {
        match self {
            Self::O200k => bpe_openai::o200k_base(),
            Self::Cl100k => bpe_openai::cl100k_base(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_is_known_by_how_its_name_begins() {
        for (model, family) in [
            ("gpt-4o-mini-2024-07-18", Some(Family::O200k)),
            ("gpt-4.1", Some(Family::O200k)),
            ("gpt-4-turbo", Some(Family::Cl100k)),
            ("gpt-35-turbo", Some(Family::Cl100k)),
            ("openai/gpt-5-mini", Some(Family::O200k)),
            ("ft:gpt-3.5-turbo:acme", Some(Family::Cl100k)),
            ("o3", Some(Family::O200k)),
            ("text-embedding-3-small", Some(Family::Cl100k)),
            ("o365-assistant", None),
            ("gpt-41", None),
            ("gpt-4omega", None),
            ("claude-sonnet-4-5", None),
            ("", None),
        ] {
            assert_eq!(Family::of(model), family, "{model}");
        }
    }
}
