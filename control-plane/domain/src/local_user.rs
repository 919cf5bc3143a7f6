//! What must be true of a local user: of somebody who proves themselves by a password and a code that are kept here.
//!
//! Knows what they may do and how long what they are given works; knows nothing of passwords and codes. Who may give them a role is
//! the asker's own place to hold it.

use crate::{access::Bindings, text, violation::Violations};

/// The most roles of one.
pub const BINDINGS_MAX: usize = 64;

/// How long what they are given may work, in milliseconds: at least, unless somebody says, and at most.
pub const LIFETIME_MS: [u64; 3] = [60_000, 3_600_000, 43_200_000];

/// How long an activation code may be taken, in milliseconds.
pub const ACTIVATION_MS: u64 = 259_200_000;

/// A local user as they may be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// What people call them.
    pub display_name: String,
    /// What they may do.
    pub bindings: Bindings,
    /// How long what they are given works, in milliseconds.
    pub lifetime_ms: u64,
    /// Whether they are let in no more.
    pub disabled: bool,
}

/// Checks what people call one; what is wrong is added to `violations`.
pub fn display_name(given: &str, violations: &mut Violations) -> Option<String> {
    violations.take("local_user.display_name", text::display_name(given))
}

/// Checks a lifetime, in milliseconds, of which `None` means the usual one.
pub fn lifetime(given: Option<u64>, violations: &mut Violations) -> Option<u64> {
    let [least, usual, most] = LIFETIME_MS;
    let lifetime_ms = given.unwrap_or(usual);
    if (least..=most).contains(&lifetime_ms) {
        return Some(lifetime_ms);
    }
    violations.add("local_user.lifetime", "must be one minute to 12 hours");
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lifetime_is_a_minute_to_half_a_day_and_an_hour_unless_somebody_says() {
        let read = |given| {
            let mut violations = Violations::new();
            let read = lifetime(given, &mut violations);
            assert_eq!(read.is_some(), violations.is_empty());
            read
        };
        assert_eq!(read(None), Some(3_600_000));
        assert_eq!(read(Some(43_200_000)), Some(43_200_000));
        assert_eq!(read(Some(59_999)), None);
        assert_eq!(read(Some(43_200_001)), None);
    }
}
