//! What a sum is over, and what is summed: cells, their sums, and the columns in which the database takes many of them.
//!
//! Knows arithmetic and nothing of where sums stand. Sums never wrap: what does not fit is as good as endless.

use std::collections::BTreeMap;

use domain::sketch::Sketch;
use policy::usage::Counter;
use sha2::{Digest, Sha256};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{column, error::StoreError};

/// How many counters there are.
pub(crate) const COUNTERS: usize = Counter::ALL.len();

/// What a sum is over.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Cell {
    pub(crate) organization: Uuid,
    pub(crate) facet: String,
    pub(crate) start: OffsetDateTime,
    pub(crate) label: Option<String>,
    pub(crate) project: Uuid,
    pub(crate) key_id: String,
    pub(crate) model: Uuid,
    pub(crate) version: Uuid,
    pub(crate) provider: Option<Uuid>,
    pub(crate) status: i32,
}

/// What is summed. A change of price alone has no requests.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Sums {
    pub(crate) requests: i64,
    pub(crate) estimated: i64,
    pub(crate) unpriced: i64,
    pub(crate) cost_nano: i64,
    pub(crate) counts: [i64; COUNTERS],
    pub(crate) duration: Sketch,
    pub(crate) first_byte: Sketch,
    pub(crate) overhead: Sketch,
}

/// A cell and its sums as a row, and of which grain it is.
pub(crate) struct Line {
    pub(crate) grain: i16,
    pub(crate) organization: Uuid,
    pub(crate) facet: String,
    pub(crate) start: OffsetDateTime,
    pub(crate) label: Option<String>,
    pub(crate) project: Uuid,
    pub(crate) key_id: String,
    pub(crate) model: Uuid,
    pub(crate) version: Uuid,
    pub(crate) provider: Option<Uuid>,
    pub(crate) status: i32,
    pub(crate) requests: i64,
    pub(crate) estimated: i64,
    pub(crate) unpriced: i64,
    pub(crate) cost_nano: i64,
    pub(crate) input: i64,
    pub(crate) cached_input: i64,
    pub(crate) cache_write: i64,
    pub(crate) cache_write_hour: i64,
    pub(crate) audio_input: i64,
    pub(crate) output: i64,
    pub(crate) reasoning: i64,
    pub(crate) audio_output: i64,
    pub(crate) images: i64,
    pub(crate) served: i64,
    pub(crate) units: i64,
    pub(crate) duration: Vec<u8>,
    pub(crate) first_byte: Vec<u8>,
    pub(crate) overhead: Vec<u8>,
}

/// Sums by what they are over; sorted, so that all writers take rows in one order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ledger<K: Ord>(pub(crate) BTreeMap<K, Sums>);

/// Sums as columns.
#[derive(Default)]
pub(crate) struct Columns {
    pub(crate) organization: Vec<Uuid>,
    pub(crate) facet: Vec<String>,
    pub(crate) start: Vec<OffsetDateTime>,
    pub(crate) label: Vec<Option<String>>,
    pub(crate) project: Vec<Uuid>,
    pub(crate) key_id: Vec<String>,
    pub(crate) model: Vec<Uuid>,
    pub(crate) version: Vec<Uuid>,
    pub(crate) provider: Vec<Option<Uuid>>,
    pub(crate) status: Vec<i32>,
    pub(crate) requests: Vec<i64>,
    pub(crate) estimated: Vec<i64>,
    pub(crate) unpriced: Vec<i64>,
    pub(crate) cost_nano: Vec<i64>,
    pub(crate) counts: [Vec<i64>; COUNTERS],
    pub(crate) duration: Vec<Vec<u8>>,
    pub(crate) first_byte: Vec<Vec<u8>>,
    pub(crate) overhead: Vec<Vec<u8>>,
}

/// What a row sums: of any that has the columns of sums.
macro_rules! sums_of {
    ($row:expr) => {{
        let row = $row;
        $crate::usage_cell::Sums::read(
            [row.requests, row.estimated, row.unpriced, row.cost_nano],
            [
                row.input,
                row.cached_input,
                row.cache_write,
                row.cache_write_hour,
                row.audio_input,
                row.output,
                row.reasoning,
                row.audio_output,
                row.images,
                row.served,
                row.units,
            ],
            [&row.duration, &row.first_byte, &row.overhead],
        )
    }};
}
pub(crate) use sums_of;

/// A statement whose parameters are the columns of cells and sums, in their order, and then `more`.
macro_rules! with_columns {
    ($query:ident!($text:literal), $columns:expr $(, $more:expr)*) => {{
        let it = $columns;
        let [
            input,
            cached_input,
            cache_write,
            cache_write_hour,
            audio_input,
            output,
            reasoning,
            audio_output,
            images,
            served,
            units,
        ] = &it.counts;
        sqlx::$query!(
            $text,
            &it.organization,
            &it.facet,
            &it.start,
            &it.label as &[Option<String>],
            &it.project,
            &it.key_id,
            &it.model,
            &it.version,
            &it.provider as &[Option<uuid::Uuid>],
            &it.status,
            &it.requests,
            &it.estimated,
            &it.unpriced,
            &it.cost_nano,
            input,
            cached_input,
            cache_write,
            cache_write_hour,
            audio_input,
            output,
            reasoning,
            audio_output,
            images,
            served,
            units,
            &it.duration,
            &it.first_byte,
            &it.overhead
            $(, $more)*
        )
    }};
}
pub(crate) use with_columns;

// === impl Cell ===

impl Cell {
    /// What tells it from others of its organization, facet and time.
    pub(crate) fn digest(&self) -> Uuid {
        let mut hash = Sha256::new();
        let label = self.label.as_deref();
        for text in [label.unwrap_or_default(), &self.key_id] {
            hash.update((text.len() as u64).to_be_bytes());
            hash.update(text);
        }
        hash.update([u8::from(label.is_some()), u8::from(self.provider.is_some())]);
        for id in [self.project, self.model, self.version] {
            hash.update(id.as_bytes());
        }
        hash.update(self.provider.unwrap_or_default().as_bytes());
        hash.update(self.status.to_be_bytes());
        let digest: [u8; 32] = hash.finalize().into();
        let half = u128::from_be_bytes(digest.first_chunk().copied().unwrap_or_default());
        Uuid::from_u128(half)
    }
}

// === impl Sums ===

impl Sums {
    /// From the columns of a row: requests, those estimated and those unpriced, and the cost; counters; and both sketches.
    pub(crate) fn read(
        [requests, estimated, unpriced, cost_nano]: [i64; 4],
        counts: [i64; COUNTERS],
        [duration, first_byte, overhead]: [&[u8]; 3],
    ) -> Result<Self, StoreError> {
        Ok(Self {
            requests,
            estimated,
            unpriced,
            cost_nano,
            counts,
            duration: sketch(duration)?,
            first_byte: sketch(first_byte)?,
            overhead: sketch(overhead)?,
        })
    }

    /// Takes all that others have.
    pub(crate) fn merge(&mut self, other: &Self) {
        self.each(other, i64::saturating_add);
        self.duration.merge(&other.duration);
        self.first_byte.merge(&other.first_byte);
        self.overhead.merge(&other.overhead);
    }

    /// Gives back what others have, which were part of these.
    pub(crate) fn take(&mut self, other: &Self) {
        self.each(other, i64::saturating_sub);
        self.duration.take(&other.duration);
        self.first_byte.take(&other.first_byte);
        self.overhead.take(&other.overhead);
    }

    /// Whether nothing is left to tell.
    pub(crate) fn is_nothing(&self) -> bool {
        *self == Self::default()
    }

    fn each(&mut self, other: &Self, act: fn(i64, i64) -> i64) {
        for (mine, its) in [
            (&mut self.requests, other.requests),
            (&mut self.estimated, other.estimated),
            (&mut self.unpriced, other.unpriced),
            (&mut self.cost_nano, other.cost_nano),
        ] {
            *mine = act(*mine, its);
        }
        for (mine, its) in self.counts.iter_mut().zip(other.counts) {
            *mine = act(*mine, its);
        }
    }
}

// === impl Line ===

impl Line {
    /// The cell and its sums.
    pub(crate) fn read(self) -> Result<(Cell, Sums), StoreError> {
        let sums = sums_of!(&self)?;
        let cell = Cell {
            organization: self.organization,
            facet: self.facet,
            start: self.start,
            label: self.label,
            project: self.project,
            key_id: self.key_id,
            model: self.model,
            version: self.version,
            provider: self.provider,
            status: self.status,
        };
        Ok((cell, sums))
    }
}

// === impl Ledger ===

impl<K: Ord> Default for Ledger<K> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<K: Ord> Ledger<K> {
    /// Adds these sums to those over `key`.
    pub(crate) fn add(&mut self, key: K, sums: &Sums) {
        self.0.entry(key).or_default().merge(sums);
    }
}

// === impl Columns ===

impl Columns {
    /// The columns of these rows.
    pub(crate) fn of<'a>(rows: impl Iterator<Item = (&'a Cell, &'a Sums)>) -> Self {
        let mut columns = Self::default();
        for (cell, sums) in rows {
            columns.push(cell, sums);
        }
        columns
    }

    fn push(&mut self, cell: &Cell, sums: &Sums) {
        self.organization.push(cell.organization);
        self.facet.push(cell.facet.clone());
        self.start.push(cell.start);
        self.label.push(cell.label.clone());
        self.project.push(cell.project);
        self.key_id.push(cell.key_id.clone());
        self.model.push(cell.model);
        self.version.push(cell.version);
        self.provider.push(cell.provider);
        self.status.push(cell.status);
        self.requests.push(sums.requests);
        self.estimated.push(sums.estimated);
        self.unpriced.push(sums.unpriced);
        self.cost_nano.push(sums.cost_nano);
        for (column, count) in self.counts.iter_mut().zip(sums.counts) {
            column.push(count);
        }
        self.duration.push(sums.duration.to_bytes());
        self.first_byte.push(sums.first_byte.to_bytes());
        self.overhead.push(sums.overhead.to_bytes());
    }
}

/// A sketch from the database.
fn sketch(bytes: &[u8]) -> Result<Sketch, StoreError> {
    column::known(Sketch::from_bytes(bytes), "a sketch")
}
