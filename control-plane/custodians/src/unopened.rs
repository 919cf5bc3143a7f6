//! Why a key does not come of its wrapped text, and why a service cannot be used at all.
//!
//! Each is a sentence that says what to do. What a service said is cut short, and left out where it may repeat what it was sent.

use std::fmt;

use lifecycle::settings::InvalidSettings;

/// How much of what a service said is repeated, in characters.
const SAID_MAX: usize = 160; // Full: the rest is left out.

/// Why a key was not unwrapped, or not drawn.
#[derive(Debug)]
pub enum Unopened {
    /// Nobody answers, or the service says that it cannot just now. It may later.
    Away {
        /// Which service, and where.
        who: String,
        /// Why, as far as it is known.
        why: String,
    },
    /// The service says no.
    Refused {
        /// Which service, and where.
        who: String,
        /// Why, as it says.
        why: String,
    },
    /// The answer is none that the service's documents know.
    Strange {
        /// Which service, and where.
        who: String,
    },
    /// The key is wrapped by a service that is not set: this is its section.
    NotSet(&'static str),
    /// What signs or lets in cannot be read.
    NoSecret(InvalidSettings),
    /// What signs is not what it should be: why.
    NoCredential(String),
    /// It is not set.
    NoneSet,
}

/// Why a service cannot be used: a setting, and what is wrong with it.
#[derive(Debug)]
pub struct Unusable {
    /// The setting, such as `seal.vault.address`.
    pub setting: &'static str,
    /// What is wrong with it.
    pub why: String,
}

/// What a service said, as it may be repeated: short, and of visible characters.
pub(crate) fn said(text: &str) -> String {
    let visible = |it: char| if it.is_ascii_graphic() { it } else { ' ' };
    let short: String = text.chars().take(SAID_MAX).map(visible).collect();
    short.trim().to_owned()
}

// === impl Unopened ===

impl Unopened {
    /// Whether it may be otherwise in a moment.
    pub const fn may_pass(&self) -> bool {
        matches!(self, Self::Away { .. })
    }
}

impl fmt::Display for Unopened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Away { who, why } => write!(
                f,
                "{who} cannot unwrap the sealing key now: {why}. Start again when it can; control planes that run go on without it"
            ),
            Self::Refused { who, why } => write!(
                f,
                "{who} does not unwrap the sealing key: {why}. Let it be used again, or give the key that it had, and start again"
            ),
            Self::Strange { who } => write!(
                f,
                "what {who} answers cannot be understood: see that its address leads to it, and start again"
            ),
            Self::NotSet(section) => write!(
                f,
                "a sealing key is wrapped by a service that is not set: set [{section}], and start again"
            ),
            Self::NoSecret(why) => why.fmt(f),
            Self::NoCredential(why) => f.write_str(why),
            Self::NoneSet => f.write_str("neither it nor a file that holds it is set"),
        }
    }
}

impl std::error::Error for Unopened {}

// === impl Unusable ===

impl Unusable {
    /// Of a setting, and why.
    pub(crate) fn new(setting: &'static str, why: &(impl fmt::Display + ?Sized)) -> Self {
        Self {
            setting,
            why: why.to_string(),
        }
    }
}

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.setting, self.why)
    }
}

impl std::error::Error for Unusable {}
