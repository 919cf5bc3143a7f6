//! Finds out who calls: a key text, or a token or a certificate in its place, becomes a [`Caller`].
//!
//! Knows keys and peppers; knows nothing of models or limits. An unknown key and a wrong secret are the same
//! refusal, the tag is compared in constant time, and a key whose project is not in force opens nothing.

pub mod certificate;
pub mod token;
mod bearer;

use std::{fmt, rc::Rc, sync::Arc};

use claims::expression::Subject;
use keys::{Family, Foreign, Presented};
use lifecycle::clock::Clock;
use policy::{
    keeping::Keeping,
    key::{Key, Labels, PreviousSecret},
    pin::{Pin, Source},
    project::Project,
    rules::Rules,
    traffic::Traffic,
};
use tls::client::Client;

use crate::{
    certified::Places,
    in_force::{InForce, Standing},
    opaque::Opaque,
    request::key::Proof,
    signers::Signers,
};

use self::token::{Proved as Token, Tokens};

/// Tells callers by their keys, tokens or certificates.
#[derive(Clone)]
pub struct Identify {
    in_force: InForce,
    clock: Clock,
    tokens: Rc<Tokens>,
    certified: Places,
}

/// Someone who has proved a key, or a token or a certificate that opens what a key would.
#[derive(Debug, Clone)]
pub struct Caller {
    key: Arc<Key>,
    traffic: Traffic,
    previous: bool,
    /// Where no key's text was proved. One pointer, because a caller rides in the future of every request.
    bearer: Option<Arc<Bearer>>,
    /// The tags whose values policy says.
    pins: Option<Arc<Vec<Pin>>>,
    keeping: Keeping,
}

/// Someone who has proved a token, or shown a certificate.
#[derive(Debug)]
struct Bearer {
    token: Arc<Token>,
    /// Who must be at the other end of the connection, where that proves them.
    client: Option<Arc<Client>>,
}

/// A text that may be a key's.
enum Shown<'a> {
    /// It has our form.
    Ours(Presented<'a>),
    /// It may have been minted elsewhere.
    Foreign(Foreign),
}

/// Which secret of a key was presented.
struct Proved {
    previous: bool,
    created_at_ms: u64,
}

/// Why nobody has been identified.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// There is no key in the request.
    NoKey,
    /// There is none, and no certificate either, which would do.
    NoCertificate,
    /// The text is no key of ours: malformed, unknown, or with a wrong secret.
    Unknown,
    /// The key was revoked.
    Revoked,
    /// The key has expired.
    Expired,
    /// The key is switched off.
    Disabled,
    /// The secret was replaced, and its time is over.
    Replaced,
    /// The secret is older than its project allows.
    TooOld,
    /// The key refers to something that is not in force here: this.
    Dangling(&'static str),
    /// The token opens nothing.
    Token(token::Refusal),
    /// The certificate opens nothing.
    Certificate(certificate::Refusal),
}

// === impl Identify ===

impl Identify {
    /// Reads keys and peppers from `in_force`, the keys of issuers from `signers`, and what issuers say from `opaque`.
    pub fn new(in_force: InForce, clock: Clock, (signers, opaque): (Signers, Opaque)) -> Self {
        Self {
            tokens: Rc::new(Tokens::new(in_force.clone(), signers, opaque)),
            in_force,
            clock,
            certified: Places::default(),
        }
    }

    /// Knows clients by certificates, too: those of these issuers.
    pub fn with_certified(self, certified: Places) -> Self {
        Self { certified, ..self }
    }

    /// Who proves themselves so. Whoever presents a key or a token goes by that, whatever certificate they show.
    pub fn caller(&self, rules: &Rules, proof: Proof<'_>) -> Result<Caller, Refusal> {
        match (proof.text, proof.client) {
            (Some(text), client) => self.by_text(rules, text, client),
            (None, _) if proof.says_key || self.certified.is_empty() => Err(Refusal::NoKey),
            (None, None) => Err(Refusal::NoCertificate),
            (None, Some(client)) => self.by_certificate(rules, client),
        }
    }

    /// Who has the key or the token of this text.
    fn by_text(
        &self,
        rules: &Rules,
        text: &str,
        client: Option<&Arc<Client>>,
    ) -> Result<Caller, Refusal> {
        let is_token = || {
            rules.trusts_any() && (claims::token::is_shaped(text) || self.tokens.are_asked(text))
        };
        let presented = match Shown::read(text) {
            Ok(presented) => presented,
            Err(_) if is_token() => return self.bearer(rules, text, client),
            Err(why) => return Err(why),
        };
        let key = match self.in_force.standing(presented.key_id()) {
            Some(Standing::Active(key)) => key,
            Some(Standing::Revoked) => return Err(Refusal::Revoked),
            // A key that was minted elsewhere may look like a token, and stays a key.
            None if presented.is_foreign() && is_token() => {
                return self.bearer(rules, text, client);
            }
            None => return Err(Refusal::Unknown),
        };
        let proved = self.prove(&presented, &key)?;
        if key.disabled {
            return Err(Refusal::Disabled);
        }
        if self.has_expired(&key) {
            return Err(Refusal::Expired);
        }
        rules
            .organization(key.organization)
            .ok_or(Refusal::Dangling("organization"))?;
        let project = rules
            .project(key.project)
            .filter(|project| project.organization == key.organization)
            .ok_or(Refusal::Dangling("project"))?;
        if self.is_too_old(project, proved.created_at_ms) {
            return Err(Refusal::TooOld);
        }
        let (previous, traffic) = (proved.previous, project.traffic);
        let pins = project.pins.clone();
        Ok(Caller {
            key,
            traffic,
            previous,
            bearer: None,
            pins,
            keeping: project.keeping,
        })
    }

    /// Waits for the issuer of the token in this text, where a refusal is for want of its keys or its word. Says whether to look
    /// again.
    pub async fn awaited(&self, refusal: Refusal, text: Option<&str>) -> bool {
        match (refusal, text) {
            (Refusal::Token(why), Some(text)) => self.tokens.turned(why, text).await,
            _ => false,
        }
    }

    /// Whose key a text proves that was refused so, though it opens nothing.
    pub fn in_vain(&self, refusal: Refusal, text: Option<&str>) -> Option<Arc<Key>> {
        use Refusal::{Disabled, Expired, Replaced, TooOld};
        if !matches!(refusal, Disabled | Expired | Replaced | TooOld) {
            // Whoever has no secret of a key says nothing about it.
            return None;
        }
        let presented = Shown::read(text?).ok()?;
        match self.in_force.standing(presented.key_id())? {
            Standing::Active(key) => Some(key),
            Standing::Revoked => None,
        }
    }

    /// The key of a caller of before, as it is now, if that would still be one.
    pub fn still(&self, rules: &Rules, caller: &Caller) -> Result<Arc<Key>, Refusal> {
        if let Some(Bearer { token, client }) = caller.bearer.as_deref() {
            self.shows(token, client.as_ref())?;
            let stands = self.tokens.stands(token, self.clock.now_ms());
            stands.map_err(|why| match token.authority() {
                Some(_) => Refusal::Certificate(why.into()),
                None => Refusal::Token(why),
            })?;
            let project = rules.project(caller.key.project);
            project.ok_or(Refusal::Dangling("project"))?;
            return Ok(Arc::clone(&caller.key));
        }
        let key = match self.in_force.standing(&caller.key.key_id) {
            Some(Standing::Active(key)) => key,
            Some(Standing::Revoked) => return Err(Refusal::Revoked),
            None => return Err(Refusal::Unknown),
        };
        if key.disabled {
            return Err(Refusal::Disabled);
        }
        if self.has_expired(&key) {
            return Err(Refusal::Expired);
        }
        // Told by its age: the same secret has another tag under another pepper.
        let created_at_ms = caller.secret_created_at_ms();
        let overlaps = |it: &PreviousSecret| {
            it.created_at_ms == created_at_ms && !self.is_past(it.expires_at_ms)
        };
        let is_current = created_at_ms == key.secret_created_at_ms;
        if !is_current && !key.previous.as_deref().is_some_and(overlaps) {
            return Err(Refusal::Replaced);
        }
        let project = rules.project(key.project);
        let project = project.ok_or(Refusal::Dangling("project"))?;
        if self.is_too_old(project, created_at_ms) {
            return Err(Refusal::TooOld);
        }
        Ok(key)
    }

    /// Which secret of the key the text holds. Only a key in rotation has two, and only then is more than one tag made.
    fn prove(&self, presented: &Shown<'_>, key: &Key) -> Result<Proved, Refusal> {
        if self.matches(presented, key.pepper_version, &key.tag)? {
            return Ok(Proved {
                previous: false,
                created_at_ms: key.secret_created_at_ms,
            });
        }
        let previous = key.previous.as_deref().ok_or(Refusal::Unknown)?;
        if !self.matches(presented, previous.pepper_version, &previous.tag)? {
            return Err(Refusal::Unknown);
        }
        if self.is_past(previous.expires_at_ms) {
            return Err(Refusal::Replaced);
        }
        Ok(Proved {
            previous: true,
            created_at_ms: previous.created_at_ms,
        })
    }

    fn matches(
        &self,
        presented: &Shown<'_>,
        pepper_version: u32,
        tag: &[u8; 32],
    ) -> Result<bool, Refusal> {
        let pepper = self.in_force.pepper(pepper_version);
        let pepper = pepper.ok_or(Refusal::Dangling("pepper"))?;
        Ok(presented.matches(&pepper, tag))
    }

    fn has_expired(&self, key: &Key) -> bool {
        key.expires_at_ms.is_some_and(|at_ms| self.is_past(at_ms))
    }

    fn is_too_old(&self, project: &Project, created_at_ms: u64) -> bool {
        let age_max_ms = project.key_age_max_ms;
        age_max_ms.is_some_and(|max| self.is_past(created_at_ms.saturating_add(max)))
    }

    fn is_past(&self, at_ms: u64) -> bool {
        at_ms <= self.clock.now_ms()
    }
}

// === impl Shown ===

impl<'a> Shown<'a> {
    fn read(text: &'a str) -> Result<Self, Refusal> {
        match keys::parse(text) {
            Ok(ours) if matches!(ours.family(), Family::Live | Family::Test) => {
                Ok(Self::Ours(ours))
            }
            Ok(_) => Err(Refusal::Unknown),
            Err(_) => keys::foreign(text)
                .map(Self::Foreign)
                .ok_or(Refusal::Unknown),
        }
    }

    const fn is_foreign(&self) -> bool {
        matches!(self, Self::Foreign(_))
    }

    fn key_id(&self) -> &str {
        match self {
            Self::Ours(ours) => ours.key_id(),
            Self::Foreign(foreign) => foreign.key_id(),
        }
    }

    fn matches(&self, pepper: &[u8; 32], tag: &[u8; 32]) -> bool {
        match self {
            Self::Ours(ours) => ours.matches(pepper, tag),
            Self::Foreign(foreign) => foreign.matches(pepper, tag),
        }
    }
}

// === impl Caller ===

impl Caller {
    /// Who would have proved this key, for what an operator asks: it opens nothing.
    pub(crate) fn supposed(rules: &Rules, key: Arc<Key>) -> Result<Self, Refusal> {
        let project = rules.project(key.project);
        let project = project.ok_or(Refusal::Dangling("project"))?;
        Ok(Self {
            traffic: project.traffic,
            pins: project.pins.clone(),
            keeping: project.keeping,
            key,
            previous: false,
            bearer: None,
        })
    }

    /// How its requests are treated where there is not room for all.
    pub const fn traffic(&self) -> Traffic {
        self.traffic
    }

    /// Of which of its requests content is kept.
    pub const fn keeping(&self) -> Keeping {
        self.keeping
    }

    /// The key that was proved.
    pub const fn key(&self) -> &Arc<Key> {
        &self.key
    }

    /// Whether it was proved by the secret that a rotation replaced.
    pub const fn by_previous_secret(&self) -> bool {
        self.previous
    }

    /// For whom it asks, where its token says that; what its client says counts nothing then.
    pub fn end_user(&self) -> Option<&str> {
        self.token()?.end_user.as_deref()
    }

    /// The labels of its key; none where a token stands for it.
    pub fn labels(&self) -> &Labels {
        let labels = self.key.labels.as_deref();
        labels.filter(|_| self.bearer.is_none()).unwrap_or_default()
    }

    /// What its token claims, where it has one and a condition may ask.
    pub fn claims(&self) -> Option<&Subject> {
        self.token()?.claims.as_ref()
    }

    /// The tags whose values policy says, and those values as far as there are any; `None` where it says none.
    pub fn pinned(&self) -> Option<impl Iterator<Item = (&str, Option<&str>)> + Clone> {
        let is_token = self.bearer.is_some();
        let value = move |pin: &Pin| match &pin.from {
            Source::Label(name) if !is_token => self.key.label(name),
            Source::Claim(name) if is_token => self.key.label(name),
            Source::Label(_) | Source::Claim(_) => None,
        };
        let pins = self.pins.as_deref()?.iter();
        Some(pins.map(move |pin| (pin.tag.as_str(), value(pin))))
    }

    fn token(&self) -> Option<&Token> {
        self.bearer.as_deref().map(|it| &*it.token)
    }

    fn secret_created_at_ms(&self) -> u64 {
        let previous = self.key.previous.as_deref().filter(|_| self.previous);
        previous.map_or(self.key.secret_created_at_ms, |it| it.created_at_ms)
    }
}

// === impl Refusal ===

impl Refusal {
    /// Whether the issuer of a token could turn it, if it were asked.
    pub const fn may_turn(&self) -> bool {
        matches!(self, Self::Token(refusal) if refusal.may_turn())
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoKey => f.write_str("send a key: `Authorization: Bearer slc_live_…`"),
            Self::NoCertificate => f.write_str(
                "send a key: `Authorization: Bearer slc_live_…`, or connect with a client certificate",
            ),
            Self::Unknown => f.write_str("the key is not valid"),
            Self::Revoked => f.write_str("the key was revoked"),
            Self::Expired => f.write_str("the key has expired"),
            Self::Disabled => f.write_str("the key is switched off"),
            Self::Replaced => {
                f.write_str("the key was rotated and this secret's time is over: use the new one")
            }
            Self::TooOld => f.write_str(
                "the key's secret is older than its project allows: have the key rotated",
            ),
            Self::Token(why) => why.fmt(f),
            Self::Certificate(why) => why.fmt(f),
            Self::Dangling(what) => write!(f, "the key's {what} is not in force on this edge yet"),
        }
    }
}

impl std::error::Error for Refusal {}
