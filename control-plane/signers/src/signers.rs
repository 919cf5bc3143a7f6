//! The keys of all issuers, as everybody who proves a token knows them, and the one task that asks for them.
//!
//! An issuer is asked once, however many wait. A lock is held for one look, never over an await.

use std::{
    collections::HashMap,
    convert::Infallible,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use claims::key_set::KeySet;
use egress::Guard;
use futures_util::{FutureExt, StreamExt, future::BoxFuture, stream::FuturesUnordered};
use tokio::{
    select,
    sync::{Notify, watch},
    time::{Instant, timeout},
};
use tracing::{info, warn};

use crate::{
    client::Client,
    config::Config,
    fetch::fetch,
    known::{Known, Turn},
    no_keys::NoKeys,
};

/// How long one issuer may take, with both documents.
const TIME_MAX: Duration = Duration::from_secs(8);

/// How long anybody waits for an issuer.
const WAIT_MAX: Duration = Duration::from_secs(10);

/// How many issuers are asked at the same time.
// Full: the others wait.
const FLIGHTS_MAX: usize = 16;

/// How many issuers are known.
// Full: the one that was wanted longest ago is forgotten, and asked anew when it is wanted.
const PLACES_MAX: usize = 1_024;

/// Where an issuer's keys are.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Place {
    /// What tokens say in `iss`.
    pub issuer_url: String,
    /// Where the keys are; empty means: where the issuer's discovery document says.
    pub keys_url: String,
}

/// The keys of issuers. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Signers(Arc<State>);

#[derive(Debug)]
struct State {
    client: Client,
    known: Mutex<HashMap<Place, Known>>,
    bell: Notify,
    rounds: watch::Sender<u64>,
}

/// What came of asking one.
type Landed = (Place, Result<(KeySet, Duration), NoKeys>);

/// Says what this crate measures.
pub fn describe() {
    metrics::describe_counter!(
        "sluice_trust_keys_total",
        "Times that the keys of an issuer of operators' tokens were asked for, by outcome"
    );
}

// === impl Signers ===

impl Signers {
    /// None yet. Nothing is asked before [`Self::run`] runs.
    pub fn open(config: &Config) -> Result<Self, String> {
        let client = Client::open(Guard::new(config.private_ranges.clone()));
        Ok(Self(Arc::new(State {
            client: client.map_err(|why| why.to_string())?,
            known: Mutex::default(),
            bell: Notify::new(),
            rounds: watch::Sender::new(0),
        })))
    }

    /// The keys of an issuer, asked for where they are not fresh. Keys that it gave before stay good for a day.
    pub async fn keys(&self, place: &Place) -> Result<Arc<KeySet>, NoKeys> {
        self.asked(place, Known::want).await
    }

    /// The keys of an issuer that lack one in `than`, asked for anew unless that was done just now.
    pub async fn newer(&self, place: &Place, than: &Arc<KeySet>) -> Result<Arc<KeySet>, NoKeys> {
        let want = |known: &mut Known, now| known.want_newer(than, now);
        self.asked(place, want).await
    }

    /// Asks whom somebody waits for, for as long as the process lives.
    pub async fn run(self) -> Infallible {
        let mut flights = FuturesUnordered::new();
        loop {
            for place in self.take_wanted(FLIGHTS_MAX.saturating_sub(flights.len())) {
                flights.push(self.flight(place));
            }
            select! {
                Some(landed) = flights.next() => self.land(landed),
                () = self.0.bell.notified() => {}
            }
        }
    }

    async fn asked(
        &self,
        place: &Place,
        want: impl FnOnce(&mut Known, Instant) -> bool,
    ) -> Result<Arc<KeySet>, NoKeys> {
        let mut rounds = self.0.rounds.subscribe();
        let now = Instant::now();
        let waits = {
            let mut all = self.known();
            make_room(&mut all, place);
            let known = all.entry(place.clone());
            want(known.or_insert_with(|| Known::nothing(now)), now)
        };
        if waits {
            self.0.bell.notify_one();
            let landed = timeout(WAIT_MAX, async {
                while self.is_awaited(place) && rounds.changed().await.is_ok() {}
            });
            // Who has waited long enough looks at what there is.
            let _ = landed.await;
        }
        let all = self.known();
        let known = all.get(place).ok_or(NoKeys::Busy)?;
        known.keys(Instant::now())
    }

    fn is_awaited(&self, place: &Place) -> bool {
        let all = self.known();
        all.get(place).is_some_and(|it| it.turn != Turn::Rests)
    }

    fn take_wanted(&self, most: usize) -> Vec<Place> {
        let mut all = self.known();
        let wanted = all.iter_mut().filter(|(_, it)| it.turn == Turn::Wanted);
        let taken = wanted.take(most).map(|(place, known)| {
            known.turn = Turn::Flies;
            place.clone()
        });
        taken.collect()
    }

    fn flight(&self, place: Place) -> BoxFuture<'static, Landed> {
        let state = Arc::clone(&self.0);
        async move {
            let fetched = fetch(&state.client, &place.issuer_url, &place.keys_url);
            let fetched = timeout(TIME_MAX, fetched).await;
            (place, fetched.unwrap_or(Err(NoKeys::Slow)))
        }
        .boxed()
    }

    fn land(&self, (place, fetched): Landed) {
        let outcome = match &fetched {
            Ok((keys, _)) => {
                info!(issuer = %place.issuer_url, keys = keys.len(), "has the keys of an issuer");
                "fetched"
            }
            Err(why) => {
                warn!(issuer = %place.issuer_url, %why, "the keys of an issuer cannot be had");
                "failed"
            }
        };
        metrics::counter!("sluice_trust_keys_total", "outcome" => outcome).increment(1);
        if let Some(known) = self.known().get_mut(&place) {
            known.land(fetched, Instant::now());
        }
        self.0.rounds.send_modify(|round| *round += 1);
    }

    // A poisoned lock is taken all the same: what it guards is whole after each act under it.
    fn known(&self) -> MutexGuard<'_, HashMap<Place, Known>> {
        self.0.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn make_room(all: &mut HashMap<Place, Known>, place: &Place) {
    if all.len() < PLACES_MAX || all.contains_key(place) {
        return;
    }
    let resting = all.iter().filter(|(_, it)| it.turn == Turn::Rests);
    let oldest = resting.min_by_key(|(_, it)| it.used_at);
    if let Some(oldest) = oldest.map(|(place, _)| place.clone()) {
        all.remove(&oldest);
    }
}
