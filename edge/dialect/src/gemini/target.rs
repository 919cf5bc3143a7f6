//! What a model of Gemini takes, and where it is hosted: plain options, with a guess from the model's name.
//!
//! Must never decide which model is asked. The guesses are facts about names, and a caller may set each option.

/// A model at a provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Target<'a> {
    /// The provider's name for the model.
    pub model: &'a str,
    /// Who hosts it.
    pub hosting: Hosting,
    /// How it is told how much to think.
    pub thinking: Thinking,
    /// How many tokens of thought an effort is, where [`Thinking::Budget`] asks for tokens.
    pub budgets: Budgets,
    /// Whether it refuses calls of tools in the history that lack a signature, as Gemini 3 does.
    pub signature_required: bool,
    /// Whether results of tools may hold pictures and files; otherwise they stand behind the results.
    pub result_media: bool,
}

/// Who hosts a model. They differ in what they take.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Hosting {
    /// Google's AI Studio.
    #[default]
    AiStudio,
    /// Google Cloud's Vertex AI: refuses ids of calls, and needs the media type of every file.
    Vertex,
}

/// How a model is told how much to think.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Thinking {
    /// It does not think, and refuses to be told.
    Never,
    /// In tokens.
    Budget,
    /// By a word.
    Level,
}

/// How many tokens of thought an effort is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budgets {
    /// As few as the model can.
    pub none: u64,
    /// Barely.
    pub minimal: u64,
    /// A little.
    pub low: u64,
    /// As usual.
    pub medium: u64,
    /// Hard, and whatever is harder.
    pub high: u64,
}

// === impl Target ===

impl<'a> Target<'a> {
    /// A model on AI Studio, its options guessed from its name. Models of unknown names are told to think in tokens,
    /// which all that think understand.
    pub fn new(model: &'a str) -> Self {
        let name = model.rsplit('/').next().unwrap_or(model);
        let version = name.strip_prefix("gemini-").unwrap_or_default();
        let major = version.split(['.', '-']).next().unwrap_or_default();
        let major: Option<u32> = major.parse().ok();
        let third = major.is_some_and(|major| major >= 3);
        let thinking = if third {
            Thinking::Level
        } else if major.is_some() && !version.starts_with("2.5") || name.starts_with("gemma") {
            Thinking::Never
        } else {
            Thinking::Budget
        };
        let mut budgets = Budgets::default();
        if name.contains("pro") {
            // A Pro model always thinks; this is its least.
            budgets.none = 128;
        }
        Self {
            model,
            hosting: Hosting::default(),
            thinking,
            budgets,
            signature_required: third,
            result_media: third,
        }
    }

    /// The same model on Vertex.
    pub const fn on_vertex(mut self) -> Self {
        self.hosting = Hosting::Vertex;
        self
    }

    /// Whether Vertex hosts it.
    pub(crate) const fn is_vertex(&self) -> bool {
        matches!(self.hosting, Hosting::Vertex)
    }
}

// === impl Budgets ===

impl Default for Budgets {
    fn default() -> Self {
        Self {
            none: 0,
            minimal: 512,
            low: 1_024,
            medium: 8_192,
            high: 24_576,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_says_what_a_model_takes() {
        for (model, thinking) in [
            ("gemini-3-pro-preview", Thinking::Level),
            ("models/gemini-3.1-flash", Thinking::Level),
            ("gemini-2.5-flash", Thinking::Budget),
            ("gemini-2.0-flash", Thinking::Never),
            ("gemini-flash-latest", Thinking::Budget),
            ("gemma-3-27b-it", Thinking::Never),
            ("tunedModels/mine", Thinking::Budget),
        ] {
            let target = Target::new(model);
            assert_eq!(target.thinking, thinking, "{model}");
            assert_eq!(target.signature_required, thinking == Thinking::Level);
        }
        assert_eq!(Target::new("gemini-2.5-pro").budgets.none, 128);
    }
}
