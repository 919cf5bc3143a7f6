//! Notices that are owed: which are tried now, and what became of that.
//!
//! A notice that is tried is nobody else's for a while. Whoever dies meanwhile has perhaps delivered it; then it goes again under
//! the same id. Notices of one alert go to one channel in their order.

use std::time::Duration;

use time::OffsetDateTime;
use uuid::Uuid;

use crate::{column, error::StoreError, id::uuid, store::Store};

/// A notice that is to be brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owed {
    /// By which receivers know it again.
    pub id: [u8; 16],
    /// The id of its channel.
    pub channel: [u8; 16],
    /// The last part of its organization's name.
    pub organization: String,
    /// The id of its alert.
    pub alert: [u8; 16],
    /// The last part of the rule's name.
    pub rule: String,
    /// What it is about.
    pub subject: String,
    /// What was found.
    pub summary: String,
    /// 1 it began, 2 it still is, 3 it is over.
    pub event: i16,
    /// When that was, milliseconds since 1970.
    pub at_ms: u64,
    /// How often it has been tried, with this time.
    pub tries: u32,
}

/// What became of a try.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tried {
    /// It arrived.
    Delivered,
    /// It did not, because of that, and is tried again after so long.
    Again(String, Duration),
    /// It did not, because of that, and is not tried again.
    GivenUp(String),
}

struct Columns {
    id: Uuid,
    channel: Uuid,
    organization: String,
    alert: Uuid,
    rule: String,
    subject: String,
    summary: String,
    event: i16,
    created_at: OffsetDateTime,
    tries: i32,
}

// === impl Store ===

impl Store {
    /// Some notices that are due, which are nobody else's for `life`.
    pub async fn claim_notices(&self, most: u16, life: Duration) -> Result<Vec<Owed>, StoreError> {
        let columns = sqlx::query_as!(
            Columns,
            r#"WITH due AS (
                   SELECT it.id FROM alert_notice it
                   WHERE it.state = 1 AND it.due_at <= now() AND NOT EXISTS (
                       SELECT FROM alert_notice before
                       WHERE before.alert = it.alert AND before.channel = it.channel
                         AND before.state = 1 AND before.number < it.number)
                   ORDER BY it.due_at LIMIT $1 FOR UPDATE SKIP LOCKED
               ), taken AS (
                   UPDATE alert_notice it
                   SET tries = it.tries + 1, due_at = now() + make_interval(secs => $2)
                   FROM due WHERE it.id = due.id
                   RETURNING it.*
               )
               SELECT taken.id, taken.channel, organization.name AS organization, alert.id AS alert,
                      alert_rule.name AS rule, alert.subject, alert.summary, taken.event,
                      taken.created_at, taken.tries
               FROM taken
               JOIN alert ON alert.id = taken.alert
               JOIN alert_rule ON alert_rule.id = alert.rule
               JOIN organization ON organization.id = alert.organization
               ORDER BY taken.number"#,
            i64::from(most),
            life.as_secs_f64(),
        )
        .fetch_all(&mut *self.connection().await?)
        .await?;
        Ok(columns.into_iter().map(Owed::from).collect())
    }

    /// Notes what became of a try, unless somebody else has tried since.
    pub async fn note_tried(&self, owed: &Owed, tried: &Tried) -> Result<(), StoreError> {
        let (state, error, again) = match tried {
            Tried::Delivered => (2_i16, "", Duration::ZERO),
            Tried::Again(why, after) => (1, why.as_str(), *after),
            Tried::GivenUp(why) => (3, why.as_str(), Duration::ZERO),
        };
        sqlx::query!(
            r#"UPDATE alert_notice SET state = $3::smallint, error = $4,
                   due_at = now() + make_interval(secs => $5),
                   ended_at = CASE WHEN $3::smallint > 1 THEN now() END
               WHERE id = $1 AND state = 1 AND tries = $2"#,
            uuid(owed.id),
            i32::try_from(owed.tries).unwrap_or(i32::MAX),
            state,
            error,
            again.as_secs_f64(),
        )
        .execute(&mut *self.connection().await?)
        .await?;
        Ok(())
    }

    /// How many notices are owed.
    pub async fn notices_owed(&self) -> Result<u64, StoreError> {
        let owed =
            sqlx::query_scalar!(r#"SELECT count(*) AS "count!" FROM alert_notice WHERE state = 1"#);
        Ok(column::count(
            owed.fetch_one(&mut *self.connection().await?).await?,
        ))
    }
}

impl From<Columns> for Owed {
    fn from(it: Columns) -> Self {
        Self {
            id: it.id.into_bytes(),
            channel: it.channel.into_bytes(),
            organization: it.organization,
            alert: it.alert.into_bytes(),
            rule: it.rule,
            subject: it.subject,
            summary: it.summary,
            event: it.event,
            at_ms: column::milliseconds(it.created_at),
            tries: u32::try_from(it.tries).unwrap_or(u32::MAX),
        }
    }
}
