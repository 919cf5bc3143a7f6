//! The vectors, as the files beside this one hold them: a name, a family and eight counts, or `-` for none.

use std::collections::BTreeMap;

use dialect::{Tokens, neutral::Family};

/// All lines of a file, by name.
pub(crate) struct Table(BTreeMap<String, Line>);

/// What one body should be read as.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Line {
    /// Whose dialect it is; `None` where it is none of ours.
    pub(crate) family: Option<Family>,
    pub(crate) tokens: Option<Tokens>,
}

/// The family of this name.
pub(crate) fn family(name: &str) -> Option<Family> {
    Some(match name {
        "chat" => Family::Chat,
        "responses" => Family::Responses,
        "messages" => Family::Messages,
        "gemini" => Family::Gemini,
        "converse" => Family::Converse,
        "cohere" => Family::Cohere,
        _ => return None,
    })
}

// === impl Table ===

impl Table {
    pub(crate) fn parse(text: &str) -> Self {
        let mut lines = BTreeMap::new();
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let cells: Vec<&str> = line.split('\t').collect();
            let [name, family_name, counts @ ..] = &cells[..] else {
                panic!("no line of the table: {line}");
            };
            let line = Line {
                family: family(family_name),
                tokens: tokens(counts),
            };
            let before = lines.insert((*name).to_owned(), line);
            assert!(before.is_none(), "{name} has two lines");
        }
        Self(lines)
    }

    pub(crate) fn line(&self, name: &str) -> Option<Line> {
        self.0.get(name).copied()
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &String> {
        self.0.keys()
    }
}

fn tokens(counts: &[&str]) -> Option<Tokens> {
    if counts == ["-"] {
        return None;
    }
    let numbers: Vec<u64> = counts
        .iter()
        .map(|it| it.parse().expect("a count is a number"))
        .collect();
    let [
        input,
        cached_input,
        cache_write,
        cache_write_hour,
        audio_input,
        output,
        reasoning,
        audio_output,
    ] = numbers[..]
    else {
        panic!("a line has eight counts: {counts:?}");
    };
    Some(Tokens {
        input,
        cached_input,
        cache_write,
        cache_write_hour,
        audio_input,
        output,
        reasoning,
        audio_output,
        ..Tokens::default()
    })
}
