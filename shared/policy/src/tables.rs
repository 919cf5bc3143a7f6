//! Tables that are compiled in: lines of cells with tabs between them, below a line of heads.
//!
//! Knows how they are written; knows nothing of what they say.

use crate::provider::{PRESETS, ProviderKind};

/// The lines of a table that are rows, by their number, cut into cells. Those that begin with `#` are remarks.
pub(crate) fn lines(file: &'static str) -> impl Iterator<Item = (usize, Vec<&'static str>)> {
    file.lines()
        .enumerate()
        .skip(1)
        .filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
        .map(|(at, line)| (at + 1, line.split('\t').collect()))
}

/// The kind of provider that a cell names.
pub(crate) fn kind(cell: &str) -> Result<ProviderKind, String> {
    let preset = PRESETS.into_iter().find(|it| it.word == cell);
    let preset = preset.ok_or_else(|| format!("no kind `{cell}`"))?;
    Ok(preset.kind)
}
