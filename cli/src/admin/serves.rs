//! Whom an edge serves that is let in: one organization, or every one.
//!
//! Never by what `--organization` or its variable say: that would narrow an edge without a word.

use clap::Args;

use crate::{failure::Failure, session::Session};

/// The one flag of it.
#[derive(Debug, Clone, Args)]
pub struct Serves {
    /// The one organization that its bearers serve, and get anything of; without this, every one
    #[arg(long, value_name = "ORGANIZATION")]
    serves: Option<String>,
}

// === impl Serves ===

impl Serves {
    /// The whole name; empty for every one.
    pub fn organization(&self, session: &Session) -> Result<String, Failure> {
        let whole = |name: &String| session.place.name(&["organizations"], name);
        let name = self.serves.as_ref().map(whole).transpose()?;
        Ok(name.unwrap_or_default())
    }
}
