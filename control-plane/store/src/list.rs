//! A page of rows, cut from one row more than was asked for.

use domain::page::{self, Page};

/// A page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed<R> {
    /// What stands on it.
    pub rows: Vec<R>,
    /// Where the next one starts; empty means: that was all.
    pub next_page_token: String,
}

/// How many rows to ask the database for: one more shows whether there is another page.
pub(crate) fn rows_wanted(page: &Page) -> i64 {
    i64::from(page.size) + 1
}

/// Cuts the page. `id` is what the rows are sorted by.
pub(crate) fn cut<R>(mut rows: Vec<R>, page: &Page, id: impl Fn(&R) -> &str) -> Listed<R> {
    let size = usize::try_from(page.size).unwrap_or(usize::MAX);
    let more = rows.len() > size;
    rows.truncate(size);
    let last = rows.last().filter(|_| more);
    let next_page_token = last.map(|row| page::token(id(row))).unwrap_or_default();
    Listed {
        rows,
        next_page_token,
    }
}
