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
    /// What it adds.
    pub(crate) sums: Sums,
}

/// Adds what records add. Labels that are new find room, if there is any.
pub(crate) async fn add(
    connection: &mut PgConnection,
    spreads: &[Spread],
) -> Result<(), StoreError> {
    let first = spreads.iter().flat_map(Spread::labels).collect();
    let mut labels = Labels::settled(connection, &first).await?;
    let values: BTreeSet<Label> = spreads.iter().flat_map(|it| it.values(&labels)).collect();
    labels.extend(Labels::settled(connection, &values).await?);
    let wanted = spreads.iter().map(|it| it.region.as_str()).collect();
    let regions = Regions::settled(connection, &wanted).await?;
    write(connection, spreads, (&labels, &regions)).await
}

/// Adds what is said later of records that were added: where they stand, whatever is new since.
pub(crate) async fn amend(
    connection: &mut PgConnection,
    spreads: &[Spread],
) -> Result<(), StoreError> {
    let first = spreads.iter().flat_map(Spread::labels).collect();
    let mut labels = Labels::known(connection, &first).await?;
    let values: BTreeSet<Label> = spreads.iter().flat_map(|it| it.values(&labels)).collect();
    labels.extend(Labels::known(connection, &values).await?);
    let regions = Regions::known(connection).await?;
    write(connection, spreads, (&labels, &regions)).await
}

async fn write(
    connection: &mut PgConnection,
    spreads: &[Spread],
    (labels, regions): (&Labels, &Regions),
) -> Result<(), StoreError> {
    let mut ledger = Ledger::default();
    for spread in spreads {
        for cell in spread.cells(labels, regions)? {
            ledger.add(cell, &spread.sums);
        }
    }
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

    fn cells(&self, labels: &Labels, regions: &Regions) -> Result<Vec<Cell>, StoreError> {
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
        let all = Cell {
            key_id: if apart { all.key_id } else { String::new() },
            ..all
        };
        let by = |label: Label| Cell {
            label: labels.has(&label).then(|| label.value.clone()),
            facet: label.facet,
            ..all.clone()
        };
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
