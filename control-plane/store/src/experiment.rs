//! Experiments: versions of a model beside each other.
//!
//! Whoever changes one holds its model first, as of rollouts: so that a model has one of both at most, and edges hear of each change in the
//! transaction that makes it.

use domain::{
    allocation::Allocation,
    etag::etag,
    experiment::{Plan, State, Tally},
    gate::{Gate, Metric},
    name::{ExperimentName, ModelName, OrganizationName, VersionName},
    page::Page,
    segment::{ModelSlug, Slug},
    slices::Slice,
};
use policy::{
    id::{ModelId, RolloutId, VersionId},
    revision::Revision,
    split::Sticky,
};
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{
    column, conflict,
    error::{Obstacle, StoreError},
    experiment_arm, experiment_weight,
    id::uuid,
    list::{self, Listed},
    model, named,
    store::Store,
    write::Write,
};

pub use crate::{experiment_arm::Arm, experiment_weight::Weighed};

/// The field that names the arms, for errors.
const ARMS: &str = "experiment.arms";

/// The most experiments that are looked at at once.
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
    /// The versions of the arms behind the first one, of the same model.
    pub others: Vec<VersionName>,
    /// What is to be tried.
    pub plan: Plan,
}

/// An experiment as it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// Its id.
    pub id: RolloutId,
    /// Its model's id.
    pub model: ModelId,
    /// Its name.
    pub name: ExperimentName,
    /// Its arms, the first one first.
    pub arms: Vec<Arm>,
    /// What is tried.
    pub plan: Plan,
    /// Which numbers of its split belong to which arm. Can change.
    pub slices: Vec<Slice>,
    /// The newest shares that its arms have had, the newest first.
    pub weighed: Vec<Weighed>,
    /// Whether the period is over for which shares stay at least.
    pub is_due: bool,
    /// Where it stands. Can change.
    pub state: State,
    /// Why. Can change.
    pub reason: String,
    /// The revision from which on outcomes count.
    pub start_revision: Revision,
    /// What is known.
    pub tally: Tally,
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
}

/// A row as the database has it.
struct Columns {
    id: Uuid,
    name: String,
    stickiness: i16,
    metrics: Vec<i32>,
    tolerances: Vec<i32>,
    goal: Option<i32>,
    floor: i32,
    step: i32,
    period_s: i32,
    is_due: bool,
    slice_arms: Vec<i32>,
    slice_shares: Vec<i32>,
    state: i16,
    reason: String,
    start_revision: i64,
    tally: Vec<f64>,
    version: i64,
    created_at: OffsetDateTime,
    updated_at: OffsetDateTime,
    ended_at: Option<OffsetDateTime>,
    revision: i64,
}

/// Reads one.
pub async fn get(store: &Store, name: &ExperimentName) -> Result<Row, StoreError> {
    let mut connection = store.connection().await?;
    let model = named::model_of(&mut connection, &name.parent(), name).await?;
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
    let names = sqlx::query_scalar!(
        "SELECT name FROM experiment WHERE model = $1 AND name > $2 ORDER BY name LIMIT $3",
        uuid(*model.as_bytes()),
        page.after,
        list::rows_wanted(page),
    )
    .fetch_all(&mut *connection)
    .await?;
    let mut rows = Vec::with_capacity(names.len());
    for name in names {
        let slug = column::read(Slug::parse(&name), "experiment.name")?;
        rows.push(read(&mut connection, model, &named_so(parent, slug)).await?);
    }
    Ok(list::cut(rows, page, |row| row.name.experiment.as_str()))
}

/// The name of the experiment that shared the traffic of the model when this request of an organization came, and had its version as an arm.
pub async fn of_request(
    store: &Store,
    organization: &OrganizationName,
    (id, at_ms): ([u8; 16], u64),
) -> Result<Option<ExperimentName>, StoreError> {
    let found = sqlx::query!(
        r#"SELECT model.name AS model, it.name FROM usage_record record
           JOIN experiment it ON it.model = record.model AND record.at >= it.created_at
             AND (it.ended_at IS NULL OR record.at < it.ended_at)
           JOIN experiment_arm arm
             ON arm.experiment = it.id AND arm.model_version = record.model_version
           JOIN model ON model.id = it.model
           WHERE record.id = $1 AND record.day = $2 LIMIT 1"#,
        Uuid::from_bytes(id),
        column::moment(at_ms)?.date(),
    )
    .fetch_optional(&mut *store.connection().await?)
    .await?;
    let named = found.map(|it| {
        let parent = ModelName {
            organization: organization.organization.clone(),
            model: column::read(ModelSlug::parse(&it.model), "model.name")?,
        };
        let slug = column::read(Slug::parse(&it.name), "experiment.name")?;
        Ok(named_so(&parent, slug))
    });
    named.transpose()
}

/// The names of those that are under way.
pub async fn under_way(store: &Store) -> Result<Vec<ExperimentName>, StoreError> {
    let rows = sqlx::query!(
        r#"SELECT organization.name AS organization, model.name AS model, it.name
           FROM experiment it
           JOIN model ON model.id = it.model
           JOIN organization ON organization.id = model.organization
           WHERE it.state = 1 ORDER BY it.id LIMIT $1"#,
        UNDER_WAY_MAX,
    )
    .fetch_all(&mut *store.connection().await?)
    .await?;
    let names = rows.into_iter().map(|row| {
        let parent = ModelName {
            organization: column::read(Slug::parse(&row.organization), "organization.name")?,
            model: column::read(ModelSlug::parse(&row.model), "model.name")?,
        };
        let slug = column::read(Slug::parse(&row.name), "experiment.name")?;
        Ok(named_so(&parent, slug))
    });
    names.collect()
}

/// Starts one: each arm gets its share.
pub async fn start(write: &mut Write, new: New) -> Result<Row, StoreError> {
    let parent = model::lock(write, &new.parent, "").await?;
    let Some(stable) = parent.stable else {
        return Err(conflict::blocked(&new.parent, Obstacle::HasNoStable));
    };
    let model = uuid(*parent.id.as_bytes());
    model::not_shared(write.connection(), &new.parent, model).await?;
    let had = sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM experiment WHERE model = $1"#,
        model,
    )
    .fetch_one(write.connection())
    .await?;
    let slug = match new.slug {
        Some(slug) => slug,
        None => column::read(Slug::parse(&format!("e{}", had + 1)), "experiment.name")?,
    };
    let name = named_so(&new.parent, slug);
    let mut arms: Vec<Arm> = Vec::with_capacity(new.others.len() + 1);
    for (version, share) in std::iter::once(stable)
        .chain(new.others)
        .zip(new.plan.all_shares())
    {
        if arms.first().is_some_and(|it| it.version == version) {
            return Err(conflict::blocked(&version, Obstacle::IsStable));
        }
        let id = version_id(write.connection(), model, &version).await?;
        let id = id.ok_or_else(|| conflict::dangling(ARMS, &version))?;
        arms.push(Arm {
            version,
            id,
            share,
            out_reason: String::new(),
        });
    }
    let guards = new.plan.guards.iter();
    let metrics: Vec<i32> = guards.clone().map(|it| it.metric as i32).collect();
    let tolerances: Vec<i32> = guards.map(|it| it.tolerance.into()).collect();
    let id = uuid(*new.id.as_bytes());
    let follows = new.plan.allocation;
    sqlx::query!(
        r#"INSERT INTO experiment (id, model, name, stickiness, metrics, tolerances,
                                   goal, floor, step, period_s)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)"#,
        id,
        model,
        name.experiment.as_str(),
        new.plan.sticky as i16,
        &metrics,
        &tolerances,
        follows.map(|it| it.goal as i32),
        follows.map_or(0, |it| it.floor.into()),
        follows.map_or(0, |it| it.step.into()),
        follows.map_or(0, |it| i32::try_from(it.period_s).unwrap_or(i32::MAX)),
    )
    .execute(write.connection())
    .await
    .map_err(|why| conflict::on_create(why, &name, &new.parent))?;
    experiment_arm::write(write.connection(), (id, model), &arms).await?;
    if follows.is_some() {
        experiment_weight::begin(write, (id, &new.plan)).await?;
    }
    model::publish(write, &new.parent).await?;
    read(write.connection(), parent.id, &name).await
}

/// Reads one and keeps others from writing it or its model until this write ends.
pub async fn lock(write: &mut Write, name: &ExperimentName, seen: &str) -> Result<Row, StoreError> {
    let model = match model::lock(write, &name.parent(), "").await {
        Err(StoreError::NotFound { .. }) => return Err(conflict::missing(name)),
        model => model?,
    };
    let row = read(write.connection(), model.id, name).await?;
    conflict::check_etag(seen, &row.etag(), name)?;
    Ok(row)
}

/// Ends one that is locked, for this reason, and publishes its model. A version that is chosen becomes the stable one; it must be one of an arm.
pub async fn end(
    write: &mut Write,
    row: &Row,
    (state, reason): (State, &str),
    chosen: Option<&VersionName>,
) -> Result<Row, StoreError> {
    if row.state != State::Running {
        return Err(conflict::blocked(&row.name, Obstacle::HasEnded));
    }
    let id = uuid(*row.id.as_bytes());
    sqlx::query!(
        r#"UPDATE experiment SET state = $2, reason = $3, version = version + 1,
                                 updated_at = now(), ended_at = now()
           WHERE id = $1"#,
        id,
        state as i16,
        reason,
    )
    .execute(write.connection())
    .await?;
    sqlx::query!(
        "UPDATE experiment_arm SET holds = NULL WHERE experiment = $1",
        id
    )
    .execute(write.connection())
    .await?;
    sqlx::query!("DELETE FROM experiment_client WHERE experiment = $1", id)
        .execute(write.connection())
        .await?;
    if let Some(chosen) = chosen {
        let arm = row.arms.iter().find(|it| it.version == *chosen);
        let arm = arm.ok_or_else(|| conflict::dangling("version", chosen))?;
        sqlx::query!(
            r#"UPDATE model SET stable = $2, version = version + 1, updated_at = now()
               WHERE id = $1"#,
            uuid(*row.model.as_bytes()),
            uuid(*arm.id.as_bytes()),
        )
        .execute(write.connection())
        .await?;
    }
    model::publish(write, &row.name.parent()).await?;
    read(write.connection(), row.model, &row.name).await
}

fn named_so(parent: &ModelName, experiment: Slug) -> ExperimentName {
    let ModelName {
        organization,
        model,
    } = parent.clone();
    ExperimentName {
        organization,
        model,
        experiment,
    }
}

async fn version_id(
    connection: &mut PgConnection,
    model: Uuid,
    name: &VersionName,
) -> Result<Option<VersionId>, StoreError> {
    let id = sqlx::query_scalar!(
        "SELECT id FROM model_version WHERE model = $1 AND name = $2",
        model,
        name.version.as_str(),
    )
    .fetch_optional(connection)
    .await?;
    Ok(id.map(|id| VersionId::from_bytes(id.into_bytes())))
}

pub(crate) async fn read(
    connection: &mut PgConnection,
    model: ModelId,
    name: &ExperimentName,
) -> Result<Row, StoreError> {
    // Kind 4 is `policy::object::Kind::Model`.
    let columns = sqlx::query_as!(
        Columns,
        r#"SELECT it.id, it.name, it.stickiness, it.metrics, it.tolerances, it.state, it.reason,
                  it.goal, it.floor, it.step, it.period_s, it.slice_arms, it.slice_shares,
                  (it.goal IS NOT NULL
                   AND now() >= it.weighed_at + make_interval(secs => it.period_s)) AS "is_due!",
                  it.start_revision, it.tally, it.version, it.created_at, it.updated_at,
                  it.ended_at, coalesce(o.revision, 0) AS "revision!"
           FROM experiment it
           LEFT JOIN object o ON o.kind = 4 AND o.key = uuid_send(it.model)
           WHERE it.model = $1 AND it.name = $2"#,
        uuid(*model.as_bytes()),
        name.experiment.as_str(),
    )
    .fetch_optional(&mut *connection)
    .await?;
    let columns = columns.ok_or_else(|| conflict::missing(name))?;
    let parent = name.parent();
    let arms = experiment_arm::of(connection, columns.id, &parent).await?;
    let plan = columns.plan(&arms)?;
    let shares: Vec<u16> = arms.iter().map(|it| it.share).collect();
    let kept = (&*columns.slice_arms, &*columns.slice_shares);
    let slices = experiment_weight::slices(kept, &shares)?;
    let weighed = match plan.allocation {
        Some(_) => experiment_weight::of(connection, columns.id).await?,
        None => Vec::new(),
    };
    let revision = column::revision(columns.revision);
    let state = u8::try_from(columns.state)
        .ok()
        .and_then(State::from_number);
    Ok(Row {
        id: RolloutId::from_bytes(columns.id.into_bytes()),
        model,
        name: named_so(
            &parent,
            column::read(Slug::parse(&columns.name), "experiment.name")?,
        ),
        arms,
        state: column::known(state, "experiment.state")?,
        start_revision: match columns.start_revision {
            // It began with the last write of the model, which nobody has looked at since.
            0 => revision,
            known => column::revision(known),
        },
        tally: Tally::kept(&plan, &columns.tally),
        plan,
        slices,
        weighed,
        is_due: columns.is_due,
        reason: columns.reason,
        version: columns.version,
        created_at: columns.created_at,
        updated_at: columns.updated_at,
        ended_at: columns.ended_at,
        revision,
    })
}

// === impl Columns ===

impl Columns {
    fn plan(&self, arms: &[Arm]) -> Result<Plan, StoreError> {
        let sticky = u8::try_from(self.stickiness).ok();
        let sticky = sticky.and_then(Sticky::from_number);
        let guards = self.metrics.iter().zip(&self.tolerances);
        let guards = guards.map(|(metric, tolerance)| {
            let metric = column::known(Metric::from_number(*metric), "experiment.metrics")?;
            let tolerance = column::read(u16::try_from(*tolerance), "experiment.tolerances")?;
            Ok(Gate::guard(metric, tolerance))
        });
        Ok(Plan {
            shares: arms.iter().skip(1).map(|it| it.share).collect(),
            sticky: column::known(sticky, "experiment.stickiness")?,
            guards: guards.collect::<Result<_, StoreError>>()?,
            allocation: self.allocation()?,
        })
    }

    fn allocation(&self) -> Result<Option<Allocation>, StoreError> {
        let Some(goal) = self.goal else {
            return Ok(None);
        };
        Ok(Some(Allocation {
            goal: column::known(Metric::from_number(goal), "experiment.goal")?,
            floor: column::read(u16::try_from(self.floor), "experiment.floor")?,
            step: column::read(u16::try_from(self.step), "experiment.step")?,
            period_s: column::read(u32::try_from(self.period_s), "experiment.period_s")?,
        }))
    }
}

// === impl Row ===

impl Row {
    /// Which state this is.
    pub fn etag(&self) -> String {
        etag(self.id.as_bytes(), self.version)
    }
}
