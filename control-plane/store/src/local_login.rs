//! Local users at the door: what they are compared with, how often somebody was wrong, and what becomes of them once they are in.
//!
//! Compares nothing itself but a hash with a hash. A try is counted before it is judged, so that a hundred at once are a hundred; and a
//! name that nobody has is counted like any other, so that a pause tells nothing of who there is.

use std::time::Duration;

use domain::{name::LocalUserName, segment::Slug};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    column,
    error::StoreError,
    given_key::{self, By, Giver},
    id::uuid,
    local_user, operator_key,
    store::Store,
    write::Write,
};

/// How many tries in a row need no pause.
const FREE_TRIES: i32 = 5;

/// The longest pause after a try, in seconds. It begins at one second, and each further try doubles it.
const PAUSE_MAX_S: i32 = 900;

/// How long tries are remembered after the last one, in seconds.
const REMEMBERED_S: i32 = 3_600;

/// The most forgotten names that go with one try.
// Full: the next one takes more. Who tries is paced by address and every try costs a hash, so what is remembered in an hour is bounded.
const SWEPT_MAX: i64 = 100;

/// What somebody is compared with.
#[derive(Clone)]
pub struct Known {
    /// Their id.
    pub id: [u8; 16],
    /// What is kept of their password; `None` until they chose one.
    pub password: Option<String>,
    /// What their codes are computed from, sealed for this id.
    pub code_secret: Vec<u8>,
    /// The step of the code that was taken last.
    pub code_step: u64,
    /// SHA-256 of the secret of an activation code that is taken now.
    pub activation_sha256: Option<[u8; 32]>,
    /// Whether they are let in no more.
    pub disabled: bool,
}

/// That somebody showed both at once: what was compared, and the step of their code.
#[derive(Clone, Copy)]
pub struct Shown<'a> {
    /// Their id.
    pub id: [u8; 16],
    /// What is kept of the password that they said.
    pub password: &'a str,
    /// The step of the code that they said.
    pub step: u64,
}

/// What somebody with an activation code chose.
#[derive(Clone, Copy)]
pub struct Chosen<'a> {
    /// Their id.
    pub id: [u8; 16],
    /// SHA-256 of the secret of their activation code.
    pub activation_sha256: [u8; 32],
    /// What is kept of their password.
    pub password: &'a str,
    /// The step of the code that they said.
    pub step: u64,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entered {
    /// The key that they were given.
    Key(Box<operator_key::Row>),
    /// What they showed does not hold any more.
    Late,
    /// As many keys of theirs work as may.
    Full,
}

/// Counts a try under the hash of a name, or says how long is to be waited before one.
pub async fn try_once(store: &Store, name: &[u8; 32]) -> Result<Result<(), Duration>, StoreError> {
    let mut tx = store.transaction().await?;
    sqlx::query!(
        r#"DELETE FROM local_login WHERE name_sha256 IN (
               SELECT name_sha256 FROM local_login WHERE tried_at < now() - make_interval(secs => $1)
               ORDER BY tried_at LIMIT $2 FOR UPDATE SKIP LOCKED)"#,
        f64::from(REMEMBERED_S),
        SWEPT_MAX,
    )
    .execute(&mut *tx)
    .await?;
    // By a clock that goes on: another try may have been judged while this one waited for the row.
    // The pause that a row asks for: none before the last free try, then 1, 2, 4 … seconds.
    let row = sqlx::query!(
        r#"INSERT INTO local_login AS it (name_sha256, tries, tried_at) VALUES ($1, 0, clock_timestamp())
           ON CONFLICT ON CONSTRAINT local_login_pkey DO UPDATE SET name_sha256 = excluded.name_sha256
           RETURNING it.tries,
               (extract(epoch FROM it.tried_at - clock_timestamp())
                + CASE WHEN it.tries < $2 THEN 0
                       ELSE least($3, power(2, least(it.tries - $2, 20))) END)::float8 AS "wait!""#,
        name.as_slice(),
        FREE_TRIES,
        f64::from(PAUSE_MAX_S),
    )
    .fetch_one(&mut *tx)
    .await?;
    if row.tries >= FREE_TRIES && row.wait > 0.0 {
        return Ok(Err(Duration::from_secs_f64(
            row.wait.min(f64::from(PAUSE_MAX_S)),
        )));
    }
    sqlx::query!(
        r#"UPDATE local_login SET tries = least(tries, 1000) + 1, tried_at = clock_timestamp() WHERE name_sha256 = $1"#,
        name.as_slice(),
    )
    .execute(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(Ok(()))
}

/// What somebody of this name is compared with; `None` where there is nobody.
pub async fn known(store: &Store, name: &LocalUserName) -> Result<Option<Known>, StoreError> {
    let row = sqlx::query!(
        r#"SELECT it.id, it.password, it.code_secret, it.code_step, it.disabled,
                  CASE WHEN it.activation_ends_at > now() THEN it.activation_sha256 END AS activation_sha256
           FROM local_user it LEFT JOIN organization ON organization.id = it.organization
           WHERE it.name = $1 AND organization.name IS NOT DISTINCT FROM $2"#,
        name.local_user.as_str(),
        name.organization.as_ref().map(Slug::as_str),
    )
    .fetch_optional(&mut *store.connection().await?)
    .await?;
    let Some(row) = row else {
        return Ok(None);
    };
    let hash = row.activation_sha256.map(<[u8; 32]>::try_from).transpose();
    Ok(Some(Known {
        id: row.id.into_bytes(),
        password: row.password,
        code_secret: row.code_secret,
        code_step: column::count(row.code_step),
        activation_sha256: column::read(hash, "local_user.activation_sha256")?,
        disabled: row.disabled,
    }))
}

/// Takes an activation code, once, with what was chosen; whether it was there to be taken.
pub async fn activate(write: &mut Write, chosen: Chosen<'_>) -> Result<bool, StoreError> {
    let activated = sqlx::query!(
        r#"UPDATE local_user SET activation_sha256 = NULL, activation_ends_at = NULL, password = $3,
               password_changed_at = now(), code_step = $4
           WHERE id = $1 AND activation_sha256 = $2 AND activation_ends_at > now() AND NOT disabled"#,
        uuid(chosen.id),
        chosen.activation_sha256.as_slice(),
        chosen.password,
        column::number(chosen.step),
    )
    .execute(write.connection())
    .await?;
    Ok(activated.rows_affected() == 1)
}

/// Takes the code of somebody who showed both, and gives them a key, made by `new` of what stands. Whatever else comes of it than a key
/// must be rolled back.
pub async fn enter(
    write: &mut Write,
    name: &LocalUserName,
    shown: Shown<'_>,
    new: impl FnOnce(&local_user::Row) -> Result<given_key::New, StoreError>,
) -> Result<Entered, StoreError> {
    if !take_code(write.connection(), shown).await? {
        return Ok(Entered::Late);
    }
    let row = local_user::read(write.connection(), name).await?;
    let by = By {
        organization: name.organization.clone(),
        name: name.to_string(),
        id: Giver::LocalUser(uuid(row.id)),
    };
    let new = new(&row)?;
    let given = given_key::give(write, by, new).await?;
    Ok(given.map_or(Entered::Full, |row| Entered::Key(Box::new(row))))
}

/// Takes the code of somebody who showed both, keeps another password of theirs, and revokes what they were given. Says how much of that
/// still worked; `None` where what they showed does not hold any more.
pub async fn change_password(
    write: &mut Write,
    shown: Shown<'_>,
    password: &str,
) -> Result<Option<u64>, StoreError> {
    if !take_code(write.connection(), shown).await? {
        return Ok(None);
    }
    sqlx::query!(
        "UPDATE local_user SET password = $2, password_changed_at = now() WHERE id = $1",
        uuid(shown.id),
        password,
    )
    .execute(write.connection())
    .await?;
    let giver: Uuid = uuid(shown.id);
    given_key::revoke(write, Giver::LocalUser(giver))
        .await
        .map(Some)
}

/// Forgets tries under the hash of a name, as somebody was right.
pub async fn forgive(write: &mut Write, name: &[u8; 32]) -> Result<(), StoreError> {
    sqlx::query!(
        "DELETE FROM local_login WHERE name_sha256 = $1",
        name.as_slice()
    )
    .execute(write.connection())
    .await?;
    Ok(())
}

async fn take_code(connection: &mut PgConnection, shown: Shown<'_>) -> Result<bool, StoreError> {
    let taken = sqlx::query!(
        r#"UPDATE local_user SET code_step = $2, logged_in_at = now()
           WHERE id = $1 AND code_step < $2 AND password = $3 AND NOT disabled"#,
        uuid(shown.id),
        column::number(shown.step),
        shown.password,
    )
    .execute(connection)
    .await?;
    Ok(taken.rows_affected() == 1)
}
