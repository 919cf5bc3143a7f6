//! How a limit is held, in columns, and its overrides, in rows of their own.
//!
//! Knows nothing of what the limit counts. The numbers of an override are those of its limit's window, whatever that is
//! now.

use std::collections::HashMap;

use domain::{
    limit::{Override, Terms},
    name::{KeyName, OrganizationName},
    segment::{KeyId, Slug},
};
use policy::limit::{self, Allowance, AtOnce, Mode, OnStoreLoss, Quota, Rate};
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{column, conflict, error::StoreError, id::uuid, named};

/// The overrides of limits, by limit.
pub(crate) type Overrides = HashMap<Uuid, Vec<OverrideColumns>>;

/// One override, as its row has it.
pub(crate) struct OverrideColumns {
    rate_limit: Uuid,
    project: Option<String>,
    key_id: Option<String>,
    end_user: String,
    amount: i64,
    burst: i64,
    until: Option<OffsetDateTime>,
}

/// Holds the limit to these overrides and no others.
pub(crate) async fn set(
    connection: &mut PgConnection,
    limit: [u8; 16],
    overrides: &[Override],
) -> Result<(), StoreError> {
    sqlx::query!(
        "DELETE FROM limit_override WHERE rate_limit = $1",
        uuid(limit)
    )
    .execute(&mut *connection)
    .await?;
    for (at, it) in overrides.iter().enumerate() {
        let field = format!("limit.overrides[{at}].key");
        let key = match &it.key {
            Some(name) => {
                let key = named::key(connection, name).await?;
                Some(key.ok_or_else(|| conflict::dangling(&field, name))?)
            }
            None => None,
        };
        let burst = match &it.allowance {
            Allowance::Rate(rate) => column::number(rate.burst()),
            Allowance::Quota(_) | Allowance::AtOnce(_) => 0,
        };
        let until = it.until_ms.map(column::moment).transpose()?;
        sqlx::query!(
            r#"INSERT INTO limit_override (rate_limit, position, key, end_user, amount, burst, until)
               VALUES ($1, $2, $3, $4, $5, $6, $7)"#,
            uuid(limit),
            column::read(i32::try_from(at), "limit_override.position")?,
            key,
            it.end_user.as_deref().unwrap_or_default(),
            column::number(it.allowance.amount()),
            burst,
            until,
        )
        .execute(&mut *connection)
        .await?;
    }
    Ok(())
}

/// The overrides of these limits, in their order.
pub(crate) async fn overrides(
    connection: &mut PgConnection,
    limits: &[Uuid],
) -> Result<Overrides, StoreError> {
    let rows = sqlx::query_as!(
        OverrideColumns,
        r#"SELECT it.rate_limit, project.name AS "project?", key.key_id AS "key_id?", it.end_user,
                  it.amount, it.burst, it.until
           FROM limit_override it
           LEFT JOIN key ON key.id = it.key
           LEFT JOIN project ON project.id = key.project
           WHERE it.rate_limit = ANY($1) ORDER BY it.rate_limit, it.position"#,
        limits,
    )
    .fetch_all(connection)
    .await?;
    let mut overrides = Overrides::new();
    for row in rows {
        overrides.entry(row.rate_limit).or_default().push(row);
    }
    Ok(overrides)
}

/// The terms that these columns and rows stand for, in the window of `allowance`.
pub(crate) fn read(
    parent: &OrganizationName,
    allowance: &Allowance,
    (mode, on_store_loss, regions): (i32, i32, &[String]),
    overrides: Vec<OverrideColumns>,
) -> Result<Terms, StoreError> {
    let mode = u32::try_from(mode).ok().and_then(Mode::from_number);
    let loss = u32::try_from(on_store_loss).ok();
    let loss = loss.and_then(OnStoreLoss::from_number);
    let overrides = overrides.into_iter().map(|it| it.read(parent, allowance));
    Ok(Terms {
        mode: column::known(mode, "rate_limit.mode")?,
        on_store_loss: column::known(loss, "rate_limit.on_store_loss")?,
        overrides: overrides.collect::<Result<_, _>>()?,
        regions: column::regions(regions)?,
    })
}

/// The terms as edges know them.
pub(crate) fn policy(terms: &Terms) -> limit::Terms {
    let other = |it: &Override| limit::Override {
        key_id: it.key.as_ref().map(|name| name.key.to_string()),
        end_user: it.end_user.clone(),
        allowance: it.allowance,
        until_ms: it.until_ms,
    };
    limit::Terms {
        mode: terms.mode,
        on_store_loss: terms.on_store_loss,
        overrides: terms.overrides.iter().map(other).collect(),
        regions: terms.regions.clone(),
    }
}

// === impl OverrideColumns ===

impl OverrideColumns {
    fn read(self, parent: &OrganizationName, like: &Allowance) -> Result<Override, StoreError> {
        let key = match (self.project, self.key_id) {
            (Some(project), Some(key_id)) => Some(KeyName {
                organization: parent.organization.clone(),
                project: column::read(Slug::parse(&project), "project.name")?,
                key: column::read(KeyId::parse(&key_id), "key.key_id")?,
            }),
            _ => None,
        };
        let (amount, burst) = (column::count(self.amount), column::count(self.burst));
        let allowance = match like {
            Allowance::Rate(rate) => {
                let numbers = Rate::new(amount, rate.window_ms(), burst);
                Allowance::Rate(column::read(numbers, "limit_override.amount")?)
            }
            Allowance::Quota(quota) => {
                let numbers = Quota::new(amount, quota.period());
                Allowance::Quota(column::read(numbers, "limit_override.amount")?)
            }
            Allowance::AtOnce(_) => {
                let numbers = AtOnce::new(amount);
                Allowance::AtOnce(column::read(numbers, "limit_override.amount")?)
            }
        };
        Ok(Override {
            key,
            end_user: Some(self.end_user).filter(|name| !name.is_empty()),
            allowance,
            until_ms: self.until.map(|at| {
                let millis = at.unix_timestamp_nanos() / 1_000_000;
                u64::try_from(millis).unwrap_or(0)
            }),
        })
    }
}
