//! What edges decided about requests, in the audit trail: a chain of each edge, and each decision once in it.
//!
//! Knows by which id one that is sent again is known, and what projects are called. What an entry says is its caller's. Never part of a
//! write, and never in its chain, so that however many come, no write waits for them.

use std::collections::{HashMap, HashSet};

use policy::id::{OrganizationId, ProjectId};
use sha2::{Digest, Sha256};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    audit::{self, Held, Stamp},
    column,
    error::StoreError,
    id::uuid,
    store::Store,
};

/// What the chain of an edge is called: this, and what the edge calls itself.
pub const CHAINS: &str = "access/";

/// What a decision is known and found by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Access {
    /// The id that its edge drew for it.
    pub id: [u8; 16],
    /// Whose request it was about.
    pub organization: OrganizationId,
    /// Which project's.
    pub project: ProjectId,
    /// Who asked.
    pub actor: String,
}

/// What became of some.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Told {
    /// How many stand in the trail now that did not before.
    pub stored: u32,
    /// How many stood there already.
    pub duplicates: u32,
}

/// What a project is called, and its organization.
#[derive(Clone)]
struct Names {
    organization: Option<String>,
    object: String,
}

/// Entries as columns.
#[derive(Default)]
struct Columns {
    sequence: Vec<i64>,
    entry: Vec<String>,
    hash: Vec<Vec<u8>>,
    organization: Vec<Option<String>>,
    actor: Vec<String>,
    object: Vec<String>,
    decision: Vec<Uuid>,
}

// === impl Store ===

impl Store {
    /// Tells of decisions of an edge in their order, passing over those that were told before. The text of each is made of the name of its
    /// project and its place. All or, on an error, none.
    pub async fn tell_access<F: FnOnce(&str, Stamp<'_>) -> String>(
        &self,
        edge: &str,
        all: Vec<(Access, F)>,
    ) -> Result<Told, StoreError> {
        if all.is_empty() {
            return Ok(Told::default());
        }
        let _place = self.batch_place().await?;
        let chain = format!("{CHAINS}{edge}");
        let mut tx = self.transaction().await?;
        let names = names(&mut tx, &all).await?;
        let mut last = audit::hold(&mut tx, &chain).await?;
        let mut known = known(&mut tx, &chain, &all).await?;
        let (mut columns, mut told) = (Columns::default(), Told::default());
        for (access, text) in all {
            let id = uuid(access.id);
            if !known.insert(id) {
                told.duplicates += 1;
                continue;
            }
            told.stored += 1;
            let organization = uuid(*access.organization.as_bytes());
            let whose = (organization, uuid(*access.project.as_bytes()));
            let gone = || Names::gone(&access);
            let names = names.get(&whose).map_or_else(gone, Names::clone);
            last.sequence += 1;
            let entry = text(
                &names.object,
                Stamp {
                    chain: &chain,
                    sequence: column::count(last.sequence),
                    at_ms: column::milliseconds(last.at),
                },
            );
            columns.push((access.actor, names, id), entry, &mut last);
        }
        columns.write(&mut tx, &chain, &last).await?;
        tx.commit().await?;
        Ok(told)
    }
}

/// What the projects are called that there are, by their organizations and ids.
async fn names<F>(
    connection: &mut PgConnection,
    all: &[(Access, F)],
) -> Result<HashMap<(Uuid, Uuid), Names>, StoreError> {
    let mut projects: Vec<Uuid> = all
        .iter()
        .map(|it| uuid(*it.0.project.as_bytes()))
        .collect();
    projects.sort_unstable();
    projects.dedup();
    let rows = sqlx::query!(
        r#"SELECT it.id, it.name, it.organization AS of, organization.name AS organization
           FROM project it JOIN organization ON organization.id = it.organization
           WHERE it.id = ANY($1)"#,
        &projects,
    )
    .fetch_all(connection)
    .await?;
    let names = rows.into_iter().map(|row| {
        let object = format!("organizations/{}/projects/{}", row.organization, row.name);
        let organization = Some(row.organization);
        (
            (row.of, row.id),
            Names {
                organization,
                object,
            },
        )
    });
    Ok(names.collect())
}

/// Which of them stand in the chain.
async fn known<F>(
    connection: &mut PgConnection,
    chain: &str,
    all: &[(Access, F)],
) -> Result<HashSet<Uuid>, StoreError> {
    let ids: Vec<Uuid> = all.iter().map(|it| uuid(it.0.id)).collect();
    let rows = sqlx::query_scalar!(
        r#"SELECT decision AS "decision!" FROM audit_entry WHERE chain = $1 AND decision = ANY($2)"#,
        chain,
        &ids,
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().collect())
}

// === impl Names ===

impl Names {
    /// Of a project that is gone nobody knows the name; its ids stand in the entries of when it was made.
    fn gone(access: &Access) -> Self {
        let (organization, project) = (access.organization, access.project);
        Self {
            organization: None,
            object: format!("organizations/{organization}/projects/{project}"),
        }
    }
}

// === impl Columns ===

impl Columns {
    /// One more behind the last.
    fn push(&mut self, (actor, names, id): (String, Names, Uuid), entry: String, last: &mut Held) {
        let mut hash = Sha256::new();
        hash.update(&last.hash);
        hash.update(entry.as_bytes());
        last.hash = hash.finalize().to_vec();
        self.sequence.push(last.sequence);
        self.entry.push(entry);
        self.hash.push(last.hash.clone());
        self.organization.push(names.organization);
        self.actor.push(actor);
        self.object.push(names.object);
        self.decision.push(id);
    }

    async fn write(
        &self,
        connection: &mut PgConnection,
        chain: &str,
        last: &Held,
    ) -> Result<(), StoreError> {
        sqlx::query!(
            r#"INSERT INTO audit_entry
                   (chain, sequence, entry, hash, at, organization, actor, object, decision)
               SELECT $1, it.sequence, it.entry, it.hash, $2, it.organization, it.actor, it.object, it.decision
               FROM unnest($3::bigint[], $4::text[], $5::bytea[], $6::text[], $7::text[], $8::text[], $9::uuid[])
                   AS it (sequence, entry, hash, organization, actor, object, decision)"#,
            chain,
            last.at,
            &self.sequence,
            &self.entry,
            &self.hash,
            &self.organization as &[Option<String>],
            &self.actor,
            &self.object,
            &self.decision,
        )
        .execute(&mut *connection)
        .await?;
        sqlx::query!(
            "UPDATE audit_chain SET sequence = $2, hash = $3 WHERE chain = $1",
            chain,
            last.sequence,
            last.hash,
        )
        .execute(connection)
        .await?;
        Ok(())
    }
}
