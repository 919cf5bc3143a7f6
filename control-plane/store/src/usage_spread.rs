//! What one record adds to the sums, over which cells it is spread, and the writing of both beside it.
//!
//! A record stands once among all requests, once by its end user, and once by each of its tags. Written in the transaction of
//! the record, and only there, so that it counts exactly as often as it is stored.

use std::collections::BTreeSet;

use domain::grain::Grain;
use payload::object::{self, Object};
use sqlx::PgConnection;
use time::{Date, OffsetDateTime};
use uuid::Uuid;

use crate::{
    column,
    error::StoreError,
    usage_cell::{Cell, Columns, Ledger, Sums, with_columns},
    usage_label::{self, Label, Labels},
    usage_pair::{self, Pairs},
    usage_region::{self, Regions},
};

/// A record, as far as sums go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Spread {
    pub(crate) at: OffsetDateTime,
    /// Where it was served.
    pub(crate) region: String,
    pub(crate) organization: Uuid,
    pub(crate) project: Uuid,
    pub(crate) key_id: String,
    pub(crate) model: Uuid,
    pub(crate) version: Uuid,
    pub(crate) provider: Option<Uuid>,
    pub(crate) status: i32,
    pub(crate) end_user: String,
    /// A JSON object of texts, or nothing.
    pub(crate) tags: String,
    /// Up to which pair of tags it is part of the sums by two tags.
    pub(crate) pairs_to: i64,
    /// What it adds.
    pub(crate) sums: Sums,
}

/// The pairs of tags by which these are summed.
pub(crate) async fn pairs(
    connection: &mut PgConnection,
    spreads: &[Spread],
) -> Result<Pairs, StoreError> {
    let whose: BTreeSet<Uuid> = spreads.iter().map(|it| it.organization).collect();
    let whose: Vec<Uuid> = whose.into_iter().collect();
    usage_pair::of(connection, &whose).await
}

/// Adds what records add. Labels that are new find room, if there is any.
pub(crate) async fn add(
    connection: &mut PgConnection,
    spreads: &[Spread],
    pairs: &Pairs,
) -> Result<(), StoreError> {
    let first = spreads.iter().flat_map(Spread::labels).collect();
    let mut labels = Labels::settled(connection, &first).await?;
    let values = values(spreads, &labels, pairs);
    labels.extend(Labels::settled(connection, &values).await?);
    let wanted = spreads.iter().map(|it| it.region.as_str()).collect();
    let regions = Regions::settled(connection, &wanted).await?;
    let mut ledger = Ledger::default();
    for spread in spreads {
        let cells = spread.cells(&labels, &regions)?;
        for cell in cells.into_iter().chain(spread.pair_cells(&labels, pairs)?) {
            ledger.add(cell, &spread.sums);
        }
    }
    write(connection, &ledger).await
}

/// Adds records to the sums of these pairs alone, which did not hold them.
pub(crate) async fn add_pairs(
    connection: &mut PgConnection,
    spreads: &[Spread],
    pairs: &Pairs,
) -> Result<(), StoreError> {
    let first = spreads.iter().flat_map(Spread::labels).collect();
    let mut labels = Labels::known(connection, &first).await?;
    let values: BTreeSet<Label> = spreads
        .iter()
        .flat_map(|it| it.pair_labels(pairs))
        .collect();
    labels.extend(Labels::settled(connection, &values).await?);
    let mut ledger = Ledger::default();
    for spread in spreads {
        for cell in spread.pair_cells(&labels, pairs)? {
            ledger.add(cell, &spread.sums);
        }
    }
    write(connection, &ledger).await
}

/// Adds what is said later of records that were added: where they stand, whatever is new since.
pub(crate) async fn amend(
    connection: &mut PgConnection,
    spreads: &[Spread],
    pairs: &Pairs,
) -> Result<(), StoreError> {
    let first = spreads.iter().flat_map(Spread::labels).collect();
    let mut labels = Labels::known(connection, &first).await?;
    let values = values(spreads, &labels, pairs);
    labels.extend(Labels::known(connection, &values).await?);
    let regions = Regions::known(connection).await?;
    let mut ledger = Ledger::default();
    for spread in spreads {
        let cells = spread.cells(&labels, &regions)?;
        for cell in cells.into_iter().chain(spread.pair_cells(&labels, pairs)?) {
            ledger.add(cell, &spread.sums);
        }
    }
    write(connection, &ledger).await
}

/// The values of tags, and of pairs of them, that may be summed by themselves.
fn values(spreads: &[Spread], labels: &Labels, pairs: &Pairs) -> BTreeSet<Label> {
    let of_it = |it: &Spread| {
        let values = it.values(labels).into_iter();
        values.chain(it.pair_labels(pairs)).collect::<Vec<_>>()
    };
    spreads.iter().flat_map(of_it).collect()
}

async fn write(connection: &mut PgConnection, ledger: &Ledger<Cell>) -> Result<(), StoreError> {
    with_columns!(
        query_file!("src/usage_spread.sql"),
        Columns::of(ledger.0.iter())
    )
    .execute(connection)
    .await?;
    Ok(())
}

// === impl Spread ===

impl Spread {
    /// What may be summed by itself, but for values of tags.
    fn labels(&self) -> Vec<Label> {
        let mut labels = Vec::new();
        if !self.end_user.is_empty() {
            labels.push(self.label(usage_label::USER, &self.end_user));
        }
        // What a token stands for has a colon in it. Keys are made by operators, and need no bound here.
        if self.key_id.contains(':') {
            labels.push(self.label(usage_label::TOKEN, &self.key_id));
        }
        for (key, _) in self.tags() {
            labels.push(self.label(usage_label::TAGS, &key));
        }
        labels
    }

    /// The values of those tags that are summed.
    fn values(&self, known: &Labels) -> Vec<Label> {
        let tags = self.tags().into_iter();
        let summed = tags.filter(|(key, _)| known.has(&self.label(usage_label::TAGS, key)));
        let value = |(key, value): (String, String)| self.label(&usage_label::tag(&key), &value);
        summed.map(value).collect()
    }

    /// What it stands under in the sums of these pairs; nothing where it has neither of the tags.
    fn pair_labels(&self, pairs: &Pairs) -> Vec<Label> {
        let of_it = pairs.of(self.organization).iter();
        let mut of_it = of_it.filter(|it| it.id <= self.pairs_to).peekable();
        // Nearly all organizations have none, and then the tags are not read once more.
        if of_it.peek().is_none() {
            return Vec::new();
        }
        let tags = self.tags();
        let value = |key: &str| {
            let found = tags.iter().find(|(it, _)| it == key);
            found.map_or("", |(_, value)| value.as_str())
        };
        let label = |pair: &usage_pair::Pair| {
            let (first, second) = (value(&pair.first), value(&pair.second));
            let both = usage_pair::label(first, second);
            let any = !first.is_empty() || !second.is_empty();
            any.then(|| self.label(&usage_pair::facet(pair.id), &both))
        };
        of_it.filter_map(label).collect()
    }

    fn pair_cells(&self, labels: &Labels, pairs: &Pairs) -> Result<Vec<Cell>, StoreError> {
        let of_it = self.pair_labels(pairs);
        if of_it.is_empty() {
            return Ok(Vec::new());
        }
        let all = self.all(labels)?;
        let cells = of_it.into_iter().map(|label| all.clone().by(labels, label));
        Ok(cells.collect())
    }

    /// Its cell among all requests.
    fn all(&self, labels: &Labels) -> Result<Cell, StoreError> {
        let token = self.key_id.contains(':');
        let apart = !token || labels.has(&self.label(usage_label::TOKEN, &self.key_id));
        let all = Cell {
            organization: self.organization,
            facet: usage_label::ALL.to_owned(),
            start: column::moment(Grain::Quarter.start_of(column::milliseconds(self.at)))?,
            label: Some(String::new()),
            project: self.project,
            key_id: self.key_id.clone(),
            model: self.model,
            version: self.version,
            provider: self.provider,
            status: self.status,
        };
        Ok(Cell {
            key_id: if apart { all.key_id } else { String::new() },
            ..all
        })
    }

    fn cells(&self, labels: &Labels, regions: &Regions) -> Result<Vec<Cell>, StoreError> {
        let all = self.all(labels)?;
        let by = |label: Label| all.clone().by(labels, label);
        let mut cells: Vec<Cell> = self.values(labels).into_iter().map(by).collect();
        let apart = regions.are_apart(&self.region);
        if !self.end_user.is_empty() {
            let user = by(self.label(usage_label::USER, &self.end_user));
            let facet = usage_region::user_facet(&self.region);
            let there = Cell {
                facet,
                ..user.clone()
            };
            cells.extend(apart.then_some(there).into_iter().chain([user]));
        }
        if apart {
            let facet = usage_region::facet(&self.region);
            cells.push(Cell {
                facet,
                ..all.clone()
            });
        }
        cells.push(all);
        Ok(cells)
    }

    fn label(&self, facet: &str, value: &str) -> Label {
        let day = self.at.date();
        Label {
            organization: self.organization,
            month: Date::from_calendar_date(day.year(), day.month(), 1).unwrap_or(day),
            facet: facet.to_owned(),
            value: value.to_owned(),
        }
    }

    /// None where they cannot be read, which nothing of ours writes.
    fn tags(&self) -> Vec<(String, String)> {
        let Ok(object) = Object::parse(&self.tags) else {
            return Vec::new();
        };
        let text = |(key, raw): (std::borrow::Cow<'_, str>, &str)| {
            Some((key.into_owned(), object::text(raw).ok()?.into_owned()))
        };
        object.rest().filter_map(text).collect()
    }
}

// === impl Cell ===

impl Cell {
    /// The same under this label, if that is summed by itself.
    fn by(self, labels: &Labels, label: Label) -> Self {
        Self {
            label: labels.has(&label).then(|| label.value.clone()),
            facet: label.facet,
            ..self
        }
    }
}
