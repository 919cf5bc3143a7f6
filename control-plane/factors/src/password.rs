//! Passwords: which are taken, what is kept of one, and whether another is the same.
//!
//! What is kept is the text form of Argon2id (RFC 9106) with its own parameters in it, so that other ones hold for new passwords
//! while old ones still fit.

use std::fmt;

use argon2::{Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version};
use zeroize::Zeroizing;

/// The shortest password, in characters.
pub const CHARACTERS_MIN: usize = 12;

/// The longest password, in bytes.
// Full: it is refused; nothing is ever cut.
pub const BYTES_MAX: usize = 1_024;

/// The fewest different characters.
const DIFFERENT_MIN: usize = 5;

/// What one check takes: memory in KiB, passes over it, lanes. The least that OWASP's cheat sheet on the storage of passwords
/// advises for Argon2id.
const COST: [u32; 3] = [19 * 1_024, 2, 1];

/// Why a password is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weak {
    /// It has fewer characters than it must have.
    Short,
    /// It has more bytes than it may have.
    Long,
    /// It repeats a few characters.
    Monotonous,
    /// The name of whose it is stands in it.
    Named,
}

/// A password could not be kept or compared: there is no memory, or no randomness.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cannot;

/// Keeps and compares passwords. One at it takes 19 MiB and some ten milliseconds of a core.
pub struct Passwords {
    argon: Argon2<'static>,
    /// What is compared where nothing is kept, so that both take the same time.
    stand_in: String,
}

/// Whether a password may be the one of whoever has this name.
pub fn check(password: &str, name: &str) -> Result<(), Weak> {
    if password.len() > BYTES_MAX {
        return Err(Weak::Long);
    }
    if password.chars().count() < CHARACTERS_MIN {
        return Err(Weak::Short);
    }
    let mut different: Vec<char> = password.chars().collect();
    different.sort_unstable();
    different.dedup();
    if different.len() < DIFFERENT_MIN {
        return Err(Weak::Monotonous);
    }
    let lower = Zeroizing::new(password.to_lowercase());
    // A name of a letter or two stands in every text.
    if name.chars().count() > 2 && lower.contains(&name.to_lowercase()) {
        return Err(Weak::Named);
    }
    Ok(())
}

// === impl Passwords ===

impl Passwords {
    /// With the cost of today.
    pub fn new() -> Result<Self, Cannot> {
        let [memory, passes, lanes] = COST;
        let params = Params::new(memory, passes, lanes, None).map_err(|_| Cannot)?;
        let mut it = Self {
            argon: Argon2::new(Algorithm::Argon2id, Version::V0x13, params),
            stand_in: String::new(),
        };
        it.stand_in = it.keep("what nobody has chosen")?;
        Ok(it)
    }

    /// What is to be kept of a password.
    pub fn keep(&self, password: &str) -> Result<String, Cannot> {
        let kept = self.argon.hash_password(password.as_bytes());
        kept.map(|it| it.to_string()).map_err(|_| Cannot)
    }

    /// Whether this is the password of which that was kept; never where nothing was.
    pub fn fits(&self, password: &str, kept: Option<&str>) -> bool {
        let against = kept.unwrap_or(&self.stand_in);
        let same = self.argon.verify_password(password.as_bytes(), against);
        same.is_ok() && kept.is_some()
    }
}

impl fmt::Display for Weak {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Short => write!(f, "must have at least {CHARACTERS_MIN} characters"),
            Self::Long => write!(f, "must have at most {BYTES_MAX} bytes"),
            Self::Monotonous => {
                write!(f, "must have at least {DIFFERENT_MIN} different characters")
            }
            Self::Named => f.write_str("must not hold the name of whose it is"),
        }
    }
}

impl std::error::Error for Weak {}

impl fmt::Display for Cannot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("there is no memory or no randomness for a password")
    }
}

impl std::error::Error for Cannot {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_fits_what_was_kept_of_it_and_nothing_else_does() {
        let passwords = Passwords::new().unwrap();
        let kept = passwords.keep("correct horse battery").unwrap();
        assert!(
            kept.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"),
            "{kept}"
        );
        assert_ne!(
            passwords.keep("correct horse battery").unwrap(),
            kept,
            "its salt is its own"
        );
        assert!(passwords.fits("correct horse battery", Some(&kept)));
        for other in [
            "correct horse batterz",
            "Correct horse battery",
            "",
            "correct horse battery ",
        ] {
            assert!(!passwords.fits(other, Some(&kept)), "{other}");
        }
        assert!(!passwords.fits("what nobody has chosen", None));
        assert!(!passwords.fits("correct horse battery", Some("no such form")));
    }

    #[test]
    fn what_was_kept_at_another_cost_fits_still() {
        // The reference program's own: `echo -n "correct horse" | argon2 somesalt0123 -id -t 1 -m 6 -p 1 -e` has this form.
        let params = Params::new(64, 1, 1, None).unwrap();
        let cheap = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        let kept = cheap
            .hash_password(b"correct horse battery")
            .unwrap()
            .to_string();
        let passwords = Passwords::new().unwrap();
        assert!(passwords.fits("correct horse battery", Some(&kept)));
        assert!(!passwords.fits("correct horse", Some(&kept)));
    }

    #[test]
    fn weak_ones_are_told_apart() {
        for (password, why) in [
            ("elevenchars", Weak::Short),
            ("éàüéàüéàüéà", Weak::Short),
            ("aaaaaaaabbbbcc", Weak::Monotonous),
            ("I am Ada Lovelace", Weak::Named),
        ] {
            assert_eq!(check(password, "ada"), Err(why), "{password}");
        }
        assert_eq!(check(&"abcdefgh".repeat(200), "ada"), Err(Weak::Long));
        for good in ["correct horse battery", "twelve chars", "éàüéàüéàüéàüxy"] {
            assert_eq!(check(good, "ada"), Ok(()), "{good}");
        }
        assert_eq!(check("a fine password", "al"), Ok(()));
    }
}
