//! Join tokens between the wire and the store. Their methods stand in `edge`.
//!
//! The text of a token passes once, from the mint into the reply that makes it; the store gets its hash.

use domain::{
    key,
    name::OrganizationName,
    segment::{InvalidSegment, KeyId},
    text,
    violation::Violations,
};
use keys::Minted;
use policy::region::Region;
use proto::admin;
use store::join_token::{New, Row};

use crate::api::{desk, moment};

/// A join token as an operator wants it, checked.
#[derive(Debug)]
pub(crate) struct Wanted {
    region: Region,
    organization: Option<OrganizationName>,
    display_name: String,
    expires_ms: Option<u64>,
    single_use: bool,
}

const EXPIRE_TIME: &str = "join_token.expire_time";

/// Reads a request for a new join token. Whether its expiry lies ahead is asked only when it is made.
pub(crate) fn wanted(asked: admin::CreateJoinTokenRequest) -> Result<Wanted, Violations> {
    let given = desk::required(asked.join_token, "join_token")?;
    let mut violations = Violations::new();
    let region = violations.take("join_token.region", Region::try_from(given.region.as_str()));
    let organization = (!given.organization.is_empty())
        .then(|| OrganizationName::parse(&given.organization))
        .map(|read| violations.take("join_token.organization", read));
    let display_name = text::display_name(&given.display_name);
    let display_name = violations.take("join_token.display_name", display_name);
    let expires_ms = given.expire_time.as_ref().map(moment::millis);
    let expires_ms = expires_ms.and_then(|read| violations.take(EXPIRE_TIME, read));
    let (Some(region), Some(display_name), true) = (region, display_name, violations.is_empty())
    else {
        return Err(violations);
    };
    Ok(Wanted {
        region,
        organization: organization.flatten(),
        display_name,
        expires_ms,
        single_use: given.single_use,
    })
}

/// The token as it is shown.
pub(crate) fn wire(row: Row) -> admin::JoinToken {
    admin::JoinToken {
        name: row.name.to_string(),
        region: row.region.to_string(),
        organization: row
            .organization
            .map_or_else(String::new, |it| it.to_string()),
        display_name: row.display_name,
        expire_time: row.expires_at.map(moment::to_wire),
        create_time: Some(moment::to_wire(row.created_at)),
        revoke_time: row.revoked_at.map(moment::to_wire),
        single_use: row.single_use,
        use_time: row.used_at.map(moment::to_wire),
    }
}

// === impl Wanted ===

impl Wanted {
    /// Whether the token can be made at `now_ms`. Asked for a first call only: the second call of a pair gets its
    /// reply even when the token has expired meanwhile.
    pub(crate) fn check(&self, now_ms: u64) -> Result<(), Violations> {
        let mut violations = Violations::new();
        if let Some(at_ms) = self.expires_ms {
            violations.take(EXPIRE_TIME, key::expire(at_ms, now_ms));
        }
        violations.done()
    }

    /// Whether it is an invitation.
    pub(crate) const fn single_use(&self) -> bool {
        self.single_use
    }

    /// The row to make, for the token that was minted.
    pub(crate) fn into_new(self, minted: &Minted) -> Result<New, InvalidSegment> {
        Ok(New {
            key_id: KeyId::parse(&minted.key_id)?,
            region: self.region,
            organization: self.organization,
            display_name: self.display_name,
            secret_sha256: minted.secret_sha256,
            single_use: self.single_use,
            expires_at: self.expires_ms.and_then(|at| moment::from_millis(at).ok()),
        })
    }
}

#[cfg(test)]
mod tests {
    use prost_types::Timestamp;

    use super::*;

    const NOW_MS: u64 = 1_700_000_000_000;

    #[test]
    fn an_expiry_is_judged_when_the_token_is_made_and_not_when_the_call_is_read() {
        let asked = admin::CreateJoinTokenRequest {
            join_token: Some(admin::JoinToken {
                region: "eu".into(),
                expire_time: Some(Timestamp {
                    seconds: 1_700_000_000,
                    nanos: 0,
                }),
                ..Default::default()
            }),
            ..Default::default()
        };
        // A call that is read again after the expiry is still the same call.
        let wanted = wanted(asked).unwrap();
        assert_eq!(wanted.check(NOW_MS - 1), Ok(()));
        let refused = wanted.check(NOW_MS).unwrap_err().into_vec();
        assert_eq!(refused[0].field, EXPIRE_TIME);
    }
}
