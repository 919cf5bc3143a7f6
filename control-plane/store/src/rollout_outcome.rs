//! How the requests of rollouts and experiments ended: noted once as reports come in, taken once as one is judged.
//!
//! A row stays for two days, so that a report which comes twice counts once. Knows numbers; what they mean for a
//! rollout is judged elsewhere.

use std::{collections::HashSet, time::Duration};

use domain::gate::{End, Finish, Outcome};
use policy::{
    id::{OrganizationId, RolloutId, VersionId},
    revision::Revision,
};
use time::OffsetDateTime;

use crate::{column, error::StoreError, id::uuid, rollout::Row, store::Store, write::Write};

/// The most that are taken at once.
pub const TAKEN_MAX: usize = 5_000; // Full: the others are taken next time, which comes at once.

/// How many of the latest outcomes say how long the versions take.
const LATEST: i64 = 400;

/// The longest that an outcome rests.
const REST_MAX: Duration = Duration::from_mins(1);

/// The most rows that one sweep takes away.
const SWEEP_ROWS_MAX: i64 = 5_000; // Full: the next sweep takes the rest.

/// How a request ended that a rollout assigned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Noted {
    /// The rollout.
    pub rollout: RolloutId,
    /// Whose request it was: no rollout of another one counts it.
    pub organization: OrganizationId,
    /// The request's id.
    pub id: [u8; 16],
    /// When it came, milliseconds since 1970.
    pub at_ms: u64,
    /// What its client is known by within the rollout; zero where it was assigned by itself.
    pub client: u32,
    /// The version that served it.
    pub version: VersionId,
    /// The configuration that it saw.
    pub revision: u64,
    /// How it ended: a number of the usage contract.
    pub outcome: u8,
    /// Why the answer ended: a number of the usage contract.
    pub finish: u8,
    /// From arrival to end, microseconds.
    pub duration_us: u64,
    /// From arrival to the first byte, microseconds; zero when none came.
    pub first_byte_us: u64,
    /// What it cost, nano-dollars; `None` where that is not known.
    pub cost_nano: Option<u64>,
}

/// How a request ended that is to be judged.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Seen {
    /// How it ended.
    pub outcome: Outcome,
    /// Whether it is the first of its client in this step, or of none that sticks.
    pub is_first: bool,
}

/// What is judged by its outcomes: a rollout, or an experiment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Trial<'a> {
    /// Its id.
    pub(crate) id: RolloutId,
    /// The revision from which on outcomes count.
    pub(crate) since: Revision,
    /// The versions that have a share, the stable one first.
    pub(crate) arms: &'a [VersionId],
}

/// An outcome of an arm.
pub(crate) struct Came {
    /// Which arm, the stable version 0.
    pub(crate) arm: usize,
    /// What its client is known by; zero where it was assigned by itself.
    pub(crate) client: i64,
    /// The configuration that it saw.
    pub(crate) revision: Revision,
    /// How it ended.
    pub(crate) outcome: Outcome,
}

/// Outcomes that have rested, and the ids of all that is to be marked.
pub(crate) struct Rested {
    /// Those that count.
    pub(crate) came: Vec<Came>,
    /// All.
    pub(crate) ids: Vec<uuid::Uuid>,
}

// === impl Trial ===

impl Trial<'_> {
    /// The arm that a version is, where the revision counts.
    pub(crate) fn arm(&self, version: uuid::Uuid, revision: i64) -> Option<usize> {
        let version = VersionId::from_bytes(version.into_bytes());
        let arm = self.arms.iter().position(|it| *it == version);
        arm.filter(|_| column::revision(revision) >= self.since)
    }
}

// === impl Store ===

impl Store {
    /// Notes how requests ended, passes over what is noted already or belongs to no rollout of its organization that is under way, and rings
    /// for whoever judges them. One that claims to come from the future counts as now: a clock that is wrong must not
    /// keep it from being judged.
    pub async fn note_rollout_outcomes(&self, noted: &[Noted]) -> Result<(), StoreError> {
        if noted.is_empty() {
            return Ok(());
        }
        let ats = noted.iter().map(|it| column::moment(it.at_ms));
        let ats: Vec<OffsetDateTime> = ats.collect::<Result<_, _>>()?;
        let uuids = |pick: fn(&Noted) -> [u8; 16]| -> Vec<uuid::Uuid> {
            noted.iter().map(|it| uuid(pick(it))).collect()
        };
        let numbers = |pick: fn(&Noted) -> u64| -> Vec<i64> {
            noted.iter().map(|it| column::number(pick(it))).collect()
        };
        let outcomes: Vec<i16> = noted.iter().map(|it| it.outcome.into()).collect();
        let finishes: Vec<i16> = noted.iter().map(|it| it.finish.into()).collect();
        let costs = noted.iter().map(|it| it.cost_nano.map(column::number));
        let costs: Vec<Option<i64>> = costs.collect();
        let done = sqlx::query!(
            r#"INSERT INTO rollout_outcome (rollout, id, at, model_version, client, revision,
                                            outcome, finish, duration_us, first_byte_us, cost_nano)
               SELECT it.rollout, it.id, least(it.at, now()), it.model_version, it.client,
                      it.revision, it.outcome, it.finish, it.duration_us, it.first_byte_us, it.cost_nano
               FROM unnest(
                   $1::uuid[], $2::uuid[], $3::timestamptz[], $4::uuid[], $5::bigint[],
                   $6::bigint[], $7::smallint[], $8::smallint[], $9::bigint[], $10::bigint[],
                   $11::bigint[], $12::uuid[])
                   AS it (rollout, id, at, model_version, client, revision, outcome, finish,
                          duration_us, first_byte_us, cost_nano, organization)
               WHERE EXISTS (SELECT FROM rollout JOIN model ON model.id = rollout.model
                             WHERE rollout.id = it.rollout AND rollout.state < 3
                               AND model.organization = it.organization)
                  OR EXISTS (SELECT FROM experiment JOIN model ON model.id = experiment.model
                             WHERE experiment.id = it.rollout AND experiment.state = 1
                               AND model.organization = it.organization)
               ON CONFLICT DO NOTHING"#,
            &uuids(|it| *it.rollout.as_bytes()),
            &uuids(|it| it.id),
            &ats,
            &uuids(|it| *it.version.as_bytes()),
            &numbers(|it| it.client.into()),
            &numbers(|it| it.revision),
            &outcomes,
            &finishes,
            &numbers(|it| it.duration_us),
            &numbers(|it| it.first_byte_us),
            &costs as &[Option<i64>],
            &uuids(|it| *it.organization.as_bytes()),
        )
        .execute(&mut *self.connection().await?)
        .await?;
        if done.rows_affected() > 0 {
            sqlx::query!("SELECT pg_notify('sluice_rollout', '')")
                .execute(&mut *self.connection().await?)
                .await?;
        }
        Ok(())
    }

    /// Takes away what came longer ago than `age`, at most 5,000 rows, and says how many.
    pub async fn sweep_rollout_outcomes(&self, age: Duration) -> Result<u64, StoreError> {
        let gone = sqlx::query!(
            r#"DELETE FROM rollout_outcome WHERE ctid = ANY(ARRAY(
                   SELECT ctid FROM rollout_outcome
                   WHERE at < now() - make_interval(secs => $1) ORDER BY at LIMIT $2))"#,
            age.as_secs_f64(),
            SWEEP_ROWS_MAX,
        )
        .execute(&mut *self.connection().await?)
        .await?;
        Ok(gone.rows_affected())
    }
}

/// Takes what has come for a rollout that is locked and has rested, in the order in which it came, at most [`TAKEN_MAX`].
/// What saw an earlier step is taken and left out. The second number is how many were taken.
pub async fn take(
    write: &mut Write,
    row: &Row,
    rest_min: Duration,
) -> Result<(Vec<Seen>, usize), StoreError> {
    let arms = [row.stable_id, row.candidate_id];
    let trial = Trial {
        id: row.id,
        since: row.step_revision,
        arms: &arms,
    };
    let Rested { came, ids } = rested(write, trial, rest_min).await?;
    let clients: Vec<i64> = came.iter().map(|it| it.client).collect();
    let mut met = met(write, row, &clients).await?;
    mark(write, trial, &ids).await?;
    let seen = came.into_iter().map(|it| Seen {
        outcome: it.outcome,
        is_first: it.client == 0 || met.insert(it.client),
    });
    Ok((seen.collect(), ids.len()))
}

/// What has come for a trial that is locked and has rested, in the order in which it came. It rests for `rest_min` or for twice the time that
/// the slowest version takes, at most a minute, so that what is slow is judged beside what is quick.
pub(crate) async fn rested(
    write: &mut Write,
    trial: Trial<'_>,
    rest_min: Duration,
) -> Result<Rested, StoreError> {
    let rollout = uuid(*trial.id.as_bytes());
    let slower_us = sqlx::query_scalar!(
        r#"SELECT coalesce(max(mean), 0)::double precision AS "slower!" FROM (
               SELECT avg(duration_us) AS mean FROM (
                   SELECT model_version, duration_us FROM rollout_outcome
                   WHERE rollout = $1 ORDER BY id DESC LIMIT $2) AS latest
               GROUP BY model_version) AS means"#,
        rollout,
        LATEST,
    )
    .fetch_one(write.connection())
    .await?;
    let rest_s = (2.0 * slower_us / 1e6).min(REST_MAX.as_secs_f64());
    let rest_s = rest_s.max(rest_min.as_secs_f64());
    let taken = sqlx::query!(
        r#"SELECT id, model_version, client, revision, outcome, finish, duration_us,
                  first_byte_us, cost_nano
           FROM rollout_outcome
           WHERE rollout = $1 AND NOT judged AND at <= now() - make_interval(secs => $2)
           ORDER BY at, id LIMIT $3"#,
        rollout,
        rest_s,
        column::number(TAKEN_MAX as u64),
    )
    .fetch_all(write.connection())
    .await?;
    let ids = taken.iter().map(|it| it.id).collect();
    let mut came = Vec::with_capacity(taken.len());
    for it in taken {
        let Some(arm) = trial.arm(it.model_version, it.revision) else {
            continue;
        };
        let outcome = Outcome {
            is_candidates: arm > 0,
            end: match it.outcome {
                1 => End::Whole,
                2 => End::ClientGone,
                _ => End::Failed,
            },
            finish: match it.finish {
                1 => Some(Finish::Whole),
                2 => Some(Finish::Truncated),
                3 => Some(Finish::Refused),
                4 => Some(Finish::Miscalled),
                _ => None,
            },
            first_byte_us: column::count(it.first_byte_us),
            duration_us: column::count(it.duration_us),
            cost_nano: it.cost_nano.map(column::count),
        };
        came.push(Came {
            arm,
            client: it.client,
            revision: column::revision(it.revision),
            outcome,
        });
    }
    Ok(Rested { came, ids })
}

/// Marks outcomes as judged.
pub(crate) async fn mark(
    write: &mut Write,
    trial: Trial<'_>,
    ids: &[uuid::Uuid],
) -> Result<(), StoreError> {
    sqlx::query!(
        "UPDATE rollout_outcome SET judged = true WHERE rollout = $1 AND id = ANY($2)",
        uuid(*trial.id.as_bytes()),
        ids,
    )
    .execute(write.connection())
    .await?;
    Ok(())
}

/// Those of the clients of whom a request of this step has been judged already.
async fn met(write: &mut Write, row: &Row, clients: &[i64]) -> Result<HashSet<i64>, StoreError> {
    let met = sqlx::query_scalar!(
        r#"SELECT DISTINCT client FROM rollout_outcome
           WHERE rollout = $1 AND client <> 0 AND client = ANY($2) AND revision >= $3 AND judged"#,
        uuid(*row.id.as_bytes()),
        clients,
        column::number(row.step_revision.0),
    )
    .fetch_all(write.connection())
    .await?;
    Ok(met.into_iter().collect())
}
