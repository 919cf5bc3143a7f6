//! Alerts: what was found by whose turn it is, once as long as it lasts, and that notices of it are owed.
//!
//! One replica looks at a time; only who has not been overtaken may write what it found. What was found and the notices of it are
//! written in one transaction, and the database lets neither stand twice.

use std::time::Duration;

use domain::{alert::Finding, name::OrganizationName, page::Page};
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{
    error::StoreError,
    id::{draw, uuid},
    list::{self, Listed},
    named,
    store::Store,
};

/// For how many days an alert is kept that is over.
const KEPT_DAYS: i32 = 90;

/// How many are swept at once.
const SWEPT_MAX: i64 = 1_000; // Full: the next sweep has the others.

/// That a replica may look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Turn {
    /// Which replica.
    pub holder: [u8; 16],
    /// How often another one took over before.
    pub fence: i64,
}

/// What a look at one rule has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Noted {
    /// How many alerts began.
    pub fired: u64,
    /// How many are over.
    pub resolved: u64,
    /// Of how many people are told again.
    pub reminded: u64,
}

/// An alert as it stands, with what became of its notices.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Its id.
    pub id: [u8; 16],
    /// The last part of its rule's name.
    pub rule: String,
    /// What it is about.
    pub subject: String,
    /// What was found.
    pub summary: String,
    /// When it began.
    pub fired_at: OffsetDateTime,
    /// When it was over; `None` while it is not.
    pub resolved_at: Option<OffsetDateTime>,
    /// How many notices were delivered.
    pub delivered: i64,
    /// How many are owed.
    pub waiting: i64,
    /// How many were given up.
    pub given_up: i64,
    /// When the last one was delivered.
    pub delivered_at: Option<OffsetDateTime>,
    /// Why the last try failed that did; empty where none did.
    pub error: String,
}

/// Reads a page, the latest first.
pub async fn list(
    store: &Store,
    parent: &OrganizationName,
    (page, firing_only): (&Page, bool),
) -> Result<Listed<Row>, StoreError> {
    let mut connection = store.connection().await?;
    let organization = named::organization(&mut connection, parent).await?;
    let rows = sqlx::query!(
        r#"SELECT it.id, alert_rule.name AS rule, it.subject, it.summary, it.fired_at, it.resolved_at,
                  count(*) FILTER (WHERE told.state = 2) AS "delivered!",
                  count(*) FILTER (WHERE told.state = 1) AS "waiting!",
                  count(*) FILTER (WHERE told.state = 3) AS "given_up!",
                  max(told.ended_at) FILTER (WHERE told.state = 2) AS delivered_at,
                  coalesce((array_agg(told.error ORDER BY told.number DESC)
                            FILTER (WHERE told.error <> ''))[1], '') AS "error!"
           FROM alert it
           JOIN alert_rule ON alert_rule.id = it.rule
           LEFT JOIN alert_notice told ON told.alert = it.id
           WHERE it.organization = $1 AND ($2::uuid IS NULL OR it.id < $2)
             AND (NOT $3::boolean OR it.resolved_at IS NULL)
           GROUP BY it.id, alert_rule.name ORDER BY it.id DESC LIMIT $4"#,
        organization,
        Uuid::try_parse(&page.after).ok(),
        firing_only,
        list::rows_wanted(page),
    )
    .fetch_all(&mut *connection)
    .await?;
    let rows = rows.into_iter().map(|it| Row {
        id: it.id.into_bytes(),
        rule: it.rule,
        subject: it.subject,
        summary: it.summary,
        fired_at: it.fired_at,
        resolved_at: it.resolved_at,
        delivered: it.delivered,
        waiting: it.waiting,
        given_up: it.given_up,
        delivered_at: it.delivered_at,
        error: it.error,
    });
    let mut rows: Vec<Row> = rows.collect();
    let size = usize::try_from(page.size).unwrap_or(usize::MAX);
    let more = rows.len() > size;
    rows.truncate(size);
    let last = rows.last().filter(|_| more).map(Row::text);
    let next_page_token = last.map(|id| domain::page::token(&id)).unwrap_or_default();
    Ok(Listed {
        rows,
        next_page_token,
    })
}

// === impl Row ===

impl Row {
    /// The text of its id.
    pub fn text(&self) -> String {
        uuid(self.id).simple().to_string()
    }
}

// === impl Store ===

impl Store {
    /// Takes or keeps the turn for `life`; `None` while another replica has it, and while nothing is to be looked at.
    pub async fn take_alert_turn(
        &self,
        holder: [u8; 16],
        life: Duration,
    ) -> Result<Option<Turn>, StoreError> {
        let fence = sqlx::query_scalar!(
            r#"INSERT INTO alert_turn AS it (holder, held_until)
               VALUES ($1, now() + make_interval(secs => $2))
               ON CONFLICT (one) DO UPDATE SET
                   holder = excluded.holder, held_until = excluded.held_until,
                   fence = it.fence + CASE WHEN it.holder = excluded.holder THEN 0 ELSE 1 END
               WHERE (it.holder = excluded.holder OR it.held_until < now()) AND it.due_at <= now()
               RETURNING fence"#,
            uuid(holder),
            life.as_secs_f64(),
        )
        .fetch_optional(&mut *self.connection().await?)
        .await?;
        Ok(fence.map(|fence| Turn { holder, fence }))
    }

    /// Gives the turn back; whoever comes first after `rest` has the next one.
    pub async fn leave_alert_turn(&self, turn: &Turn, rest: Duration) -> Result<(), StoreError> {
        sqlx::query!(
            r#"UPDATE alert_turn SET held_until = now(), due_at = now() + make_interval(secs => $3)
               WHERE holder = $1 AND fence = $2"#,
            uuid(turn.holder),
            turn.fence,
            rest.as_secs_f64(),
        )
        .execute(&mut *self.connection().await?)
        .await?;
        Ok(())
    }

    /// Writes what a rule has found now: what is new fires, what is not found any more is over, and of what still is people are
    /// reminded. `None` where the turn was over before that, or the rule is gone.
    pub async fn note_findings(
        &self,
        turn: &Turn,
        rule: [u8; 16],
        findings: &[Finding],
    ) -> Result<Option<Noted>, StoreError> {
        let mut tx = self.transaction().await?;
        let held = sqlx::query_scalar!(
            r#"SELECT true AS "it!" FROM alert_turn
               WHERE holder = $1 AND fence = $2 AND held_until > now() FOR SHARE"#,
            uuid(turn.holder),
            turn.fence,
        );
        let rule = sqlx::query!(
            "SELECT id, organization, remind_after_ms FROM alert_rule WHERE id = $1 FOR KEY SHARE",
            uuid(rule),
        );
        let (Some(_), Some(rule)) = (
            held.fetch_optional(&mut *tx).await?,
            rule.fetch_optional(&mut *tx).await?,
        ) else {
            return Ok(None);
        };
        let fired = fire(&mut tx, rule.id, rule.organization, findings).await?;
        let subjects: Vec<String> = findings.iter().map(|it| it.subject.clone()).collect();
        let resolved = sqlx::query_scalar!(
            r#"UPDATE alert SET resolved_at = now()
               WHERE rule = $1 AND resolved_at IS NULL AND subject <> ALL ($2) RETURNING id"#,
            rule.id,
            &subjects,
        )
        .fetch_all(&mut *tx)
        .await?;
        let reminded = sqlx::query_scalar!(
            r#"UPDATE alert SET told_at = now(), reminders = reminders + 1
               WHERE rule = $1 AND resolved_at IS NULL
                 AND told_at + $2::bigint * interval '1 millisecond' <= now() RETURNING id"#,
            rule.id,
            rule.remind_after_ms,
        )
        .fetch_all(&mut *tx)
        .await?;
        for (event, alerts) in [(1_i16, &fired), (3, &resolved), (2, &reminded)] {
            owe(&mut tx, event, alerts).await?;
        }
        tx.commit().await?;
        Ok(Some(Noted {
            fired: fired.len() as u64,
            resolved: resolved.len() as u64,
            reminded: reminded.len() as u64,
        }))
    }

    /// How many alerts fire now.
    pub async fn alerts_firing(&self) -> Result<u64, StoreError> {
        let firing = sqlx::query_scalar!(
            r#"SELECT count(*) AS "count!" FROM alert WHERE resolved_at IS NULL"#
        );
        let firing = firing.fetch_one(&mut *self.connection().await?).await?;
        Ok(u64::try_from(firing).unwrap_or(0))
    }

    /// Takes away some of what has been over for long, and says how many.
    pub async fn sweep_alerts(&self) -> Result<u64, StoreError> {
        let swept = sqlx::query!(
            r#"DELETE FROM alert WHERE id IN (
                   SELECT id FROM alert
                   WHERE resolved_at < now() - make_interval(days => $1) LIMIT $2)"#,
            KEPT_DAYS,
            SWEPT_MAX,
        )
        .execute(&mut *self.connection().await?)
        .await?;
        Ok(swept.rows_affected())
    }
}

async fn fire(
    connection: &mut PgConnection,
    rule: Uuid,
    organization: Uuid,
    findings: &[Finding],
) -> Result<Vec<Uuid>, StoreError> {
    let ids: Vec<Uuid> = findings.iter().map(|_| uuid(draw())).collect();
    let subjects: Vec<String> = findings.iter().map(|it| it.subject.clone()).collect();
    let summaries: Vec<String> = findings.iter().map(|it| it.summary.clone()).collect();
    let fired = sqlx::query_scalar!(
        r#"INSERT INTO alert (id, organization, rule, subject, summary)
           SELECT it.id, $2, $1, it.subject, it.summary
           FROM unnest($3::uuid[], $4::text[], $5::text[]) AS it (id, subject, summary)
           ON CONFLICT (rule, subject) WHERE resolved_at IS NULL DO NOTHING
           RETURNING id"#,
        rule,
        organization,
        &ids,
        &subjects,
        &summaries,
    );
    Ok(fired.fetch_all(connection).await?)
}

/// Notes that a notice of each alert is owed to each channel of its rule.
async fn owe(connection: &mut PgConnection, event: i16, alerts: &[Uuid]) -> Result<(), StoreError> {
    if alerts.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        r#"INSERT INTO alert_notice (id, alert, channel, event, reminder)
           SELECT gen_random_uuid(), it.id, told.channel, $2::smallint,
                  CASE WHEN $2::smallint = 2 THEN it.reminders ELSE 0 END
           FROM alert it JOIN alert_rule_channel told ON told.rule = it.rule
           WHERE it.id = ANY ($1) ORDER BY it.id, told.channel
           ON CONFLICT ON CONSTRAINT alert_notice_once_key DO NOTHING"#,
        alerts,
        event,
    )
    .execute(connection)
    .await?;
    Ok(())
}
