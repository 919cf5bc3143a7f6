//! How far a request reaches: the second line behind the question whether its actor may.
//!
//! Owns the way into the role that sees the rows of one organization, and the connections on which it is had. What runs
//! for a request is found by the task it runs in, so no method can forget to pass its reach on; a store of requests does
//! nothing where there is none. Knows no noun and no permission: which organization it is, is said by who asked.

use std::{
    future::Future,
    ops::{Deref, DerefMut},
};

use domain::name::OrganizationName;
use sqlx::{PgConnection, Postgres, Transaction, pool::PoolConnection};

use crate::error::StoreError;

tokio::task_local! {
    static REACH: Reach;
}

/// What a request may touch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reach {
    /// Everything: it is asked of no organization.
    Everywhere,
    /// The rows of one organization. One that is not there has none.
    Organization(OrganizationName),
}

/// A connection, as far as it may reach.
pub(crate) enum Connection {
    /// Everywhere.
    Whole(PoolConnection<Postgres>),
    /// In one organization: a transaction that only reads, and ends when it is dropped. A write on it fails, and is not lost.
    Within(Transaction<'static, Postgres>),
}

// === impl Reach ===

impl Reach {
    /// Does this work within this reach. What it spawns has none.
    pub async fn hold<F: Future>(self, work: F) -> F::Output {
        REACH.scope(self, work).await
    }

    /// That of the request for which this task runs. Fails outside of one: nothing is open by having been forgotten.
    pub fn of_request() -> Result<Self, StoreError> {
        REACH
            .try_with(Clone::clone)
            .map_err(|_| StoreError::broken("a request came to the database without its reach"))
    }
}

/// Keeps the rest of this transaction to the rows of an organization.
pub(crate) async fn narrow(
    connection: &mut PgConnection,
    organization: &OrganizationName,
) -> Result<(), StoreError> {
    // In this order: the role that is taken last may not read an organization before it is said which.
    sqlx::query!(
        r#"SELECT set_config('sluice.organization',
                      coalesce((SELECT id::text FROM organization WHERE name = $1), ''), true) AS id,
                  set_config('sluice.organization_name', $1, true) AS name,
                  set_config('role', 'sluice_organization', true) AS role"#,
        organization.organization.as_str(),
    )
    .fetch_one(connection)
    .await?;
    Ok(())
}

/// Leaves the role: what is left of this transaction writes logs that are everybody's, of what the nouns said, and reads no noun.
pub(crate) async fn widen(connection: &mut PgConnection) -> Result<(), StoreError> {
    sqlx::query!("SELECT set_config('role', 'none', true) AS role")
        .fetch_one(connection)
        .await?;
    Ok(())
}

// === impl Connection ===

impl Deref for Connection {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        match self {
            Self::Whole(connection) => connection,
            Self::Within(transaction) => transaction,
        }
    }
}

impl DerefMut for Connection {
    fn deref_mut(&mut self) -> &mut PgConnection {
        match self {
            Self::Whole(connection) => connection,
            Self::Within(transaction) => transaction,
        }
    }
}
