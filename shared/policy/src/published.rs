//! The prices that providers publish, as far as they are known for sure: `prices/published.tsv`, compiled in.
//!
//! Owns how that file is read. What does not stand there has no price, which is said and never guessed. A file that
//! cannot be read does not pass the tests; here a row that cannot be read would have no price either.

use std::sync::{Arc, LazyLock};

use crate::{
    glob::Glob,
    money,
    price::{Of, Rates, Row, Tier},
    tables,
    usage::Counter,
};

/// The file.
pub const FILE: &str = include_str!("../prices/published.tsv");

/// The columns of the file, in their order; those of the rates go by their counters.
pub const COLUMNS: [&str; 13] = [
    "kind",
    "model",
    "region",
    "tier",
    "above_input_tokens",
    "valid_from",
    "input",
    "cached_input",
    "cache_write",
    "cache_write_hour",
    "audio_input",
    "output",
    "audio_output",
];

static ROWS: LazyLock<Vec<Arc<Row>>> = LazyLock::new(|| {
    let rows = lines().filter_map(|(_, cells)| row(&cells).ok());
    rows.map(Arc::new).collect()
});

/// Every published price.
pub fn rows() -> &'static [Arc<Row>] {
    &ROWS
}

/// The lines of the file that are rows, by their number, cut into cells.
pub fn lines() -> impl Iterator<Item = (usize, Vec<&'static str>)> {
    tables::lines(FILE)
}

/// Reads one row; or says what is wrong with it.
pub fn row(cells: &[&str]) -> Result<Row, String> {
    let cell = |at: usize| cells.get(at).copied().unwrap_or("");
    let [kind, model, region, tier, above, from] = [0, 1, 2, 3, 4, 5].map(cell);
    let glob = |text: &str| Glob::parse(text).map_err(|why| format!("`{text}` {why}"));
    let (mut rates, mut any) = (Rates::default(), false);
    for (at, word) in COLUMNS.iter().enumerate().skip(6) {
        let counter = Counter::ALL.into_iter().find(|it| it.word() == *word);
        let text = cell(at);
        if let Some(counter) = counter.filter(|_| !text.is_empty()) {
            let rate = money::nano(text).ok_or_else(|| format!("`{text}` is no amount"))?;
            rates = rates.with(counter, rate).map_err(|why| why.to_string())?;
            any = true;
        }
    }
    if !any {
        return Err("no rate".to_owned());
    }
    Ok(Row {
        reference: format!("published:{kind}/{model}/{region}/{tier}/{above}/{from}"),
        own: false,
        of: Of::Kind(tables::kind(kind)?),
        model: glob(model)?,
        region: (!region.is_empty()).then(|| glob(region)).transpose()?,
        tier: Some(Tier::named(tier).ok_or_else(|| format!("no tier `{tier}`"))?),
        above_input_tokens: above
            .parse()
            .map_err(|_| format!("`{above}` is no count"))?,
        valid_from_ms: day_ms(from).ok_or_else(|| format!("`{from}` is no day"))?,
        rates,
    })
}

/// The first moment of a day such as `2025-08-07` in UTC, milliseconds since 1970.
fn day_ms(text: &str) -> Option<u64> {
    let day: jiff::civil::Date = text.parse().ok()?;
    let midnight = day.to_zoned(jiff::tz::TimeZone::UTC).ok()?;
    u64::try_from(midnight.timestamp().as_millisecond()).ok()
}
