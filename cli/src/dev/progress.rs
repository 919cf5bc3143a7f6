//! Says what is being done while somebody waits: a spinner for people, lines for logs.

use std::{io::IsTerminal, time::Duration};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::output;

const TICK: Duration = Duration::from_millis(80);

/// What is being done now. Clones say it in the same place.
#[derive(Debug, Clone)]
pub struct Progress(Option<ProgressBar>);

// === impl Progress ===

impl Progress {
    /// Begins.
    pub fn start() -> Self {
        if !std::io::stderr().is_terminal() {
            return Self(None);
        }
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        // Without a style of its own it looks as it looks by default, which is no reason to fail.
        if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} ({elapsed})") {
            bar.set_style(style);
        }
        bar.enable_steady_tick(TICK);
        Self(Some(bar))
    }

    /// Says what is being done from here on.
    pub fn say(&self, what: &str) {
        match &self.0 {
            Some(bar) => bar.set_message(what.to_owned()),
            None => output::remark(format_args!("sluice: {what}")),
        }
    }

    /// Ends, and leaves nothing on the screen.
    pub fn finish(&self) {
        if let Some(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }
}
