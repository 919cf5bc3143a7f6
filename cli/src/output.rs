//! The only file that writes to standard output and standard error.
//!
//! Knows tables and lines; knows nothing of what stands in them. A reader that has seen enough and closed the
//! pipe is no failure.

use std::{
    fmt,
    io::{self, Write},
};

use clap::ValueEnum;
use comfy_table::{Attribute, Cell, CellAlignment, Table, presets};

use crate::failure::Failure;

/// How results are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people
    Table,
    /// For programs: the message as JSON, with the names of the API's own JSON form
    Json,
}

/// Writes `text` and a line end to standard output, at once.
pub fn line(text: impl fmt::Display) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    match writeln!(out, "{text}").and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::system("write the result", &error))
        }
        _ => Ok(()),
    }
}

/// Writes a remark for people to standard error, where no program reads it as a result.
pub fn remark(text: impl fmt::Display) {
    // Nobody is left to be told if this fails.
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// Columns under their heads. Numbers stand to the right.
pub fn table(heads: &[&str], rows: &[Vec<String>]) -> String {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING);
    table.set_header(
        heads
            .iter()
            .map(|head| Cell::new(head).add_attribute(Attribute::Bold)),
    );
    table.add_rows(rows);
    for (at, column) in table.column_iter_mut().enumerate() {
        column.set_padding((0, 2));
        let mut cells = rows.iter().filter_map(|row| row.get(at));
        if !rows.is_empty() && cells.all(|cell| cell.parse::<i64>().is_ok()) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table.trim_fmt()
}

/// Names and values, one line each; lines of one name stand below each other.
pub fn listing(lines: &[(String, String)]) -> String {
    let width = lines
        .iter()
        .map(|(name, _)| name.chars().count())
        .max()
        .unwrap_or(0);
    let lines = lines
        .iter()
        .map(|(name, value)| format!("{name:width$}  {value}"));
    lines
        .map(|line| line.trim_end().to_owned())
        .collect::<Vec<_>>()
        .join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_has_no_borders_and_no_trailing_spaces() {
        let rows =
            [["demo", "7"], ["longer-name", "1200"]].map(|row| row.map(str::to_owned).to_vec());
        assert_eq!(
            table(&["MODEL", "REQUESTS"], &rows),
            "MODEL        REQUESTS\ndemo                7\nlonger-name      1200"
        );
        assert_eq!(table(&["MODEL"], &[]), "MODEL");
    }

    #[test]
    fn a_listing_stands_in_two_columns() {
        let lines = [("name", "keys/x"), ("models", ""), ("etag", "abc")];
        let lines = lines.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(listing(&lines), "name    keys/x\nmodels\netag    abc");
    }
}
