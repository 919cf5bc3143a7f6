//! Says on standard error what is being done: with a bar where somebody watches, in lines elsewhere.

use std::io::{self, IsTerminal, Write};

use indicatif::{ProgressBar, ProgressStyle};

/// How far a run is.
#[derive(Debug)]
pub struct Progress(Option<ProgressBar>);

// === impl Progress ===

impl Progress {
    /// A run of so many steps.
    pub fn new(steps: u32) -> Self {
        let bar = io::stderr()
            .is_terminal()
            .then(|| ProgressBar::new(steps.into()));
        let style = ProgressStyle::with_template("{bar:30} {pos}/{len} {elapsed} {msg}");
        Self(bar.map(|bar| style.map_or(bar.clone(), |style| bar.with_style(style))))
    }

    /// Begins the next step.
    pub fn step(&self, what: &str) {
        if let Some(bar) = &self.0 {
            bar.set_message(what.to_owned());
            bar.inc(1);
        } else {
            // Standard error may be gone; nobody is told then.
            let _ = writeln!(io::stderr(), "load: {what}");
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }
}
