//! What the replicas tell of the edges whose streams they hold.
//!
//! Said every few seconds for all edges in one statement, and rung, so that who waits for the fleet looks again.

use std::collections::BTreeMap;

use policy::{object::Lane, region::Region, remit::Remit};
use sqlx::types::Uuid;

use crate::{column, error::StoreError, store::Store};

/// What a replica knows of an edge whose stream it holds, or held.
#[derive(Debug, Clone)]
pub struct EdgeSighting {
    /// What it calls itself.
    pub edge_id: String,
    /// Its region and whom it serves, from its join token.
    pub remit: Remit,
    /// Its build, as it says.
    pub build: String,
    /// What its start found: 1 fresh, 2 disk, 3 the generation before.
    pub boot: u8,
    /// Drawn anew at every start of it.
    pub boot_id: Vec<u8>,
    /// Whether its stream is open.
    pub connected: bool,
    /// Whether it said goodbye: then it carries no traffic, and nobody waits for it.
    pub said_goodbye: bool,
    /// Which replica says so.
    pub replica: Vec<u8>,
    /// The public part of its join token.
    pub join_token: String,
    /// How far each lane is: what it serves, and what it would serve after a restart.
    pub lanes: [(Lane, u64, u64); 3],
    /// The last thing it refused; empty when there is none.
    pub last_rejection: String,
}

// === impl Store ===

impl Store {
    /// Notes what this replica knows of its edges, and rings. That an edge is gone is believed only from the
    /// replica that held it last: another one may have it by now. Gives the ids that stay with an edge of another
    /// remit which is connected.
    pub async fn edges_seen(&self, sightings: &[EdgeSighting]) -> Result<Vec<String>, StoreError> {
        // One statement cannot write a row twice, so of two sightings of an edge the later counts.
        let latest: BTreeMap<&str, &EdgeSighting> = sightings
            .iter()
            .map(|it| (it.edge_id.as_str(), it))
            .collect();
        if latest.is_empty() {
            return Ok(Vec::new());
        }
        let lanes = || {
            latest
                .values()
                .flat_map(|it| it.lanes.iter().map(|lane| (it.edge_id.clone(), *lane)))
        };
        let taken = sqlx::query_scalar!(
            r#"WITH seen AS (
                   INSERT INTO edge (edge_id, region, build, boot, boot_id, connected, replica,
                                     join_token, last_rejection, said_goodbye, organization, last_seen_at)
                   SELECT *, now() FROM unnest(
                       $1::text[], $2::text[], $3::text[], $4::smallint[], $5::bytea[], $6::boolean[],
                       $7::bytea[], $8::text[], $9::text[], $14::boolean[], $15::uuid[])
                   ON CONFLICT ON CONSTRAINT edge_pkey DO UPDATE
                   SET region = EXCLUDED.region, build = EXCLUDED.build, boot = EXCLUDED.boot,
                       boot_id = EXCLUDED.boot_id, connected = EXCLUDED.connected,
                       replica = EXCLUDED.replica, join_token = EXCLUDED.join_token,
                       last_rejection = EXCLUDED.last_rejection, said_goodbye = EXCLUDED.said_goodbye, organization = EXCLUDED.organization,
                       last_seen_at = EXCLUDED.last_seen_at
                   WHERE (EXCLUDED.connected OR edge.replica = EXCLUDED.replica)
                     AND ((edge.region, edge.organization)
                              IS NOT DISTINCT FROM (EXCLUDED.region, EXCLUDED.organization)
                          OR NOT edge.connected
                          OR edge.last_seen_at <= now() - interval '10 seconds')
                   RETURNING edge_id
               ), progress AS (
                   INSERT INTO edge_lane (edge_id, lane, applied, durable)
                   SELECT it.edge_id, it.lane, it.applied, it.durable
                   FROM unnest($10::text[], $11::smallint[], $12::bigint[], $13::bigint[])
                       AS it (edge_id, lane, applied, durable)
                   JOIN seen ON seen.edge_id = it.edge_id
                   ON CONFLICT ON CONSTRAINT edge_lane_pkey DO UPDATE
                   SET applied = EXCLUDED.applied, durable = EXCLUDED.durable
               ), taken AS (
                   SELECT it.edge_id
                   FROM unnest($1::text[], $2::text[], $6::boolean[], $15::uuid[])
                       AS it (edge_id, region, connected, organization)
                   JOIN edge ON edge.edge_id = it.edge_id
                   WHERE (edge.region, edge.organization) IS DISTINCT FROM (it.region, it.organization)
                     AND it.connected AND NOT EXISTS (SELECT FROM seen WHERE seen.edge_id = it.edge_id)
               )
               SELECT ARRAY(SELECT edge_id FROM taken) AS "taken!"
               FROM pg_notify('sluice_edges', '')"#,
            &each(&latest, |it| it.edge_id.clone()),
            &each(&latest, |it| it.remit.region.as_str().to_owned()),
            &each(&latest, |it| it.build.clone()),
            &each(&latest, |it| i16::from(it.boot)),
            &each(&latest, |it| it.boot_id.clone()),
            &each(&latest, |it| it.connected),
            &each(&latest, |it| it.replica.clone()),
            &each(&latest, |it| it.join_token.clone()),
            &each(&latest, |it| it.last_rejection.clone()),
            &lanes().map(|(edge_id, _)| edge_id).collect::<Vec<_>>(),
            &lanes().map(|(_, (lane, _, _))| lane as i16).collect::<Vec<_>>(),
            &lanes().map(|(_, (_, applied, _))| column::number(applied)).collect::<Vec<_>>(),
            &lanes().map(|(_, (_, _, durable))| column::number(durable)).collect::<Vec<_>>(),
            &each(&latest, |it| it.said_goodbye),
            &each(&latest, |it| column::organization(&it.remit)) as &[Option<Uuid>],
        )
        .fetch_one(&mut *self.connection().await?)
        .await?;
        Ok(taken)
    }

    /// How many edges of a region are connected.
    pub async fn live_edges(&self, region: &Region) -> Result<u32, StoreError> {
        let count = sqlx::query_scalar!(
            r#"SELECT count(*) AS "count!" FROM edge
               WHERE region = $1 AND connected AND last_seen_at > now() - interval '10 seconds'"#,
            region.as_str(),
        )
        .fetch_one(&mut *self.connection().await?)
        .await?;
        Ok(u32::try_from(count).unwrap_or(u32::MAX))
    }
}

/// One column of the sightings.
fn each<T>(latest: &BTreeMap<&str, &EdgeSighting>, pick: fn(&EdgeSighting) -> T) -> Vec<T> {
    latest.values().map(|it| pick(it)).collect()
}
