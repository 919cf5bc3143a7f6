//! A line of the table: what it is about, a cell for each proxy, and how they compare.
//!
//! Knows columns and their widths; knows nothing of what stands in them.

use std::fmt::Write as _;

/// A line. An empty cell is left blank.
#[derive(Debug, Clone)]
pub struct Line {
    what: String,
    bare: String,
    sluice: String,
    ratio: String,
    bar: String,
    others: String,
}

// === impl Line ===

impl Line {
    /// The names of the columns.
    pub fn head() -> Self {
        let words = ["", "bare", "sluice", "ratio", "bar", "others"].map(str::to_owned);
        let [what, bare, sluice, ratio, bar, others] = words;
        Self {
            what,
            bare,
            sluice,
            ratio,
            bar,
            others,
        }
    }

    /// What it is about, the cells of the bare proxy and of Sluice, their ratio with the bar that it must stay
    /// under, and what others used meanwhile.
    pub fn new(what: &str, cells: [String; 2], end: (Option<f64>, &str), others: String) -> Self {
        let [bare, sluice] = cells;
        let ratio = end
            .0
            .map_or_else(String::new, |ratio| format!("{ratio:.2}"));
        Self {
            what: what.to_owned(),
            bare,
            sluice,
            ratio,
            bar: end.1.to_owned(),
            others,
        }
    }

    /// Writes it at the end of `text`.
    pub fn write(&self, text: &mut String) {
        let Self {
            what,
            bare,
            sluice,
            ratio,
            bar,
            others,
        } = self;
        let _ = writeln!(
            text,
            "{what:<36}{bare:>18}{sluice:>18}{ratio:>8}{bar:>9}{others:>8}"
        );
    }
}
