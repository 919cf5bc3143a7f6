//! Who has a token, or shows a certificate: what was proved of either becomes a [`Caller`].
//!
//! Knows which certificate must be at the other end, and for how long; knows nothing of what either says.

use std::sync::Arc;

use claims::check::Unproved;
use policy::rules::Rules;
use tls::{client::Client, clients::Of};

use crate::identify::{
    Bearer, Caller, Identify, Refusal, certificate,
    token::{self, Proved as Token},
};

// === impl Identify ===

impl Identify {
    /// Who has the token of this text.
    pub(super) fn bearer(
        &self,
        rules: &Rules,
        text: &str,
        client: Option<&Arc<Client>>,
    ) -> Result<Caller, Refusal> {
        let token = self.tokens.proved(rules, text, self.clock.now_ms());
        let token = token.map_err(Refusal::Token)?;
        self.shows(&token, client)?;
        let client = client.filter(|_| token.bound_to.is_some());
        Self::with_token(rules, token, client)
    }

    /// Who has shown this certificate.
    pub(super) fn by_certificate(
        &self,
        rules: &Rules,
        client: &Arc<Client>,
    ) -> Result<Caller, Refusal> {
        let now_ms = self.clock.now_ms();
        let standing = client.standing(now_ms).map_err(certificate::Refusal::from);
        let refused = Refusal::Certificate;
        let Of::Known(authority) = standing.map_err(refused)? else {
            return Err(refused(certificate::Refusal::Stranger));
        };
        let place = self.certified.get(&authority);
        let place = place.ok_or(refused(certificate::Refusal::Stranger))?;
        let proved = self
            .tokens
            .certified(rules, (&authority, place), client, now_ms);
        let proved = proved.map_err(|why| refused(why.into()))?;
        Self::with_token(rules, proved, Some(client))
    }

    /// Whether whoever proved this token is at the other end, where it asks for that.
    pub(super) fn shows(&self, token: &Token, client: Option<&Arc<Client>>) -> Result<(), Refusal> {
        let bound = token.bound_to.as_ref();
        if bound.is_none() && token.authority().is_none() {
            return Ok(());
        }
        let unshown = Refusal::Token(token::Refusal::Unshown);
        let client = client.filter(|it| bound.is_none_or(|bound| it.fingerprint() == bound));
        let standing = client.ok_or(unshown)?.standing(self.clock.now_ms());
        let standing = standing.map_err(|why| Refusal::Certificate(why.into()))?;
        match (token.authority(), standing) {
            (None, _) => Ok(()),
            (Some(before), Of::Known(now)) if **before == *now => Ok(()),
            (Some(_), _) => Err(Refusal::Certificate(certificate::Refusal::Stranger)),
        }
    }

    fn with_token(
        rules: &Rules,
        token: Arc<Token>,
        client: Option<&Arc<Client>>,
    ) -> Result<Caller, Refusal> {
        let key = Arc::clone(&token.key);
        rules
            .organization(key.organization)
            .ok_or(Refusal::Dangling("organization"))?;
        let project = rules
            .project(key.project)
            .filter(|project| project.organization == key.organization)
            .ok_or(Refusal::Dangling("project"))?;
        Ok(Caller {
            key,
            traffic: project.traffic,
            previous: false,
            bearer: Some(Arc::new(Bearer {
                token,
                client: client.cloned(),
            })),
            pins: project.pins.clone(),
            keeping: project.keeping,
        })
    }
}

// === impl Refusal ===

impl From<token::Refusal> for certificate::Refusal {
    fn from(why: token::Refusal) -> Self {
        match why {
            token::Refusal::Unproved(Unproved::Expired) => Self::Expired,
            token::Refusal::Unproved(_) => Self::Nameless,
            token::Refusal::Unmapped(expression) => Self::Unmapped(expression),
            token::Refusal::Unusable => Self::Unusable,
            _ => Self::Stranger,
        }
    }
}
