//! What a provider does with what it is sent, as its operators say, and what may be demanded of that.
//!
//! Knows words; whether they are true is between operators and providers. What nobody says is the worst that it may mean.

/// What a provider does with what it is sent, and how it serves.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Handling {
    /// Whether it collects nothing of it, for training or else. False also where nobody says.
    pub collects_nothing: bool,
    /// Whether it retains nothing of it. False also where nobody says.
    pub retains_nothing: bool,
    /// Where it is and stays, such as `eu`; empty where nobody says.
    pub residency: String,
    /// How its models are quantized, such as `fp8`; empty where nobody says.
    pub quantization: String,
}

/// What is demanded of who gets the data.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Demanded {
    /// Nothing of it may be collected.
    pub collects_nothing: bool,
    /// Nothing of it may be retained.
    pub retains_nothing: bool,
    /// It must stay in one of these places; empty means: anywhere.
    pub residencies: Vec<String>,
}

/// The most places that may be demanded.
pub const RESIDENCIES_MAX: usize = 16;

/// What is not known of a quantization.
pub const UNKNOWN_QUANTIZATION: &str = "unknown";

// === impl Handling ===

impl Handling {
    /// How its models are quantized, in a word.
    pub fn quantized(&self) -> &str {
        if self.quantization.is_empty() {
            UNKNOWN_QUANTIZATION
        } else {
            &self.quantization
        }
    }
}

// === impl Demanded ===

impl Demanded {
    /// Whether nothing is demanded.
    pub const fn is_nothing(&self) -> bool {
        !self.collects_nothing && !self.retains_nothing && self.residencies.is_empty()
    }

    /// Whether a provider that handles data so may get it.
    pub fn takes(&self, handling: &Handling) -> bool {
        let collects = self.collects_nothing && !handling.collects_nothing;
        let retains = self.retains_nothing && !handling.retains_nothing;
        let leaves =
            !self.residencies.is_empty() && !self.residencies.contains(&handling.residency);
        !collects && !retains && !leaves
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_says_is_not_enough_for_what_is_demanded() {
        let good = Handling {
            collects_nothing: true,
            retains_nothing: true,
            residency: "eu".to_owned(),
            quantization: String::new(),
        };
        let demanded = |collects_nothing, retains_nothing, residencies: &[&str]| Demanded {
            collects_nothing,
            retains_nothing,
            residencies: residencies.iter().map(ToString::to_string).collect(),
        };
        for (demanded, takes_unknown) in [
            (Demanded::default(), true),
            (demanded(true, false, &[]), false),
            (demanded(false, true, &[]), false),
            (demanded(false, false, &["ch", "eu"]), false),
        ] {
            assert_eq!(demanded.is_nothing(), takes_unknown);
            assert_eq!(demanded.takes(&Handling::default()), takes_unknown);
            assert!(demanded.takes(&good), "{demanded:?}");
        }
        assert!(!demanded(false, false, &["us"]).takes(&good));
        assert_eq!(good.quantized(), "unknown");
    }
}
