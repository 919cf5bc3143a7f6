//! What is known of the models of others: `prices/capabilities.tsv`, compiled in beside what they cost.
//!
//! Owns how that file is read. What does not stand there is not known, and what an operator says of a target goes before it.

use std::sync::{LazyLock, OnceLock};

use crate::{
    capability::{Abilities, Ability, Capabilities},
    glob::Glob,
    provider::ProviderKind,
    tables,
};

/// The file.
pub const FILE: &str = include_str!("../prices/capabilities.tsv");

/// The columns of the file, in their order.
pub const COLUMNS: [&str; 8] = [
    "kind",
    "model",
    "context_tokens",
    "output_tokens_max",
    "can",
    "cannot",
    "source",
    "as_of",
];

/// What is known of some models of a kind of provider.
#[derive(Debug)]
pub struct Row {
    kind: ProviderKind,
    model: Glob,
    capabilities: Capabilities,
}

/// What a target can do: what is said of it, and what is known besides. That is looked up once.
#[derive(Debug, Clone, Default)]
pub struct Capable {
    said: Capabilities,
    all: OnceLock<(ProviderKind, Capabilities)>,
}

static ROWS: LazyLock<Vec<Row>> = LazyLock::new(|| {
    let rows = lines().filter_map(|(_, cells)| row(&cells).ok());
    rows.collect()
});

/// What is known of a model, of the first row that is about it.
pub fn known(kind: ProviderKind, model: &str) -> Capabilities {
    let mut rows = ROWS.iter();
    let row = rows.find(|it| it.kind == kind && it.model.matches(model));
    row.map(|it| it.capabilities).unwrap_or_default()
}

/// The lines of the file that are rows, by their number, cut into cells.
pub fn lines() -> impl Iterator<Item = (usize, Vec<&'static str>)> {
    tables::lines(FILE)
}

/// Reads one row; or says what is wrong with it.
pub fn row(cells: &[&str]) -> Result<Row, String> {
    let cell = |at: usize| cells.get(at).copied().unwrap_or("");
    let [kind, model, context, output, can, cannot] = [0, 1, 2, 3, 4, 5].map(cell);
    let count = |text: &str| match text {
        "" => Ok(0),
        text => text
            .parse::<u64>()
            .map_err(|_| format!("`{text}` is no count")),
    };
    let abilities = |text: &str| {
        let words = text.split(',').filter(|it| !it.is_empty());
        let read = words.map(|it| Ability::named(it).ok_or_else(|| format!("no ability `{it}`")));
        read.collect::<Result<Abilities, String>>()
    };
    let numbers = (count(context)?, count(output)?);
    let capabilities = Capabilities::new(numbers, (abilities(can)?, abilities(cannot)?));
    Ok(Row {
        kind: tables::kind(kind)?,
        model: Glob::parse(model).map_err(|why| format!("`{model}` {why}"))?,
        capabilities: capabilities.map_err(|why| why.to_string())?,
    })
}

// === impl Capable ===

impl Capable {
    /// What is said of it, and nothing else.
    pub const fn said(&self) -> Capabilities {
        self.said
    }

    /// All that is known of this model of a provider of this kind.
    pub fn all(&self, kind: ProviderKind, model: &str) -> Capabilities {
        let look = || self.said.or(known(kind, model));
        let (of, all) = self.all.get_or_init(|| (kind, look()));
        if *of == kind { *all } else { look() }
    }
}

impl From<Capabilities> for Capable {
    fn from(said: Capabilities) -> Self {
        Self {
            said,
            all: OnceLock::new(),
        }
    }
}

impl PartialEq for Capable {
    fn eq(&self, other: &Self) -> bool {
        self.said == other.said
    }
}

impl Eq for Capable {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_can_be_read_and_says_where_it_comes_from_and_of_which_day_it_is() {
        assert_eq!(FILE.lines().next(), Some(COLUMNS.join("\t").as_str()));
        for (line, cells) in lines() {
            assert_eq!(cells.len(), COLUMNS.len(), "line {line}");
            let row = row(&cells).unwrap_or_else(|why| panic!("line {line}: {why}"));
            assert!(!row.capabilities.is_unsaid(), "line {line} says nothing");
            assert!(!cells[6].is_empty(), "line {line} has no source");
            let day: Result<jiff::civil::Date, _> = cells[7].parse();
            assert!(day.is_ok(), "line {line} has no day");
        }
    }

    #[test]
    fn what_an_operator_says_of_a_target_goes_before_the_catalogue() {
        let kind = ProviderKind::Anthropic;
        let catalogued = known(kind, "claude-haiku-4-5-20251001");
        assert_eq!(catalogued.numbers().0, 200_000);
        assert_eq!(known(kind, "unheard-of"), Capabilities::default());
        assert_eq!(
            known(ProviderKind::Vllm, "claude-haiku-4-5"),
            Capabilities::default()
        );
        let none = Abilities::default();
        let said = Capabilities::new((1_000, 0), (none, none)).unwrap();
        let capable = Capable::from(said);
        let all = capable.all(kind, "claude-haiku-4-5");
        assert_eq!(all.numbers().0, 1_000);
        assert_eq!(all.abilities(), catalogued.abilities());
        let elsewhere = capable.all(ProviderKind::Vllm, "claude-haiku-4-5");
        assert_eq!(elsewhere, said, "another kind is not what was kept");
    }
}
