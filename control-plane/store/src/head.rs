//! Where the history of policy stands now.

use policy::revision::{Epoch, Revision};

use crate::{column, error::StoreError, store::Store};

/// The newest revision, and the history that it belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// Which history: the epoch in the database and the timeline of its log, because a standby that takes over
    /// may lack the last commits.
    pub epoch: Epoch,
    /// The newest revision.
    pub revision: Revision,
}

// === impl Store ===

impl Store {
    /// Reads the head.
    pub async fn head(&self) -> Result<Head, StoreError> {
        read(&mut *self.connection().await?).await
    }
}

/// Reads the head within whatever the connection is in.
pub(crate) async fn read(connection: &mut sqlx::PgConnection) -> Result<Head, StoreError> {
    let row = sqlx::query!(
        r#"SELECT epoch, revision, pg_walfile_name(pg_current_wal_lsn()) AS "log_file!" FROM head"#
    )
    .fetch_one(connection)
    .await?;
    let timeline = row
        .log_file
        .get(..8)
        .and_then(|digits| u32::from_str_radix(digits, 16).ok());
    let timeline = column::known(timeline, "the name of the log file")?;
    let mut epoch = row.epoch.into_bytes().to_vec();
    epoch.extend(timeline.to_be_bytes());
    let epoch = column::known(Epoch::new(epoch), "head.epoch")?;
    Ok(Head {
        epoch,
        revision: column::revision(row.revision),
    })
}
