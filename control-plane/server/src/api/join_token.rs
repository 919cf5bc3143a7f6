//! Join tokens between the wire and the store. Their methods stand in `edge`.
//!
//! The text of a token passes once, from the mint into the reply that makes it; the store gets its hash.

use domain::{
    key,
    segment::{InvalidSegment, KeyId},
    text,
    violation::Violations,
};
use keys::Minted;
use policy::region::Region;
use proto::admin;
use store::join_token::{New, Row};
use time::OffsetDateTime;

use crate::api::{desk, moment};

/// A join token as an operator wants it, checked.
#[derive(Debug)]
pub(crate) struct Wanted {
    region: Region,
    display_name: String,
    expires_at: Option<OffsetDateTime>,
}

const EXPIRE_TIME: &str = "join_token.expire_time";

/// Reads a request for a new join token, at `now_ms`.
pub(crate) fn wanted(
    asked: admin::CreateJoinTokenRequest,
    now_ms: u64,
) -> Result<Wanted, Violations> {
    let given = desk::required(asked.join_token, "join_token")?;
    let mut violations = Violations::new();
    let region = violations.take("join_token.region", Region::try_from(given.region.as_str()));
    let display_name = text::display_name(&given.display_name);
    let display_name = violations.take("join_token.display_name", display_name);
    let expires_ms = given.expire_time.as_ref().map(moment::millis);
    let expires_ms = expires_ms.and_then(|read| violations.take(EXPIRE_TIME, read));
    if let Some(at_ms) = expires_ms {
        violations.take(EXPIRE_TIME, key::expire(at_ms, now_ms));
    }
    let (Some(region), Some(display_name), true) = (region, display_name, violations.is_empty())
    else {
        return Err(violations);
    };
    let expires_at = expires_ms.and_then(|at_ms| moment::from_millis(at_ms).ok());
    Ok(Wanted {
        region,
        display_name,
        expires_at,
    })
}

/// The token as it is shown.
pub(crate) fn wire(row: Row) -> admin::JoinToken {
    admin::JoinToken {
        name: row.name.to_string(),
        region: row.region.to_string(),
        display_name: row.display_name,
        expire_time: row.expires_at.map(moment::to_wire),
        create_time: Some(moment::to_wire(row.created_at)),
        revoke_time: row.revoked_at.map(moment::to_wire),
    }
}

// === impl Wanted ===

impl Wanted {
    /// The row to make, for the token that was minted.
    pub(crate) fn into_new(self, minted: &Minted) -> Result<New, InvalidSegment> {
        Ok(New {
            key_id: KeyId::parse(&minted.key_id)?,
            region: self.region,
            display_name: self.display_name,
            secret_sha256: minted.secret_sha256,
            expires_at: self.expires_at,
        })
    }
}
