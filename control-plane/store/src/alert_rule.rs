//! Rules of alerts: what is watched, and which channels are told. They are made and deleted, and never change.

use domain::{
    alert::{KeyAge, Spike, Watch},
    etag::etag,
    name::{AlertChannelName, AlertRuleName, BudgetName, ModelName, OrganizationName},
    page::Page,
    segment::{ModelSlug, Slug},
};
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{
    column, conflict,
    error::{Obstacle, StoreError},
    id::uuid,
    list::{self, Listed},
    named,
    store::Store,
    write::Write,
};

/// The most rules of an organization.
const RULES_MAX: i64 = 100; // Full: another one is refused.

/// What a rule says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    /// What people call it.
    pub display_name: String,
    /// What it watches.
    pub watch: Watch,
    /// Which channels are told.
    pub channels: Vec<AlertChannelName>,
    /// After how long they are told again, in milliseconds; `None` means: never.
    pub remind_after_ms: Option<u64>,
}

/// What to make.
#[derive(Debug, Clone)]
pub struct New {
    /// Its id, from [`crate::id::draw`].
    pub id: [u8; 16],
    /// Its name.
    pub name: AlertRuleName,
    /// What it says.
    pub terms: Terms,
}

/// A rule as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Its id.
    pub id: [u8; 16],
    /// Its name.
    pub name: AlertRuleName,
    /// What it says.
    pub terms: Terms,
    /// When it was made.
    pub created_at: OffsetDateTime,
}

/// Which rules are read: those of one organization, or one by its name, or all; behind a name or an id.
#[derive(Default)]
struct Which<'a> {
    organization: Option<Uuid>,
    name: Option<&'a str>,
    after: &'a str,
    after_id: Option<Uuid>,
    most: i64,
}

struct Columns {
    id: Uuid,
    organization: String,
    name: String,
    display_name: String,
    kind: i16,
    remind_after_ms: Option<i64>,
    budget: Option<String>,
    thresholds: Vec<i32>,
    model: Option<String>,
    span_ms: i64,
    requests_min: i64,
    error_percent: i32,
    times_percent: i32,
    age_ms: Option<i64>,
    unused_ms: Option<i64>,
    rotation_due: bool,
    channels: Vec<String>,
    created_at: OffsetDateTime,
}

/// Reads one.
pub async fn get(store: &Store, name: &AlertRuleName) -> Result<Row, StoreError> {
    read(&mut *store.connection().await?, name).await
}

/// Reads a page.
pub async fn list(
    store: &Store,
    parent: &OrganizationName,
    page: &Page,
) -> Result<Listed<Row>, StoreError> {
    let mut connection = store.connection().await?;
    let organization = named::organization(&mut connection, parent).await?;
    let which = Which {
        organization: Some(organization),
        after: &page.after,
        most: list::rows_wanted(page),
        ..Which::default()
    };
    let rows = rows(&mut connection, which).await?;
    Ok(list::cut(rows, page, |row| row.name.alert_rule.as_str()))
}

/// Some of the rules of all organizations, behind the one with this id.
pub async fn some(
    store: &Store,
    after: Option<[u8; 16]>,
    most: u16,
) -> Result<Vec<Row>, StoreError> {
    let which = Which {
        after_id: Some(after.map_or(Uuid::nil(), uuid)),
        most: i64::from(most),
        ..Which::default()
    };
    rows(&mut *store.connection().await?, which).await
}

/// Makes one.
pub async fn create(write: &mut Write, new: New) -> Result<Row, StoreError> {
    let parent = new.name.parent();
    let organization = named::organization(write.connection(), &parent).await?;
    let stand = sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM alert_rule WHERE organization = $1"#,
        organization
    )
    .fetch_one(write.connection())
    .await?;
    if stand >= RULES_MAX {
        return Err(conflict::blocked(&parent, Obstacle::HasManyAlertRules));
    }
    insert(write, organization, &new).await?;
    for channel in &new.terms.channels {
        let told = sqlx::query!(
            r#"INSERT INTO alert_rule_channel (rule, channel)
               SELECT $1, id FROM alert_channel WHERE organization = $2 AND name = $3
               ON CONFLICT DO NOTHING"#,
            uuid(new.id),
            organization,
            channel.alert_channel.as_str(),
        )
        .execute(write.connection())
        .await?;
        if told.rows_affected() == 0 {
            return Err(conflict::dangling("alert_rule.channels", channel));
        }
    }
    read(write.connection(), &new.name).await
}

async fn insert(write: &mut Write, organization: Uuid, new: &New) -> Result<(), StoreError> {
    let terms = &new.terms;
    let (mut budget, mut model) = (None, None);
    let (mut thresholds, mut key) = (Vec::new(), KeyAge::default());
    let (mut span_ms, mut spike) = (0, None);
    let kind = match &terms.watch {
        Watch::Budget {
            budget: named,
            thresholds: percents,
        } => {
            thresholds = percents.iter().map(|it| i32::from(*it)).collect();
            if let Some(name) = named {
                budget = Some(budget_id(write.connection(), organization, name).await?);
            }
            1
        }
        Watch::Errors {
            model: named,
            spike: it,
        } => {
            if let Some(name) = named {
                let id = named::model(write.connection(), name).await?;
                let missing = || conflict::dangling("alert_rule.error_spike.model", name);
                model = Some(uuid(*id.ok_or_else(missing)?.as_bytes()));
            }
            (span_ms, spike) = (it.window_ms, Some(*it));
            2
        }
        Watch::Key(it) => {
            key = *it;
            3
        }
        Watch::Edge(silent_ms) => {
            span_ms = *silent_ms;
            4
        }
    };
    let percent = |it: fn(&Spike) -> u32| i32::try_from(spike.as_ref().map_or(0, it));
    sqlx::query!(
        r#"INSERT INTO alert_rule (id, organization, name, display_name, kind, remind_after_ms, budget,
                                   thresholds, model, span_ms, requests_min, error_percent,
                                   times_percent, age_ms, unused_ms, rotation_due)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)"#,
        uuid(new.id),
        organization,
        new.name.alert_rule.as_str(),
        terms.display_name,
        kind,
        terms.remind_after_ms.map(column::number),
        budget,
        &thresholds,
        model,
        column::number(span_ms),
        column::number(spike.map_or(0, |it| it.requests_min)),
        column::read(percent(|it| it.error_percent), "alert_rule.error_percent")?,
        column::read(percent(|it| it.times_percent), "alert_rule.times_percent")?,
        key.age_ms.map(column::number),
        key.unused_ms.map(column::number),
        key.rotation_due,
    )
    .execute(write.connection())
    .await
    .map_err(|why| conflict::on_create(why, &new.name, &new.name.parent()))?;
    Ok(())
}

/// The id of a budget that counts nobody by himself.
async fn budget_id(
    connection: &mut PgConnection,
    organization: Uuid,
    name: &BudgetName,
) -> Result<Uuid, StoreError> {
    let id = sqlx::query_scalar!(
        r#"SELECT id FROM rate_limit
           WHERE organization = $1 AND name = $2 AND period > 0 AND scope_each = 0"#,
        organization,
        name.budget.as_str(),
    )
    .fetch_optional(connection)
    .await?;
    id.ok_or_else(|| conflict::dangling("alert_rule.budget_threshold.budget", name))
}

/// Deletes one with its alerts, and tells what stood.
pub async fn delete(
    write: &mut Write,
    name: &AlertRuleName,
    etag: &str,
) -> Result<Row, StoreError> {
    let row = read(write.connection(), name).await?;
    conflict::check_etag(etag, &row.etag(), name)?;
    let gone = sqlx::query!("DELETE FROM alert_rule WHERE id = $1", uuid(row.id))
        .execute(write.connection())
        .await?;
    if gone.rows_affected() == 0 {
        return Err(conflict::missing(name));
    }
    Ok(row)
}

async fn read(connection: &mut PgConnection, name: &AlertRuleName) -> Result<Row, StoreError> {
    let parent = name.parent();
    let which = Which {
        organization: Some(named::organization(connection, &parent).await?),
        name: Some(name.alert_rule.as_str()),
        most: 1,
        ..Which::default()
    };
    let mut rows = rows(connection, which).await?;
    rows.pop().ok_or_else(|| conflict::missing(name))
}

async fn rows(connection: &mut PgConnection, which: Which<'_>) -> Result<Vec<Row>, StoreError> {
    let columns = sqlx::query_as!(
        Columns,
        r#"SELECT it.id, organization.name AS organization, it.name, it.display_name, it.kind,
                  it.remind_after_ms, rate_limit.name AS "budget?", it.thresholds,
                  model.name AS "model?", it.span_ms, it.requests_min, it.error_percent,
                  it.times_percent, it.age_ms, it.unused_ms, it.rotation_due,
                  ARRAY(SELECT channel.name FROM alert_rule_channel told
                        JOIN alert_channel channel ON channel.id = told.channel
                        WHERE told.rule = it.id ORDER BY channel.name) AS "channels!",
                  it.created_at
           FROM alert_rule it
           JOIN organization ON organization.id = it.organization
           LEFT JOIN rate_limit ON rate_limit.id = it.budget
           LEFT JOIN model ON model.id = it.model
           WHERE ($1::uuid IS NULL OR it.organization = $1) AND ($2::text IS NULL OR it.name = $2)
             AND ($4::uuid IS NULL AND it.name > $3 OR it.id > $4)
           ORDER BY CASE WHEN $4::uuid IS NULL THEN it.name END, it.id LIMIT $5"#,
        which.organization,
        which.name,
        which.after,
        which.after_id,
        which.most,
    )
    .fetch_all(connection)
    .await?;
    columns.into_iter().map(Row::try_from).collect()
}

// === impl Row ===

impl Row {
    /// Which one this is.
    pub fn etag(&self) -> String {
        etag(&self.id, 1)
    }
}

// === impl Columns ===

impl Columns {
    fn watch(&self, organization: &Slug) -> Result<Watch, StoreError> {
        let percent = |it: i32, column| column::read(u32::try_from(it), column);
        Ok(match self.kind {
            1 => {
                let budget = self.budget.as_deref().map(Slug::parse).transpose();
                let budget = column::read(budget, "rate_limit.name")?;
                let thresholds: Result<Vec<u16>, _> = self
                    .thresholds
                    .iter()
                    .map(|it| u16::try_from(*it))
                    .collect();
                Watch::Budget {
                    budget: budget.map(|budget| BudgetName {
                        organization: organization.clone(),
                        budget,
                    }),
                    thresholds: column::read(thresholds, "alert_rule.thresholds")?,
                }
            }
            2 => {
                let model = self.model.as_deref().map(ModelSlug::parse).transpose();
                let model = column::read(model, "model.name")?;
                Watch::Errors {
                    model: model.map(|model| ModelName {
                        organization: organization.clone(),
                        model,
                    }),
                    spike: Spike {
                        window_ms: column::count(self.span_ms),
                        requests_min: column::count(self.requests_min),
                        error_percent: percent(self.error_percent, "alert_rule.error_percent")?,
                        times_percent: percent(self.times_percent, "alert_rule.times_percent")?,
                    },
                }
            }
            3 => Watch::Key(KeyAge {
                age_ms: self.age_ms.map(column::count),
                unused_ms: self.unused_ms.map(column::count),
                rotation_due: self.rotation_due,
            }),
            4 => Watch::Edge(column::count(self.span_ms)),
            _ => {
                return Err(StoreError::broken(
                    "alert_rule.kind holds what it should not",
                ));
            }
        })
    }
}

impl TryFrom<Columns> for Row {
    type Error = StoreError;

    fn try_from(it: Columns) -> Result<Self, StoreError> {
        let organization = column::read(Slug::parse(&it.organization), "organization.name")?;
        let channel = |name: &String| {
            let alert_channel = column::read(Slug::parse(name), "alert_channel.name")?;
            Ok(AlertChannelName {
                organization: organization.clone(),
                alert_channel,
            })
        };
        let channels: Result<Vec<_>, StoreError> = it.channels.iter().map(channel).collect();
        Ok(Self {
            id: it.id.into_bytes(),
            terms: Terms {
                watch: it.watch(&organization)?,
                channels: channels?,
                remind_after_ms: it.remind_after_ms.map(column::count),
                display_name: it.display_name,
            },
            name: AlertRuleName {
                alert_rule: column::read(Slug::parse(&it.name), "alert_rule.name")?,
                organization,
            },
            created_at: it.created_at,
        })
    }
}
