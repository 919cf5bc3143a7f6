//! Every place where a sealed value rests, read and replaced alike.
//!
//! Knows where they are and whose each is; opens none. A value is replaced only where it still is the one that was read, so
//! nothing that others write meanwhile is lost. One replica is at it at a time, which saves work and nothing else.

use std::time::Duration;

use sqlx::PgPool;

pub use crate::sealed_row::Kept;
use crate::{column, error::StoreError, id::uuid, sealed_row as row, store::Store};

/// A place where sealed values rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Credentials of providers.
    Credential,
    /// Credentials of channels of alerts.
    AlertCredential,
    /// What local users' codes are computed from.
    CodeSecret,
    /// Credentials of sources of versions.
    SourceCredential,
    /// Hashes of keys' secrets.
    KeySecret,
    /// Hashes of the secrets before those.
    PreviousKeySecret,
    /// Peppers.
    Pepper,
    /// The key of the authority of edges.
    Authority,
    /// The keys that sign the audit trail.
    AuditKey,
    /// What edges are told of credentials and peppers.
    Object,
    /// The same in the change log.
    Change,
    /// Replies that are kept for a second call.
    Reply,
    /// What requests and answers said.
    Content,
}

/// How many values of a place begin alike.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Count {
    /// The word of the place.
    pub place: String,
    /// Their first bytes: what tells under which key they are.
    pub beginning: Vec<u8>,
    /// How many.
    pub values: u64,
}

/// That a replica may bring values under another key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Turn {
    holder: [u8; 16],
    fence: i64,
}

// === impl Place ===

impl Place {
    /// All of them: first what edges need.
    pub const ALL: [Self; 13] = [
        Self::Object,
        Self::Change,
        Self::Pepper,
        Self::Credential,
        Self::Authority,
        Self::AuditKey,
        Self::KeySecret,
        Self::PreviousKeySecret,
        Self::AlertCredential,
        Self::CodeSecret,
        Self::SourceCredential,
        Self::Reply,
        Self::Content,
    ];

    /// Its word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Credential => "provider credentials",
            Self::AlertCredential => "alert credentials",
            Self::CodeSecret => "code secrets",
            Self::SourceCredential => "source credentials",
            Self::KeySecret => "key hashes",
            Self::PreviousKeySecret => "previous key hashes",
            Self::Pepper => "peppers",
            Self::Authority => "edge authority",
            Self::AuditKey => "audit keys",
            Self::Object => "policy",
            Self::Change => "change log",
            Self::Reply => "replies",
            Self::Content => "content",
        }
    }

    /// Before the first row.
    pub const fn start(self) -> &'static str {
        match self {
            Self::Credential
            | Self::AlertCredential
            | Self::CodeSecret
            | Self::SourceCredential
            | Self::KeySecret
            | Self::PreviousKeySecret => "00000000-0000-0000-0000-000000000000",
            Self::Pepper | Self::Authority | Self::AuditKey | Self::Change => "0",
            Self::Object => "",
            Self::Reply => "00000000-0000-0000-0000-000000000000 ",
            Self::Content => "0001-01-01 00000000-0000-0000-0000-000000000000",
        }
    }

    async fn some(
        self,
        pool: &PgPool,
        (after, mark, max): (&str, &[u8], i64),
    ) -> Result<Vec<Kept>, sqlx::Error> {
        match self {
            Self::Credential => row::credentials(pool, after, mark, max).await,
            Self::AlertCredential => row::alert_credentials(pool, after, mark, max).await,
            Self::CodeSecret => row::code_secrets(pool, after, mark, max).await,
            Self::SourceCredential => row::source_credentials(pool, after, mark, max).await,
            Self::KeySecret => row::key_secrets(pool, after, mark, max).await,
            Self::PreviousKeySecret => row::previous_key_secrets(pool, after, mark, max).await,
            Self::Pepper => row::peppers(pool, after, mark, max).await,
            Self::Authority => row::authorities(pool, after, mark, max).await,
            Self::AuditKey => row::audit_keys(pool, after, mark, max).await,
            Self::Object => row::objects(pool, after, mark, max).await,
            Self::Change => row::changes(pool, after, mark, max).await,
            Self::Reply => row::replies(pool, after, mark, max).await,
            Self::Content => row::contents(pool, after, mark, max).await,
        }
    }

    async fn replace(self, pool: &PgPool, kept: &Kept, new: &[u8]) -> Result<u64, sqlx::Error> {
        let (at, old) = (kept.row.as_str(), kept.sealed.as_slice());
        match self {
            Self::Credential => row::set_credential(pool, at, old, new).await,
            Self::AlertCredential => row::set_alert_credential(pool, at, old, new).await,
            Self::CodeSecret => row::set_code_secret(pool, at, old, new).await,
            Self::SourceCredential => row::set_source_credential(pool, at, old, new).await,
            Self::KeySecret => row::set_key_secret(pool, at, old, new).await,
            Self::PreviousKeySecret => row::set_previous_key_secret(pool, at, old, new).await,
            Self::Pepper => row::set_pepper(pool, at, old, new).await,
            Self::Authority => row::set_authority(pool, at, old, new).await,
            Self::AuditKey => row::set_audit_key(pool, at, old, new).await,
            Self::Object => row::set_object(pool, at, old, new).await,
            Self::Change => row::set_change(pool, at, old, new).await,
            Self::Reply => row::set_reply(pool, at, old, new).await,
            Self::Content => row::set_content(pool, at, old, new).await,
        }
    }
}

// === impl Store ===

impl Store {
    /// The next values of a place behind a row that do not begin with this mark, in the order of their rows, at most `max`.
    pub async fn sealed_behind(
        &self,
        place: Place,
        (after, mark, max): (&str, &[u8], u16),
    ) -> Result<Vec<Kept>, StoreError> {
        let some = place.some(self.pool(), (after, mark, i64::from(max)));
        Ok(some.await?)
    }

    /// Replaces a value, unless it is another one by now; whether it did.
    pub async fn replace_sealed(
        &self,
        place: Place,
        kept: &Kept,
        new: &[u8],
    ) -> Result<bool, StoreError> {
        Ok(place.replace(self.pool(), kept, new).await? == 1)
    }

    /// How many values rest where, by their first nine bytes: a version and the id of a key. Of what names no key these bytes
    /// are no id, and only the version is told.
    pub async fn sealed_counts(&self) -> Result<Vec<Count>, StoreError> {
        let mut tx = self.transaction().await?;
        // The beginnings of a million values take longer to read than an ordinary statement may.
        sqlx::query("SET LOCAL statement_timeout = '120s'")
            .execute(&mut *tx)
            .await?;
        let rows = sqlx::query!(
            r#"WITH value (place, sealed) AS (
                   SELECT 'provider credentials', credential FROM provider
                   UNION ALL SELECT 'alert credentials', credential_sealed FROM alert_channel
                   UNION ALL SELECT 'code secrets', code_secret FROM local_user
                   UNION ALL SELECT 'source credentials', credential_sealed FROM version_source
                   UNION ALL SELECT 'key hashes', secret_sha256 FROM key
                   UNION ALL SELECT 'previous key hashes', previous_secret_sha256 FROM key
                   UNION ALL SELECT 'peppers', secret FROM pepper
                   UNION ALL SELECT 'edge authority', key FROM edge_authority
                   UNION ALL SELECT 'audit keys', secret FROM audit_key
                   UNION ALL SELECT 'policy', value FROM object WHERE kind IN (8, 9)
                   UNION ALL SELECT 'change log', value FROM change WHERE lane = 3
                   UNION ALL SELECT 'replies', reply FROM idempotency
                   UNION ALL SELECT 'content', sealed FROM usage_content
               ), begun (place, beginning) AS (
                   SELECT place, CASE WHEN substring(sealed FROM 1 FOR 1) = '\x02'
                                      THEN substring(sealed FROM 1 FOR 9)
                                      ELSE substring(sealed FROM 1 FOR 1) END
                   FROM value WHERE sealed IS NOT NULL AND sealed <> ''
               )
               SELECT place AS "place!", beginning AS "beginning!", count(*) AS "values!"
               FROM begun GROUP BY 1, 2 ORDER BY 1, 2"#,
        )
        .fetch_all(&mut *tx)
        .await?;
        tx.commit().await?;
        let counts = rows.into_iter().map(|row| Count {
            place: row.place,
            beginning: row.beginning,
            values: column::count(row.values),
        });
        Ok(counts.collect())
    }

    /// Takes or keeps the turn for `life`; `None` while another replica has it.
    pub async fn take_sealing_turn(
        &self,
        holder: [u8; 16],
        life: Duration,
    ) -> Result<Option<Turn>, StoreError> {
        let fence = sqlx::query_scalar!(
            r#"INSERT INTO sealing_turn AS it (holder, held_until)
               VALUES ($1, now() + make_interval(secs => $2))
               ON CONFLICT (one) DO UPDATE SET
                   holder = excluded.holder, held_until = excluded.held_until,
                   fence = it.fence + CASE WHEN it.holder = excluded.holder THEN 0 ELSE 1 END
               WHERE it.holder = excluded.holder OR it.held_until < now()
               RETURNING fence"#,
            uuid(holder),
            life.as_secs_f64(),
        )
        .fetch_optional(&mut *self.connection().await?)
        .await?;
        Ok(fence.map(|fence| Turn { holder, fence }))
    }

    /// Gives the turn back.
    pub async fn leave_sealing_turn(&self, turn: Turn) -> Result<(), StoreError> {
        sqlx::query!(
            "UPDATE sealing_turn SET held_until = now() WHERE holder = $1 AND fence = $2",
            uuid(turn.holder),
            turn.fence,
        )
        .execute(&mut *self.connection().await?)
        .await?;
        Ok(())
    }
}
