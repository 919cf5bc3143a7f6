//! Proves a token that somebody presents in exchange for an operator key: a text and a trust become what it opens.
//!
//! Knows trusts, the keys of their issuers and time; writes nothing. Why a token is refused tells what is wrong with it, and
//! never what would be right.

use std::{fmt, sync::Arc};

use claims::{
    check::{self, Claims, Unproved},
    token::{NoToken, Token},
};
use domain::{access::Bindings, name::TrustName, trust::TOKEN_AHEAD_MAX_MS};
use policy::{
    id::{IssuerId, OrganizationId},
    issuer::{Algorithm, Issuer, LEEWAY_MS, Mapping},
    scope::Scope,
};
use sha2::{Digest, Sha256};
use signers::{NoKeys, Place, Signers};
use store::{Store, StoreError, trust};

use crate::{crowd::Crowded, turns::Turns};

/// Proves tokens.
pub struct Exchange {
    store: Store,
    signers: Signers,
    lookups: Turns,
}

/// A token that was proved, and what it opens.
#[derive(Debug)]
pub struct Proved {
    /// By which trust.
    pub trust: trust::Row,
    /// Whom it is about.
    pub subject: String,
    /// What it opens.
    pub bindings: Bindings,
    /// What identifies it.
    pub digest: [u8; 32],
    /// When it ends, milliseconds since 1970.
    pub ends_at_ms: u64,
}

/// Why there is nothing in exchange.
#[derive(Debug)]
pub enum NotExchanged {
    /// This address asks too often, or too many ask at once.
    Crowded(Crowded),
    /// The text is no signed token.
    Malformed,
    /// There is no such trust, or it is in another issuer.
    NotTrusted,
    /// There is no such trust, or nobody logs in by it.
    NoLogin,
    /// The issuer's keys cannot be had now.
    NoKeys(NoKeys),
    /// The token is not proved.
    Unproved(Unproved),
    /// It ends too late.
    EndsLate,
    /// It is good, and opens nothing.
    Unfit,
    /// It was taken before.
    Used,
    /// As many keys as may were given for tokens of this trust.
    Full,
    /// The store could not be asked.
    Store(StoreError),
}

// === impl Exchange ===

impl Exchange {
    /// Proves by the trusts in this store.
    pub fn new(store: Store, signers: Signers) -> Self {
        Self {
            store,
            signers,
            lookups: Turns::new(),
        }
    }

    /// The trust of this name, where people get their tokens by it.
    pub async fn described(&self, name: &TrustName) -> Result<trust::Row, NotExchanged> {
        match self.trust(name).await? {
            Ok(trust) if !trust.checked.client_id.is_empty() => Ok(trust),
            Ok(_) | Err(StoreError::NotFound { .. }) => Err(NotExchanged::NoLogin),
            Err(why) => Err(NotExchanged::Store(why)),
        }
    }

    /// What a token opens by this trust at `now_ms`.
    pub async fn prove(
        &self,
        name: &TrustName,
        text: &str,
        now_ms: u64,
    ) -> Result<Proved, NotExchanged> {
        let token = Token::read(text).map_err(|why| match why {
            NoToken::Malformed => NotExchanged::Malformed,
            NoToken::Algorithm => NotExchanged::Unproved(Unproved::Algorithm),
        })?;
        let trust = match self.trust(name).await? {
            Ok(trust) => trust,
            Err(StoreError::NotFound { .. }) => return Err(NotExchanged::NotTrusted),
            Err(why) => return Err(NotExchanged::Store(why)),
        };
        if token.issuer() != Some(trust.checked.url.as_str()) {
            return Err(NotExchanged::NotTrusted);
        }
        let claims = self.claims(token, text, &trust, now_ms).await?;
        let ends_at_ms = claims.expires_at_ms();
        if ends_at_ms > now_ms.saturating_add(TOKEN_AHEAD_MAX_MS) {
            return Err(NotExchanged::EndsLate);
        }
        let opened = trust.checked.opened(&claims);
        let bindings = opened.map_err(|_| NotExchanged::Unfit)?;
        Ok(Proved {
            subject: claims.subject().to_owned(),
            bindings,
            digest: digest(text),
            ends_at_ms,
            trust,
        })
    }

    /// Looks a trust up, in its turn only: whoever made up its name costs no more than a connection now and then.
    async fn trust(
        &self,
        name: &TrustName,
    ) -> Result<Result<trust::Row, StoreError>, NotExchanged> {
        let _turn = self
            .lookups
            .take()
            .await
            .ok_or(NotExchanged::Crowded(Crowded::Busy))?;
        Ok(trust::get(&self.store, name).await)
    }

    async fn claims(
        &self,
        token: Token<'_>,
        text: &str,
        trust: &trust::Row,
        now_ms: u64,
    ) -> Result<Claims, NotExchanged> {
        let place = Place {
            issuer_url: trust.checked.url.clone(),
            keys_url: trust.checked.keys_url.clone(),
        };
        let issuer = issuer(trust);
        let keys = self.signers.keys(&place).await;
        let keys = keys.map_err(NotExchanged::NoKeys)?;
        match check::check(token, &issuer, &keys, now_ms) {
            Ok(claims) => Ok(claims),
            Err(Unproved::UnknownKey) => {
                // Its issuer may have changed its keys.
                let newer = self.signers.newer(&place, &keys).await;
                let newer = newer.map_err(NotExchanged::NoKeys)?;
                let unknown = NotExchanged::Unproved(Unproved::UnknownKey);
                if Arc::ptr_eq(&newer, &keys) {
                    return Err(unknown);
                }
                let again = Token::read(text).map_err(|_| NotExchanged::Malformed)?;
                check::check(again, &issuer, &newer, now_ms).map_err(NotExchanged::Unproved)
            }
            Err(why) => Err(NotExchanged::Unproved(why)),
        }
    }
}

/// What identifies a token: all that is signed. Of some algorithms a signature can be written in two ways.
fn digest(text: &str) -> [u8; 32] {
    let signed = text.rsplit_once('.').map_or(text, |(signed, _)| signed);
    Sha256::digest(signed).into()
}

/// The issuer that a trust is in, as whoever proves tokens knows issuers. What it opens is not looked at there.
fn issuer(trust: &trust::Row) -> Issuer {
    Issuer {
        id: IssuerId::from_bytes([0; 16]),
        organization: OrganizationId::from_bytes([0; 16]),
        name: trust.name.trust.to_string(),
        url: trust.checked.url.clone(),
        keys_url: trust.checked.keys_url.clone(),
        audiences: trust.checked.audiences.clone(),
        algorithms: Algorithm::ALL.to_vec(),
        types: Vec::new(),
        leeway_ms: LEEWAY_MS,
        project: None,
        mapping: Mapping::default(),
        scope: Scope::default(),
        disabled: false,
    }
}

// === impl NotExchanged ===

impl NotExchanged {
    /// Whether the same token may be taken later.
    pub const fn passes(&self) -> bool {
        matches!(
            self,
            Self::Crowded(_) | Self::NoKeys(_) | Self::Full | Self::Store(_)
        )
    }

    /// Whether it is of a trust that there is, and of a token of its issuer.
    pub const fn is_told(&self) -> bool {
        matches!(
            self,
            Self::Unproved(_) | Self::EndsLate | Self::Unfit | Self::Used | Self::Full
        )
    }
}

impl fmt::Display for NotExchanged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Crowded(Crowded::TooOften) => {
                "too many tokens come from this address; try again later"
            }
            Self::Crowded(Crowded::Busy) => "too many tokens are being checked; try again",
            Self::Malformed => "the token is not a signed token that can be read",
            Self::NotTrusted => "no trust of this name takes tokens of this issuer",
            Self::NoLogin => "nobody logs in by a trust of this name",
            Self::NoKeys(_) => {
                "the keys of the token's issuer cannot be had now: try again later; the control plane's log says why"
            }
            Self::Unproved(why) => return why.fmt(f),
            Self::EndsLate => "the token ends later than a day from now: have a shorter one issued",
            Self::Unfit => "the token is good, and the trust gives nothing for what it says",
            Self::Used => "the token was exchanged before: have another one issued",
            Self::Full => "as many keys as may be were given by this trust; try again when some have ended",
            Self::Store(_) => "the token could not be checked now; try again",
        })
    }
}

impl std::error::Error for NotExchanged {}
