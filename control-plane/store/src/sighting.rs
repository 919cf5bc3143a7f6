//! What the replicas tell of the edges whose streams they hold.
//!
//! Said every few seconds for all edges in one statement, and rung, so that who waits for the fleet looks again.

use std::collections::BTreeMap;

use policy::{object::Lane, region::Region};

use crate::{column, error::StoreError, store::Store};

/// What a replica knows of an edge whose stream it holds, or held.
#[derive(Debug, Clone)]
pub struct EdgeSighting {
    /// What it calls itself.
    pub edge_id: String,
    /// Its region, from its join token.
    pub region: Region,
    /// Its build, as it says.
    pub build: String,
    /// What its start found: 1 fresh, 2 disk, 3 the generation before.
    pub boot: u8,
    /// Drawn anew at every start of it.
    pub boot_id: Vec<u8>,
    /// Whether its stream is open.
    pub connected: bool,
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
    /// replica that held it last: another one may have it by now.
    pub async fn edges_seen(&self, sightings: &[EdgeSighting]) -> Result<(), StoreError> {
        // One statement cannot write a row twice, so of two sightings of an edge the later counts.
        let latest: BTreeMap<&str, &EdgeSighting> = sightings
            .iter()
            .map(|it| (it.edge_id.as_str(), it))
            .collect();
        if latest.is_empty() {
            return Ok(());
        }
        let texts = |pick: fn(&EdgeSighting) -> &str| -> Vec<String> {
            latest.values().map(|it| pick(it).to_owned()).collect()
        };
        let boots: Vec<i16> = latest.values().map(|it| i16::from(it.boot)).collect();
        let boot_ids: Vec<Vec<u8>> = latest.values().map(|it| it.boot_id.clone()).collect();
        let connected: Vec<bool> = latest.values().map(|it| it.connected).collect();
        let replicas: Vec<Vec<u8>> = latest.values().map(|it| it.replica.clone()).collect();
        let lanes = || {
            latest
                .values()
                .flat_map(|it| it.lanes.iter().map(|lane| (it.edge_id.clone(), *lane)))
        };
        sqlx::query!(
            r#"WITH seen AS (
                   INSERT INTO edge (edge_id, region, build, boot, boot_id, connected, replica,
                                     join_token, last_rejection, last_seen_at)
                   SELECT *, now() FROM unnest(
                       $1::text[], $2::text[], $3::text[], $4::smallint[], $5::bytea[], $6::boolean[],
                       $7::bytea[], $8::text[], $9::text[])
                   ON CONFLICT ON CONSTRAINT edge_pkey DO UPDATE
                   SET region = EXCLUDED.region, build = EXCLUDED.build, boot = EXCLUDED.boot,
                       boot_id = EXCLUDED.boot_id, connected = EXCLUDED.connected,
                       replica = EXCLUDED.replica, join_token = EXCLUDED.join_token,
                       last_rejection = EXCLUDED.last_rejection, last_seen_at = EXCLUDED.last_seen_at
                   WHERE EXCLUDED.connected OR edge.replica = EXCLUDED.replica
                   RETURNING edge_id
               ), progress AS (
                   INSERT INTO edge_lane (edge_id, lane, applied, durable)
                   SELECT it.edge_id, it.lane, it.applied, it.durable
                   FROM unnest($10::text[], $11::smallint[], $12::bigint[], $13::bigint[])
                       AS it (edge_id, lane, applied, durable)
                   JOIN seen ON seen.edge_id = it.edge_id
                   ON CONFLICT ON CONSTRAINT edge_lane_pkey DO UPDATE
                   SET applied = EXCLUDED.applied, durable = EXCLUDED.durable
               )
               SELECT pg_notify('sluice_edges', '')"#,
            &texts(|it| &it.edge_id),
            &texts(|it| it.region.as_str()),
            &texts(|it| &it.build),
            &boots,
            &boot_ids,
            &connected,
            &replicas,
            &texts(|it| &it.join_token),
            &texts(|it| &it.last_rejection),
            &lanes().map(|(edge_id, _)| edge_id).collect::<Vec<_>>(),
            &lanes().map(|(_, (lane, _, _))| lane as i16).collect::<Vec<_>>(),
            &lanes().map(|(_, (_, applied, _))| column::number(applied)).collect::<Vec<_>>(),
            &lanes().map(|(_, (_, _, durable))| column::number(durable)).collect::<Vec<_>>(),
        )
        .execute(self.pool())
        .await?;
        Ok(())
    }

    /// How many edges of a region are connected.
    pub async fn live_edges(&self, region: &Region) -> Result<u32, StoreError> {
        let count = sqlx::query_scalar!(
            r#"SELECT count(*) AS "count!" FROM edge
               WHERE region = $1 AND connected AND last_seen_at > now() - interval '10 seconds'"#,
            region.as_str(),
        )
        .fetch_one(self.pool())
        .await?;
        Ok(u32::try_from(count).unwrap_or(u32::MAX))
    }
}
