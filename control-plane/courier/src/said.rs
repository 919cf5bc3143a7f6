//! Why a notice did not arrive, and why the settings of the courier cannot be used.
//!
//! Holds sentences and never a secret. What a receiver says is cut short: it is not ours.

use std::fmt;

/// How much is kept of what others say, in bytes.
const SAID_MAX: usize = 200; // Full: the rest is cut off.

/// It did not arrive, or nobody knows whether it did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Undelivered(String);

/// The settings cannot be used.
#[derive(Debug)]
pub struct Unusable {
    /// Which setting.
    pub setting: &'static str,
    /// What is wrong with it.
    pub why: String,
}

// === impl Undelivered ===

impl Undelivered {
    /// Because of what is said here, in one line. `said` must hold no secret.
    pub(crate) fn because(said: impl fmt::Display) -> Self {
        let said = said.to_string();
        let mut line = String::new();
        for word in said.split_whitespace() {
            if line.len() + word.len() > SAID_MAX {
                line.push_str(" \u{2026}");
                break;
            }
            if !line.is_empty() {
                line.push(' ');
            }
            line.extend(word.chars().filter(|it| !it.is_control()));
        }
        Self(line)
    }
}

impl fmt::Display for Undelivered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Undelivered {}

// === impl Unusable ===

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.setting, self.why)
    }
}

impl std::error::Error for Unusable {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_say_is_one_short_line() {
        assert_eq!(
            Undelivered::because("a\n  b\u{1b}[1m").to_string(),
            "a b[1m"
        );
        let long = Undelivered::because("word ".repeat(1_000)).to_string();
        assert!(long.len() <= SAID_MAX + 4, "{long}");
    }
}
