//! Where chains of the audit trail stood, signed; the keys that signed; and which edges keep it.
//!
//! Knows when a chain is due and that one replica signs at a time. Signs nothing, and checks no signature: the text that is signed
//! is its caller's.

use sqlx::PgConnection;
use time::OffsetDateTime;

use crate::{
    audit::{EXPORT_MAX, Head},
    column,
    error::StoreError,
    store::Store,
};

/// The most chains that are told to edges.
const CHAINS_MAX: i64 = 1_024; // Full: those that have been quiet for longest are not told.

/// The most keys there are.
const KEYS_MAX: i64 = 256; // Full: no other one is made, and the newest goes on.

/// A key that signs, or has signed.
#[derive(Clone)]
pub struct Key {
    /// The public key.
    pub public: Vec<u8>,
    /// The key that answers for it.
    pub by: Vec<u8>,
    /// That key's signature.
    pub endorsement: Vec<u8>,
    /// The private key, sealed.
    pub sealed: Vec<u8>,
    /// How long ago it was made, milliseconds.
    pub age_ms: u64,
}

/// A checkpoint as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Its place among all that were made.
    pub number: u64,
    /// How many entries its chain had.
    pub length: u64,
    /// The text that is signed.
    pub said: String,
    /// The key that signed.
    pub key: Vec<u8>,
    /// Its signature.
    pub signature: Vec<u8>,
}

/// A chain that is to be signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    /// Where it ends.
    pub head: Head,
    /// Now, milliseconds since 1970 by the database's clock.
    pub at_ms: u64,
    /// The hash of its checkpoint before; zeros where there is none.
    pub previous: Vec<u8>,
}

/// What was made of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Made {
    /// The text.
    pub said: String,
    /// Its SHA-256.
    pub hash: [u8; 32],
    /// The key that signed it.
    pub key: [u8; 32],
    /// Its signature.
    pub signature: [u8; 64],
}

/// That an edge keeps a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Witness {
    /// What the edge calls itself.
    pub edge: String,
    /// By what it was known.
    pub identity: String,
    /// Whether that was a certificate.
    pub certified: bool,
    /// The hash of the checkpoint's text.
    pub hash: Vec<u8>,
}

/// The same as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Witnessed {
    /// Of which chain.
    pub chain: String,
    /// How long that was.
    pub length: u64,
    /// Who keeps what.
    pub witness: Witness,
    /// Since when.
    pub at: OffsetDateTime,
}

/// A checkpoint as the database has it.
struct Columns {
    number: i64,
    length: i64,
    said: String,
    key: Vec<u8>,
    signature: Vec<u8>,
}

/// Keeps others from signing until the transaction ends. Readers go on.
async fn alone(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    sqlx::query("LOCK TABLE audit_key, audit_checkpoint IN SHARE ROW EXCLUSIVE MODE")
        .execute(connection)
        .await?;
    Ok(())
}

// === impl Store ===

impl Store {
    /// The keys, in the order in which they were made.
    pub async fn audit_keys(&self) -> Result<Vec<Key>, StoreError> {
        let rows = sqlx::query!(
            r#"SELECT public, endorsed_by, endorsement, secret,
                      (extract(epoch FROM now() - created_at) * 1000)::bigint AS "age_ms!"
               FROM audit_key ORDER BY number"#
        )
        .fetch_all(&mut *self.connection().await?)
        .await?;
        let keys = rows.into_iter().map(|row| Key {
            public: row.public,
            by: row.endorsed_by,
            endorsement: row.endorsement,
            sealed: row.secret,
            age_ms: column::count(row.age_ms),
        });
        Ok(keys.collect())
    }

    /// Adds a key behind so many; whether it was, or another replica was first.
    pub async fn add_audit_key(&self, behind: usize, key: &Key) -> Result<bool, StoreError> {
        let mut tx = self.transaction().await?;
        alone(&mut tx).await?;
        let behind = i64::try_from(behind).unwrap_or(KEYS_MAX);
        let added = sqlx::query!(
            r#"INSERT INTO audit_key (number, public, endorsed_by, endorsement, secret)
               SELECT $1::bigint + 1, $2, $3, $4, $5
               WHERE (SELECT count(*) FROM audit_key) = $1 AND $1 < $6"#,
            behind,
            key.public,
            key.by,
            key.endorsement,
            key.sealed,
            KEYS_MAX,
        )
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(added.rows_affected() == 1)
    }

    /// Has every chain signed that has grown since its last checkpoint, if that is so old. How many were.
    pub async fn sign_audit_heads(
        &self,
        older_ms: u64,
        sign: impl Fn(Due) -> Made,
    ) -> Result<u64, StoreError> {
        let mut tx = self.transaction().await?;
        alone(&mut tx).await?;
        let due = sqlx::query!(
            r#"SELECT it.chain, it.sequence, it.hash, clock_timestamp() AS "at!",
                      last.hash AS "previous?"
               FROM audit_chain it LEFT JOIN LATERAL (
                   SELECT length, hash, created_at FROM audit_checkpoint
                   WHERE chain = it.chain ORDER BY length DESC LIMIT 1
               ) last ON true
               WHERE it.sequence > coalesce(last.length, 0)
                   AND coalesce(last.created_at <= now() - make_interval(secs => $1), true)
               ORDER BY it.chain LIMIT $2"#,
            f64::from(u32::try_from(older_ms).unwrap_or(u32::MAX)) / 1_000.0,
            CHAINS_MAX,
        )
        .fetch_all(&mut *tx)
        .await?;
        let mut signed = 0;
        for row in due {
            let (chain, length) = (row.chain.clone(), row.sequence);
            let made = sign(Due {
                head: Head {
                    chain: row.chain,
                    sequence: column::count(row.sequence),
                    hash: row.hash,
                },
                at_ms: column::milliseconds(row.at),
                previous: row.previous.unwrap_or_else(|| vec![0; 32]),
            });
            sqlx::query!(
                r#"INSERT INTO audit_checkpoint (chain, length, said, hash, key, signature)
                   VALUES ($1, $2, $3, $4, $5, $6)"#,
                chain,
                length,
                made.said,
                made.hash.as_slice(),
                made.key.as_slice(),
                made.signature.as_slice(),
            )
            .execute(&mut *tx)
            .await?;
            signed += 1;
        }
        tx.commit().await?;
        Ok(signed)
    }

    /// The newest checkpoint of each chain, those that were made last first.
    pub async fn newest_audit_checkpoints(&self) -> Result<Vec<Row>, StoreError> {
        let rows = sqlx::query_as!(
            Columns,
            r#"SELECT last.number AS "number!", last.length AS "length!", last.said AS "said!", last.key AS "key!",
                      last.signature AS "signature!"
               FROM audit_chain it JOIN LATERAL (
                   SELECT number, length, said, key, signature FROM audit_checkpoint
                   WHERE chain = it.chain ORDER BY length DESC LIMIT 1
               ) last ON true
               ORDER BY last.number DESC LIMIT $1"#,
            CHAINS_MAX,
        )
        .fetch_all(&mut *self.connection().await?)
        .await?;
        Ok(rows.into_iter().map(Columns::row).collect())
    }

    /// The checkpoints of a chain that lie behind a place, up to another one, in order, at most [`EXPORT_MAX`].
    pub async fn audit_checkpoints(
        &self,
        chain: &str,
        (after, until): (u64, u64),
    ) -> Result<Vec<Row>, StoreError> {
        let rows = sqlx::query_as!(
            Columns,
            r#"SELECT number, length, said, key, signature FROM audit_checkpoint
               WHERE chain = $1 AND length > $2 AND length <= $3 ORDER BY length LIMIT $4"#,
            chain,
            column::number(after),
            column::number(until),
            i64::from(EXPORT_MAX),
        )
        .fetch_all(&mut *self.connection().await?)
        .await?;
        Ok(rows.into_iter().map(Columns::row).collect())
    }

    /// Notes that an edge keeps a checkpoint, where there is such a one and none that is newer is noted.
    pub async fn witness_audit(&self, witness: &Witness) -> Result<(), StoreError> {
        sqlx::query!(
            r#"INSERT INTO audit_witness AS it (chain, edge, length, hash, identity, certified)
               SELECT chain, $1, length, hash, $2, $3 FROM audit_checkpoint WHERE hash = $4
               ON CONFLICT (chain, edge) DO UPDATE SET
                   length = excluded.length, hash = excluded.hash,
                   identity = excluded.identity, certified = excluded.certified, at = now()
               WHERE it.length < excluded.length"#,
            witness.edge,
            witness.identity,
            witness.certified,
            witness.hash,
        )
        .execute(&mut *self.connection().await?)
        .await?;
        Ok(())
    }

    /// What edges keep, by chain and edge.
    pub async fn audit_witnesses(&self) -> Result<Vec<Witnessed>, StoreError> {
        let rows = sqlx::query!(
            r#"SELECT chain, edge, length, hash, identity, certified, at
               FROM audit_witness ORDER BY chain, edge LIMIT 10000"#
        )
        .fetch_all(&mut *self.connection().await?)
        .await?;
        let rows = rows.into_iter().map(|row| Witnessed {
            chain: row.chain,
            length: column::count(row.length),
            witness: Witness {
                edge: row.edge,
                identity: row.identity,
                certified: row.certified,
                hash: row.hash,
            },
            at: row.at,
        });
        Ok(rows.collect())
    }
}

// === impl Columns ===

impl Columns {
    fn row(self) -> Row {
        Row {
            number: column::count(self.number),
            length: column::count(self.length),
            said: self.said,
            key: self.key,
            signature: self.signature,
        }
    }
}
