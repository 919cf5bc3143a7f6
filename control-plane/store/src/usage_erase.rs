//! Forgets an end user: what was said is deleted, and the name goes from records and sums. What was used stays counted.
//!
//! Sums that told the name become part of those of end users that are not told apart, so that all of them together stay equal to the
//! records. Nothing folds sums meanwhile.

use domain::name::OrganizationName;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    error::StoreError,
    named, usage_label,
    usage_region::{Regions, user_facet},
    write::Write,
};

/// What records tell in the place of a name that was forgotten.
pub const ERASED: &str = "(erased)";

/// The most contents and the most records of one call.
pub const ROWS_MAX: i64 = 20_000; // Full: the others go with the next call, and the answer says that there are some.

/// What was forgotten.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Erased {
    /// Contents that were deleted.
    pub contents: u64,
    /// Records that no longer tell the name.
    pub records: u64,
    /// Sums that no longer tell it.
    pub sums: u64,
    /// Whether there may be more.
    pub more: bool,
}

/// Forgets this end user of an organization.
pub async fn erase(
    write: &mut Write,
    parent: &OrganizationName,
    end_user: &str,
) -> Result<Erased, StoreError> {
    let connection = write.connection();
    let organization = named::organization(connection, parent).await?;
    let contents = sqlx::query!(
        r#"UPDATE usage_content SET sealed = NULL, end_user = '' WHERE (until, id) IN (
               SELECT until, id FROM usage_content
               WHERE organization = $1 AND end_user = $2 AND end_user <> '' LIMIT $3)"#,
        organization,
        end_user,
        ROWS_MAX,
    )
    .execute(&mut *connection)
    .await?
    .rows_affected();
    let records = sqlx::query!(
        r#"UPDATE usage_record SET end_user = $4 WHERE (day, id) IN (
               SELECT day, id FROM usage_record
               WHERE organization = $1 AND end_user = $2 LIMIT $3)"#,
        organization,
        end_user,
        ROWS_MAX,
        ERASED,
    )
    .execute(&mut *connection)
    .await?
    .rows_affected();
    let most = ROWS_MAX.unsigned_abs();
    Ok(Erased {
        contents,
        records,
        sums: forget_sums(connection, organization, end_user).await?,
        more: contents >= most || records >= most,
    })
}

/// The sums of the end user go, and what they were comes again as if it were new, without the name.
async fn forget_sums(
    connection: &mut PgConnection,
    organization: Uuid,
    end_user: &str,
) -> Result<u64, StoreError> {
    // As whoever folds takes it: sums and what is not folded into them are not to move meanwhile.
    sqlx::query!("SELECT pg_advisory_xact_lock(hashtext('usage_sum'), 0)")
        .execute(&mut *connection)
        .await?;
    let regions = Regions::known(&mut *connection).await?;
    let mut facets: Vec<String> = regions.others.iter().map(|it| user_facet(it)).collect();
    facets.push(usage_label::USER.to_owned());
    let unfolded = sqlx::query!(
        r#"UPDATE usage_delta SET label = NULL
           WHERE organization = $1 AND facet = ANY($3) AND label = $2"#,
        organization,
        end_user,
        &facets,
    )
    .execute(&mut *connection)
    .await?
    .rows_affected();
    // Grain 1 is a quarter of an hour, of which the others are made.
    let folded = sqlx::query!(
        r#"WITH gone AS (
               DELETE FROM usage_sum
               WHERE organization = $1 AND facet = ANY($3) AND label = $2 RETURNING *
           )
           INSERT INTO usage_delta (
               organization, facet, start, label, project, key_id, model, model_version, provider,
               status, requests, estimated, unpriced, cost_nano, input, cached_input, cache_write,
               cache_write_hour, audio_input, output, reasoning, audio_output, images, served, units,
               duration, first_byte, overhead)
           SELECT organization, facet, start, NULL, project, key_id, model, model_version, provider,
               status, requests, estimated, unpriced, cost_nano, input, cached_input, cache_write,
               cache_write_hour, audio_input, output, reasoning, audio_output, images, served, units,
               duration, first_byte, overhead
           FROM gone WHERE grain = 1"#,
        organization,
        end_user,
        &facets,
    )
    .execute(&mut *connection)
    .await?
    .rows_affected();
    sqlx::query!(
        r#"DELETE FROM usage_label WHERE organization = $1 AND facet = $3 AND label = $2"#,
        organization,
        end_user,
        usage_label::USER,
    )
    .execute(&mut *connection)
    .await?;
    Ok(unfolded + folded)
}
