//! How far the audit trail was handed on to where others keep it, and what comes next.
//!
//! A chain leaves in the order of its entries, and only as far as it was signed, so that what is there can be checked there. What is about
//! to be sent is written down before it is sent: after a failure the same entries go again under the same name. One replica sends at a time,
//! and only who has not been overtaken may say that something is there.

use std::time::Duration;

use crate::{column, error::StoreError, id::uuid, store::Store};

/// That a replica may send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Turn {
    /// The sink's name.
    pub sink: String,
    /// How many of the keys that sign are there.
    pub keys: u64,
    holder: [u8; 16],
    fence: i64,
}

/// Which entries of a chain are sent together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// The chain.
    pub chain: String,
    /// They stand behind this place in it.
    pub after: u64,
    /// And the last has this one.
    pub last: u64,
}

// === impl Turn ===

impl Turn {
    /// Whether it is the same turn, whatever is there by now.
    pub fn is(&self, other: &Self) -> bool {
        (&self.sink, self.holder, self.fence) == (&other.sink, other.holder, other.fence)
    }
}

// === impl Store ===

impl Store {
    /// Takes or keeps the turn for `life`; `None` while another replica has it.
    pub async fn take_audit_sink(
        &self,
        sink: &str,
        holder: [u8; 16],
        life: Duration,
    ) -> Result<Option<Turn>, StoreError> {
        let row = sqlx::query!(
            r#"INSERT INTO audit_sink AS it (name, holder, held_until)
               VALUES ($1, $2, now() + make_interval(secs => $3))
               ON CONFLICT (name) DO UPDATE SET
                   holder = excluded.holder, held_until = excluded.held_until,
                   fence = it.fence + CASE WHEN it.holder = excluded.holder THEN 0 ELSE 1 END
               WHERE it.holder = excluded.holder OR it.held_until < now()
               RETURNING fence, keys"#,
            sink,
            uuid(holder),
            life.as_secs_f64(),
        )
        .fetch_optional(&mut *self.connection().await?)
        .await?;
        Ok(row.map(|row| Turn {
            sink: sink.to_owned(),
            keys: column::count(row.keys.into()),
            holder,
            fence: row.fence,
        }))
    }

    /// Notes that so many keys are there. False where the turn was over before that.
    pub async fn note_audit_keys(&self, turn: &Turn, keys: usize) -> Result<bool, StoreError> {
        let noted = sqlx::query!(
            "UPDATE audit_sink SET keys = $4 WHERE name = $1 AND holder = $2 AND fence = $3",
            turn.sink,
            uuid(turn.holder),
            turn.fence,
            i32::try_from(keys).unwrap_or(i32::MAX),
        )
        .execute(&mut *self.connection().await?)
        .await?;
        Ok(noted.rows_affected() == 1)
    }

    /// What is to be sent next, written down: what a failure has left, or else at most so many entries of a chain that are signed.
    /// `None` where all that is signed is there, or the turn is over.
    pub async fn plan_audit(&self, turn: &Turn, entries: u32) -> Result<Option<Span>, StoreError> {
        let planned = sqlx::query!(
            r#"WITH next AS (
                   SELECT it.chain, coalesce(sent.sequence, 0) AS after,
                          least(signed.length, coalesce(sent.sequence, 0) + $4) AS last
                   FROM audit_chain it
                   JOIN LATERAL (SELECT length FROM audit_checkpoint WHERE chain = it.chain
                                 ORDER BY length DESC LIMIT 1) signed ON true
                   LEFT JOIN audit_sink_chain sent ON sent.sink = $1 AND sent.chain = it.chain
                   WHERE signed.length > coalesce(sent.sequence, 0)
                       AND EXISTS (SELECT FROM audit_sink
                                   WHERE name = $1 AND holder = $2 AND fence = $3)
                   ORDER BY it.chain LIMIT 1
               )
               INSERT INTO audit_sink_chain AS it (sink, chain, sequence, planned)
               SELECT $1, chain, after, last FROM next
               ON CONFLICT (sink, chain) DO UPDATE SET planned = coalesce(it.planned, excluded.planned)
               RETURNING chain, sequence, planned AS "planned!""#,
            turn.sink,
            uuid(turn.holder),
            turn.fence,
            i64::from(entries),
        )
        .fetch_optional(&mut *self.connection().await?)
        .await?;
        if planned.is_none() {
            self.note_audit_caught_up(turn).await?;
        }
        Ok(planned.map(|row| Span {
            chain: row.chain,
            after: column::count(row.sequence),
            last: column::count(row.planned),
        }))
    }

    /// Notes that a span is there. False where the turn was over before that: somebody else sends it again.
    pub async fn note_audit_sent(&self, turn: &Turn, span: &Span) -> Result<bool, StoreError> {
        let noted = sqlx::query!(
            r#"UPDATE audit_sink_chain SET sequence = planned, planned = NULL
               WHERE sink = $1 AND chain = $4 AND sequence = $5 AND planned = $6
                   AND EXISTS (SELECT FROM audit_sink WHERE name = $1 AND holder = $2 AND fence = $3)"#,
            turn.sink,
            uuid(turn.holder),
            turn.fence,
            span.chain,
            column::number(span.after),
            column::number(span.last),
        )
        .execute(&mut *self.connection().await?)
        .await?;
        Ok(noted.rows_affected() == 1)
    }

    /// For how long not everything that is signed has been there.
    pub async fn audit_sink_lag(&self, sink: &str) -> Result<Duration, StoreError> {
        let seconds = sqlx::query_scalar!(
            r#"SELECT extract(epoch FROM now() - caught_up_at)::float8 AS "seconds!"
               FROM audit_sink WHERE name = $1
                 AND EXISTS (SELECT FROM audit_checkpoint signed
                             LEFT JOIN audit_sink_chain sent ON sent.sink = $1 AND sent.chain = signed.chain
                             WHERE signed.length > coalesce(sent.sequence, 0))"#,
            sink,
        )
        .fetch_optional(&mut *self.connection().await?)
        .await?;
        let lag = seconds.map(|it| Duration::try_from_secs_f64(it).unwrap_or_default());
        Ok(lag.unwrap_or_default())
    }

    async fn note_audit_caught_up(&self, turn: &Turn) -> Result<(), StoreError> {
        sqlx::query!(
            r#"UPDATE audit_sink SET caught_up_at = now()
               WHERE name = $1 AND holder = $2 AND fence = $3"#,
            turn.sink,
            uuid(turn.holder),
            turn.fence,
        )
        .execute(&mut *self.connection().await?)
        .await?;
        Ok(())
    }
}
