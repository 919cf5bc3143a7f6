//! Rollouts: a model's traffic on its way to another version.
//!
//! Whoever changes one holds its model first, and then the rollout; so an operator, the reconciler of any replica and a
//! write to the model come one after the other. Each change publishes the model anew in its own transaction: what edges do
//! and what is written here can never differ.

use domain::{
    etag::etag,
    freeze::Frozen,
    gate::{Evidence, Outcome},
    name::{ModelName, RolloutName, VersionName},
    page::Page,
    rollout::{Plan, Standing, State},
    segment::{ModelSlug, Slug},
};
use policy::{
    id::{ModelId, RolloutId, VersionId},
    revision::Revision,
};
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{
    column, conflict,
    error::{Obstacle, StoreError},
    freeze,
    id::uuid,
    list::{self, Listed},
    model, named,
    rollout_columns::{self, Columns, PlanColumns, rollout_name},
    store::Store,
    write::Write,
};

/// The field that names the candidate, for errors.
const CANDIDATE: &str = "rollout.candidate_version";

/// The most rollouts that are looked at at once.
const UNDER_WAY_MAX: i64 = 10_000; // Full: the others wait until some have ended.

/// What to start.
#[derive(Debug, Clone)]
pub struct New {
    /// Its id, from [`crate::id::draw`].
    pub id: RolloutId,
    /// Its model.
    pub parent: ModelName,
    /// The last segment of its name; `None`: one is counted.
    pub slug: Option<Slug>,
    /// The version that is to become the stable one, of the same model.
    pub candidate: VersionName,
    /// What is to happen.
    pub plan: Plan,
    /// Why it heeds no freeze; empty: it does.
    pub forced_reason: String,
}

/// A rollout as it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// Its id.
    pub id: RolloutId,
    /// Its model's id.
    pub model: ModelId,
    /// Its name.
    pub name: RolloutName,
    /// The version that is to become the stable one.
    pub candidate: VersionName,
    /// Its id.
    pub candidate_id: VersionId,
    /// The version that was stable when it was started.
    pub stable: VersionName,
    /// Its id.
    pub stable_id: VersionId,
    /// What is to happen.
    pub plan: Plan,
    /// Where it stands. Can change.
    pub state: State,
    /// At which step, counted from 0.
    pub step: usize,
    /// When that began.
    pub step_started_at: OffsetDateTime,
    /// The revision at which edges heard of it.
    pub step_revision: Revision,
    /// Whether somebody has approved of leaving it. Can change.
    pub is_approved: bool,
    /// Why it stands where it stands. Can change.
    pub reason: String,
    /// Why it heeds no freeze; empty: it does. Can change.
    pub forced_reason: String,
    /// The freeze that is on.
    pub frozen: Option<Frozen>,
    /// Whether nobody has looked at this step yet.
    pub is_new_step: bool,
    /// Requests of the candidate in this step.
    pub candidate_requests: u64,
    /// Requests of the stable version in this step.
    pub stable_requests: u64,
    /// What is known of each gate in this step.
    pub evidence: Vec<Evidence>,
    /// Counts its writes.
    pub version: i64,
    /// When it was started.
    pub created_at: OffsetDateTime,
    /// When it last changed.
    pub updated_at: OffsetDateTime,
    /// When it ended.
    pub ended_at: Option<OffsetDateTime>,
    /// The revision of the last write of its model.
    pub revision: Revision,
    /// When this was read, by the clock of the database.
    pub now: OffsetDateTime,
}

/// Reads one.
pub async fn get(store: &Store, name: &RolloutName) -> Result<Row, StoreError> {
    let mut connection = store.connection().await?;
    let model = model_id(&mut connection, name).await?;
    read(&mut connection, model, name).await
}

/// Reads a page.
pub async fn list(
    store: &Store,
    parent: &ModelName,
    page: &Page,
) -> Result<Listed<Row>, StoreError> {
    let mut connection = store.connection().await?;
    let model = named::model_of(&mut connection, parent, parent).await?;
    // Kind 4 is `policy::object::Kind::Model`.
    let columns = sqlx::query_as!(
        Columns,
        r#"SELECT it.id, it.name, it.candidate, it.stable, it.candidate_name, it.stable_name,
                  it.stickiness, it.shares, it.bakes_ms, it.samples, it.approvals, it.metrics,
                  it.tolerances, it.margins, it.state, it.step, it.step_started_at,
                  it.step_revision, it.approved, it.reason, it.forced_reason, it.candidate_requests,
                  it.stable_requests, it.evidence, it.version, it.created_at, it.updated_at,
                  it.ended_at, coalesce(o.revision, 0) AS "revision!", now() AS "now!"
           FROM rollout it
           LEFT JOIN object o ON o.kind = 4 AND o.key = uuid_send(it.model)
           WHERE it.model = $1 AND it.name > $2 ORDER BY it.name LIMIT $3"#,
        uuid(*model.as_bytes()),
        page.after,
        list::rows_wanted(page),
    )
    .fetch_all(&mut *connection)
    .await?;
    let frozen = freeze::frozen(&mut connection, &parent.parent()).await?;
    let rows = columns
        .into_iter()
        .map(|it| row(it, (model, parent), frozen.clone()))
        .collect::<Result<Vec<_>, _>>()?;
    Ok(list::cut(rows, page, |row| row.name.rollout.as_str()))
}

/// The names of those that are under way.
pub async fn under_way(store: &Store) -> Result<Vec<RolloutName>, StoreError> {
    let rows = sqlx::query!(
        r#"SELECT organization.name AS organization, model.name AS model, it.name
           FROM rollout it
           JOIN model ON model.id = it.model
           JOIN organization ON organization.id = model.organization
           WHERE it.state < 3 ORDER BY it.id LIMIT $1"#,
        UNDER_WAY_MAX,
    )
    .fetch_all(&mut *store.connection().await?)
    .await?;
    let names = rows.into_iter().map(|row| {
        let organization = column::read(Slug::parse(&row.organization), "organization.name")?;
        let model = column::read(ModelSlug::parse(&row.model), "model.name")?;
        let parent = ModelName {
            organization,
            model,
        };
        let slug = column::read(Slug::parse(&row.name), "rollout.name")?;
        Ok(rollout_name(&parent, slug))
    });
    names.collect()
}

/// Starts one: the candidate gets the share of its first step.
pub async fn start(write: &mut Write, new: New) -> Result<Row, StoreError> {
    let parent = model::lock(write, &new.parent, "").await?;
    let Some(stable) = parent.stable else {
        return Err(conflict::blocked(&new.parent, Obstacle::HasNoStable));
    };
    if new.forced_reason.is_empty() {
        let frozen = freeze::frozen(write.connection(), &new.parent.parent()).await?;
        if let Some(frozen) = frozen {
            return Err(conflict::frozen(&new.parent, &frozen));
        }
    }
    let model = uuid(*parent.id.as_bytes());
    let had = sqlx::query!(
        r#"SELECT count(*) AS "count!" FROM rollout WHERE model = $1"#,
        model,
    )
    .fetch_one(write.connection())
    .await?;
    model::not_shared(write.connection(), &new.parent, model).await?;
    let slug = match new.slug {
        Some(slug) => slug,
        None => column::read(Slug::parse(&format!("r{}", had.count + 1)), "rollout.name")?,
    };
    let name = rollout_name(&new.parent, slug);
    if new.candidate == stable {
        return Err(conflict::blocked(&new.candidate, Obstacle::IsStable));
    }
    let candidate = version_id(write.connection(), model, &new.candidate).await?;
    let candidate = candidate.ok_or_else(|| conflict::dangling(CANDIDATE, &new.candidate))?;
    let stable_id = version_id(write.connection(), model, &stable).await?;
    let stable_id = stable_id.ok_or_else(|| StoreError::broken("a stable version is gone"))?;
    let plan = PlanColumns::of(&new.plan);
    sqlx::query!(
        r#"INSERT INTO rollout (id, model, name, candidate, stable, candidate_name, stable_name,
                                holds_candidate, holds_stable, stickiness, shares, bakes_ms,
                                samples, approvals, metrics, tolerances, margins, forced_reason)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $4, $5, $8, $9, $10, $11, $12, $13, $14, $15, $16)"#,
        uuid(*new.id.as_bytes()),
        model,
        name.rollout.as_str(),
        candidate,
        stable_id,
        new.candidate.version.as_str(),
        stable.version.as_str(),
        plan.stickiness,
        &plan.shares,
        &plan.bakes_ms,
        &plan.samples,
        &plan.approvals,
        &plan.metrics,
        &plan.tolerances,
        &plan.margins,
        new.forced_reason,
    )
    .execute(write.connection())
    .await
    .map_err(|why| conflict::on_create(why, &name, &new.parent))?;
    model::publish(write, &new.parent).await?;
    read(write.connection(), parent.id, &name).await
}

/// Reads one and keeps others from writing it or its model until this write ends.
pub async fn lock(write: &mut Write, name: &RolloutName, seen: &str) -> Result<Row, StoreError> {
    let parent = name.parent();
    let model = match model::lock(write, &parent, "").await {
        Err(StoreError::NotFound { .. }) => return Err(conflict::missing(name)),
        model => model?,
    };
    let row = read(write.connection(), model.id, name).await?;
    conflict::check_etag(seen, &row.etag(), name)?;
    Ok(row)
}

/// As [`lock`], but `None` where somebody else holds it, or it is gone.
pub async fn try_lock(write: &mut Write, name: &RolloutName) -> Result<Option<Row>, StoreError> {
    let held = sqlx::query_scalar!(
        r#"SELECT it.id FROM model it JOIN organization ON organization.id = it.organization
           WHERE organization.name = $1 AND it.name = $2 FOR UPDATE OF it SKIP LOCKED"#,
        name.organization.as_str(),
        name.model.as_str(),
    )
    .fetch_optional(write.connection())
    .await?;
    let Some(held) = held else { return Ok(None) };
    let model = ModelId::from_bytes(held.into_bytes());
    match read(write.connection(), model, name).await {
        Ok(row) => Ok(Some(row)),
        Err(StoreError::NotFound { .. }) => Ok(None),
        Err(why) => Err(why),
    }
}

/// Writes what can change of a row that is locked, and publishes its model. One that has ended gives up its versions; where
/// it is promoted, the candidate becomes the stable one.
pub async fn update(write: &mut Write, row: &Row) -> Result<Row, StoreError> {
    let id = uuid(*row.id.as_bytes());
    sqlx::query!(
        r#"UPDATE rollout
           SET state = $2::smallint, approved = $3, reason = $4, forced_reason = $5, version = version + 1, updated_at = now(),
               holds_candidate = CASE WHEN $2::smallint < 3 THEN candidate END,
               holds_stable = CASE WHEN $2::smallint < 3 THEN stable END,
               ended_at = CASE WHEN $2::smallint < 3 THEN NULL ELSE now() END
           WHERE id = $1"#,
        id,
        row.state as i16,
        row.is_approved,
        row.reason,
        row.forced_reason,
    )
    .execute(write.connection())
    .await?;
    if row.state == State::Promoted {
        sqlx::query!(
            r#"UPDATE model SET stable = $2, version = version + 1, updated_at = now()
               WHERE id = $1"#,
            uuid(*row.model.as_bytes()),
            uuid(*row.candidate_id.as_bytes()),
        )
        .execute(write.connection())
        .await?;
    }
    model::publish(write, &row.name.parent()).await?;
    read(write.connection(), row.model, &row.name).await
}

/// Begins another step of a row that is locked, of which nothing is known yet, and publishes its model.
pub async fn begin_step(write: &mut Write, row: &Row, step: usize) -> Result<Row, StoreError> {
    sqlx::query!(
        r#"UPDATE rollout
           SET step = $2, step_started_at = now(), step_revision = 0, approved = false,
               reason = '', candidate_requests = 0, stable_requests = 0, evidence = '{}',
               version = version + 1, updated_at = now()
           WHERE id = $1"#,
        uuid(*row.id.as_bytes()),
        column::read(i32::try_from(step), "rollout.step")?,
    )
    .execute(write.connection())
    .await?;
    model::publish(write, &row.name.parent()).await?;
    read(write.connection(), row.model, &row.name).await
}

/// Writes what is known of the step of a row that is locked. Edges hear nothing of it.
pub async fn note(write: &mut Write, row: &Row) -> Result<(), StoreError> {
    sqlx::query!(
        r#"UPDATE rollout
           SET step_revision = $2, candidate_requests = $3, stable_requests = $4, evidence = $5
           WHERE id = $1"#,
        uuid(*row.id.as_bytes()),
        column::number(row.step_revision.0),
        column::number(row.candidate_requests),
        column::number(row.stable_requests),
        &rollout_columns::numbers(&row.evidence),
    )
    .execute(write.connection())
    .await?;
    Ok(())
}

async fn version_id(
    connection: &mut PgConnection,
    model: Uuid,
    name: &VersionName,
) -> Result<Option<Uuid>, StoreError> {
    let id = sqlx::query_scalar!(
        "SELECT id FROM model_version WHERE model = $1 AND name = $2",
        model,
        name.version.as_str(),
    )
    .fetch_optional(connection)
    .await?;
    Ok(id)
}

async fn model_id(
    connection: &mut PgConnection,
    name: &RolloutName,
) -> Result<ModelId, StoreError> {
    named::model_of(connection, &name.parent(), name).await
}

async fn read(
    connection: &mut PgConnection,
    model: ModelId,
    name: &RolloutName,
) -> Result<Row, StoreError> {
    // Kind 4 is `policy::object::Kind::Model`.
    let columns = sqlx::query_as!(
        Columns,
        r#"SELECT it.id, it.name, it.candidate, it.stable, it.candidate_name, it.stable_name,
                  it.stickiness, it.shares, it.bakes_ms, it.samples, it.approvals, it.metrics,
                  it.tolerances, it.margins, it.state, it.step, it.step_started_at,
                  it.step_revision, it.approved, it.reason, it.forced_reason, it.candidate_requests,
                  it.stable_requests, it.evidence, it.version, it.created_at, it.updated_at,
                  it.ended_at, coalesce(o.revision, 0) AS "revision!", now() AS "now!"
           FROM rollout it
           LEFT JOIN object o ON o.kind = 4 AND o.key = uuid_send(it.model)
           WHERE it.model = $1 AND it.name = $2"#,
        uuid(*model.as_bytes()),
        name.rollout.as_str(),
    )
    .fetch_optional(&mut *connection)
    .await?;
    let columns = columns.ok_or_else(|| conflict::missing(name))?;
    let parent = name.parent();
    let frozen = freeze::frozen(connection, &parent.parent()).await?;
    row(columns, (model, &parent), frozen)
}

fn row(
    columns: Columns,
    (model, parent): (ModelId, &ModelName),
    frozen: Option<Frozen>,
) -> Result<Row, StoreError> {
    let plan = columns.plan()?;
    let revision = column::revision(columns.revision);
    let step_revision = match columns.step_revision {
        // It began with the last write of the model, which nobody has looked at since.
        0 => revision,
        known => column::revision(known),
    };
    Ok(Row {
        id: columns.id(),
        model,
        name: columns.name(parent)?,
        candidate: Columns::version_named(parent, &columns.candidate_name)?,
        candidate_id: VersionId::from_bytes(columns.candidate.into_bytes()),
        stable: Columns::version_named(parent, &columns.stable_name)?,
        stable_id: VersionId::from_bytes(columns.stable.into_bytes()),
        state: columns.state()?,
        step: column::read(usize::try_from(columns.step), "rollout.step")?,
        step_started_at: columns.step_started_at,
        step_revision,
        is_approved: columns.approved,
        is_new_step: columns.step_revision == 0,
        candidate_requests: column::count(columns.candidate_requests),
        stable_requests: column::count(columns.stable_requests),
        evidence: columns.evidence(&plan),
        version: columns.version,
        created_at: columns.created_at,
        updated_at: columns.updated_at,
        ended_at: columns.ended_at,
        revision,
        now: columns.now,
        reason: columns.reason,
        forced_reason: columns.forced_reason,
        frozen,
        plan,
    })
}

// === impl Row ===

impl Row {
    /// Which state this is.
    pub fn etag(&self) -> String {
        etag(self.id.as_bytes(), self.version)
    }

    /// How long its step has lasted, milliseconds.
    pub fn step_age_ms(&self) -> u64 {
        let age = (self.now - self.step_started_at).whole_milliseconds();
        u64::try_from(age).unwrap_or(0)
    }

    /// Counts a request of its step; one that is judged goes before its gates.
    pub fn count(&mut self, outcome: &Outcome, is_judged: bool) {
        if outcome.is_candidates {
            self.candidate_requests += 1;
        } else {
            self.stable_requests += 1;
        }
        if is_judged {
            for (gate, evidence) in self.plan.gates.iter().zip(&mut self.evidence) {
                evidence.take(*gate, outcome);
            }
        }
    }

    /// Takes what a client said of an answer; what is judged goes before its gates.
    pub fn score(&mut self, score: f64, is_candidates: bool) {
        for (gate, evidence) in self.plan.gates.iter().zip(&mut self.evidence) {
            evidence.take_score(*gate, score, is_candidates);
        }
    }

    /// The freeze that keeps it where it is, if one does.
    pub fn heeded(&self) -> Option<&Frozen> {
        let heeds = self.forced_reason.is_empty() && !self.state.is_over();
        self.frozen.as_ref().filter(|_| heeds)
    }

    /// What is known of it, to be judged.
    pub fn standing(&self) -> Standing<'_> {
        Standing {
            plan: &self.plan,
            is_paused: self.state == State::Paused,
            step: self.step,
            step_age_ms: self.step_age_ms(),
            is_approved: self.is_approved,
            frozen: self.heeded(),
            candidate_requests: self.candidate_requests,
            evidence: &self.evidence,
        }
    }
}
