//! What requests and their answers say, where their project keeps that: opaque here, by the day after which it is dropped.
//!
//! Never part of a report: what is lost of it changes no count. What is kept is kept until the day that was said when it came, or
//! until its end user is forgotten; that it was there is known until that day.

use std::collections::BTreeMap;

use policy::id::{OrganizationId, ProjectId};
use time::Date;
use uuid::Uuid;

use crate::{error::StoreError, id::uuid, named, store::Store, usage_query::Whose, write::Write};

/// What is to be kept.
#[derive(Debug, Clone)]
pub struct Kept {
    /// The request's id.
    pub id: [u8; 16],
    /// Whose.
    pub organization: OrganizationId,
    /// Which project's.
    pub project: ProjectId,
    /// For whom its client asked; empty when it did not say.
    pub end_user: String,
    /// What was said, sealed.
    pub sealed: Vec<u8>,
}

/// What is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Whose.
    pub organization: OrganizationId,
    /// Which project's.
    pub project: ProjectId,
    /// The last day on which it is kept.
    pub until: Date,
    /// What was said, sealed; `None` where it was erased.
    pub sealed: Option<Vec<u8>>,
}

/// What is to be kept, as columns.
#[derive(Default)]
struct Columns {
    until: Vec<Date>,
    id: Vec<Uuid>,
    organization: Vec<Uuid>,
    project: Vec<Uuid>,
    end_user: Vec<String>,
    sealed: Vec<Vec<u8>>,
}

/// Keeps all whose projects keep any now, and says how many those are. What is there already stays as it is.
pub async fn keep(store: &Store, all: &[Kept]) -> Result<u64, StoreError> {
    let mut projects: Vec<Uuid> = all.iter().map(|it| uuid(*it.project.as_bytes())).collect();
    projects.sort_unstable();
    projects.dedup();
    let mut tx = store.transaction().await?;
    // The numbers are those of `policy::keeping::Keeping`.
    let keeping = sqlx::query!(
        r#"SELECT id, organization, (now() AT TIME ZONE 'UTC')::date + content_days::integer AS "until!"
           FROM project WHERE id = ANY($1) AND content_keeping > 1"#,
        &projects,
    )
    .fetch_all(&mut *tx)
    .await?;
    let until: BTreeMap<(Uuid, Uuid), Date> = keeping
        .into_iter()
        .map(|row| ((row.organization, row.id), row.until))
        .collect();
    let mut days: Vec<Date> = until.values().copied().collect();
    days.sort_unstable();
    days.dedup();
    // All of them before the first row, so that nobody who has written waits for a lock on the whole table.
    for day in days {
        sqlx::query!("SELECT ensure_content_partition($1)", day)
            .execute(&mut *tx)
            .await?;
    }
    let columns = Columns::of(all, &until);
    sqlx::query!(
        r#"INSERT INTO usage_content (until, id, organization, project, end_user, sealed)
           SELECT * FROM unnest($1::date[], $2::uuid[], $3::uuid[], $4::uuid[], $5::text[], $6::bytea[])
           ON CONFLICT DO NOTHING"#,
        &columns.until,
        &columns.id,
        &columns.organization,
        &columns.project,
        &columns.end_user,
        &columns.sealed,
    )
    .execute(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(columns.id.len() as u64)
}

/// What is kept of this request, if it is one of theirs.
pub async fn find(
    write: &mut Write,
    whose: &Whose,
    id: [u8; 16],
) -> Result<Option<Found>, StoreError> {
    let connection = write.connection();
    let (organization, project) = match whose {
        Whose::Organization(name) => (named::organization(&mut *connection, name).await?, None),
        Whose::Project(name) => {
            let (project, organization) = named::project(&mut *connection, name).await?;
            (
                uuid(*organization.as_bytes()),
                Some(uuid(*project.as_bytes())),
            )
        }
        Whose::Everybody => return Err(StoreError::broken("content is read of one organization")),
    };
    let found = sqlx::query!(
        r#"SELECT until, organization, project, sealed FROM usage_content
           WHERE id = $1 AND organization = $2 AND ($3::uuid IS NULL OR project = $3)
             AND until >= (now() AT TIME ZONE 'UTC')::date
           ORDER BY until LIMIT 1"#,
        Uuid::from_bytes(id),
        organization,
        project,
    )
    .fetch_optional(connection)
    .await?;
    Ok(found.map(|row| Found {
        organization: OrganizationId::from_bytes(row.organization.into_bytes()),
        project: ProjectId::from_bytes(row.project.into_bytes()),
        until: row.until,
        sealed: row.sealed,
    }))
}

// === impl Store ===

impl Store {
    /// Drops what is to be kept no longer. Says of how many days.
    pub async fn drop_content(&self) -> Result<i64, StoreError> {
        let dropped = sqlx::query_scalar!(
            r#"SELECT drop_content_partitions((now() AT TIME ZONE 'UTC')::date) AS "dropped!""#
        );
        Ok(dropped.fetch_one(&mut *self.connection().await?).await?)
    }
}

// === impl Columns ===

impl Columns {
    /// Of those whose projects keep any until then.
    fn of(all: &[Kept], until: &BTreeMap<(Uuid, Uuid), Date>) -> Self {
        let mut columns = Self::default();
        for it in all {
            let organization = uuid(*it.organization.as_bytes());
            let project = uuid(*it.project.as_bytes());
            if let Some(until) = until.get(&(organization, project)) {
                columns.until.push(*until);
                columns.id.push(uuid(it.id));
                columns.organization.push(organization);
                columns.project.push(project);
                columns.end_user.push(it.end_user.clone());
                columns.sealed.push(it.sealed.clone());
            }
        }
        columns
    }
}
