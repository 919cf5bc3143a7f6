//! Says on standard error what is being done: with a bar where somebody watches, in lines elsewhere.

use std::io::{self, IsTerminal, Write};

use indicatif::{ProgressBar, ProgressStyle};

/// How far a run is.
#[derive(Debug)]
pub struct Progress {
    of: &'static str,
    bar: Option<ProgressBar>,
}

// === impl Progress ===

impl Progress {
    /// A run of so many steps, by the name that stands before what it says in lines.
    pub fn new(of: &'static str, steps: u64) -> Self {
        let bar = io::stderr().is_terminal().then(|| ProgressBar::new(steps));
        let style = ProgressStyle::with_template("{bar:30} {pos}/{len} {elapsed} {msg}");
        let bar = bar.map(|bar| style.map_or(bar.clone(), |style| bar.with_style(style)));
        Self { of, bar }
    }

    /// Begins the next step.
    pub fn step(&self, what: &str) {
        self.tell(what);
        self.went(1);
    }

    /// Says what is done now.
    pub fn tell(&self, what: &str) {
        if let Some(bar) = &self.bar {
            bar.set_message(what.to_owned());
        } else {
            // Standard error may be gone; nobody is told then.
            let _ = writeln!(io::stderr(), "{}: {what}", self.of);
        }
    }

    /// So many steps more are done.
    pub fn went(&self, steps: u64) {
        if let Some(bar) = &self.bar {
            bar.inc(steps);
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
