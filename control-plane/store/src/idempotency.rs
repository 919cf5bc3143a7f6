//! The same call twice: one write, one reply.
//!
//! The row of a request id is made in the transaction of its write, so it stands exactly when the write does,
//! and a second call with the same id waits for the first to end.

use crate::{
    error::StoreError,
    id::uuid,
    write::{Numbered, Write},
};

/// How many rows past their time one call takes away, so that no call pays for all.
const SWEEP_ROWS_MAX: i64 = 100;

/// Whether a call was made before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Once {
    /// It was not. [`Numbered::remember`] its reply.
    First,
    /// It was, and this is its reply, as it was remembered.
    Replay(Vec<u8>),
    /// The id was used for another call.
    Mismatch,
}

// === impl Write ===

impl Write {
    /// Asks whether this actor made this call in the last 24 hours. `digest` is the SHA-256 of the request.
    /// Waits while another call with the same id is under way.
    pub async fn once(
        &mut self,
        request_id: [u8; 16],
        method: &str,
        digest: &[u8; 32],
    ) -> Result<Once, StoreError> {
        self.sweep(request_id).await?;
        let actor = self.actor().to_owned();
        let made = sqlx::query!(
            r#"INSERT INTO idempotency (actor, request_id, method, digest, reply)
               VALUES ($1, $2, $3, $4, '') ON CONFLICT ON CONSTRAINT idempotency_pkey DO NOTHING"#,
            actor,
            uuid(request_id),
            method,
            digest.as_slice(),
        )
        .execute(self.connection())
        .await?;
        if made.rows_affected() == 1 {
            self.set_request_id(request_id);
            return Ok(Once::First);
        }
        let stands = sqlx::query!(
            "SELECT method, digest, reply FROM idempotency WHERE actor = $1 AND request_id = $2",
            actor,
            uuid(request_id),
        )
        .fetch_optional(self.connection())
        .await?;
        match stands {
            Some(row) if row.method == method && row.digest == digest => {
                Ok(Once::Replay(row.reply))
            }
            Some(_) => Ok(Once::Mismatch),
            // It went past its time between the two statements.
            None => Err(StoreError::Unavailable(
                "the request id is just being forgotten".to_owned(),
            )),
        }
    }

    /// Takes away what is past its time: the row of this id, and some of the others.
    async fn sweep(&mut self, request_id: [u8; 16]) -> Result<(), StoreError> {
        let actor = self.actor().to_owned();
        sqlx::query!(
            r#"DELETE FROM idempotency
               WHERE actor = $1 AND request_id = $2 AND at < now() - interval '24 hours'"#,
            actor,
            uuid(request_id),
        )
        .execute(self.connection())
        .await?;
        sqlx::query!(
            r#"DELETE FROM idempotency WHERE (actor, request_id) IN (
                   SELECT actor, request_id FROM idempotency
                   WHERE at < now() - interval '24 hours' LIMIT $1 FOR UPDATE SKIP LOCKED
               )"#,
            SWEEP_ROWS_MAX,
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }
}

// === impl Numbered ===

impl Numbered {
    /// Keeps the reply for the next call with the same id. Seal it: it may hold the text of a key. Does nothing
    /// when [`Write::once`] was not asked.
    pub async fn remember(&mut self, sealed_reply: &[u8]) -> Result<(), StoreError> {
        let Some(request_id) = self.request_id() else {
            return Ok(());
        };
        let actor = self.actor().to_owned();
        sqlx::query!(
            "UPDATE idempotency SET reply = $3 WHERE actor = $1 AND request_id = $2",
            actor,
            uuid(request_id),
            sealed_reply,
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }
}
