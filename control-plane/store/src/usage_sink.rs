//! How far records have left for a bucket or database of others, and what comes next.
//!
//! Batches leave in the order of their numbers, which they get only after they were committed; so nothing that was still being
//! written is passed over, and writing never waits. What is about to be sent is written down before it is sent: after a failure
//! the same batches go again under the same name, and none goes under two. One replica sends at a time, and only who has not
//! been overtaken may say that something is there.

use std::time::Duration;

use time::Date;
use uuid::Uuid;

use crate::{error::StoreError, store::Store, usage_read, usage_read::Kept};

/// How many records a part has before no other batch is added.
const PART: i64 = 500; // Full: the next part has the others; a batch has at most as many again.

/// The most batches of a part.
const BATCHES_MAX: i64 = 256; // Full: as above.

/// The most batches that are planned at once.
const PLANNED_MAX: i64 = 4_096; // Full: the next plan has the others.

/// That a replica may send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Turn {
    /// The sink's name.
    pub sink: String,
    /// Which replica.
    pub holder: [u8; 16],
    /// How often another one took over before.
    pub fence: i64,
}

/// Which batches are sent together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// They stand behind this number.
    pub after: i64,
    /// And the last has this one.
    pub last: i64,
}

/// Some of the records of a span.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// In the order in which they were counted.
    pub records: Vec<Kept>,
    /// The number of the last batch that they are of.
    pub number: i64,
}

// === impl Store ===

impl Store {
    /// Takes or keeps the turn for `life`; `None` while another replica has it.
    pub async fn take_sink(
        &self,
        sink: &str,
        holder: [u8; 16],
        life: Duration,
    ) -> Result<Option<Turn>, StoreError> {
        let fence = sqlx::query_scalar!(
            r#"INSERT INTO usage_sink AS it (name, holder, held_until)
               VALUES ($1, $2, now() + make_interval(secs => $3))
               ON CONFLICT (name) DO UPDATE SET
                   holder = excluded.holder, held_until = excluded.held_until,
                   fence = it.fence + CASE WHEN it.holder = excluded.holder THEN 0 ELSE 1 END
               WHERE it.holder = excluded.holder OR it.held_until < now()
               RETURNING fence"#,
            sink,
            Uuid::from_bytes(holder),
            life.as_secs_f64(),
        )
        .fetch_optional(&mut *self.connection().await?)
        .await?;
        Ok(fence.map(|fence| Turn {
            sink: sink.to_owned(),
            holder,
            fence,
        }))
    }

    /// What is to be sent next, written down: what a failure has left, or else batches of so many records, and one more at most.
    /// `None` where everything is there, or the turn is over.
    pub async fn plan_sink(&self, turn: &Turn, records: i64) -> Result<Option<Span>, StoreError> {
        let planned = sqlx::query!(
            r#"UPDATE usage_sink AS it SET planned = coalesce(it.planned, (
                   SELECT max(number) FROM (
                       SELECT number, sum(records) OVER (ORDER BY number) - records AS before
                       FROM (SELECT number, records FROM usage_batch
                             WHERE number > (SELECT number FROM usage_sink WHERE name = $1)
                             ORDER BY number LIMIT $5) AS next
                   ) AS next WHERE before < $4))
               WHERE name = $1 AND holder = $2 AND fence = $3
               RETURNING number, planned"#,
            turn.sink,
            Uuid::from_bytes(turn.holder),
            turn.fence,
            records,
            PLANNED_MAX,
        )
        .fetch_optional(&mut *self.connection().await?)
        .await?;
        let span = planned.and_then(|it| {
            Some(Span {
                after: it.number,
                last: it.planned?,
            })
        });
        if span.is_none() {
            self.note_caught_up(turn).await?;
        }
        Ok(span)
    }

    /// The next records of a span behind a batch; `None` where there are no more.
    pub async fn sink_part(&self, span: Span, behind: i64) -> Result<Option<Part>, StoreError> {
        let mut connection = self.connection().await?;
        let next = sqlx::query!(
            r#"WITH next AS (
                   SELECT batch, organization, number, first_at, last_at,
                          sum(records) OVER (ORDER BY number) - records AS before
                   FROM (SELECT * FROM usage_batch WHERE number > $1 AND number <= $2
                         ORDER BY number LIMIT $3) AS it
               )
               SELECT array_agg(batch ORDER BY number) AS "batches?",
                      array_agg(organization ORDER BY number) AS "organizations?",
                      max(number) AS number, min(first_at) AS first_at, max(last_at) AS last_at
               FROM next WHERE before < $4"#,
            behind,
            span.last,
            BATCHES_MAX,
            PART,
        )
        .fetch_one(&mut *connection)
        .await?;
        let (Some(batches), Some(organizations), Some(number), Some(first_at), Some(last_at)) = (
            next.batches,
            next.organizations,
            next.number,
            next.first_at,
            next.last_at,
        ) else {
            return Ok(None);
        };
        let keys = sqlx::query!(
            r#"SELECT it.day, it.id
               FROM unnest($1::bigint[], $2::uuid[]) WITH ORDINALITY AS wanted (batch, organization, place)
               JOIN usage_record it ON it.batch = wanted.batch AND it.organization = wanted.organization
               WHERE it.day BETWEEN $3 AND $4
               ORDER BY wanted.place, it.at, it.id"#,
            &batches,
            &organizations,
            first_at.date(),
            last_at.date(),
        )
        .fetch_all(&mut *connection)
        .await?;
        let (days, ids): (Vec<Date>, Vec<Uuid>) =
            keys.into_iter().map(|it| (it.day, it.id)).unzip();
        let records = usage_read::records(&mut connection, &days, &ids).await?;
        Ok(Some(Part { records, number }))
    }

    /// Notes that a span is there. False where the turn was over before that: somebody else sends it again.
    pub async fn note_sunk(&self, turn: &Turn, span: Span) -> Result<bool, StoreError> {
        let noted = sqlx::query!(
            r#"UPDATE usage_sink SET number = planned, planned = NULL
               WHERE name = $1 AND holder = $2 AND fence = $3 AND number = $4 AND planned = $5"#,
            turn.sink,
            Uuid::from_bytes(turn.holder),
            turn.fence,
            span.after,
            span.last,
        )
        .execute(&mut *self.connection().await?)
        .await?;
        Ok(noted.rows_affected() == 1)
    }

    /// For how long not everything that was counted has been there.
    pub async fn sink_lag(&self, sink: &str) -> Result<Duration, StoreError> {
        let seconds = sqlx::query_scalar!(
            r#"SELECT extract(epoch FROM now() - caught_up_at)::float8 AS "seconds!"
               FROM usage_sink it WHERE name = $1
                 AND EXISTS (SELECT FROM usage_batch WHERE number > it.number)"#,
            sink,
        )
        .fetch_optional(&mut *self.connection().await?)
        .await?;
        let lag = seconds.map(|it| Duration::try_from_secs_f64(it).unwrap_or_default());
        Ok(lag.unwrap_or_default())
    }

    async fn note_caught_up(&self, turn: &Turn) -> Result<(), StoreError> {
        sqlx::query!(
            r#"UPDATE usage_sink SET caught_up_at = now()
               WHERE name = $1 AND holder = $2 AND fence = $3 AND planned IS NULL"#,
            turn.sink,
            Uuid::from_bytes(turn.holder),
            turn.fence,
        )
        .execute(&mut *self.connection().await?)
        .await?;
        Ok(())
    }
}
