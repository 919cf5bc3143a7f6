//! Who edges are by their certificates: the authority, invitations that are used, identities that stand.
//!
//! Holds no private key in clear. Using an invitation and writing the identity down is one transaction, so that of two
//! edges with one invitation only one enrols.

use domain::name::EdgeName;
use policy::remit::Remit;
use time::OffsetDateTime;

use crate::{
    column, conflict, error::StoreError, join_token::JoinToken, store::Store, write::Write,
};

/// The generation of the one authority.
const GENERATION: i32 = 1;

/// How long an edge that is gone keeps its name: as long as its certificate can be renewed.
const RENEWABLE: &str = "7 days";

/// The authority as it is kept.
#[derive(Clone, PartialEq, Eq)]
pub struct AuthorityRow {
    /// Its certificate, PEM.
    pub certificate: String,
    /// Its key, sealed.
    pub sealed_key: Vec<u8>,
}

/// A certificate that was issued.
#[derive(Debug, Clone)]
pub struct Issued {
    /// Which it is.
    pub serial: Vec<u8>,
    /// Until when it is good.
    pub ends_at: OffsetDateTime,
}

/// An identity to write down.
#[derive(Debug, Clone)]
pub struct New {
    /// What its certificates name.
    pub identity: String,
    /// What the edge is called.
    pub edge_id: String,
    /// The public part of its invitation.
    pub join_token: String,
    /// Its first certificate.
    pub issued: Issued,
}

/// What became of an invitation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Enrolled {
    /// The identity stands.
    Yes,
    /// The invitation was used, revoked, or is over.
    Used,
    /// Another edge is called so.
    Taken,
}

/// What became of a renewal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Renewed {
    /// It stands.
    Yes,
    /// The identity is not known or was revoked.
    Revoked,
    /// The identity stands, and the certificate is neither its last nor the one before: two edges use one identity.
    Copied,
}

/// The authority, if there is one.
pub async fn authority(store: &Store) -> Result<Option<AuthorityRow>, StoreError> {
    let row = sqlx::query!(
        "SELECT certificate, key FROM edge_authority WHERE generation = $1",
        GENERATION
    )
    .fetch_optional(&mut *store.connection().await?)
    .await?;
    Ok(row.map(|row| AuthorityRow {
        certificate: row.certificate,
        sealed_key: row.key,
    }))
}

/// Keeps an authority, unless there is one, and gives the one that stands: of several replicas the first wins.
pub async fn create_authority(
    store: &Store,
    new: &AuthorityRow,
) -> Result<AuthorityRow, StoreError> {
    sqlx::query!(
        r#"INSERT INTO edge_authority (generation, certificate, key) VALUES ($1, $2, $3)
           ON CONFLICT ON CONSTRAINT edge_authority_pkey DO NOTHING"#,
        GENERATION,
        new.certificate,
        new.sealed_key,
    )
    .execute(&mut *store.connection().await?)
    .await?;
    authority(store)
        .await?
        .ok_or_else(|| StoreError::broken("an authority that was written is not there"))
}

/// Uses an invitation up and writes the identity down.
pub async fn enrol(write: &mut Write, remit: &Remit, new: &New) -> Result<Enrolled, StoreError> {
    let used = sqlx::query!(
        r#"UPDATE join_token SET used_at = now()
           WHERE key_id = $1 AND region = $2 AND organization IS NOT DISTINCT FROM $3 AND single_use AND used_at IS NULL AND revoked_at IS NULL
             AND (expires_at IS NULL OR expires_at > now())"#,
        new.join_token,
        remit.region.as_str(),
        column::organization(remit),
    )
    .execute(write.connection())
    .await?;
    if used.rows_affected() == 0 {
        return Ok(Enrolled::Used);
    }
    // Who cannot renew any more leaves its name.
    sqlx::query!(
        r#"UPDATE edge_identity SET revoked_at = now()
           WHERE edge_id = $1 AND revoked_at IS NULL AND ends_at < now() - $2::text::interval"#,
        new.edge_id,
        RENEWABLE,
    )
    .execute(write.connection())
    .await?;
    let made = sqlx::query!(
        r#"INSERT INTO edge_identity (identity, edge_id, region, join_token, serial, ends_at, organization)
           VALUES ($1, $2, $3, $4, $5, $6, $7)
           ON CONFLICT (edge_id) WHERE revoked_at IS NULL DO NOTHING"#,
        new.identity,
        new.edge_id,
        remit.region.as_str(),
        new.join_token,
        new.issued.serial,
        new.issued.ends_at,
        column::organization(remit),
    )
    .execute(write.connection())
    .await?;
    if made.rows_affected() == 0 {
        return Ok(Enrolled::Taken);
    }
    Ok(Enrolled::Yes)
}

/// Revokes what an edge proves itself by, for ever, and rings for the replicas that hold its streams. Gives when.
pub async fn revoke(write: &mut Write, name: &EdgeName) -> Result<OffsetDateTime, StoreError> {
    let revoked = sqlx::query_scalar!(
        r#"UPDATE edge_identity SET revoked_at = now() WHERE edge_id = $1 AND revoked_at IS NULL
           RETURNING revoked_at AS "revoked_at!""#,
        name.edge.as_str(),
    )
    .fetch_optional(write.connection())
    .await?;
    sqlx::query!("SELECT pg_notify('sluice_edges', '')")
        .execute(write.connection())
        .await?;
    revoked.ok_or_else(|| conflict::missing(name))
}

// === impl Store ===

impl Store {
    /// The identities with these names, whatever became of them, as what a bearer is checked against.
    pub async fn edge_identities(
        &self,
        identities: &[String],
    ) -> Result<Vec<JoinToken>, StoreError> {
        let rows = sqlx::query!(
            r#"SELECT identity, region, organization, revoked_at IS NOT NULL AS "revoked!"
               FROM edge_identity WHERE identity = ANY ($1)"#,
            identities,
        )
        .fetch_all(&mut *self.connection().await?)
        .await?;
        let known = rows.into_iter().map(|row| {
            Ok(JoinToken {
                key_id: row.identity,
                remit: column::remit(&row.region, row.organization)?,
                secret_sha256: None,
                single_use: false,
                // Its certificate says so.
                expires_at_ms: None,
                revoked: row.revoked,
            })
        });
        known.collect()
    }

    /// Notes that an identity got another certificate, asked for with the one of this serial.
    pub async fn edge_renewed(
        &self,
        identity: &str,
        presented: &[u8],
        issued: &Issued,
    ) -> Result<Renewed, StoreError> {
        let renewed = sqlx::query!(
            r#"UPDATE edge_identity SET serial = $3, previous_serial = $2, ends_at = $4
               WHERE identity = $1 AND revoked_at IS NULL
                 AND (serial = $2 OR previous_serial = $2)"#,
            identity,
            presented,
            issued.serial,
            issued.ends_at,
        )
        .execute(&mut *self.connection().await?)
        .await?;
        if renewed.rows_affected() == 1 {
            return Ok(Renewed::Yes);
        }
        let stands = sqlx::query_scalar!(
            r#"SELECT count(*) AS "stands!" FROM edge_identity
               WHERE identity = $1 AND revoked_at IS NULL"#,
            identity,
        )
        .fetch_one(&mut *self.connection().await?)
        .await?;
        Ok(if stands == 0 {
            Renewed::Revoked
        } else {
            Renewed::Copied
        })
    }
}
