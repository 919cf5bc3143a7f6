//! The audit trail: entries in chains, each hashed over the one before it.
//!
//! Knows how entries hang together and nothing of what they say, beside what they are found by. An entry is written in the
//! transaction of what it tells, or that never happened.

use domain::{name::OrganizationName, page::Page};
use sqlx::PgConnection;
use time::OffsetDateTime;

use crate::{
    column,
    error::StoreError,
    list::{self, Listed},
    store::Store,
    write::Numbered,
};

/// The chain of what was changed.
pub const CHANGES: &str = "changes";

/// The most entries of one page of an export.
pub const EXPORT_MAX: u32 = 1_000; // Full: the rest is on the next page.

/// What an entry is found by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct About {
    /// The last segment of the organization's name; `None` for what stands above all.
    pub organization: Option<String>,
    /// Who.
    pub actor: String,
    /// The resource name of what it is about; may be empty.
    pub object: String,
}

/// What only the chain can say of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp<'a> {
    /// Its chain.
    pub chain: &'a str,
    /// Its place there, from 1.
    pub sequence: u64,
    /// When, milliseconds since 1970 by the database's clock.
    pub at_ms: u64,
}

/// An entry as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Its chain.
    pub chain: String,
    /// Its place there, from 1.
    pub sequence: u64,
    /// Its text.
    pub entry: String,
    /// The hash over the one before it, and this text.
    pub hash: Vec<u8>,
}

/// Where a chain ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// The chain.
    pub chain: String,
    /// The place of its newest entry.
    pub sequence: u64,
    /// The hash of that.
    pub hash: Vec<u8>,
}

/// Which entries are wanted; what is `None` or empty holds nothing back.
#[derive(Debug, Clone)]
pub struct Filter {
    /// Whose; `None` means: everybody's, and what stands above all.
    pub organization: Option<OrganizationName>,
    /// By whom.
    pub actor: String,
    /// About what, and what stands in it.
    pub object: String,
    /// From when.
    pub since: OffsetDateTime,
    /// Until before when.
    pub until: OffsetDateTime,
}

/// Where a chain ends that nobody else appends to.
pub(crate) struct Held {
    pub(crate) sequence: i64,
    pub(crate) hash: Vec<u8>,
    /// Now.
    pub(crate) at: OffsetDateTime,
}

/// Holds a chain until the transaction ends.
pub(crate) async fn hold(connection: &mut PgConnection, chain: &str) -> Result<Held, StoreError> {
    let zero = [0_u8; 32];
    let held = sqlx::query_as!(
        Held,
        r#"INSERT INTO audit_chain (chain, sequence, hash) VALUES ($1, 0, $2)
           ON CONFLICT ON CONSTRAINT audit_chain_pkey DO UPDATE SET chain = EXCLUDED.chain
           RETURNING sequence, hash, clock_timestamp() AS "at!""#,
        chain,
        zero.as_slice(),
    )
    .fetch_one(connection)
    .await?;
    Ok(held)
}

/// Appends an entry; the chain is held until the transaction ends.
async fn append(
    connection: &mut PgConnection,
    chain: &str,
    about: &About,
    text: impl FnOnce(Stamp<'_>) -> String,
) -> Result<(), StoreError> {
    let last = hold(connection, chain).await?;
    let sequence = last.sequence + 1;
    let entry = text(Stamp {
        chain,
        sequence: column::count(sequence),
        at_ms: column::milliseconds(last.at),
    });
    sqlx::query!(
        r#"WITH next AS (
               INSERT INTO audit_entry
                   (chain, sequence, entry, hash, at, organization, actor, object)
               VALUES ($1, $2, $3, sha256($4 || convert_to($3, 'UTF8')), $5, $6, $7, $8)
               RETURNING hash
           )
           UPDATE audit_chain SET sequence = $2, hash = next.hash FROM next WHERE chain = $1"#,
        chain,
        sequence,
        entry,
        last.hash,
        last.at,
        about.organization,
        about.actor,
        about.object,
    )
    .execute(connection)
    .await?;
    Ok(())
}

// === impl Numbered ===

impl Numbered {
    /// Tells of this write, as its last act before the commit.
    pub async fn audit(
        &mut self,
        about: &About,
        text: impl FnOnce(Stamp<'_>) -> String,
    ) -> Result<(), StoreError> {
        append(self.connection(), CHANGES, about, text).await
    }
}

// === impl Store ===

impl Store {
    /// Tells of several things that changed nothing, in a chain of their own.
    pub async fn audit<F: FnOnce(Stamp<'_>) -> String>(
        &self,
        chain: &str,
        entries: impl IntoIterator<Item = (About, F)>,
    ) -> Result<(), StoreError> {
        let mut tx = self.transaction().await?;
        for (about, text) in entries {
            append(&mut tx, chain, &about, text).await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// Where each chain ends.
    pub async fn audit_heads(&self) -> Result<Vec<Head>, StoreError> {
        let rows = sqlx::query!("SELECT chain, sequence, hash FROM audit_chain ORDER BY chain")
            .fetch_all(&mut *self.connection().await?)
            .await?;
        let heads = rows.into_iter().map(|row| Head {
            chain: row.chain,
            sequence: column::count(row.sequence),
            hash: row.hash,
        });
        Ok(heads.collect())
    }

    /// The entries of a chain after a place in it, in order, at most [`EXPORT_MAX`].
    pub async fn audit_after(&self, chain: &str, sequence: u64) -> Result<Vec<Row>, StoreError> {
        let rows = sqlx::query!(
            r#"SELECT sequence, entry, hash FROM audit_entry
               WHERE chain = $1 AND sequence > $2 ORDER BY sequence LIMIT $3"#,
            chain,
            column::number(sequence),
            i64::from(EXPORT_MAX),
        )
        .fetch_all(&mut *self.connection().await?)
        .await?;
        let rows = rows.into_iter().map(|row| Row {
            chain: chain.to_owned(),
            sequence: column::count(row.sequence),
            entry: row.entry,
            hash: row.hash,
        });
        Ok(rows.collect())
    }

    /// A page of the entries that are wanted, in the order of time.
    pub async fn audit_list(
        &self,
        filter: &Filter,
        page: &Page,
    ) -> Result<Listed<Row>, StoreError> {
        let organization = filter.organization.as_ref();
        let rows = sqlx::query!(
            r#"SELECT chain, sequence, entry, hash,
                      to_char(at AT TIME ZONE 'UTC', 'YYYYMMDDHH24MISSUS') || ' ' || chain || ' '
                          || lpad(sequence::text, 19, '0') AS "place!"
               FROM audit_entry
               WHERE ($1::text IS NULL OR organization = $1) AND ($2 = '' OR actor = $2)
                   AND ($3 = '' OR object = $3 OR starts_with(object, $3 || '/'))
                   AND at >= $4 AND at < $5
                   AND to_char(at AT TIME ZONE 'UTC', 'YYYYMMDDHH24MISSUS') || ' ' || chain || ' '
                       || lpad(sequence::text, 19, '0') > $6
               ORDER BY at, chain, sequence LIMIT $7"#,
            organization.map(|it| it.organization.as_str()),
            filter.actor,
            filter.object,
            filter.since,
            filter.until,
            page.after,
            list::rows_wanted(page),
        )
        .fetch_all(&mut *self.connection().await?)
        .await?;
        let rows = rows.into_iter().map(|row| {
            let entry = Row {
                chain: row.chain,
                sequence: column::count(row.sequence),
                entry: row.entry,
                hash: row.hash,
            };
            (row.place, entry)
        });
        let listed = list::cut(rows.collect(), page, |row: &(String, Row)| row.0.as_str());
        Ok(Listed {
            rows: listed.rows.into_iter().map(|(_, row)| row).collect(),
            next_page_token: listed.next_page_token,
        })
    }
}
