//! Edges: who carries the traffic, as the replicas last heard of each.
//!
//! Written often and by every replica, and so never part of a policy edit. What an edge calls itself proves
//! nothing; its region and whom it serves come from its join token.

use domain::{
    name::{EdgeName, OrganizationName},
    page::Page,
    segment::EdgeSlug,
};
use policy::{object::Lane, region::Region, revision::Revision};
use time::OffsetDateTime;

use crate::{
    column, conflict,
    error::{Obstacle, StoreError},
    list::{self, Listed},
    store::Store,
};

/// An edge as it was last heard of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Its name.
    pub name: EdgeName,
    /// Its region.
    pub region: Region,
    /// The one organization that it serves; `None` means: every one.
    pub organization: Option<OrganizationName>,
    /// Its build, as it says.
    pub build: String,
    /// What its start found: `fresh`, `disk` or `disk_previous`.
    pub boot: &'static str,
    /// Whether a stream of it is open: a replica said so in the last ten seconds.
    pub connected: bool,
    /// When it was last heard.
    pub last_seen_at: OffsetDateTime,
    /// How long ago that was, in milliseconds, by the clock of the database.
    pub age_ms: u64,
    /// How far each lane is: what it serves, and what it would serve after a restart.
    pub lanes: Vec<(Lane, u64, u64)>,
    /// The last thing it refused; empty when there is none.
    pub last_rejection: String,
    /// The public part of the join token that it joined with.
    pub join_token: String,
}

/// How far a revision has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Propagation {
    /// How many edges serve it.
    pub reached: u32,
    /// Those that do not, in the order of their names.
    pub stragglers: Vec<Row>,
}

struct Columns {
    edge_id: String,
    region: String,
    build: String,
    boot: i16,
    connected: bool,
    last_seen_at: OffsetDateTime,
    age_ms: i64,
    lanes: Vec<i16>,
    applied: Vec<i64>,
    durable: Vec<i64>,
    last_rejection: String,
    join_token: String,
    organization: Option<String>,
}

/// Reads one.
pub async fn get(store: &Store, name: &EdgeName) -> Result<Row, StoreError> {
    let mut rows = named(store, &[name.edge.to_string()]).await?;
    rows.pop().ok_or_else(|| conflict::missing(name))
}

/// Reads a page.
pub async fn list(store: &Store, page: &Page) -> Result<Listed<Row>, StoreError> {
    let ids = sqlx::query_scalar!(
        "SELECT edge_id FROM edge WHERE edge_id > $1 ORDER BY edge_id LIMIT $2",
        page.after,
        list::rows_wanted(page),
    )
    .fetch_all(&mut *store.connection().await?)
    .await?;
    let rows = named(store, &ids).await?;
    Ok(list::cut(rows, page, |row| row.name.edge.as_str()))
}

/// Forgets one that is not connected.
pub async fn delete(store: &Store, name: &EdgeName) -> Result<(), StoreError> {
    let gone = sqlx::query!(
        r#"DELETE FROM edge WHERE edge_id = $1
           AND NOT (connected AND last_seen_at > now() - interval '10 seconds')"#,
        name.edge.as_str(),
    )
    .execute(&mut *store.connection().await?)
    .await?;
    if gone.rows_affected() == 1 {
        return Ok(());
    }
    get(store, name).await?;
    Err(conflict::blocked(name, Obstacle::IsConnected))
}

/// How many edges serve a revision, and which do not, at most `limit` of them.
///
/// An edge serves it when each of its lanes is where the last change up to that revision left it that the
/// edge may see. An edge that fell silent is waited for: it may be cut off and still carry traffic. It is not once
/// it said goodbye, was deleted, or has been silent for a day.
pub async fn behind(
    store: &Store,
    revision: Revision,
    region: Option<&Region>,
    limit: i64,
) -> Result<Propagation, StoreError> {
    let rows = sqlx::query!(
        r#"WITH expected AS (
               SELECT edge_id, region, organization FROM edge
               WHERE NOT said_goodbye AND last_seen_at > now() - interval '24 hours'
                 AND ($2::text IS NULL OR region = $2)
           ), goal AS (
               -- The log is cut after some days; what it no longer tells, the live objects do.
               -- Kind 9 is `Kind::Pepper`, which is everybody's.
               SELECT here.region, here.organization, lane.lane, greatest((
                   SELECT max(change.revision) FROM change
                   WHERE change.lane = lane.lane AND change.revision <= $1
                     AND (here.organization IS NULL OR change.kind = 9
                          OR change.organization = here.organization)
                     AND (cardinality(before) = 0 OR here.region = ANY (before)
                          OR cardinality(after) = 0 OR here.region = ANY (after))
               ), (
                   SELECT max(object.revision) FROM object
                   WHERE object.lane = lane.lane AND object.revision <= $1
                     AND (here.organization IS NULL OR object.kind = 9
                          OR object.organization = here.organization)
                     AND (cardinality(regions) = 0 OR here.region = ANY (regions))
               )) AS revision
               FROM (SELECT DISTINCT region, organization FROM expected) here
               CROSS JOIN (VALUES (1::smallint), (2), (3)) AS lane (lane)
           )
           SELECT expected.edge_id, bool_and(
               goal.revision IS NULL OR coalesce(edge_lane.applied, 0) >= goal.revision
           ) AS "reached!"
           FROM expected
           JOIN goal ON goal.region = expected.region
               AND goal.organization IS NOT DISTINCT FROM expected.organization
           LEFT JOIN edge_lane
               ON edge_lane.edge_id = expected.edge_id AND edge_lane.lane = goal.lane
           GROUP BY expected.edge_id ORDER BY expected.edge_id"#,
        column::number(revision.0),
        region.map(Region::as_str),
    )
    .fetch_all(&mut *store.connection().await?)
    .await?;
    let reached = rows.iter().filter(|row| row.reached).count();
    let late = rows
        .into_iter()
        .filter(|row| !row.reached)
        .map(|row| row.edge_id);
    let late: Vec<String> = late.take(usize::try_from(limit).unwrap_or(0)).collect();
    let stragglers = named(store, &late).await?;
    Ok(Propagation {
        reached: u32::try_from(reached).unwrap_or(u32::MAX),
        stragglers,
    })
}

/// The edges with these ids, in the order of their ids.
async fn named(store: &Store, ids: &[String]) -> Result<Vec<Row>, StoreError> {
    let columns = sqlx::query_as!(
        Columns,
        r#"SELECT it.edge_id, it.region, it.build, it.boot,
                  it.connected AND it.last_seen_at > now() - interval '10 seconds' AS "connected!",
                  it.last_seen_at,
                  (extract(epoch FROM now() - it.last_seen_at) * 1000)::bigint AS "age_ms!",
                  ARRAY(SELECT lane FROM edge_lane l WHERE l.edge_id = it.edge_id
                        ORDER BY lane) AS "lanes!",
                  ARRAY(SELECT applied FROM edge_lane l WHERE l.edge_id = it.edge_id
                        ORDER BY lane) AS "applied!",
                  ARRAY(SELECT durable FROM edge_lane l WHERE l.edge_id = it.edge_id
                        ORDER BY lane) AS "durable!",
                  it.last_rejection, it.join_token, organization.name AS "organization?"
           FROM edge it LEFT JOIN organization ON organization.id = it.organization WHERE it.edge_id = ANY ($1) ORDER BY it.edge_id"#,
        ids,
    )
    .fetch_all(&mut *store.connection().await?)
    .await?;
    columns.into_iter().map(Row::try_from).collect()
}

impl TryFrom<Columns> for Row {
    type Error = StoreError;

    fn try_from(columns: Columns) -> Result<Self, StoreError> {
        let boot = match columns.boot {
            2 => "disk",
            3 => "disk_previous",
            _ => "fresh",
        };
        let progress = columns.applied.into_iter().zip(columns.durable);
        let lanes = columns
            .lanes
            .into_iter()
            .zip(progress)
            .map(|(lane, (applied, durable))| {
                Ok((
                    column::lane(lane)?,
                    column::count(applied),
                    column::count(durable),
                ))
            });
        let edge = column::read(EdgeSlug::parse(&columns.edge_id), "edge.edge_id")?;
        Ok(Self {
            name: EdgeName { edge },
            region: column::read(Region::try_from(columns.region.as_str()), "edge.region")?,
            build: columns.build,
            boot,
            connected: columns.connected,
            last_seen_at: columns.last_seen_at,
            age_ms: column::count(columns.age_ms),
            lanes: lanes.collect::<Result<_, StoreError>>()?,
            last_rejection: columns.last_rejection,
            join_token: columns.join_token,
            organization: column::organization_name(columns.organization.as_deref())?,
        })
    }
}
