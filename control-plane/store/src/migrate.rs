//! Brings the schema up to date, and tells whether it is.
//!
//! The migrations are compiled in. A database may be ahead of a build, because the code before a migration can
//! always run against its result; it may never be behind.

use std::fmt;

use sqlx::{
    ConnectOptions, Connection, PgConnection,
    migrate::{Migrate, MigrateError, Migrator},
};

use crate::{
    error::StoreError,
    pool::{self, Config},
    store::Store,
};

const TABLE: &str = "_sqlx_migrations";

/// Why the control plane must not serve on this schema.
#[derive(Debug)]
pub enum NotMigrated {
    /// These migrations are not applied.
    Missing(Vec<i64>),
    /// This migration began and did not end.
    Unfinished(i64),
    /// This migration was another one when it was applied.
    Changed(i64),
    /// This user of the database may not take the role in which requests of operators run.
    NotMember(String),
    /// This user of the database is not the one who owns the tables, and sees no rows.
    NotOwner(String),
    /// The database could not be asked.
    Unknown(StoreError),
}

fn migrator() -> Migrator {
    let mut migrator = sqlx::migrate!("../../migrations");
    migrator.set_ignore_missing(true);
    migrator
}

// === impl Store ===

impl Store {
    /// Applies what is missing, in order. Two at once wait for each other.
    pub async fn migrate(config: &Config) -> Result<(), StoreError> {
        let mut connection = pool::options(config)?.connect().await?;
        let done = migrator().run_direct(None, &mut connection, false).await;
        // The connection is closed in either case; only the outcome of the migrations matters.
        let _ = connection.close().await;
        done.map_err(|why| match why {
            MigrateError::Execute(error) => error.into(),
            why => StoreError::Broken(why.to_string()),
        })
    }

    /// Whether this build may serve.
    pub async fn check_migrations(&self) -> Result<(), NotMigrated> {
        let mut connection = self.connection().await.map_err(NotMigrated::Unknown)?;
        let exists = sqlx::query_scalar!(
            r#"SELECT to_regclass('_sqlx_migrations') IS NOT NULL AS "exists!""#
        );
        let exists = exists.fetch_one(&mut *connection).await;
        let applied = if exists.map_err(|why| NotMigrated::Unknown(why.into()))? {
            if let Some(version) = connection.dirty_version(TABLE).await.map_err(unknown)? {
                return Err(NotMigrated::Unfinished(version));
            }
            connection
                .list_applied_migrations(TABLE)
                .await
                .map_err(unknown)?
        } else {
            Vec::new()
        };
        let mut missing = Vec::new();
        for migration in migrator().iter() {
            match applied.iter().find(|it| it.version == migration.version) {
                Some(it) if it.checksum == migration.checksum => {}
                Some(_) => return Err(NotMigrated::Changed(migration.version)),
                None => missing.push(migration.version),
            }
        }
        if !missing.is_empty() {
            return Err(NotMigrated::Missing(missing));
        }
        check_rows(&mut connection).await
    }
}

/// Whether this user sees every row, and may narrow that to those of one organization.
async fn check_rows(connection: &mut PgConnection) -> Result<(), NotMigrated> {
    let found = sqlx::query!(
        r#"SELECT current_user::text AS "user!",
                  pg_has_role(current_user, 'sluice_organization', 'MEMBER') AS "member!",
                  row_security_active('organization') AS "kept!""#
    );
    let found = found.fetch_one(connection).await;
    let found = found.map_err(|why| NotMigrated::Unknown(why.into()))?;
    match found {
        it if !it.member => Err(NotMigrated::NotMember(it.user)),
        it if it.kept => Err(NotMigrated::NotOwner(it.user)),
        _ => Ok(()),
    }
}

fn unknown(why: MigrateError) -> NotMigrated {
    NotMigrated::Unknown(match why {
        MigrateError::Execute(error) => error.into(),
        why => StoreError::Broken(why.to_string()),
    })
}

impl fmt::Display for NotMigrated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(versions) => write!(
                f,
                "{} migrations are missing, the first is {:04}: run `sluice-control-plane migrate`",
                versions.len(),
                versions.first().copied().unwrap_or_default()
            ),
            Self::Unfinished(version) => write!(
                f,
                "migration {version:04} began and did not end: repair the schema, delete its row in {TABLE} \
                 and run `sluice-control-plane migrate`"
            ),
            Self::Changed(version) => write!(
                f,
                "migration {version:04} is not the one that was applied: run the build that this database belongs to"
            ),
            Self::NotMember(user) => write!(
                f,
                "the database user {user} may not take the role sluice_organization, in which requests of operators run: \
                 have an administrator of the database grant it"
            ),
            Self::NotOwner(user) => write!(
                f,
                "the database user {user} does not own the tables and would see no rows: connect as the user who migrates"
            ),
            Self::Unknown(why) => why.fmt(f),
        }
    }
}

impl std::error::Error for NotMigrated {}
