//! Who calls by a token that an issuer has signed, or says to be good, or by a certificate that stands for one: it becomes what a
//! key would be.
//!
//! Knows issuers and their keys; fetches nothing, and nothing that a token names is ever asked. A token is proved once on a
//! core and known by its hash until it ends, or until anything changes at its issuer.

use std::{cell::RefCell, collections::HashMap, fmt, sync::Arc};

use claims::{
    check::{self, Claims, Unproved},
    expression::Subject,
    key_set::KeySet,
    mapping::{self, Mapped, Unmapped},
    token::{NoToken, Token},
};
use policy::{
    id::{IssuerId, ProjectId},
    issuer::Issuer,
    key::{Key, Labels},
    pin::{Pin, Source},
    revision::Revision,
    rules::Rules,
    scope::Scope,
};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use tls::client::Client;

use crate::{
    certified,
    identify::certificate,
    in_force::{InForce, issuers::Trusted},
    opaque::{Answer, Opaque, Place},
    signers::Signers,
};

/// How many proved tokens and certificates a core knows.
// Full: all are forgotten, and proved anew when they come again.
const PROVED_MAX: usize = 4_096;

/// One core's tokens.
pub struct Tokens {
    in_force: InForce,
    signers: Signers,
    opaque: Opaque,
    // Borrowed for one look-up, never over an await.
    proved: RefCell<HashMap<[u8; 32], Arc<Proved>>>,
}

/// A token that was proved.
#[derive(Debug)]
pub struct Proved {
    /// What a key would be that opens as much.
    pub key: Arc<Key>,
    /// Who issued it.
    pub trusted: Arc<Trusted>,
    /// For whom it asks, where its issuer's tokens say it.
    pub end_user: Option<String>,
    /// When it ends, milliseconds since 1970; [`check::NEVER_MS`] where it has no end.
    pub expires_at_ms: u64,
    /// What it claims, where a condition may ask.
    pub claims: Option<Subject>,
    /// The SHA-256 of the certificate that it must be shown with, if it is bound to one.
    pub bound_to: Option<[u8; 32]>,
    /// The tags that its project took from its claims when it was proved.
    pins: Option<Arc<Vec<Pin>>>,
    by: By,
}

/// By what a token was proved.
#[derive(Debug)]
enum By {
    /// These keys of its issuer.
    Keys(Arc<KeySet>),
    /// Its issuer's word, which holds until then, milliseconds since 1970.
    Word { until_ms: u64 },
    /// A certificate of the authorities of this name. Whether it stands is for who has the connection.
    Certificate(Arc<str>),
}

/// Why a token opens nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// It is written as no token is.
    Malformed,
    /// No issuer that is trusted here says so in `iss`.
    Issuer,
    /// The keys of this issuer are not known.
    NoKeys(IssuerId),
    /// This issuer publishes no such key, as far as is known.
    UnknownKey(IssuerId),
    /// Only its issuer can tell, and has not been asked.
    Unasked,
    /// Only its issuer can tell, and cannot be asked now.
    Away,
    /// It is not proved.
    Unproved(Unproved),
    /// Its claims mean nothing here: the expression that says so.
    Unmapped(&'static str),
    /// Its issuer cannot be used by this build.
    Unusable,
    /// It is bound to a certificate that is not shown with it.
    Unshown,
}

// === impl Tokens ===

impl Tokens {
    /// None yet.
    pub fn new(in_force: InForce, signers: Signers, opaque: Opaque) -> Self {
        Self {
            in_force,
            signers,
            opaque,
            proved: RefCell::default(),
        }
    }

    /// What the token of this text is, now.
    pub fn proved(&self, rules: &Rules, text: &str, now_ms: u64) -> Result<Arc<Proved>, Refusal> {
        let digest: [u8; 32] = Sha256::digest(text).into();
        self.known_or(rules, digest, now_ms, || match self.opaque.place(text) {
            Some(place) => self.asked(rules, (place, &digest), now_ms),
            None => self.prove(rules, text, now_ms),
        })
    }

    /// What the certificate stands for that this client shows, of these authorities.
    pub fn certified(
        &self,
        rules: &Rules,
        (authority, place): (&Arc<str>, &certified::Place),
        client: &Client,
        now_ms: u64,
    ) -> Result<Arc<Proved>, Refusal> {
        // No token's text has a zero in it, so that none has this digest.
        let mut digest = Sha256::new();
        for part in [authority.as_bytes(), client.fingerprint()] {
            digest.update([0]);
            digest.update(part);
        }
        self.known_or(rules, digest.finalize().into(), now_ms, || {
            let names = (place.organization.as_str(), place.issuer.as_str());
            let trusted = self.issuer_at(rules, names).ok_or(Refusal::Issuer)?;
            let unreadable = Refusal::Unproved(Unproved::Claim("sub"));
            let facts = client.facts().map_err(|_| unreadable)?;
            let claims = certificate::claims(facts, now_ms).map_err(Refusal::Unproved)?;
            map(
                rules,
                trusted,
                &claims,
                By::Certificate(Arc::clone(authority)),
            )
        })
    }

    /// What is known by this digest and still holds, or else is proved now.
    fn known_or(
        &self,
        rules: &Rules,
        digest: [u8; 32],
        now_ms: u64,
        prove: impl FnOnce() -> Result<Proved, Refusal>,
    ) -> Result<Arc<Proved>, Refusal> {
        let known = self.proved.borrow().get(&digest).cloned();
        if let Some(known) = known {
            let pins = pins(rules, known.key.project);
            let same_tags = pins.map(Arc::as_ptr) == known.pins.as_ref().map(Arc::as_ptr);
            let lacks_claims = rules.asks_claims() && known.claims.is_none();
            if self.holds(&known, now_ms)
                && same_tags
                && !lacks_claims
                && self.stands(&known, now_ms).is_ok()
            {
                return Ok(known);
            }
            self.proved.borrow_mut().remove(&digest);
        }
        let proved = Arc::new(prove()?);
        let mut all = self.proved.borrow_mut();
        if all.len() >= PROVED_MAX {
            all.clear();
        }
        all.insert(digest, Arc::clone(&proved));
        Ok(proved)
    }

    /// Whether a token that was proved would still be.
    pub fn stands(&self, proved: &Proved, now_ms: u64) -> Result<(), Refusal> {
        if !self.in_force.issuers().holds(&proved.trusted) {
            return Err(Refusal::Issuer);
        }
        if proved.expires_at_ms <= now_ms {
            return Err(Refusal::Unproved(Unproved::Expired));
        }
        Ok(())
    }

    /// Whether this text, which is no signed token, is one that its issuer is asked about.
    pub fn are_asked(&self, text: &str) -> bool {
        self.opaque.place(text).is_some()
    }

    /// Waits until an issuer has been asked for its keys or about this token, if it may be asked now. Says whether it was.
    pub async fn turned(&self, refusal: Refusal, text: &str) -> bool {
        match refusal {
            Refusal::NoKeys(issuer) | Refusal::UnknownKey(issuer) => {
                self.signers.refreshed(issuer).await
            }
            Refusal::Unasked => self.opaque.ask(text, Sha256::digest(text).into()).await,
            _ => false,
        }
    }

    /// Whether what proved it still does. Keys that are withdrawn prove nothing any more.
    fn holds(&self, proved: &Proved, now_ms: u64) -> bool {
        match &proved.by {
            By::Word { until_ms } => now_ms < *until_ms,
            By::Certificate(_) => true,
            By::Keys(by) => {
                let keys = self.signers.keys(proved.trusted.issuer.id);
                keys.is_some_and(|keys| Arc::ptr_eq(&keys, by))
            }
        }
    }

    /// A token by what its issuer has said of it.
    fn asked(
        &self,
        rules: &Rules,
        (place, digest): (&Place, &[u8; 32]),
        now_ms: u64,
    ) -> Result<Proved, Refusal> {
        let names = (place.organization.as_str(), place.issuer.as_str());
        let trusted = self.issuer_at(rules, names).ok_or(Refusal::Issuer)?;
        let answer = self.opaque.answer(digest, now_ms);
        let (said, until_ms) = match answer.ok_or(Refusal::Unasked)? {
            Answer::Said { said, until_ms } => (said, until_ms),
            Answer::Away => return Err(Refusal::Away),
        };
        let claims = check::introspected(&said, &trusted.issuer, now_ms);
        let claims = claims.map_err(Refusal::Unproved)?;
        map(rules, trusted, &claims, By::Word { until_ms })
    }

    fn prove(&self, rules: &Rules, text: &str, now_ms: u64) -> Result<Proved, Refusal> {
        let token = Token::read(text).map_err(|why| match why {
            NoToken::Malformed => Refusal::Malformed,
            NoToken::Algorithm => Refusal::Unproved(Unproved::Algorithm),
        })?;
        let trusted = self.issuer(&token)?;
        let issuer = &trusted.issuer;
        let keys = self
            .signers
            .keys(issuer.id)
            .ok_or(Refusal::NoKeys(issuer.id))?;
        let claims = check::check(token, issuer, &keys, now_ms).map_err(|why| match why {
            Unproved::UnknownKey => Refusal::UnknownKey(issuer.id),
            why => Refusal::Unproved(why),
        })?;
        map(rules, Arc::clone(&trusted), &claims, By::Keys(keys))
    }

    /// The issuer that the settings name by its organization and itself, if it is trusted now.
    fn issuer_at(&self, rules: &Rules, (of, named): (&str, &str)) -> Option<Arc<Trusted>> {
        let issuers = self.in_force.issuers();
        let is_it = |it: &&Arc<Trusted>| {
            let organization = rules.organization(it.issuer.organization);
            it.issuer.name == named && organization.is_some_and(|it| it.name == of)
        };
        let found = issuers.all().filter(|it| !it.issuer.disabled).find(is_it);
        found.cloned()
    }

    /// The issuer that the token names, of the organization whose audience it names: there is at most one.
    fn issuer(&self, token: &Token<'_>) -> Result<Arc<Trusted>, Refusal> {
        let issuers = self.in_force.issuers();
        let url = token.issuer().ok_or(Refusal::Issuer)?;
        let mut some = issuers
            .at(url)
            .iter()
            .filter(|it| !it.issuer.disabled)
            .peekable();
        some.peek().ok_or(Refusal::Issuer)?;
        let mut fitting = some.filter(|it| token.is_for(&it.issuer.audiences));
        let first = fitting
            .next()
            .ok_or(Refusal::Unproved(Unproved::Audience))?;
        // A token that two trust could be used at whichever of them it was not meant for.
        if fitting.next().is_some() {
            return Err(Refusal::Unproved(Unproved::Audience));
        }
        Ok(Arc::clone(first))
    }
}

/// What proved claims open.
fn map(rules: &Rules, trusted: Arc<Trusted>, claims: &Claims, by: By) -> Result<Proved, Refusal> {
    let issuer = &trusted.issuer;
    let mapping = trusted.mapping.as_ref().ok_or(Refusal::Unusable)?;
    let mapped = mapping
        .apply(claims.all())
        .map_err(|Unmapped(why)| Refusal::Unmapped(why))?;
    let project = project(rules, issuer, mapped.project.as_deref())?;
    let pins = pins(rules, project).cloned();
    let labels = labels(pins.as_deref().map_or(&[], Vec::as_slice), claims.all());
    let mut key = key(issuer, project, claims, &mapped);
    key.labels = (!labels.is_empty()).then_some(labels);
    Ok(Proved {
        key: Arc::new(key),
        pins,
        // What has too many is refused above.
        claims: rules
            .asks_claims()
            .then(|| Subject::of(claims.all()).ok())
            .flatten(),
        end_user: mapped.end_user,
        expires_at_ms: claims.expires_at_ms(),
        bound_to: claims.bound_to().copied(),
        trusted,
        by,
    })
}

/// The tags of a project whose values policy says.
fn pins(rules: &Rules, project: ProjectId) -> Option<&Arc<Vec<Pin>>> {
    rules.project(project)?.pins.as_ref()
}

/// The claims that tags are made of; what is no text is none.
fn labels(pins: &[Pin], claims: &Map<String, Value>) -> Box<Labels> {
    let claim = |pin: &Pin| match &pin.from {
        Source::Claim(name) => Some((name.clone(), claims.get(name)?.as_str()?.to_owned())),
        Source::Label(_) => None,
    };
    pins.iter().filter_map(claim).collect()
}

fn project(rules: &Rules, issuer: &Issuer, said: Option<&str>) -> Result<ProjectId, Refusal> {
    let unmapped = Refusal::Unmapped(mapping::PROJECT);
    match (issuer.project, said) {
        (Some(id), _) => Ok(id),
        (None, Some(name)) => {
            let project = rules.project_named(issuer.organization, name);
            project.map(|it| it.id).ok_or(unmapped)
        }
        (None, None) => Err(unmapped),
    }
}

/// What a key would be that opens as much. Its id says whose token it is; no key's has a colon in it.
fn key(issuer: &Issuer, project: ProjectId, claims: &Claims, mapped: &Mapped) -> Key {
    let own = issuer.scope.request_tokens_max;
    let said = mapped.request_tokens_max;
    let scope = Scope {
        request_tokens_max: own.into_iter().chain(said).min(),
        among: mapped.models.clone(),
        ..issuer.scope.clone()
    };
    Key {
        key_id: format!("{}:{}", issuer.name, claims.subject()),
        organization: issuer.organization,
        project,
        tag: [0; 32],
        pepper_version: 0,
        secret_created_at_ms: 0,
        previous: None,
        models: Vec::new(),
        disabled: false,
        labels: None,
        scope: (scope != Scope::default()).then(|| Box::new(scope)),
        expires_at_ms: Some(claims.expires_at_ms()).filter(|it| *it != check::NEVER_MS),
        config_revision: Revision(0),
    }
}

// === impl Proved ===

impl Proved {
    /// The authorities whose certificate it is, where it is one.
    pub const fn authority(&self) -> Option<&Arc<str>> {
        match &self.by {
            By::Certificate(name) => Some(name),
            By::Keys(_) | By::Word { .. } => None,
        }
    }
}

// === impl Refusal ===

impl Refusal {
    /// Whether the issuer could turn it, if it were asked.
    pub const fn may_turn(&self) -> bool {
        matches!(self, Self::NoKeys(_) | Self::UnknownKey(_) | Self::Unasked)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed => f.write_str("the token is not a signed token that can be read"),
            Self::Issuer => f.write_str("nobody here takes tokens of this issuer"),
            Self::NoKeys(_) => {
                f.write_str("the keys of the token's issuer cannot be had now: try again later")
            }
            Self::Unasked | Self::Away => {
                f.write_str("the token's issuer cannot be asked about it now: try again later")
            }
            Self::UnknownKey(_) => Unproved::UnknownKey.fmt(f),
            Self::Unproved(why) => why.fmt(f),
            Self::Unmapped(mapping::CONDITION) => f.write_str(
                "the token does not meet the condition that its issuer's tokens must meet",
            ),
            Self::Unmapped(expression) => {
                write!(
                    f,
                    "the token's claims mean nothing here: `{expression}` of its issuer gives nothing that there is"
                )
            }
            Self::Unusable => f.write_str("the token's issuer is not set up for this edge"),
            Self::Unshown => f.write_str(
                "the token is bound to a client certificate: connect with the one that it names",
            ),
        }
    }
}

impl std::error::Error for Refusal {}
