//! The clients of the ledger: many at once, each asking for one outcome after another at one edge after another.
//!
//! Knows what was asked and which edge was killed when; judges nothing but statuses.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicI64, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use harness::{client::Client, progress::Progress};
use scenarios::ledger::{
    books::{Asked, Killed},
    kind::{Kind, Question},
};
use tokio::task::JoinSet;

/// How many clients ask at once.
const CLIENTS: i64 = 16;

/// The longest that a record waits in an edge before it is on its way: it is gathered for 200 milliseconds, and reported within
/// five seconds or put on the disk.
const UNREPORTED_MAX: Duration = Duration::from_secs(6);

/// How long a client waits for an answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// The most unexpected answers that are told.
const TOLD_MAX: usize = 20;

/// What a client hears before it hangs up.
const PIECE: &[u8] = b" piece";

/// How many answers without an end the first edge has when it is killed.
pub(crate) const OPEN: i64 = 4;

/// Questions that were asked and that this did not hear of yet: one of each client.
const UNHEARD_MAX: i64 = CLIENTS;

/// What an edge borrows for one key, as a multiple of what it was asked for lately: for a second, by the pace of a quarter of one.
const BORROWED: i64 = 4;

/// What clients share.
pub(crate) struct Traffic {
    urls: Mutex<[String; 2]>,
    keys: Vec<String>,
    /// The number of the next question, over all runs.
    next: AtomicUsize,
    /// How many questions of this run were asked.
    made: AtomicUsize,
    to_hold: AtomicI64,
    asked: Mutex<BTreeMap<Kind, Asked>>,
    /// Of those that may lose their edge: at which they were asked, and from when to when.
    exposed: Mutex<Vec<(usize, Instant, Option<Instant>)>>,
    killed: Mutex<Killed>,
    expired: AtomicI64,
    unexpected: Mutex<Vec<String>>,
}

/// Clients at work.
pub(crate) struct Running(JoinSet<()>, Arc<Traffic>, usize);

/// How a question ended.
enum Ended {
    /// With this status, and all of its body.
    Answered(u16),
    /// The client hung up, as it wanted.
    HungUp,
    /// The connection broke.
    Lost(String),
}

// === impl Running ===

impl Running {
    /// Waits until every question was asked and has ended.
    pub(crate) async fn all(mut self, progress: &Progress) {
        let mut told = 0;
        let mut tell = || {
            let made = self.1.made.load(Ordering::Relaxed).min(self.2);
            progress.went((made - told) as u64);
            told = made;
        };
        loop {
            let ended = tokio::time::timeout(Duration::from_millis(200), self.0.join_next()).await;
            tell();
            match ended {
                Ok(Some(ended)) => ended.expect("no client panics"),
                Ok(None) => return,
                Err(_elapsed) => {}
            }
        }
    }
}

// === impl Traffic ===

impl Traffic {
    /// To these edges, with a key for each kind.
    pub(crate) fn new(urls: [String; 2], keys: Vec<String>) -> Arc<Self> {
        Arc::new(Self {
            urls: Mutex::new(urls),
            keys,
            next: AtomicUsize::new(0),
            made: AtomicUsize::new(0),
            to_hold: AtomicI64::new(0),
            asked: Mutex::default(),
            exposed: Mutex::default(),
            killed: Mutex::default(),
            expired: AtomicI64::new(0),
            unexpected: Mutex::default(),
        })
    }

    /// Asks so many questions of these kinds in turn, and waits for all answers.
    pub(crate) async fn run(
        self: &Arc<Self>,
        kinds: &'static [Kind],
        requests: usize,
        progress: &Progress,
    ) {
        self.start(kinds, requests).all(progress).await;
    }

    /// The same, without waiting.
    pub(crate) fn start(self: &Arc<Self>, kinds: &'static [Kind], requests: usize) -> Running {
        self.made.store(0, Ordering::Relaxed);
        let mut clients = JoinSet::new();
        for _ in 0..CLIENTS {
            let it = Arc::clone(self);
            clients.spawn(async move {
                let mut connections = BTreeMap::new();
                while it.made.fetch_add(1, Ordering::Relaxed) < requests {
                    it.one(kinds, &mut connections).await;
                }
            });
        }
        Running(clients, Arc::clone(self), requests)
    }

    /// Whether so many questions of this run were asked.
    pub(crate) fn has_made(&self, requests: usize) -> bool {
        self.made.load(Ordering::Relaxed) >= requests
    }

    /// [`OPEN`] questions to the first edge are to have no end.
    pub(crate) fn hold(&self) {
        self.to_hold.store(OPEN, Ordering::Relaxed);
    }

    /// This edge is killed now, while it holds [`OPEN`] answers without an end.
    pub(crate) fn killed(&self, edge: usize) {
        let now = Instant::now();
        let exposed = self.exposed.lock().expect("nobody panicked with it");
        let late = |ended: &Option<Instant>| {
            ended.is_none_or(|at| now.duration_since(at) < UNREPORTED_MAX)
        };
        let at_risk = exposed
            .iter()
            .filter(|(at, _, ended)| *at == edge && late(ended));
        let at_risk = i64::try_from(at_risk.count()).expect("few");
        let mut killed = self.killed.lock().expect("nobody panicked with it");
        killed.open += OPEN;
        killed.unrecorded_max += at_risk + UNHEARD_MAX;
        killed.charged_max += (1 + BORROWED) * (at_risk + UNHEARD_MAX);
    }

    /// An edge is at another address now.
    pub(crate) fn moved(&self, edge: usize, url: String) {
        self.urls.lock().expect("nobody panicked with it")[edge] = url;
    }

    pub(crate) fn asked(&self, kind: Kind) -> Asked {
        let asked = self.asked.lock().expect("nobody panicked with it");
        asked.get(&kind).copied().unwrap_or_default()
    }

    pub(crate) fn kills(&self) -> Killed {
        *self.killed.lock().expect("nobody panicked with it")
    }

    /// So often something was charged in full, up to now, because the way to Redis broke.
    pub(crate) fn expired(&self, times: i64) {
        self.expired.store(times, Ordering::Relaxed);
    }

    pub(crate) fn charged_in_full(&self) -> i64 {
        self.expired.load(Ordering::Relaxed)
    }

    /// Answers that nobody expected.
    pub(crate) fn unexpected(&self) -> Vec<String> {
        self.unexpected
            .lock()
            .expect("nobody panicked with it")
            .clone()
    }

    async fn one(&self, kinds: &[Kind], connections: &mut BTreeMap<(usize, Kind), Client>) {
        let n = self.next.fetch_add(1, Ordering::Relaxed);
        let kind = kinds[n % kinds.len()];
        // Each kind goes to one edge after the other.
        let edge = (n / kinds.len() + n % kinds.len()) % 2;
        let never = kind == Kind::Killed && edge == 0 && self.holds();
        let question = kind.question(n, never);
        self.note(kind, &question);
        let place = self.expose(kind, edge);
        let asking = self.ask((edge, kind), question, connections);
        let ended = tokio::time::timeout(PATIENCE, asking).await;
        let ended = ended.unwrap_or_else(|_| Ended::Lost("no end".to_owned()));
        self.end(place);
        let what = match ended {
            Ended::Answered(status) if kind.is_expected(status) => return,
            Ended::HungUp => return,
            Ended::Lost(_) if kind == Kind::Killed => {
                connections.remove(&(edge, kind));
                return;
            }
            Ended::Answered(status) => format!("{kind:?} {n}: {status}"),
            Ended::Lost(why) => format!("{kind:?} {n}: {why}"),
        };
        let mut unexpected = self.unexpected.lock().expect("nobody panicked with it");
        if unexpected.len() < TOLD_MAX {
            unexpected.push(what);
        }
    }

    /// Whether one more answer is to have no end.
    fn holds(&self) -> bool {
        let less = |left: i64| (left > 0).then_some(left - 1);
        let took = self
            .to_hold
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
        took.is_ok()
    }

    fn note(&self, kind: Kind, question: &Question) {
        let bytes = i64::try_from(question.body.len()).expect("short");
        let mut asked = self.asked.lock().expect("nobody panicked with it");
        let asked = asked.entry(kind).or_default();
        asked.bytes += bytes;
        asked.guess += (bytes * 115 + 299) / 300;
    }

    fn expose(&self, kind: Kind, edge: usize) -> Option<usize> {
        if kind != Kind::Killed {
            return None;
        }
        let mut exposed = self.exposed.lock().expect("nobody panicked with it");
        exposed.push((edge, Instant::now(), None));
        Some(exposed.len() - 1)
    }

    fn end(&self, place: Option<usize>) {
        if let Some(place) = place {
            let mut exposed = self.exposed.lock().expect("nobody panicked with it");
            exposed[place].2 = Some(Instant::now());
        }
    }

    async fn ask(
        &self,
        (edge, kind): (usize, Kind),
        question: Question,
        connections: &mut BTreeMap<(usize, Kind), Client>,
    ) -> Ended {
        let url = self.urls.lock().expect("nobody panicked with it")[edge].clone();
        let mut client = match connections.remove(&(edge, kind)) {
            Some(client) => client,
            None => match Client::connect(&url, &self.keys[kind.place()]).await {
                Ok(client) => client,
                Err(why) => return Ended::Lost(why.to_string()),
            },
        };
        let mut reply = match client.post(question.path, question.body).await {
            Ok(reply) => reply,
            Err(why) => return Ended::Lost(why.to_string()),
        };
        let status = reply.status.as_u16();
        if kind == Kind::HungUp && status == 200 {
            while let Some(Ok(bytes)) = reply.next().await {
                if bytes.windows(PIECE.len()).any(|it| it == PIECE) {
                    return Ended::HungUp;
                }
            }
            return Ended::Lost("nothing to hang up on".to_owned());
        }
        match reply.bytes().await {
            Ok(_) => {
                connections.insert((edge, kind), client);
                Ended::Answered(status)
            }
            Err(why) => Ended::Lost(why.to_string()),
        }
    }
}
