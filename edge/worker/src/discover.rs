//! Fetches the public keys of issuers: where their discovery documents say, or where an operator does.
//!
//! One core does it for all. Knows HTTP and how often an issuer is asked; knows nothing of tokens, and asks nobody that an
//! operator has not named. Addresses are judged as those of providers are.

use std::{
    cell::Cell, collections::HashMap, convert::Infallible, fmt, future::pending, sync::Arc,
    task::Context, time::Duration,
};

use bytes::Bytes;
use claims::{
    document,
    key_set::{self, KeySet},
};
use credential::endpoint::Endpoint;
use futures_util::{FutureExt, StreamExt, future::LocalBoxFuture, stream::FuturesUnordered};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use policy::{id::IssuerId, issuer::Issuer};
use tokio::{
    select,
    time::{Instant, sleep_until, timeout},
};
use tracing::{info, warn};

use crate::{
    call::{
        client::{Client, NoAnswer},
        message::USER_AGENT,
        origin::Origin,
    },
    in_force::{InForce, issuers::Trusted},
    signers::{GOOD_FOR, Known, Signers},
};

/// What stands below an issuer's URL.
const DISCOVERY: &str = "/.well-known/openid-configuration";

/// The longest discovery document, in bytes.
// Full: it is none.
const DISCOVERY_BYTES_MAX: usize = 64 << 10;

/// How long one issuer may take, with both documents.
const TIME_MAX: Duration = Duration::from_secs(8);

/// How many issuers are asked at the same time.
// Full: the others wait.
const FLIGHTS_MAX: usize = 16;

/// How long keys are kept before they are fetched again: at least, where nobody says, and at most.
const FRESH: [Duration; 3] = [
    Duration::from_mins(5),
    Duration::from_hours(1),
    Duration::from_hours(24),
];

/// How long an issuer that failed is left alone: at first, and at most.
const PAUSES: [Duration; 2] = [Duration::from_secs(1), Duration::from_mins(2)];

/// Whoever fetches.
pub struct Discoverer {
    client: Client,
    in_force: InForce,
    signers: Signers,
    working: Cell<bool>,
}

/// One issuer's turn.
struct Turn {
    of: Arc<Trusted>,
    due: Instant,
    flying: bool,
    failures: u32,
    known: Option<Known>,
}

/// What came of asking one.
type Landed = (Arc<Trusted>, Result<(KeySet, Duration), NoKeys>);

/// Every issuer's turn: as many as there are issuers.
type Turns = HashMap<IssuerId, Turn>;

/// Why there are no keys. Holds nothing that an issuer said.
#[derive(Debug)]
enum NoKeys {
    Url,
    NoAnswer(NoAnswer),
    Status(StatusCode),
    NoDiscovery,
    OtherIssuer,
    Plaintext,
    NoDocument,
    NoneFits,
}

/// Says what this module measures.
pub fn describe() {
    metrics::describe_counter!(
        "sluice_issuer_keys_total",
        "Times that the keys of an issuer of clients' tokens were asked for, by outcome"
    );
}

// === impl Discoverer ===

impl Discoverer {
    /// Fetches for all cores, if `works`: exactly one core's does.
    pub const fn new(client: Client, in_force: InForce, signers: Signers, works: bool) -> Self {
        Self {
            client,
            in_force,
            signers,
            working: Cell::new(works),
        }
    }

    /// Closes connections that have rested too long.
    pub fn sweep(&self, cx: &mut Context<'_>) {
        self.client.sweep(cx);
    }

    /// Fetches what is due and what is asked for. Never ends; a core runs it beside its requests.
    pub async fn run(&self) -> Infallible {
        if !self.working.replace(false) {
            return pending().await;
        }
        let mut news = self.in_force.issuers_news();
        let mut turns = Turns::new();
        let mut flights = FuturesUnordered::new();
        loop {
            news.mark_unchanged();
            self.follow(&mut turns);
            for asked in self.signers.take_asked() {
                if let Some(turn) = turns.get_mut(&asked) {
                    turn.due = Instant::now();
                }
            }
            let next = self.begin(&mut turns, &mut flights);
            select! {
                Some(landed) = flights.next() => self.land(&mut turns, landed),
                () = self.signers.bell() => {}
                Ok(()) = news.changed() => {}
                () = sleep_until(next) => {}
            }
        }
    }

    /// Gives every issuer a turn that there is, and no other. One whose keys are now elsewhere is asked anew.
    fn follow(&self, turns: &mut Turns) {
        let issuers = self.in_force.issuers();
        turns.retain(|id, turn| {
            let stands = issuers
                .get(*id)
                .filter(|it| is_asked(it) && is_where(it, &turn.of));
            stands.is_some_and(|it| {
                turn.of = Arc::clone(it);
                true
            })
        });
        let mut changed = false;
        for trusted in issuers.all().filter(|it| is_asked(it)) {
            turns.entry(trusted.issuer.id).or_insert_with(|| {
                changed = true;
                Turn {
                    of: Arc::clone(trusted),
                    due: Instant::now(),
                    flying: false,
                    failures: 0,
                    known: None,
                }
            });
        }
        if changed {
            self.publish(turns);
        }
    }

    /// Begins what is due, and says when to look again.
    fn begin<'a>(
        &'a self,
        turns: &mut Turns,
        flights: &mut FuturesUnordered<LocalBoxFuture<'a, Landed>>,
    ) -> Instant {
        let now = Instant::now();
        let mut next = now + Duration::from_hours(1);
        for turn in turns.values_mut().filter(|turn| !turn.flying) {
            if turn.due > now || flights.len() >= FLIGHTS_MAX {
                next = next.min(turn.due);
                continue;
            }
            turn.flying = true;
            let of = Arc::clone(&turn.of);
            let flight = async move {
                let fetched = timeout(TIME_MAX, self.fetch(&of.issuer)).await;
                (of, fetched.unwrap_or(Err(NoKeys::NoAnswer(NoAnswer::Slow))))
            };
            flights.push(flight.boxed_local());
        }
        // Where all places are taken, one that comes free wakes us.
        next.max(now + Duration::from_millis(100))
    }

    fn land(&self, turns: &mut Turns, (of, fetched): Landed) {
        let turn = turns.get_mut(&of.issuer.id);
        let Some(turn) = turn.filter(|turn| is_where(&turn.of, &of)) else {
            return;
        };
        let now = Instant::now();
        turn.flying = false;
        let before = turn.known.take();
        let outcome = match fetched {
            Ok((keys, fresh_for)) => {
                turn.failures = 0;
                turn.due = now + fresh_for.mul_f64(0.8);
                // The same keys stay the same, so that what they have proved stays so.
                let same = before.and_then(|it| it.keys).filter(|it| **it == keys);
                if same.is_none() {
                    info!(issuer = %turn.of.issuer.name, keys = keys.len(), "has the keys of an issuer");
                }
                turn.known = Some(Known {
                    keys: Some(same.unwrap_or_else(|| Arc::new(keys))),
                    good_until: now + GOOD_FOR,
                    tried_at: now,
                });
                "fetched"
            }
            Err(why) => {
                let [first, last] = PAUSES;
                let pause = first.saturating_mul(1 << turn.failures.min(10)).min(last);
                turn.failures = turn.failures.saturating_add(1);
                turn.due = now + pause.mul_f64(0.75 + fastrand::f64() / 2.0);
                warn!(issuer = %turn.of.issuer.name, %why, "the keys of an issuer cannot be had");
                turn.known = Some(Known {
                    good_until: before.as_ref().map_or(now, |it| it.good_until),
                    keys: before.and_then(|it| it.keys),
                    tried_at: now,
                });
                "failed"
            }
        };
        metrics::counter!("sluice_issuer_keys_total", "outcome" => outcome).increment(1);
        self.publish(turns);
    }

    fn publish(&self, turns: &Turns) {
        let known = turns
            .iter()
            .filter_map(|(id, turn)| Some((*id, turn.known.clone()?)));
        self.signers.put(known.collect());
    }

    async fn fetch(&self, issuer: &Issuer) -> Result<(KeySet, Duration), NoKeys> {
        let url = match issuer.keys_url.as_str() {
            "" => self.discovered(issuer).await?,
            url => url.to_owned(),
        };
        let (headers, body) = self.get(&url, key_set::BYTES_MAX).await?;
        let keys = KeySet::read(&body).map_err(|_| NoKeys::NoDocument)?;
        if keys.is_empty() {
            return Err(NoKeys::NoneFits);
        }
        Ok((keys, fresh_for(&headers)))
    }

    /// Where an issuer's discovery document says that its keys are.
    async fn discovered(&self, issuer: &Issuer) -> Result<String, NoKeys> {
        let base = issuer.url.strip_suffix('/').unwrap_or(&issuer.url);
        let (_, body) = self
            .get(&format!("{base}{DISCOVERY}"), DISCOVERY_BYTES_MAX)
            .await?;
        let document = document::read(&body).map_err(|_| NoKeys::NoDiscovery)?;
        let text = |name: &str| document.get(name).and_then(|it| it.as_str());
        // To the letter: what speaks for another issuer must not speak for this one.
        if text("issuer") != Some(issuer.url.as_str()) {
            return Err(NoKeys::OtherIssuer);
        }
        let url = text("jwks_uri").ok_or(NoKeys::NoDiscovery)?;
        let same_origin = || {
            let origin = |url: &str| Endpoint::read(url).map(|it| it.origin().to_owned());
            origin(url).is_some_and(|it| Some(it) == origin(&issuer.url))
        };
        if url.starts_with("https://") || same_origin() {
            Ok(url.to_owned())
        } else {
            Err(NoKeys::Plaintext)
        }
    }

    /// Gets a document. Redirects are not followed.
    async fn get(&self, url: &str, bytes_max: usize) -> Result<(HeaderMap, Vec<u8>), NoKeys> {
        let endpoint = Endpoint::read(url).ok_or(NoKeys::Url)?;
        let origin = Origin::parse(endpoint.origin()).map_err(|_| NoKeys::Url)?;
        let request = origin.request((Method::GET, endpoint.target()), Bytes::new());
        let mut request = request.map_err(|_| NoKeys::Url)?;
        let headers = request.headers_mut();
        headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
        headers.insert(header::USER_AGENT, USER_AGENT);
        let answer = self.client.ask(origin, request, Instant::now() + TIME_MAX);
        let answer = answer.await;
        let (parts, mut body) = answer.map_err(NoKeys::NoAnswer)?.into_parts();
        if !parts.status.is_success() {
            return Err(NoKeys::Status(parts.status));
        }
        let body = body.whole(bytes_max).await;
        let broken = |_| NoKeys::NoAnswer(NoAnswer::Broken);
        Ok((parts.headers, body.map_err(broken)?))
    }
}

/// Whether an issuer is asked for keys at all.
fn is_asked(it: &Trusted) -> bool {
    !it.issuer.disabled && it.issuer.signs_tokens()
}

/// Whether the keys of both are in the same place.
fn is_where(one: &Trusted, other: &Trusted) -> bool {
    let place = |it: &Trusted| (it.issuer.url.clone(), it.issuer.keys_url.clone());
    place(one) == place(other)
}

/// How long an answer says that it is fresh, within bounds.
fn fresh_for(headers: &HeaderMap) -> Duration {
    let [min, usual, max] = FRESH;
    let said = headers
        .get(header::CACHE_CONTROL)
        .and_then(|it| it.to_str().ok());
    let age = said.and_then(|text| {
        let mut directives = text.split(',').map(str::trim);
        directives.find_map(|it| it.strip_prefix("max-age=")?.parse().ok())
    });
    age.map_or(usual, Duration::from_secs).clamp(min, max)
}

impl fmt::Display for NoKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Url => f.write_str("its URL cannot be asked"),
            Self::NoAnswer(NoAnswer::Unreachable(why)) => write!(f, "it cannot be reached: {why}"),
            Self::NoAnswer(NoAnswer::Broken) => {
                f.write_str("it broke off, or its document is too long")
            }
            Self::NoAnswer(NoAnswer::Slow) => f.write_str("it did not answer in time"),
            Self::Status(status) => write!(f, "it answered with status {}", status.as_u16()),
            Self::NoDiscovery => f.write_str("its discovery document is none"),
            Self::OtherIssuer => f.write_str("its discovery document speaks for another issuer"),
            Self::Plaintext => f.write_str("its discovery document names keys without TLS"),
            Self::NoDocument => f.write_str("its keys are not a set of keys that can be read"),
            Self::NoneFits => f.write_str("none of its keys can check a signature here"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_issuer_says_of_freshness_is_believed_within_bounds() {
        let said = |text: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(text));
            fresh_for(&headers)
        };
        assert_eq!(
            said("public, max-age=1800, must-revalidate"),
            Duration::from_mins(30)
        );
        assert_eq!(said("max-age=0"), Duration::from_mins(5));
        assert_eq!(said("max-age=99999999"), Duration::from_hours(24));
        assert_eq!(said("no-store"), Duration::from_hours(1));
        assert_eq!(fresh_for(&HeaderMap::new()), Duration::from_hours(1));
    }
}
