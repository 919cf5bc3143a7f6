//! What is told: that something began, still is, or is over.
//!
//! Plain words and no markup; every way out says it in its own form.

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// It began.
    Firing,
    /// It still is.
    StillFiring,
    /// It is over.
    Resolved,
    /// Nothing; it is tried whether notices arrive.
    Test,
}

/// A notice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// The same whenever this notice is sent, so that receivers know it again.
    pub id: String,
    /// What happened.
    pub event: Event,
    /// The name of the alert; empty for a test.
    pub alert: String,
    /// The name of the rule; empty for a test.
    pub rule: String,
    /// The name of what it is about.
    pub subject: String,
    /// One sentence.
    pub summary: String,
    /// When it happened, milliseconds since 1970.
    pub at_ms: u64,
}

// === impl Event ===

impl Event {
    /// The word for programs.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Firing => "alert.firing",
            Self::StillFiring => "alert.still_firing",
            Self::Resolved => "alert.resolved",
            Self::Test => "alert.test",
        }
    }

    /// The word for people.
    const fn shown(self) -> &'static str {
        match self {
            Self::Firing => "Firing",
            Self::StillFiring => "Still firing",
            Self::Resolved => "Resolved",
            Self::Test => "Test",
        }
    }
}

// === impl Notice ===

impl Notice {
    /// The notice in one line for people.
    pub(crate) fn headline(&self) -> String {
        format!("[{}] {}", self.event.shown(), self.summary)
    }
}
