//! Why something is not sent, and why a way out cannot be used.
//!
//! Holds sentences and never a secret. What a server says is cut short: it is not ours.

use std::fmt;

/// How much is kept of what a server says, in bytes.
const SAID_MAX: usize = 400; // Full: the rest is cut off.

/// It did not arrive, or nobody knows whether it did.
#[derive(Debug)]
pub struct Unsent(String);

/// The settings of a way out cannot be used.
#[derive(Debug)]
pub struct Unusable {
    /// Which setting, from `sinks` on.
    pub setting: String,
    /// What is wrong with it, and what to do.
    pub why: String,
}

// === impl Unsent ===

impl Unsent {
    /// Because of what is said here, in one line.
    pub(crate) fn because(why: &dyn fmt::Display) -> Self {
        let said = why.to_string();
        let mut line = String::new();
        for word in said.split_whitespace() {
            if line.len() + word.len() > SAID_MAX {
                line.push_str(" \u{2026}");
                break;
            }
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
        Self(line)
    }
}

impl fmt::Display for Unsent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Unsent {}

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
    fn what_a_server_says_is_one_short_line() {
        assert_eq!(Unsent::because(&"a\n  b").to_string(), "a b");
        let long = Unsent::because(&"word ".repeat(1_000)).to_string();
        assert!(
            long.len() <= SAID_MAX + 4 && long.ends_with('\u{2026}'),
            "{long}"
        );
    }
}
