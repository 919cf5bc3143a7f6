//! How sources of versions are looked at: whose turn it is, what has become a version already, and what is still owed.
//!
//! A turn is one replica's for a time. What comes of it is written only by who still holds it, in the transaction that makes the
//! version; and a version of a registry that was made once is never made again, whoever thinks that it has the turn.

use std::time::Duration;

use domain::{
    name::{RolloutName, VersionName},
    segment::Slug,
    source::Seen,
};

use crate::{
    column, conflict,
    error::StoreError,
    id::uuid,
    store::Store,
    version_source::{self as rows, Row, Which},
    write::Write,
};

/// That a replica may look at a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Turn {
    source: [u8; 16],
    holder: [u8; 16],
    fence: i64,
}

/// How a look has ended.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Left {
    /// Why nothing came of asking; empty where something did.
    pub problem: String,
    /// What keeps the rollout that is owed; empty where nothing does.
    pub owed_why: String,
    /// When it is looked at next.
    pub rest: Duration,
}

// === impl Store ===

impl Store {
    /// Takes the turns of sources that are due, each for `life`, at most `most`.
    pub async fn claim_sources(
        &self,
        holder: [u8; 16],
        life: Duration,
        most: u16,
    ) -> Result<Vec<(Turn, Row)>, StoreError> {
        let mut connection = self.connection().await?;
        let taken = sqlx::query!(
            r#"UPDATE version_source it
               SET holder = $1, held_until = now() + make_interval(secs => $2), fence = it.fence + 1
               WHERE it.id IN (SELECT id FROM version_source WHERE due_at <= now() AND held_until <= now()
                               ORDER BY due_at LIMIT $3 FOR UPDATE SKIP LOCKED)
               RETURNING it.id, it.fence"#,
            uuid(holder),
            life.as_secs_f64(),
            i64::from(most),
        )
        .fetch_all(&mut *connection)
        .await?;
        let mut claimed = Vec::with_capacity(taken.len());
        for it in taken {
            let which = Which {
                id: Some(it.id),
                organization: None,
                name: None,
                after: "",
                most: 1,
            };
            let row = rows::some(&mut connection, which).await?.pop();
            // One that is gone meanwhile has nothing to be looked at.
            claimed.extend(row.map(|row| {
                let turn = Turn {
                    source: row.id,
                    holder,
                    fence: it.fence,
                };
                (turn, row)
            }));
        }
        Ok(claimed)
    }

    /// Gives a turn back with what came of it. What somebody else has taken over stays theirs.
    pub async fn leave_source(&self, turn: &Turn, left: &Left) -> Result<(), StoreError> {
        sqlx::query!(
            r#"UPDATE version_source
               SET looked_at = now(), answered_at = CASE WHEN $4 = '' THEN now() ELSE answered_at END,
                   problem = $4, owed_why = $5, held_until = now(),
                   due_at = now() + make_interval(secs => $6)
               WHERE id = $1 AND holder = $2 AND fence = $3"#,
            uuid(turn.source),
            uuid(turn.holder),
            turn.fence,
            left.problem,
            left.owed_why,
            left.rest.as_secs_f64(),
        )
        .execute(&mut *self.connection().await?)
        .await?;
        Ok(())
    }
}

/// The source of a turn, which nobody else takes or deletes before this write ends; `None` where the turn is over.
pub async fn hold(write: &mut Write, turn: &Turn) -> Result<Option<Row>, StoreError> {
    let held = sqlx::query_scalar!(
        r#"SELECT id FROM version_source
           WHERE id = $1 AND holder = $2 AND fence = $3 AND held_until > now() FOR UPDATE"#,
        uuid(turn.source),
        uuid(turn.holder),
        turn.fence,
    )
    .fetch_optional(write.connection())
    .await?;
    if held.is_none() {
        return Ok(None);
    }
    let which = Which {
        id: held,
        organization: None,
        name: None,
        after: "",
        most: 1,
    };
    Ok(rows::some(write.connection(), which).await?.pop())
}

/// What a version of the registry became, if it ever became one.
pub async fn made(
    write: &mut Write,
    source: &Row,
    seen: &Seen,
) -> Result<Option<VersionName>, StoreError> {
    let version = sqlx::query_scalar!(
        "SELECT version FROM version_source_made WHERE source = $1 AND digest = $2",
        uuid(source.id),
        seen.digest,
    )
    .fetch_optional(write.connection())
    .await?;
    let Some(version) = version else {
        return Ok(None);
    };
    let version = column::read(Slug::parse(&version), "version_source_made.version")?;
    Ok(Some(named(source, version)))
}

/// The first of these names that no version of the source's model has.
pub async fn free(
    write: &mut Write,
    source: &Row,
    slugs: impl Iterator<Item = Slug>,
) -> Result<Option<VersionName>, StoreError> {
    for slug in slugs {
        let taken = sqlx::query_scalar!(
            r#"SELECT EXISTS (SELECT FROM model_version
                              JOIN version_source ON version_source.model = model_version.model
                              WHERE version_source.id = $1 AND model_version.name = $2) AS "it!""#,
            uuid(source.id),
            slug.as_str(),
        )
        .fetch_one(write.connection())
        .await?;
        if !taken {
            return Ok(Some(named(source, slug)));
        }
    }
    Ok(None)
}

/// Notes what a version of the registry became. A second time is refused, as a name is that exists.
pub async fn note_made(
    write: &mut Write,
    source: &Row,
    seen: &Seen,
    version: &VersionName,
) -> Result<(), StoreError> {
    sqlx::query!(
        "INSERT INTO version_source_made (source, digest, version) VALUES ($1, $2, $3)",
        uuid(source.id),
        seen.digest,
        version.version.as_str(),
    )
    .execute(write.connection())
    .await
    .map_err(|why| conflict::on_create(why, version, &source.name))?;
    Ok(())
}

/// Notes what the registry points at now, and that a rollout to that is owed, if one is. What was owed before is not any more.
pub async fn point(
    write: &mut Write,
    source: &Row,
    seen: &Seen,
    owed: Option<&VersionName>,
) -> Result<(), StoreError> {
    sqlx::query!(
        "UPDATE version_source SET seen_digest = $2, seen_version = $3, owed = $4, owed_why = '' WHERE id = $1",
        uuid(source.id),
        seen.digest,
        seen.version,
        owed.map_or("", |it| it.version.as_str()),
    )
    .execute(write.connection())
    .await?;
    Ok(())
}

/// Notes that no rollout is owed any more, and which one was started, if one was.
pub async fn settle(
    write: &mut Write,
    source: &Row,
    started: Option<&RolloutName>,
) -> Result<(), StoreError> {
    sqlx::query!(
        r#"UPDATE version_source SET owed = '', owed_why = '', rollout = coalesce($2, rollout)
           WHERE id = $1"#,
        uuid(source.id),
        started.map(|it| it.rollout.as_str()),
    )
    .execute(write.connection())
    .await?;
    Ok(())
}

fn named(source: &Row, version: Slug) -> VersionName {
    VersionName {
        organization: source.name.organization.clone(),
        model: source.terms.model.model.clone(),
        version,
    }
}
