//! Join tokens and certificates: who may follow policy and report usage, and for which region and whom.
//!
//! Keeps what the store said about a token for a moment, so that a report every few milliseconds is not a
//! question every few milliseconds. A token that was revoked or has expired ends what was opened with it within a second.

use std::{
    collections::HashMap,
    convert::Infallible,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use futures_util::future::BoxFuture;
use http::{HeaderMap, header::AUTHORIZATION};
use keys::{Family, Presented};
use lifecycle::clock::Clock;
use policy::remit::Remit;
use store::{JoinToken, Store, StoreError};
use tls::member::{Member, Shown};
use tokio::{sync::watch, time};
use tracing::warn;

use crate::turns::Turns;

/// How often the tokens in use are read anew, when no bell rings.
const READ_EVERY: Duration = Duration::from_millis(300);

/// The shortest between two readings, however often the bell rings.
const READ_REST: Duration = Duration::from_millis(100);

/// How long an answer of the store is good for. Longer than between two readings, so that who is known asks nothing.
const FRESH_FOR: Duration = Duration::from_millis(800);

/// How long a token is kept that nobody asks about.
const KEPT_FOR: Duration = Duration::from_mins(1);

/// The most tokens that are kept.
const TOKENS_MAX: usize = 4_096; // Full: a token that is not kept is refused until one was not used for a minute.

/// The join tokens in use.
pub struct Tokens {
    look_up: LookUp,
    turns: Turns,
    clock: Clock,
    known: Mutex<HashMap<String, Known>>,
    checked: watch::Sender<u64>,
}

/// Asks the store for tokens by their ids.
type LookUp = Box<
    dyn Fn(Vec<String>) -> BoxFuture<'static, Result<Vec<JoinToken>, StoreError>> + Send + Sync,
>;

/// What a join token proves about its bearer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Badge {
    /// The id of the token, or of the identity that a certificate names; safe to log.
    pub token: String,
    /// Where the bearer stands, and whom it serves.
    pub remit: Remit,
    /// What a certificate adds.
    pub certified: Option<Certified>,
}

/// What a certificate proves beyond a remit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certified {
    /// What the edge is called.
    pub edge_id: String,
    /// Until when it is good, in milliseconds since 1970.
    pub ends_at_ms: u64,
}

/// Why a bearer gets no badge.
#[derive(Debug)]
pub enum NoBadge {
    /// Nothing was presented.
    Nothing,
    /// What was presented is not the text of a join token.
    NotAToken,
    /// There is no certificate of an edge where there must be one.
    NoCertificate,
    /// The certificate has ended.
    Ended,
    /// The identity that the certificate names was revoked, or is not known.
    Revoked,
    /// Another edge uses the same identity.
    Copied,
    /// What was presented is no invitation that can be used.
    Invitation,
    /// The token is not one of ours, or it was revoked, or it has expired.
    Invalid,
    /// Too many tokens are in use.
    Crowded,
    /// Too many tokens are being checked.
    Busy,
    /// The store could not be asked.
    Store(StoreError),
}

struct Known {
    token: JoinToken,
    read_at: Instant,
    asked_at: Instant,
}

// === impl Tokens ===

impl Tokens {
    /// None in use yet.
    pub fn new(store: Store, clock: Clock) -> Self {
        let look_up = move |ids: Vec<String>| -> BoxFuture<'static, _> {
            let store = store.clone();
            Box::pin(async move {
                let mut found = store.join_tokens(&ids).await?;
                if found.len() < ids.len() {
                    found.extend(store.edge_identities(&ids).await?);
                }
                Ok(found)
            })
        };
        Self::asking(Box::new(look_up), clock)
    }

    fn asking(look_up: LookUp, clock: Clock) -> Self {
        let (known, checked) = (Mutex::default(), watch::Sender::new(0));
        Self {
            look_up,
            turns: Turns::new(),
            clock,
            known,
            checked,
        }
    }

    /// What the token in a request's headers proves.
    pub async fn badge(&self, headers: &HeaderMap) -> Result<Badge, NoBadge> {
        let presented = presented(headers)?;
        let token = match self.fresh(presented.key_id()) {
            Some(token) => token,
            None => self.ask(presented.key_id()).await?,
        };
        // Compared before anything else is told about the token, and in constant time.
        let secret = token.secret_sha256.ok_or(NoBadge::Invalid)?;
        let proven = presented.matches_sha256(&secret) && !token.single_use;
        if !proven || !self.stands_now(&token) {
            return Err(NoBadge::Invalid);
        }
        Ok(Badge {
            token: token.key_id,
            remit: token.remit,
            certified: None,
        })
    }

    /// What a certificate proves that was shown and proven on the connection.
    pub async fn badge_of(&self, shown: Shown) -> Result<Badge, NoBadge> {
        if shown.ends_at_ms <= self.clock.now_ms() {
            return Err(NoBadge::Ended);
        }
        let Shown {
            member, ends_at_ms, ..
        } = shown;
        let identity = match self.fresh(&member.identity) {
            Some(identity) => identity,
            None => match self.ask(&member.identity).await {
                Err(NoBadge::Invalid) => return Err(NoBadge::Revoked),
                asked => asked?,
            },
        };
        // Its remit stands in the certificate, and was written down when it was issued.
        if identity.revoked || !stands_in(&member, &identity.remit) {
            return Err(NoBadge::Revoked);
        }
        Ok(Badge {
            token: member.identity,
            remit: identity.remit,
            certified: Some(Certified {
                edge_id: member.edge_id,
                ends_at_ms,
            }),
        })
    }

    /// Whether what gave a badge still does, as far as is known here.
    pub fn stands(&self, badge: &Badge) -> Result<(), NoBadge> {
        let ended = |it: &Certified| it.ends_at_ms <= self.clock.now_ms();
        if badge.certified.as_ref().is_some_and(ended) {
            return Err(NoBadge::Ended);
        }
        let mut known = self.lock();
        let stands = known.get_mut(&badge.token).is_some_and(|it| {
            it.asked_at = Instant::now();
            self.stands_now(&it.token)
        });
        match (stands, &badge.certified) {
            (true, _) => Ok(()),
            (false, None) => Err(NoBadge::Invalid),
            (false, Some(_)) => Err(NoBadge::Revoked),
        }
    }

    /// Wakes when a token in use has changed.
    pub fn follow(&self) -> watch::Receiver<u64> {
        self.checked.subscribe()
    }

    /// Reads the tokens in use anew, at every ring of `bells` and without it, with a rest in between.
    pub async fn run(self: Arc<Self>, mut bells: watch::Receiver<u64>) -> Infallible {
        loop {
            // The bells ring for as long as the process lives.
            let _ = time::timeout(READ_EVERY, bells.changed()).await;
            self.refresh().await;
            time::sleep(READ_REST).await;
        }
    }

    async fn refresh(&self) {
        let ids: Vec<String> = {
            let mut known = self.lock();
            known.retain(|_, it| it.asked_at.elapsed() < KEPT_FOR);
            known.keys().cloned().collect()
        };
        if ids.is_empty() {
            return;
        }
        match (self.look_up)(ids.clone()).await {
            // Who follows is woken by a change alone: heartbeats of edges ring the same bell.
            Ok(tokens) => {
                if self.learn(&ids, tokens) {
                    self.checked
                        .send_modify(|count| *count = count.wrapping_add(1));
                }
            }
            // What was known stays good: edges must not lose their streams with the database.
            Err(error) => {
                warn!(%error, "Join tokens cannot be read anew, what is known of them stands");
            }
        }
    }

    /// Takes what the store said about these tokens, and says whether it is something new.
    fn learn(&self, ids: &[String], tokens: Vec<JoinToken>) -> bool {
        let mut found: HashMap<String, JoinToken> = HashMap::with_capacity(tokens.len());
        found.extend(tokens.into_iter().map(|it| (it.key_id.clone(), it)));
        let (mut known, mut news) = (self.lock(), false);
        for id in ids {
            match (found.remove(id), known.get_mut(id)) {
                (Some(token), Some(it)) => {
                    news |= it.token.revoked != token.revoked
                        || it.token.expires_at_ms != token.expires_at_ms;
                    (it.token, it.read_at) = (token, Instant::now());
                }
                (None, Some(_)) => {
                    news = true;
                    known.remove(id);
                }
                (_, None) => {}
            }
        }
        news
    }

    /// What is known of a token, if the store said it a moment ago.
    fn fresh(&self, id: &str) -> Option<JoinToken> {
        let mut known = self.lock();
        let it = known.get_mut(id)?;
        it.asked_at = Instant::now();
        (it.read_at.elapsed() < FRESH_FOR).then(|| it.token.clone())
    }

    async fn ask(&self, id: &str) -> Result<JoinToken, NoBadge> {
        let Some(_turn) = self.turns.take().await else {
            return self.last_known(id).ok_or(NoBadge::Busy);
        };
        // Of many who bear one token, the first asks for all.
        if let Some(token) = self.fresh(id) {
            return Ok(token);
        }
        let answer = (self.look_up)(vec![id.to_owned()]).await;
        let token = match answer.map(|mut tokens| tokens.pop()) {
            Ok(Some(token)) => token,
            Ok(None) => {
                self.lock().remove(id);
                return Err(NoBadge::Invalid);
            }
            // With the database away, what it said last is the best that is known.
            Err(error) => return self.last_known(id).ok_or(NoBadge::Store(error)),
        };
        let mut known = self.lock();
        if known.len() >= TOKENS_MAX && !known.contains_key(id) {
            return Err(NoBadge::Crowded);
        }
        let now = Instant::now();
        let it = Known {
            token: token.clone(),
            read_at: now,
            asked_at: now,
        };
        known.insert(id.to_owned(), it);
        Ok(token)
    }

    fn last_known(&self, id: &str) -> Option<JoinToken> {
        self.lock().get(id).map(|it| it.token.clone())
    }

    fn stands_now(&self, token: &JoinToken) -> bool {
        let expired = token
            .expires_at_ms
            .is_some_and(|at_ms| at_ms <= self.clock.now_ms());
        !token.revoked && !expired
    }

    /// Held for a few comparisons at a time, never over an await.
    fn lock(&self) -> MutexGuard<'_, HashMap<String, Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether this is the remit that a certificate names.
fn stands_in(member: &Member, remit: &Remit) -> bool {
    let organization = remit.organization.map(|it| it.to_string());
    member.region == remit.region.as_str() && member.organization == organization
}

/// The join token in a request's headers.
pub fn presented(headers: &HeaderMap) -> Result<Presented<'_>, NoBadge> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let value = values.next().ok_or(NoBadge::Nothing)?;
    if values.next().is_some() {
        // Two tokens leave it open which one counts.
        return Err(NoBadge::NotAToken);
    }
    let text = value.to_str().map_err(|_| NoBadge::NotAToken)?;
    let (scheme, text) = text.split_once(' ').ok_or(NoBadge::NotAToken)?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(NoBadge::NotAToken);
    }
    let presented = keys::parse(text.trim_start()).map_err(|_| NoBadge::NotAToken)?;
    match presented.family() {
        Family::Join => Ok(presented),
        Family::Live | Family::Test | Family::Operator | Family::Activation => {
            Err(NoBadge::NotAToken)
        }
    }
}

// === impl NoBadge ===

impl fmt::Display for NoBadge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Nothing => "present a join token as metadata `authorization: Bearer slj_…`",
            Self::NotAToken => {
                "what `authorization` holds is not a join token: present `Bearer slj_…`"
            }
            Self::Invalid => {
                "the join token is not known here, or revoked, or expired; make a new one"
            }
            Self::NoCertificate => {
                "this control plane knows edges by certificates, and none of an edge was shown; invite the edge with `sluice edges invite`"
            }
            Self::Ended => "the certificate has ended; it can be renewed for a week, and after that the edge must be invited anew",
            Self::Revoked => "the identity of this edge was revoked; invite it anew with `sluice edges invite`",
            Self::Copied => "another edge has renewed the certificate of this identity; invite each edge by itself",
            Self::Invitation => {
                "the invitation is not known here, or used, or revoked, or over; make another one with `sluice edges invite`"
            }
            Self::Busy => "too many join tokens are being checked; try again",
            Self::Crowded => "too many join tokens are in use; try again",
            Self::Store(_) => "the join token could not be checked now; try again",
        })
    }
}

impl std::error::Error for NoBadge {}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use policy::region::Region;
    use tokio::sync::Semaphore;

    use super::*;

    /// A store that holds one token, answers when it is let, and counts how many ask at once.
    fn store_of(token: JoinToken, gate: Arc<Semaphore>, asking: Arc<AtomicUsize>) -> LookUp {
        Box::new(move |ids| {
            let (token, gate, asking) = (token.clone(), Arc::clone(&gate), Arc::clone(&asking));
            asking.fetch_add(1, Ordering::SeqCst);
            Box::pin(async move {
                gate.acquire().await.unwrap().forget();
                Ok(ids
                    .contains(&token.key_id)
                    .then_some(token)
                    .into_iter()
                    .collect())
            })
        })
    }

    fn bearing(minted: &keys::Minted) -> HeaderMap {
        let value = format!("Bearer {}", minted.text.as_str());
        HeaderMap::from_iter([(AUTHORIZATION, value.parse().unwrap())])
    }

    fn token(minted: &keys::Minted) -> JoinToken {
        JoinToken {
            key_id: minted.key_id.clone(),
            remit: Remit::of(Region::try_from("eu").unwrap()),
            secret_sha256: Some(minted.secret_sha256),
            single_use: false,
            expires_at_ms: None,
            revoked: false,
        }
    }

    #[tokio::test]
    async fn made_up_tokens_take_a_few_connections_at_once_and_are_then_sent_away() {
        let (gate, asking) = (Arc::new(Semaphore::new(0)), Arc::new(AtomicUsize::new(0)));
        let known = keys::mint(Family::Join);
        let look_up = store_of(token(&known), Arc::clone(&gate), Arc::clone(&asking));
        let tokens = Tokens::asking(look_up, Clock::system());
        let made_up: Vec<_> = (0..20)
            .map(|_| bearing(&keys::mint(Family::Join)))
            .collect();
        let sent_away = AtomicUsize::new(0);
        let asks = made_up.iter().map(|headers| async {
            let found = tokens.badge(headers).await;
            // The last one to be sent away lets those go on that have a turn.
            if matches!(found, Err(NoBadge::Busy)) && sent_away.fetch_add(1, Ordering::SeqCst) == 15
            {
                gate.add_permits(4);
            }
            found
        });
        let found = futures_util::future::join_all(asks).await;
        let busy = found.iter().filter(|it| matches!(it, Err(NoBadge::Busy)));
        assert_eq!((busy.count(), asking.load(Ordering::SeqCst)), (16, 4));
    }

    #[tokio::test]
    async fn many_bearers_of_one_token_are_one_question_and_its_revocation_wakes_once() {
        let (gate, asking) = (Arc::new(Semaphore::new(9)), Arc::new(AtomicUsize::new(0)));
        let minted = keys::mint(Family::Join);
        let token = token(&minted);
        let look_up = store_of(token.clone(), gate, Arc::clone(&asking));
        let tokens = Tokens::asking(look_up, Clock::system());
        let headers = bearing(&minted);
        for _ in 0..20 {
            assert_eq!(tokens.badge(&headers).await.unwrap().token, minted.key_id);
        }
        assert_eq!(asking.load(Ordering::SeqCst), 1);
        let followed = tokens.follow();
        tokens.refresh().await;
        assert!(!followed.has_changed().unwrap(), "nothing has changed");
        let badge = tokens.badge(&headers).await.unwrap();
        let revoked = JoinToken {
            revoked: true,
            ..token
        };
        assert!(tokens.learn(std::slice::from_ref(&minted.key_id), vec![revoked]));
        assert!(matches!(tokens.stands(&badge), Err(NoBadge::Invalid)));
    }

    #[test]
    fn only_a_join_token_is_taken_for_one() {
        let mut metadata = HeaderMap::new();
        assert!(matches!(presented(&metadata), Err(NoBadge::Nothing)));
        for family in [Family::Live, Family::Test, Family::Operator, Family::Join] {
            let minted = keys::mint(family);
            let value = format!("Bearer {}", minted.text.as_str());
            metadata.insert(AUTHORIZATION, value.parse().unwrap());
            let found = presented(&metadata).map(|it| it.key_id().to_owned());
            match family {
                Family::Join => assert_eq!(found.unwrap(), minted.key_id),
                _ => assert!(matches!(found, Err(NoBadge::NotAToken))),
            }
        }
    }
}
