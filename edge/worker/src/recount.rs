//! Reads back from the ledger what was used of quotas: of those that the shared counts have forgotten, before anything is admitted
//! against them; and of those in use once in a while, to compare.
//!
//! Runs beside the requests, on one core; none waits for it. Knows counters and the control plane; what is decided meanwhile is
//! each limit's own word. What the ledger tells is a least: it is behind what the counts know, and never takes any of that back.

use std::{
    cell::RefCell,
    collections::{HashMap, hash_map::Entry},
    convert::Infallible,
    time::{Duration, Instant},
};

use counters::{Before, Counters, Noted, Told};
use policy::{
    applying::{Applied, Count, Measure},
    id::{CounterId, ModelId, OrganizationId, ProviderId},
};
use proto::sync::{
    LedgerCount, LedgerLevel, ReadLedgerRequest, sync_service_client::SyncServiceClient,
};
use tokio::time::{sleep, timeout};

use crate::feed::dial::Dialer;

/// The most counts of one question; the protocol's bound.
const COUNTS_MAX: usize = 64;

/// How many counts are compared each time.
// Full: others are compared another time.
const COMPARED_MAX: usize = 64;

/// Of how many counts is kept what the ledger said the last time.
// Full: those that come next are compared and not corrected.
const REMEMBERED_MAX: usize = 4_096;

/// How long the control plane may take.
const ANSWER: Duration = Duration::from_secs(5);

/// How long to wait before it is asked again.
const AGAIN: Duration = Duration::from_millis(500);

/// How often what was restored is compared, so that what was admitted meanwhile has come to the ledger.
const LOOKS: u8 = 4;

const RESTORED: &str = "sluice_limits_ledger_restored_total";
const CORRECTED: &str = "sluice_limits_ledger_corrected_total";
const WAITING: &str = "sluice_limits_ledger_waiting";
const DRIFT: &str = "sluice_limits_ledger_drift_ratio";
const NEAR_END: &str = "sluice_limits_near_end";

/// Which parts of a quota are worth a look when so much is used.
const NEAR: [(u32, &str); 3] = [(80, "0.8"), (95, "0.95"), (100, "1")];

/// Reads the ledger.
pub struct Recounter {
    counters: Counters,
    every: Duration,
    // None is held over an await.
    dialer: RefCell<Dialer>,
    said: RefCell<HashMap<CounterId, Said>>,
    /// Of which the ledger was ahead or which were forgotten, and which are so compared whether or not they are used; with how
    /// often still.
    // Full: at most as many as are compared at once.
    behind: RefCell<Vec<(Noted, u8)>>,
}

/// What the ledger said of a count the last time.
#[derive(Debug, Clone, Copy)]
struct Said {
    period_from_ms: u64,
    used: u64,
    at: Instant,
}

/// Since when nothing was forgotten of some organizations, in milliseconds of the keeper's clock.
type Since = HashMap<OrganizationId, u64>;

/// What the ledger says of some quotas.
type Levels = Vec<(Noted, LedgerLevel)>;

/// Says what is measured here.
pub fn describe() {
    metrics::describe_counter!(
        RESTORED,
        "Counts of quotas that were forgotten and read back from the ledger, by whether it could tell"
    );
    metrics::describe_counter!(
        CORRECTED,
        "Counts of quotas that were raised to what the ledger had said"
    );
    metrics::describe_gauge!(
        WAITING,
        "Counts of quotas that are forgotten and wait for the ledger"
    );
    metrics::describe_gauge!(
        DRIFT,
        "The most by which the ledger or the shared count is ahead of the other, as a part of the limit"
    );
    metrics::describe_gauge!(
        NEAR_END,
        "Counts of quotas in use of which at least this part is used"
    );
}

// === impl Recounter ===

impl Recounter {
    /// Tells these counters what control planes say that are reached by `dialer`, and compares each so often.
    pub fn new(counters: Counters, dialer: Dialer, every: Duration) -> Self {
        describe();
        metrics::gauge!(WAITING).set(0.0);
        Self {
            counters,
            every,
            dialer: RefCell::new(dialer),
            said: RefCell::default(),
            behind: RefCell::default(),
        }
    }

    /// Runs. Never ends.
    pub async fn run(&self) -> Infallible {
        let (mut waiting, mut next) = (Vec::new(), Instant::now() + self.rest());
        loop {
            let again = !waiting.is_empty();
            tokio::select! {
                () = self.counters.lacking(), if !again => {}
                () = sleep(AGAIN), if again => {}
                () = tokio::time::sleep_until(next.into()) => {
                    self.compare().await;
                    next = Instant::now() + self.rest();
                }
            }
            waiting.extend(self.counters.take_lacking());
            waiting = self.restore(waiting).await;
            gauge(WAITING, waiting.len());
        }
    }

    /// Since when nothing was forgotten of those whose quotas these are; `None` where one of them cannot be asked for.
    async fn stand_since(&self, noted: &[Noted]) -> Option<Since> {
        let mut since = Since::default();
        for it in noted {
            if let Entry::Vacant(place) = since.entry(it.organization) {
                place.insert(self.counters.stands_since(it.organization).await?);
            }
        }
        Some(since)
    }

    /// Spread, so that edges do not compare in step.
    fn rest(&self) -> Duration {
        self.every.mul_f64(0.75 + fastrand::f64() / 2.0)
    }

    /// Tells what was used of these; gives those of which that could not be told.
    async fn restore(&self, mut waiting: Vec<Noted>) -> Vec<Noted> {
        if waiting.is_empty() {
            return waiting;
        }
        waiting.sort_by_key(|it| *it.applied.counter.as_bytes());
        waiting.dedup_by_key(|it| it.applied.counter);
        let mut unknown = Vec::new();
        while !waiting.is_empty() {
            let rest = waiting.split_off(waiting.len().min(COUNTS_MAX));
            let asked = std::mem::replace(&mut waiting, rest);
            // Before the ledger is read, so that what is told is of what was forgotten.
            let since = self.stand_since(&asked).await;
            let levels = match &since {
                Some(_) => self.ask(&asked).await,
                None => None,
            };
            let (Some(since), Some(levels)) = (since, levels) else {
                waiting.extend(asked);
                waiting.extend(unknown);
                return waiting;
            };
            let levels = levels.into_iter();
            let (later, levels): (Levels, Levels) = levels.partition(|(_, level)| level.later);
            for (_, level) in &levels {
                let known = if level.known { "true" } else { "false" };
                metrics::counter!(RESTORED, "known" => known).increment(1);
            }
            let asked: Vec<Noted> = levels.iter().map(|(it, _)| it.clone()).collect();
            self.tell(&since, levels, |_, level| (most(level), 0)).await;
            unknown.extend(later.into_iter().map(|(it, _)| it));
            // What was admitted meanwhile comes to the ledger a little later.
            let mut behind = self.behind.borrow_mut();
            behind.retain(|(it, _)| {
                asked
                    .iter()
                    .all(|other| other.applied.counter != it.applied.counter)
            });
            behind.extend(asked.into_iter().map(|it| (it, LOOKS)));
            behind.truncate(COMPARED_MAX);
        }
        unknown
    }

    /// Compares some of those that are in use. What the ledger said the last time must have come to the counts by now.
    async fn compare(&self) {
        let mut seen = self.counters.take_seen();
        fastrand::shuffle(&mut seen);
        // It stays noted until it was compared.
        let behind = self.behind.borrow().clone();
        seen.retain(|it| {
            behind
                .iter()
                .all(|(other, _)| other.applied.counter != it.applied.counter)
        });
        drop(seen.splice(0..0, behind.iter().map(|(it, _)| it.clone())));
        seen.truncate(COMPARED_MAX);
        let Some(since) = self.stand_since(&seen).await else {
            return;
        };
        let Some(mut levels) = self.ask(&seen).await else {
            return;
        };
        levels.retain(|(_, level)| !level.later);
        let now = Instant::now();
        let compared = self.tell(&since, levels, |noted, level| {
            (most(level), self.said_before(noted, level, now))
        });
        let compared = compared.await;
        measure(&compared);
        let looks = |counter: CounterId| {
            let mut noted = behind.iter();
            let noted = noted.find(|(it, _)| it.applied.counter == counter);
            noted.map_or(0, |(_, looks)| looks.saturating_sub(1))
        };
        let again = compared.into_iter().filter_map(|(told, before)| {
            let counted = before.used()?;
            let ahead = told.used > counted.max(told.least) && counts_all(&told.applied);
            let looks = looks(told.applied.counter).max(u8::from(ahead));
            let noted = Noted {
                organization: told.applied.limit.organization,
                applied: told.applied,
            };
            (looks > 0).then_some((noted, looks))
        });
        let again = again.collect();
        self.behind.replace(again);
    }

    /// What was said of it the last time, in the same period; and remembers what is said now.
    fn said_before(&self, noted: &Noted, level: &LedgerLevel, at: Instant) -> u64 {
        let mut said = self.said.borrow_mut();
        if said.len() >= REMEMBERED_MAX {
            let oldest = self.every * 8;
            said.retain(|_, it| at.duration_since(it.at) < oldest);
        }
        let (counter, used) = (noted.applied.counter, level.used);
        let period_from_ms = period_from_ms(noted);
        let before = said.get(&counter).copied();
        if before.is_some() || said.len() < REMEMBERED_MAX {
            let now = Said {
                period_from_ms,
                used,
                at,
            };
            said.insert(counter, now);
        }
        let before = before.filter(|it| it.period_from_ms == period_from_ms);
        let before = before.filter(|_| counts_all(&noted.applied));
        // A price that became lower makes less of what was used.
        before.map_or(0, |it| it.used.min(used))
    }

    /// Tells the counters; gives of each what the ledger says, what at least was told, and what they had counted.
    async fn tell(
        &self,
        since: &Since,
        levels: Levels,
        told: impl Fn(&Noted, &LedgerLevel) -> (u64, u64),
    ) -> Vec<(Told, Before)> {
        let mut by_organization: HashMap<OrganizationId, Vec<Told>> = HashMap::new();
        for (noted, level) in levels {
            let (used, least) = told(&noted, &level);
            let told = by_organization.entry(noted.organization).or_default();
            told.push(Told {
                applied: noted.applied,
                used,
                least,
            });
        }
        let mut all = Vec::new();
        for (organization, mut told) in by_organization {
            let Some(since_ms) = since.get(&organization) else {
                continue;
            };
            let before = self.counters.restore(organization, *since_ms, &mut told);
            let before = before.await;
            all.extend(told.into_iter().zip(before));
        }
        all
    }

    /// What the ledger says of these, at most as many as one question holds; `None` where nobody can tell.
    async fn ask(&self, noted: &[Noted]) -> Option<Levels> {
        if noted.is_empty() {
            return Some(Vec::new());
        }
        let counts = noted.iter().map(count).collect();
        let (channel, request) = {
            let mut dialer = self.dialer.borrow_mut();
            let channel = dialer.lazily();
            (channel, dialer.request(ReadLedgerRequest { counts }))
        };
        let mut client = SyncServiceClient::new(channel);
        let answer = timeout(ANSWER, client.read_ledger(request)).await;
        let levels = match answer {
            Ok(Ok(answer)) => answer.into_inner().levels,
            Ok(Err(status)) => {
                tracing::warn!(code = ?status.code(), "the ledger cannot be read");
                return None;
            }
            Err(_) => {
                tracing::warn!("the ledger cannot be read, the control plane is silent");
                return None;
            }
        };
        let whole = levels.len() == noted.len();
        whole.then(|| noted.iter().cloned().zip(levels).collect())
    }
}

/// Whether it counts all that is used: one that only warns does not count what it would have refused.
fn counts_all(applied: &Applied) -> bool {
    applied.limit.terms.mode.refuses()
}

/// What is told where nobody knows: what is asked back may be given already.
const fn most(level: &LedgerLevel) -> u64 {
    level.used.saturating_add(level.asked_back)
}

/// The count, as the control plane is asked for it.
fn count(noted: &Noted) -> LedgerCount {
    let asked = LedgerCount {
        limit_id: noted.applied.limit.id.as_bytes().to_vec(),
        period_from_ms: period_from_ms(noted),
        ..LedgerCount::default()
    };
    let Some(whose) = &noted.applied.whose else {
        return asked;
    };
    let bytes = |id: Option<&[u8; 16]>| id.map(|it| it.to_vec()).unwrap_or_default();
    LedgerCount {
        project_id: whose.project.as_bytes().to_vec(),
        key_id: whose.key_id.clone(),
        model_id: bytes(whose.model.as_ref().map(ModelId::as_bytes)),
        end_user: whose.end_user.clone(),
        provider_id: bytes(whose.provider.as_ref().map(ProviderId::as_bytes)),
        ..asked
    }
}

fn period_from_ms(noted: &Noted) -> u64 {
    match noted.applied.count {
        Count::Level(Measure::Quota { span, .. }) => span.from_ms,
        Count::Level(Measure::Rate(_)) | Count::Slots(_) => 0,
    }
}

/// Shows how far both are apart, and what is near its end.
fn measure(compared: &[(Told, Before)]) {
    let (mut ledger, mut counts, mut near) = (0.0_f64, 0.0_f64, [0_usize; NEAR.len()]);
    for (told, before) in compared {
        let Some(counted) = before.used() else {
            continue;
        };
        // What was given back is counted, and was not used.
        let given = told.applied.given;
        let amount = told.applied.count.amount().max(1);
        let more = |one: u64, other: u64| part(one.saturating_sub(other), amount);
        ledger = ledger.max(more(told.used, counted));
        counts = counts.max(more(counted, told.used));
        if told.least > counted {
            metrics::counter!(CORRECTED).increment(1);
        }
        let used = u128::from(counted.max(told.least).saturating_sub(given)) * 100;
        for (place, (percent, _)) in near.iter_mut().zip(NEAR) {
            *place += usize::from(used >= u128::from(amount) * u128::from(percent));
        }
    }
    metrics::gauge!(DRIFT, "ahead" => "ledger").set(ledger);
    metrics::gauge!(DRIFT, "ahead" => "counts").set(counts);
    for (count, (_, label)) in near.into_iter().zip(NEAR) {
        metrics::gauge!(NEAR_END, "used" => label).set(as_double(count));
    }
}

fn gauge(name: &'static str, count: usize) {
    metrics::gauge!(name).set(as_double(count));
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a gauge is a double, and this is far below 2^53"
)]
const fn as_double(count: usize) -> f64 {
    count as f64
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a part of a limit is shown, not counted with"
)]
fn part(of: u64, whole: u64) -> f64 {
    of as f64 / whole as f64
}
